/**
 * Lists among a subcommand's options.
 */
import type { GivenOptions } from '../../server/index.ts';

/** A list; empty when the option was not given. */
export function givenList(given: GivenOptions, flag: string): readonly string[] {
  const value = given.get(flag);
  return Array.isArray(value) ? value.map(String) : [];
}
