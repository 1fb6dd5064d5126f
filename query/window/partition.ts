/**
 * One partition of $setWindowFields: its documents in order, and the windows over them.
 */
import { BsonType } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { SortKey, SortOrder } from '../executor/sorter.ts';
import { valueAtPath } from '../expression/field-path.ts';
import { addUnits } from '../expression/operators/date-arithmetic.ts';
import type { Steps } from './steps.ts';
import type { TimeUnit } from '../expression/operators/date-arguments.ts';
import { UTC } from '../expression/operators/time-zone.ts';

export interface Partition {
  readonly length: number;
  /** What lies far behind may have to be read again. */
  documentAt(position: number): Buffer;
  keyAt(position: number): SortKey;
  /** Memory that one operator may hold, bytes. */
  readonly maxStateBytes: number;
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
export type WindowAt = (position: number) => Steps<readonly [start: number, end: number]>;

export function windowsOver(partition: Partition, window: Window): WindowAt {
  return window.kind === 'documents'
    ? documentWindows(partition.length, window)
    : rangeWindows(partition, window);
}

function documentWindows(length: number, window: { lower: Bound; upper: Bound }): WindowAt {
  const offset = (bound: Bound, whenUnbounded: number): number =>
    bound === 'unbounded' ? whenUnbounded : bound === 'current' ? 0 : bound;
  const lower = offset(window.lower, -length);
  const upper = offset(window.upper, length);
  // oxlint-disable-next-line require-yield
  return function* (position) {
    const start = Math.min(length, Math.max(0, position + lower));
    return [start, Math.max(start, Math.min(length, position + upper + 1))];
  };
}

function rangeWindows(partition: Partition, window: Extract<Window, { kind: 'range' }>): WindowAt {
  const { length } = partition;
  const places = new MovingValues((position) =>
    placeOf(partition, position, window.unit !== undefined),
  );
  // Values rise from document to document, and so do both ends of their windows: each goes over the partition once.
  let start = 0;
  let end = 0;
  return function* (position) {
    const value = places.at(position);
    if (window.lower !== 'unbounded') {
      const low = edge(value, window.lower, window.unit);
      for (; start < length && isBefore(places.at(start), low); start += 1) yield;
    }
    if (window.upper === 'unbounded') end = length;
    else {
      const high = edge(value, window.upper, window.unit);
      for (end = Math.max(start, end); end < length; end += 1) {
        if (isBefore(high, places.at(end))) break;
        yield;
      }
    }
    places.forget(Math.min(start, position));
    return [start, Math.max(start, end)];
  };
}

/** What is not a number stands before all numbers, as sorting has it. */
function isBefore(a: number, b: number): boolean {
  return a < b || (Number.isNaN(a) && !Number.isNaN(b));
}

/** As many are kept, however wide a window is. */
const MOST_KEPT = 100_000;

/** Values by position, each made once while it is inside of what moves along the partition. */
export class MovingValues<Item> {
  private readonly make: (position: number) => Item;
  private readonly items = new Map<number, Item>();
  private first = 0;

  constructor(make: (position: number) => Item) {
    this.make = make;
  }

  at(position: number): Item {
    const known = this.items.get(position);
    if (known !== undefined) return known;
    const made = this.make(position);
    if (this.items.size < MOST_KEPT) this.items.set(position, made);
    return made;
  }

  /** Those before a position are not asked for any more. */
  forget(before: number): void {
    for (; this.first < before; this.first += 1) this.items.delete(this.first);
  }
}

function edge(value: number, bound: 'current' | number, unit: TimeUnit | undefined): number {
  if (bound === 'current') return value;
  return unit === undefined ? value + bound : addUnits(value, unit, bound, UTC);
}

/** The sort field of a document as a number: a number's value, a date's milliseconds. */
function placeOf(partition: Partition, position: number, asDate: boolean): number {
  const path = partition.sortPath;
  if (path === undefined) {
    throw new CommandError(5429413, 'This window needs a sortBy with exactly one field');
  }
  const value = valueAtPath(partition.documentAt(position), path, 0);
  if (value !== undefined && asDate && value.type === BsonType.date) return value.asDateMs();
  if (value !== undefined && !asDate && value.isNumber) return value.asNumber();
  if (value?.type === BsonType.date) {
    throw new CommandError(
      5429413,
      'Invalid range: For windows that involve date or time ranges, a unit must be provided.',
    );
  }
  throw new CommandError(
    asDate ? 5429513 : 5429414,
    `Invalid range: Expected the sortBy field to be a ${asDate ? 'Date' : 'number'}, but it was ${value?.typeName ?? 'missing'}`,
  );
}
