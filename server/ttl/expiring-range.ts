/**
 * Which entries of which index are of expired documents.
 *
 * A TTL index names the path of a date: a document goes when the least of its dates there is old enough. A clustered collection
 * goes by the date in `_id`; in a bucket of a time series that is an ObjectId with the time of its first measurement.
 * Source: MongoDB's manual, "TTL Indexes".
 */
import {
  compileIndexKeys,
  type Direction,
  encodeIndexKey,
  getField,
  objectIdValue,
  dateBigIntValue,
  type RawValue,
} from '../../bson/index.ts';
import { indexKeyGenerator, timeseriesOptionsOf } from '../../query/index.ts';
import type {
  CollectionDescription,
  IndexDescription,
  KeyGenerator,
  KeyRange,
} from '../../storage/index.ts';
import { cappedLimitsOf } from '../catalog/capped-collections.ts';

/** Documents of one collection that expire by one index. */
export interface Expiry {
  readonly collection: CollectionDescription;
  readonly index: IndexDescription;
  /** The index's entries of what has expired by `nowMs`. */
  rangesAt(nowMs: number): readonly KeyRange[];
  readonly keys: KeyGenerator;
}

/** The earliest date that there is, milliseconds: dates are int64. */
const FIRST_DATE = -(2n ** 63n);
const OBJECT_ID_BYTES = 12;

/** The expiries of a collection; indexes that cannot be TTL indexes count as `invalid`. */
export function expiriesOf(collection: CollectionDescription): {
  readonly expiries: readonly Expiry[];
  readonly invalid: number;
} {
  if (collection.kind !== 'collection' || cappedLimitsOf(collection.options) !== undefined) {
    return { expiries: [], invalid: 0 };
  }
  const expiries: Expiry[] = [];
  let invalid = 0;
  for (const index of collection.indexes) {
    const after = getField(index.spec, 'expireAfterSeconds');
    if (after === undefined || !index.ready) continue;
    const seconds = after.isNumber ? after.asNumber() : Number.NaN;
    const [field] = index.fields;
    if (Number.isNaN(seconds) || index.fields.length !== 1 || field.kind !== 'ordered') {
      invalid += 1;
    } else {
      const delayMs = (seconds + spanSecondsOf(collection)) * 1000;
      expiries.push(expiryOf(collection, index, (nowMs) => [datesUntil(nowMs - delayMs)]));
    }
  }
  const clustered = clusteredExpiry(collection);
  if (clustered !== undefined) expiries.push(clustered);
  return { expiries, invalid };
}

/** Bounds of values, both inclusive. */
type Bounds = readonly [first: RawValue, last: RawValue];

function expiryOf(
  collection: CollectionDescription,
  index: IndexDescription,
  boundsAt: (nowMs: number) => readonly Bounds[],
): Expiry {
  const directions = index.fields.map(({ direction }) => direction);
  return {
    collection,
    index,
    rangesAt: (nowMs) => boundsAt(nowMs).map((bounds) => rangeOf(bounds, directions)),
    keys: indexKeyGenerator(index) ?? compileIndexKeys(index.fields, { sparse: index.sparse }),
  };
}

function clusteredExpiry(collection: CollectionDescription): Expiry | undefined {
  const after = getField(collection.options, 'expireAfterSeconds');
  const [index] = collection.indexes;
  if (after === undefined || index?.fields[0]?.path !== '_id') return undefined;
  const delayMs = (after.asNumber() + spanSecondsOf(collection)) * 1000;
  const isBuckets = timeseriesOptionsOf(collection.options) !== undefined;
  return expiryOf(collection, index, (nowMs) =>
    isBuckets ? objectIdsUntil(nowMs - delayMs) : [datesUntil(nowMs - delayMs)],
  );
}

/** A bucket of a time series holds measurements up to its span after its first one. */
function spanSecondsOf({ options }: CollectionDescription): number {
  return timeseriesOptionsOf(options)?.bucketMaxSpanSeconds ?? 0;
}

function datesUntil(untilMs: number): Bounds {
  return [dateBigIntValue(FIRST_DATE), dateBigIntValue(BigInt(Math.floor(untilMs)))];
}

/** ObjectIds begin with their second, four bytes. */
function objectIdsUntil(untilMs: number): readonly Bounds[] {
  const second = Math.min(Math.floor(untilMs / 1000), 0xffff_ffff);
  if (second < 0) return [];
  const last = Buffer.alloc(OBJECT_ID_BYTES, 0xff);
  last.writeUInt32BE(second, 0);
  return [[objectIdValue(Buffer.alloc(OBJECT_ID_BYTES)), objectIdValue(last)]];
}

function rangeOf([first, last]: Bounds, directions: readonly Direction[]): KeyRange {
  const low = encodeIndexKey([first], directions).key;
  const high = encodeIndexKey([last], directions).key;
  const [lower, upper] = directions[0] === 1 ? [low, high] : [high, low];
  return { lower, lowerInclusive: true, upper, upperInclusive: true };
}
