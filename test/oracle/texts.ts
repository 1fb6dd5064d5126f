/**
 * Documents as texts, and when two answers are the same.
 */
import { EJSON } from 'bson';
import type { Document } from 'mongodb';

/** Documents in groups that the sort keeps apart: within a group any order is right. */
export interface Truth {
  readonly groups: readonly (readonly string[])[];
}

/** What part of the truth an answer is. */
export interface Window {
  readonly skip: number;
  /** 0: none. */
  readonly limit: number;
}

export function lengthOf({ groups }: Truth, { skip, limit }: Window): number {
  const total = groups.flat().length;
  return Math.min(Math.max(0, total - skip), limit === 0 ? Infinity : limit);
}

/** Two orders that differ only within ties show where the ties are: a group ends where both have had the same documents. */
export function groupsOf(
  rising: readonly Document[],
  falling: readonly Document[],
  shown: readonly Document[],
): string[][] {
  const groups: string[][] = [];
  const open = new Map<string, number>();
  let group: string[] = [];
  rising.forEach((one, place) => {
    count(open, text(one['_id']), 1);
    count(open, text(falling[place]?.['_id']), -1);
    group.push(canonical(shown[place]!));
    if (open.size > 0) return;
    groups.push(group);
    group = [];
  });
  return groups;
}

function count(open: Map<string, number>, key: string, by: number): void {
  const next = (open.get(key) ?? 0) + by;
  if (next === 0) open.delete(key);
  else open.set(key, next);
}

/** What is wrong with an answer; undefined when nothing is. */
export function differenceOf(
  found: readonly string[],
  truth: Truth,
  window: Window,
): string | undefined {
  const { groups } = truth;
  const { skip } = window;
  const expected = lengthOf(truth, window);
  if (found.length !== expected) return `${found.length} documents instead of ${expected}`;
  let place = skip;
  let start = 0;
  for (const group of groups) {
    const end = start + group.length;
    const here = found.slice(Math.max(0, start - skip), Math.max(0, end - skip));
    const left = counted(group);
    for (const each of here) {
      const times = left.get(each) ?? 0;
      if (times === 0) return `at ${place}: ${each} is not one of\n${group.join('\n')}`;
      left.set(each, times - 1);
      place += 1;
    }
    start = end;
  }
  return undefined;
}

export function counted(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const each of texts) counts.set(each, (counts.get(each) ?? 0) + 1);
  return counts;
}

/** Fields of a covered projection come in the order of the index. */
export function canonical(from: Document): string {
  return text(sortedFields(from));
}

function sortedFields(from: Document): Document {
  return Object.fromEntries(Object.entries(from).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function text(from: unknown): string {
  return EJSON.stringify(from, { relaxed: false });
}

/** Equal numbers of different types are one value. */
export function normalText(from: unknown): string {
  const shown = text(from);
  const number = /^\{"\$number(?:Int|Long|Double|Decimal)":"([^"]*)"\}$/.exec(shown);
  if (number !== null) return `number ${Object.is(Number(number[1]), -0) ? 0 : Number(number[1])}`;
  return shown.replace(
    /\{"\$number(?:Int|Long|Double|Decimal)":"([^"]*)"\}/g,
    (_, digits: string) => `number ${Number(digits) === 0 ? 0 : Number(digits)}`,
  );
}
