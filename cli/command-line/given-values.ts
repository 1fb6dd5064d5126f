/**
 * Values of options as a subcommand wants them.
 */
import type { GivenOptions } from '../../server/index.ts';

/** A text; undefined when the option was not given. */
export function givenText(given: GivenOptions, flag: string): string | undefined {
  const value = given.get(flag);
  return typeof value === 'string' ? value : undefined;
}

/** A list; empty when the option was not given. */
export function givenList(given: GivenOptions, flag: string): readonly string[] {
  const value = given.get(flag);
  return Array.isArray(value) ? value.map(String) : [];
}
