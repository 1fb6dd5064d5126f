/**
 * A group of features: one table of docs/compatibility.md.
 */
import type { Support } from './evidence.ts';
import { MONGODB_NAMES, type GroupName } from './mongodb-names.ts';

export interface Group {
  readonly key: GroupName;
  readonly title: string;
  /** Names that the project defines, whether MongoDB has them or not. */
  defined(): readonly string[];
  support(name: string): Support;
}

/** A line of the table. */
export interface Feature {
  readonly name: string;
  readonly support: Support;
  /** False for what only FlintDB has; it does not count. */
  readonly isMongoDB: boolean;
}

/** MongoDB's features and ours, alphabetically. */
export function featuresOf(group: Group): Feature[] {
  const mongodb = new Set<string>(MONGODB_NAMES[group.key]);
  return [...new Set([...mongodb, ...group.defined()])]
    .toSorted(compareNames)
    .map((name) => ({ name, support: group.support(name), isMongoDB: mongodb.has(name) }));
}

/** Without regard to case. */
export function compareNames(one: string, other: string): number {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  return a < b ? -1 : a > b ? 1 : 0;
}
