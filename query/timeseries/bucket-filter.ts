/**
 * What a filter on measurements says about buckets: conditions on meta, which decide, and conditions on the extremes of
 * other fields, which a bucket with a match must meet.
 *
 * Promises: no bucket that holds a match fails the bucket's filter. That rests on the shapes of a bucket (min-max.ts): on
 * one path there are only objects, only arrays or only other values, so that extremes bound whatever a path can reach.
 * Source: MongoDB's manual, "Time Series Collections": query optimisation; docs/format/timeseries-buckets.md.
 */
import {
  BsonType,
  compareValues,
  dateBigIntValue,
  documentOf,
  firstFieldName,
  getField,
  objectIdValue,
  type RawValue,
} from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import { parseFilter } from '../matcher/parse.ts';
import type { FilterNode, LeafNode } from '../matcher/tree.ts';
import { idSecondsOf } from './bucket-layout.ts';
import type { TimeRange } from './bucket-unpacker.ts';
import { allOf, anyOf, conjunctsOf, membersOf } from './conjuncts.ts';
import { isMetaPath, metaCondition } from './meta-filter.ts';

/** What has to be known of a collection to read its buckets. */
export interface BucketFields {
  readonly timeField: string;
  readonly metaField: string | undefined;
  readonly bucketMaxSpanSeconds: number;
}

export interface BucketFilter {
  /** For buckets: the empty filter when nothing can be said. */
  readonly buckets: Buffer;
  /** For measurements of the buckets that pass; the empty filter when meta decides everything. */
  readonly measurements: Buffer;
  /** Times that a match can have: tested before a measurement is made. */
  readonly times: TimeRange | undefined;
}

export function bucketFilterOf(
  filter: Buffer,
  fields: BucketFields,
  context: QueryContext,
): BucketFilter {
  const buckets: Buffer[] = [];
  const measurements: Buffer[] = [];
  let times: TimeRange = { minMs: -Infinity, maxMs: Infinity };
  for (const condition of conjunctsOf(filter)) {
    const { metaField } = fields;
    const onMeta =
      metaField === undefined ? undefined : metaCondition(condition, metaField, context);
    if (onMeta !== undefined) {
      buckets.push(onMeta);
      continue;
    }
    measurements.push(condition);
    const necessary = necessaryFor(condition, fields, context);
    if (necessary !== undefined) buckets.push(necessary);
    times = narrowed(times, timesOf(condition, fields, context));
  }
  const isOpen = times.minMs === -Infinity && times.maxMs === Infinity;
  return {
    buckets: allOf(buckets),
    measurements: allOf(measurements),
    times: isOpen ? undefined : times,
  };
}

/** A condition that every bucket with a match of `condition` meets; undefined when there is none to name. */
export function necessaryFor(
  condition: Buffer,
  fields: BucketFields,
  context: QueryContext,
): Buffer | undefined {
  const { metaField } = fields;
  if (metaField !== undefined) {
    const onMeta = metaCondition(condition, metaField, context);
    if (onMeta !== undefined) return onMeta;
  }
  const name = firstFieldName(condition);
  if (name === '$or') {
    const branches = branchesOf(condition).map((branch) =>
      necessaryForAll(branch, fields, context),
    );
    return branches.length > 0 && branches.every((branch) => branch !== undefined)
      ? anyOf(branches)
      : undefined;
  }
  if (name === undefined || name.startsWith('$')) return undefined;
  return necessaryForNode(parseFilter(condition, context), fields, context);
}

function branchesOf(condition: Buffer): readonly Buffer[] {
  const value = getField(condition, '$or');
  return value?.type === BsonType.array ? membersOf(value.bytes, value.start) : [];
}

function necessaryForAll(
  filter: Buffer,
  fields: BucketFields,
  context: QueryContext,
): Buffer | undefined {
  const parts = conjunctsOf(filter).flatMap((each) => necessaryFor(each, fields, context) ?? []);
  return parts.length === 0 ? undefined : allOf(parts);
}

function necessaryForNode(
  node: FilterNode,
  fields: BucketFields,
  context: QueryContext,
): Buffer | undefined {
  if (node.kind === 'and') {
    const parts = node.children.flatMap((child) => necessaryForNode(child, fields, context) ?? []);
    return parts.length === 0 ? undefined : allOf(parts);
  }
  if (node.kind !== 'leaf') return undefined;
  const { path } = node;
  if (fields.metaField !== undefined && isMetaPath(path, fields.metaField)) return undefined;
  if (node.operator === '$exists') return documentOf({ [`control.min.${path}`]: EXISTS });
  const range = rangeOf(node, context);
  if (range === undefined) return undefined;
  return path === fields.timeField ? onTimes(range, fields) : allOf(onExtremes(path, range));
}

const EXISTS = documentOf({ $exists: true });

/** Values between two ends; an end that is absent is open. */
interface ValueRange {
  readonly lower: RawValue | undefined;
  readonly lowerInclusive: boolean;
  readonly upper: RawValue | undefined;
  readonly upperInclusive: boolean;
}

/** The values that match a comparison; undefined when values outside a range may match, or missing ones. */
function rangeOf({ operator, operands }: LeafNode, context: QueryContext): ValueRange | undefined {
  if (operands.length === 0 || !operands.every((operand) => hasOrder(operand, context))) {
    return undefined;
  }
  const operand = operands[0];
  const open = { lower: undefined, lowerInclusive: true, upper: undefined, upperInclusive: true };
  switch (operator) {
    case '$eq':
      return { ...open, lower: operand, upper: operand };
    case '$gt':
    case '$gte':
      return { ...open, lower: operand, lowerInclusive: operator === '$gte' };
    case '$lt':
    case '$lte':
      return { ...open, upper: operand, upperInclusive: operator === '$lte' };
    case '$in':
      return { ...open, lower: leastOf(operands), upper: leastOf(operands, -1) };
    default:
      return undefined;
  }
}

