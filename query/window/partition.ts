/**
 * One partition of $setWindowFields: its documents in order, and the windows over them.
 */
import { BsonType, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { SortKey, SortOrder } from '../executor/sorter.ts';
import { valueAtPath } from '../expression/field-path.ts';
import { addUnits } from '../expression/operators/date-arithmetic.ts';
import type { TimeUnit } from '../expression/operators/date-arguments.ts';
import { UTC } from '../expression/operators/time-zone.ts';

export interface Partition {
  readonly documents: readonly Buffer[];
  readonly keys: readonly SortKey[];
  readonly order: SortOrder | undefined;
  /** Of a sortBy with a single field: what ranges and slopes are measured on. */
  readonly sortPath: readonly string[] | undefined;
}

/** A bound of a window: positions relative to the current document. */
export type Bound = 'unbounded' | 'current' | number;

export type Window =
  | { readonly kind: 'documents'; readonly lower: Bound; readonly upper: Bound }
  | {
      readonly kind: 'range';
      readonly lower: Bound;
      readonly upper: Bound;
      readonly unit: TimeUnit | undefined;
    };

export const WHOLE_PARTITION: Window = {
  kind: 'documents',
  lower: 'unbounded',
  upper: 'unbounded',
};

/** First and one past the last position of the window of the document at `position`; asked in order of position. */
export type WindowAt = (position: number) => readonly [start: number, end: number];

export function windowsOver(partition: Partition, window: Window): WindowAt {
  return window.kind === 'documents'
    ? documentWindows(partition.documents.length, window)
    : rangeWindows(partition, window);
}

function documentWindows(length: number, window: { lower: Bound; upper: Bound }): WindowAt {
  const offset = (bound: Bound, whenUnbounded: number): number =>
    bound === 'unbounded' ? whenUnbounded : bound === 'current' ? 0 : bound;
  const lower = offset(window.lower, -length);
  const upper = offset(window.upper, length);
  return (position) => {
    const start = Math.min(length, Math.max(0, position + lower));
    return [start, Math.max(start, Math.min(length, position + upper + 1))];
  };
}

function rangeWindows(partition: Partition, window: Extract<Window, { kind: 'range' }>): WindowAt {
  const values = positionsOf(partition, window.unit !== undefined);
  const { length } = values;
  // Values rise from document to document, and so do both ends of their windows: each goes over the partition once.
  let start = 0;
  let end = 0;
  return (position) => {
    const value = values[position];
    const low = edge(value, window.lower, window.unit, -Infinity);
    const high = edge(value, window.upper, window.unit, Infinity);
    while (start < length && values[start] < low) start += 1;
    end = Math.max(start, end);
    while (end < length && !(values[end] > high)) end += 1;
    return [start, end];
  };
}

function edge(value: number, bound: Bound, unit: TimeUnit | undefined, open: number): number {
  if (bound === 'unbounded') return open;
  if (bound === 'current') return value;
  return unit === undefined ? value + bound : addUnits(value, unit, bound, UTC);
}

/** The sort field of each document as a number: a number's value, a date's milliseconds. */
export function positionsOf(partition: Partition, asDates: boolean): readonly number[] {
  const path = partition.sortPath;
  if (path === undefined) {
    throw new CommandError(5429413, 'This window needs a sortBy with exactly one field');
  }
  return partition.documents.map((document) => {
    const value = valueAtPath(document, path, 0);
    const isDate = value?.type === BsonType.date;
    if (value !== undefined && asDates && isDate) return value.asDateMs();
    if (value !== undefined && !asDates && value.isNumber) return value.asNumber();
    throw new CommandError(
      asDates ? 5429513 : 5429414,
      `Invalid range: Expected the sortBy field to be a ${asDates ? 'Date' : 'number'}, but it was ${value?.typeName ?? 'missing'}`,
    );
  });
}

/** Numbers and dates alike, for slopes and areas; undefined for anything else. */
export function coordinateOf(value: RawValue | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (value.type === BsonType.date) return value.asDateMs();
  return value.isNumber ? value.asNumber() : undefined;
}
