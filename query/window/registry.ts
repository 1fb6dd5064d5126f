/**
 * All window operators by name: those of their own, and every accumulator.
 */
import { accumulatorNames, findAccumulator } from '../accumulator/registry.ts';
import { overAccumulator } from './accumulated.ts';
import { ANALYSIS } from './analysis.ts';
import type { WindowDefinition } from './definition.ts';
import { RANKS } from './rank.ts';

/** Accumulators that MongoDB does not allow in a window. */
const NOT_IN_WINDOWS: ReadonlySet<string> = new Set(['$mergeObjects', '$accumulator']);

const OWN: ReadonlyMap<string, WindowDefinition> = new Map(
  [...RANKS, ...ANALYSIS].map((definition) => [definition.name, definition]),
);

export function findWindow(name: string): WindowDefinition | undefined {
  const own = OWN.get(name);
  if (own !== undefined || NOT_IN_WINDOWS.has(name)) return own;
  const accumulator = findAccumulator(name);
  return accumulator === undefined ? undefined : overAccumulator(accumulator);
}

/** Names of all window operators, for documentation and tests. */
export function windowNames(): readonly string[] {
  const accumulators = accumulatorNames().filter((name) => !NOT_IN_WINDOWS.has(name));
  return [...OWN.keys(), ...accumulators].sort();
}