function leastOf(values: readonly RawValue[], direction: 1 | -1 = 1): RawValue {
  return values.reduce((least, value) =>
    compareValues(value, least) * direction < 0 ? value : least,
  );
}

/** Values that are equal only to themselves and ordered by their bytes or numbers: not null, NaN, containers, patterns. */
function hasOrder(value: RawValue, context: QueryContext): boolean {
  switch (value.type) {
    case BsonType.double:
    case BsonType.decimal128:
      return !Number.isNaN(value.asNumber());
    case BsonType.int32:
    case BsonType.int64:
    case BsonType.date:
    case BsonType.bool:
    case BsonType.objectId:
    case BsonType.timestamp:
      return true;
    case BsonType.string:
      // Extremes are in the simple order of strings.
      return context.collator === undefined;
    default:
      return false;
  }
}

function onExtremes(path: string, range: ValueRange): Buffer[] {
  const { lower, lowerInclusive, upper, upperInclusive } = range;
  const conditions: Buffer[] = [];
  if (lower !== undefined) conditions.push(atLeast(`control.max.${path}`, lower, lowerInclusive));
  if (upper !== undefined) conditions.push(atMost(`control.min.${path}`, upper, upperInclusive));
  return conditions;
}

function atLeast(path: string, value: RawValue, inclusive: boolean): Buffer {
  const operator = inclusive ? '$_internalExprGte' : '$_internalExprGt';
  return documentOf({ [path]: documentOf({ [operator]: value }) });
}

function atMost(path: string, value: RawValue, inclusive: boolean): Buffer {
  const operator = inclusive ? '$_internalExprLte' : '$_internalExprLt';
  return documentOf({ [path]: documentOf({ [operator]: value }) });
}

/**
 * Conditions on the time. A bucket holds less than its span, so that one end of it bounds the other: that serves an index
 * on either; and the _id begins with the first time.
 */
function onTimes(range: ValueRange, fields: BucketFields): Buffer | undefined {
  const { lower, lowerInclusive, upper, upperInclusive } = range;
  if ([lower, upper].some((end) => end !== undefined && end.type !== BsonType.date)) {
    // A time is a date, and is compared with dates only; between the members of an $in there may be one.
    const isMembership = lower !== undefined && upper !== undefined && lower !== upper;
    return isMembership ? undefined : documentOf({ $alwaysFalse: 1 });
  }
  const conditions = onExtremes(fields.timeField, range);
  const spanMs = BigInt(fields.bucketMaxSpanSeconds) * 1000n;
  const min = `control.min.${fields.timeField}`;
  const max = `control.max.${fields.timeField}`;
  if (lower !== undefined) {
    const first = shifted(lower, -spanMs);
    conditions.push(atLeast(min, first, lowerInclusive || isEnd(first)));
    const id = idOf(idSecondsOf(first.asDateMs()), 0);
    conditions.push(documentOf({ _id: documentOf({ $gte: id }) }));
  }
  if (upper !== undefined) {
    const last = shifted(upper, spanMs);
    conditions.push(atMost(max, last, upperInclusive || isEnd(last)));
    const id = idOf(idSecondsOf(upper.asDateMs()), 0xff);
    conditions.push(documentOf({ _id: documentOf({ $lte: id }) }));
  }
  return allOf(conditions);
}

const MAX_DATE = 2n ** 63n - 1n;
const MIN_DATE = -(2n ** 63n);

function shifted(date: RawValue, byMs: bigint): RawValue {
  const moved = date.bytes.readBigInt64LE(date.start) + byMs;
  return dateBigIntValue(moved > MAX_DATE ? MAX_DATE : moved < MIN_DATE ? MIN_DATE : moved);
}

/** A bound that would lie beyond all dates: it holds for each of them. */
function isEnd(date: RawValue): boolean {
  const ms = date.bytes.readBigInt64LE(date.start);
  return ms === MAX_DATE || ms === MIN_DATE;
}

/** An _id of these seconds, all other bytes the same. */
function idOf(seconds: number, filler: number): RawValue {
  const id = Buffer.alloc(12, filler);
  id.writeUInt32BE(seconds, 0);
  return objectIdValue(id);
}

/** Times that can match a condition, as far as it is about the time alone. */
function timesOf(
  condition: Buffer,
  { timeField }: BucketFields,
  context: QueryContext,
): TimeRange | undefined {
  if (firstFieldName(condition) !== timeField) return undefined;
  const tree = parseFilter(condition, context);
  const leaves = tree.kind === 'and' ? tree.children : [tree];
  let times: TimeRange | undefined;
  for (const leaf of leaves) {
    const range = leaf.kind === 'leaf' ? rangeOf(leaf, context) : undefined;
    if (range === undefined) continue;
    const { lower, upper } = range;
    times = narrowed(times, {
      minMs: lower?.type === BsonType.date ? lower.asDateMs() : -Infinity,
      maxMs: upper?.type === BsonType.date ? upper.asDateMs() : Infinity,
    });
  }
  return times;
}

function narrowed(times: TimeRange | undefined, by: TimeRange | undefined): TimeRange {
  const { minMs = -Infinity, maxMs = Infinity } = times ?? {};
  if (by === undefined) return { minMs, maxMs };
  return { minMs: Math.max(minMs, by.minMs), maxMs: Math.min(maxMs, by.maxMs) };
}
