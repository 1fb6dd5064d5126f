/**
 * Where the parts of a bucket document are: the one reader of its outer fields.
 *
 * Source: docs/format/timeseries-buckets.md.
 */
import { BsonType, FieldCursor, getField, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';

/** The layout that this server writes: columns as plain documents. */
export const BUCKET_VERSION = 1;

/** A bucket with so many measurements takes no further one. */
export const BUCKET_MAX_COUNT = 1000;
/** Nor does one that is larger, bytes, unless its measurements are large: then it goes on to BUCKET_MIN_COUNT of them. */
export const BUCKET_MAX_BYTES = 128_000;
export const BUCKET_MIN_COUNT = 10;
export const LARGE_BUCKET_MAX_BYTES = 12 * 1024 * 1024;

/** Outer fields of one bucket. */
export interface BucketParts {
  readonly id: RawValue;
  readonly min: RawValue;
  readonly max: RawValue;
  /** The series; undefined for measurements without a value of the metaField. */
  readonly meta: RawValue | undefined;
  readonly data: RawValue;
  readonly closed: boolean;
}

/** @throws CommandError for a document that is no bucket, or one whose columns are compressed. */
export function bucketParts(bucket: Buffer): BucketParts {
  const id = getField(bucket, '_id');
  const control = getField(bucket, 'control');
  const data = getField(bucket, 'data');
  if (id === undefined || control?.type !== BsonType.object || data?.type !== BsonType.object) {
    throw new CommandError(5_346_510, 'A bucket must have _id, control and data fields');
  }
  let min: RawValue | undefined;
  let max: RawValue | undefined;
  let closed = false;
  const cursor = new FieldCursor(control.bytes, control.start);
  while (cursor.next()) {
    if (cursor.nameIs('version')) checkVersion(cursor.value());
    else if (cursor.nameIs('min')) min = cursor.value();
    else if (cursor.nameIs('max')) max = cursor.value();
    else if (cursor.nameIs('closed')) closed = cursor.value().isTruthy();
  }
  if (min?.type !== BsonType.object || max?.type !== BsonType.object) {
    throw new CommandError(5_346_512, 'The control field of a bucket must contain min and max');
  }
  return { id, min, max, meta: getField(bucket, 'meta'), data, closed };
}

function checkVersion(version: RawValue): void {
  const number = version.asNumber();
  if (number === BUCKET_VERSION) return;
  throw new CommandError(
    'NotImplemented',
    number === 2 || number === 3
      ? `FlintDB does not read compressed time-series buckets (control.version ${number}) yet`
      : `Invalid bucket version: ${number}`,
  );
}

/** Bytes of a date in a column besides the digits of its number: type, NUL, value. */
const DATE_ELEMENT_BYTES = 10;

/** The count of a column of dates without gaps, by its length alone; undefined when it cannot be one. */
function rowsOfDates({ bytes, start, end }: RawValue): number | undefined {
  let left = end - start - 5;
  let rows = 0;
  for (let digits = 1, numbers = 10; left > 0; digits += 1, numbers *= digits === 2 ? 9 : 10) {
    const size = DATE_ELEMENT_BYTES + digits;
    const here = Math.min(numbers, Math.floor(left / size));
    rows += here;
    left -= here * size;
    if (here === numbers) continue;
    if (left > 0) return undefined;
  }
  if (rows === 0) return 0;
  const last = String(rows - 1);
  const at = end - 1 - DATE_ELEMENT_BYTES - last.length;
  const fits =
    bytes[at] === BsonType.date && bytes.toString('latin1', at + 1, at + 1 + last.length) === last;
  return fits ? rows : undefined;
}

/** Number of the last measurement in a column's elements, plus one: the count of a time column. 0 for an empty one. */
export function rowsOfColumn(column: RawValue): number {
  const dates = rowsOfDates(column);
  if (dates !== undefined) return dates;
  const cursor = new FieldCursor(column.bytes, column.start);
  let isEmpty = true;
  while (cursor.next()) isEmpty = false;
  // The cursor stays at the last element.
  return isEmpty ? 0 : Number(cursor.name) + 1;
}

/** How many measurements a bucket holds. */
export function countOfBucket(bucket: Buffer, timeField: string): number {
  const { data } = bucketParts(bucket);
  const times = getField(data.asDocument(), timeField);
  return times?.type === BsonType.object ? rowsOfColumn(times) : 0;
}

/** First and last time that a bucket can hold, milliseconds; undefined when it names none. */
export function timesOfBucket(
  parts: BucketParts,
  timeField: string,
): { readonly minMs: number; readonly maxMs: number } | undefined {
  const min = getField(parts.min.asDocument(), timeField);
  const max = getField(parts.max.asDocument(), timeField);
  if (min?.type !== BsonType.date || max?.type !== BsonType.date) return undefined;
  return { minMs: min.asDateMs(), maxMs: max.asDateMs() };
}

const MAX_ID_SECONDS = 0xffff_ffff;

/** Seconds that begin the _id of a bucket whose times begin at `minMs`: held within what four bytes can say. */
export function idSecondsOf(minMs: number): number {
  return Math.min(MAX_ID_SECONDS, Math.max(0, Math.floor(minMs / 1000)));
}
