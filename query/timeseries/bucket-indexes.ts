/**
 * Key patterns of indexes on a time series, in terms of its buckets and back.
 *
 * A field of measurements is indexed by its extremes, the metaField by the bucket's `meta`.
 * Source: MongoDB's manual, "Add Secondary Indexes to Time Series Collections".
 */
import {
  BsonType,
  DocumentBuilder,
  fieldsOf,
  inspect,
  isEmpty,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import { necessaryFor, type BucketFields } from './bucket-filter.ts';
import { allOf, conjunctsOf } from './conjuncts.ts';
import { isMetaPath, metaFilter, toBucketMeta } from './meta-filter.ts';
import type { TimeseriesOptions } from './options.ts';

const MIN = 'control.min.';
const MAX = 'control.max.';
const META = 'meta';

/**
 * {m: 1, t: 1} -> {meta: 1, 'control.min.t': 1, 'control.max.t': 1}
 * @throws CommandError BadValue for a pattern that buckets cannot serve
 */
export function bucketKeyPattern(
  pattern: Buffer,
  { timeField, metaField }: TimeseriesOptions,
): Buffer {
  if (isEmpty(pattern)) throw invalid('Empty object is not a valid index spec');
  const builder = new DocumentBuilder();
  for (const [path, value] of fieldsOf(pattern)) {
    if (metaField !== undefined && isMetaPath(path, metaField)) {
      builder.append(toBucketMeta(path, metaField), value);
    } else if (!value.isNumber || path.includes('$**'))
      throw notANumber(pattern, path, value, timeField);
    else {
      const [first, second] = value.asNumber() >= 0 ? [MIN, MAX] : [MAX, MIN];
      builder.append(first + path, value).append(second + path, value);
    }
  }
  return builder.finish();
}

function invalid(message: string): CommandError {
  return new CommandError('BadValue', message);
}

function notANumber(
  pattern: Buffer,
  path: string,
  value: RawValue,
  timeField: string,
): CommandError {
  const rule =
    path === timeField
      ? 'Indexes on the time field must be ascending or descending (numbers only)'
      : 'Indexes on measurement fields must be ascending or descending (numbers only)';
  return invalid(
    `Invalid index spec for time-series collection: ${inspect(pattern)}. ${rule}: ${path}: ${inspect(value)}`,
  );
}

/** Whether an index is about anything but the time and the metaField. */
export function indexesMeasurements(
  pattern: Buffer,
  { timeField, metaField }: TimeseriesOptions,
): boolean {
  for (const [path] of fieldsOf(pattern)) {
    if (path !== timeField && (metaField === undefined || !isMetaPath(path, metaField)))
      return true;
  }
  return false;
}

/** The pattern that a client would give for an index on buckets; undefined when no pattern leads to it. */
export function measurementKeyPattern(
  pattern: Buffer,
  { timeField, metaField }: TimeseriesOptions,
): Buffer | undefined {
  const builder = new DocumentBuilder();
  let expected: string | undefined;
  for (const [path, value] of fieldsOf(pattern)) {
    if (path === expected) {
      expected = undefined;
    } else if (metaField !== undefined && isMetaPath(path, META)) {
      builder.append(metaField + path.slice(META.length), value);
    } else if (path.startsWith(MIN) || path.startsWith(MAX)) {
      const name = path.slice(MIN.length);
      builder.append(name, value);
      expected = (path.startsWith(MIN) ? MAX : MIN) + name;
    } else return undefined;
  }
  // A TTL index has the first time of a bucket only.
  return expected === undefined || expected === MAX + timeField ? builder.finish() : undefined;
}

/** A hint in terms of buckets: names and $natural stay what they are. @throws CommandError BadValue */
export function bucketHint(hint: string | Buffer, options: TimeseriesOptions): string | Buffer {
  if (typeof hint === 'string') return hint;
  for (const [name] of fieldsOf(hint)) if (name === '$natural') return hint;
  return bucketKeyPattern(hint, options);
}

/** The filter of a partial index in terms of buckets, and whether it is about the metaField alone. */
export interface PartialBucketFilter {
  readonly filter: Buffer;
  readonly onMetaOnly: boolean;
}

/** @throws CommandError InvalidOptions for a condition that buckets do not decide or narrow down */
export function partialBucketFilter(
  filter: Buffer,
  fields: BucketFields,
  context: QueryContext,
): PartialBucketFilter {
  const { metaField } = fields;
  const onMeta = metaField === undefined ? undefined : metaFilter(filter, metaField, context);
  if (onMeta !== undefined) return { filter: onMeta, onMetaOnly: true };
  const parts = conjunctsOf(filter).map((condition) => {
    const part = necessaryFor(condition, fields, context);
    if (part !== undefined) return part;
    throw new CommandError(
      'InvalidOptions',
      `partialFilterExpression on a time-series collection cannot hold ${inspect(condition)}: it says nothing about buckets`,
    );
  });
  return { filter: allOf(parts), onMetaOnly: false };
}

/** Whether a key pattern names only the time: what a TTL index may. */
export function isTimePattern(pattern: Buffer, { timeField }: TimeseriesOptions): boolean {
  const fields = [...fieldsOf(pattern)];
  const [only] = fields;
  return fields.length === 1 && only[0] === timeField && only[1].type !== BsonType.string;
}
