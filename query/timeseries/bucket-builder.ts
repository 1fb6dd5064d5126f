/**
 * Builds a bucket document out of measurements, or out of a bucket and further measurements.
 *
 * Owns: the bytes of a bucket under construction. Promises: a bucket that is written has extremes for every column, holds
 * one shape per path (min-max.ts), and numbers its measurements from 0 without gaps in the time column. Adding costs what
 * the measurement weighs, not what the bucket weighs; writing copies the bucket once.
 */
import { BsonType, FieldCursor, type RawValue, readInt64AsNumber } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../common/limits.ts';
import { BucketColumn } from './bucket-column.ts';
import {
  BUCKET_MAX_BYTES,
  BUCKET_MAX_COUNT,
  BUCKET_MIN_COUNT,
  BUCKET_VERSION,
  bucketParts,
  idSecondsOf,
  LARGE_BUCKET_MAX_BYTES,
  rowsOfColumn,
  timesOfBucket,
} from './bucket-layout.ts';
import type { TimeseriesOptions } from './options.ts';

/** Why a bucket does not take a measurement. */
export type Rejection = 'time' | 'count' | 'size' | 'shape';

export interface NewBucket {
  /** Twelve bytes. */
  readonly id: Buffer;
  /** First time that the bucket can hold, milliseconds: rounded down. */
  readonly minMs: number;
  readonly meta: RawValue | undefined;
}

/** A number in a column takes up to three digits and a NUL, besides type and value. */
const ELEMENT_OVERHEAD_BYTES = 3;

export class BucketBuilder {
  readonly id: Buffer;
  readonly minMs: number;
  private readonly options: TimeseriesOptions;
  private readonly meta: RawValue | undefined;
  private readonly columns: BucketColumn[] = [];
  /** Numbers of columns: a search among many would cost as much as there are, for each field. */
  private readonly byName = new Map<string, number>();
  private timeColumn: BucketColumn | undefined;
  private readonly timeName: Buffer;
  private readonly metaName: Buffer | undefined;
  private rows = 0;
  /** Of columns and extremes, estimated. */
  private bytes = 0;
  private readonly cursor = new FieldCursor();
  /** Columns and values of the measurement that is being looked at: column number, type, start, end. */
  private readonly found: number[] = [];

  constructor(options: TimeseriesOptions, bucket: NewBucket) {
    this.options = options;
    this.id = bucket.id;
    this.minMs = bucket.minMs;
    this.meta = bucket.meta;
    this.timeName = Buffer.from(options.timeField);
    this.metaName = options.metaField === undefined ? undefined : Buffer.from(options.metaField);
    this.bytes = bucket.meta === undefined ? 0 : bucket.meta.end - bucket.meta.start;
  }

  /**
   * Begins a bucket for a measurement of `timeMs`.
   * @param id twelve bytes that no other bucket has; its first four become the second in which the bucket begins.
   */
  static begin(
    options: TimeseriesOptions,
    id: Buffer,
    meta: RawValue | undefined,
    timeMs: number,
  ): BucketBuilder {
    const minMs = bucketStartMs(timeMs, options);
    id.writeUInt32BE(idSecondsOf(minMs), 0);
    return new BucketBuilder(options, { id, minMs, meta });
  }

  /** Goes on with a bucket that is stored. @returns undefined for one that takes nothing more. @throws as bucketParts does. */
  static open(options: TimeseriesOptions, bucket: Buffer): BucketBuilder | undefined {
    const parts = bucketParts(bucket);
    const times = timesOfBucket(parts, options.timeField);
    if (parts.closed || times === undefined || parts.id.type !== BsonType.objectId)
      return undefined;
    const builder = new BucketBuilder(options, {
      id: parts.id.asObjectIdBytes(),
      minMs: times.minMs,
      meta: parts.meta,
    });
    return builder.takeColumns(parts.min, parts.max, parts.data) ? builder : undefined;
  }

  /** Measurements that the bucket holds. */
  get count(): number {
    return this.rows;
  }

  private takeColumns(min: RawValue, max: RawValue, data: RawValue): boolean {
    const mins = new Map(namedValues(min));
    const maxs = new Map(namedValues(max));
    for (const [name, column] of namedValues(data)) {
      const low = mins.get(name);
      const high = maxs.get(name);
      if (low === undefined || high === undefined || column.type !== BsonType.object) return false;
      const elements = { bytes: column.bytes, start: column.start + 4, end: column.end - 1 };
      this.addColumn(new BucketColumn(Buffer.from(name), low, high, elements));
      if (name === this.options.timeField) this.rows = rowsOfColumn(column);
    }
    return this.timeColumn !== undefined;
  }

  private addColumn(column: BucketColumn): void {
    this.byName.set(column.name, this.columns.length);
    this.columns.push(column);
    if (column.nameBytes.equals(this.timeName)) this.timeColumn = column;
    const extremes = column.min.end - column.min.start + (column.max.end - column.max.start);
    this.bytes += column.byteLength + 3 * (column.nameBytes.length + 2) + extremes;
  }

  /**
   * Adds a measurement if the bucket takes it.
   * @param measurement has a date in the time field.
   * @param timeMs that date.
   * @returns why not; undefined when it was added.
   * @throws CommandError BSONObjectTooLarge for one that no bucket can hold.
   */
  add(measurement: Buffer, timeMs: number): Rejection | undefined {
    const rejection = this.rejectionOf(measurement, timeMs);
    if (rejection !== undefined) return rejection;
    const { found, columns, rows } = this;
    for (let at = 0; at < found.length; at += 4) {
      const column = columns[found[at]];
      if (column.lastRow === rows) continue;
      column.add(rows, found[at + 1], measurement, found[at + 2], found[at + 3]);
      this.bytes += found[at + 3] - found[at + 2] + ELEMENT_OVERHEAD_BYTES + 2;
    }
    this.rows = rows + 1;
    return undefined;
  }

  private rejectionOf(measurement: Buffer, timeMs: number): Rejection | undefined {
    const spanMs = this.options.bucketMaxSpanSeconds * 1000;
    if (timeMs < this.minMs || timeMs - this.minMs >= spanMs) return 'time';
    if (this.rows >= BUCKET_MAX_COUNT) return 'count';
    if (this.rows === 0) this.checkSize(measurement);
    else {
      const bytes = this.bytes + measurement.length;
      const isFull = bytes > BUCKET_MAX_BYTES && this.rows >= BUCKET_MIN_COUNT;
      if (isFull || bytes > LARGE_BUCKET_MAX_BYTES) return 'size';
    }
    return this.findColumns(measurement) ? undefined : 'shape';
  }

  /**
   * A field stands in a bucket three times: as a column, and in both extremes. What cannot fit is refused before columns
   * are made of it: there may be a million of them.
   */
  private checkSize(measurement: Buffer): void {
    const { meta } = this;
    const metaBytes = meta === undefined ? 0 : meta.end - meta.start;
    const least = 3 * (measurement.length - metaBytes);
    if (least > MAX_BSON_OBJECT_BYTES) throw tooLarge(least);
  }

  /** Fills `found`; makes columns for new fields. @returns false when a value does not fit the shape of its column. */
  private findColumns(measurement: Buffer): boolean {
    const { cursor, columns, found, metaName } = this;
    const known = columns.length;
    let expected = 0;
    found.length = 0;
    cursor.reset(measurement);
    while (cursor.next()) {
      if (metaName !== undefined && cursor.nameIs(metaName)) continue;
      // Measurements of a series mostly have the same fields in the same order.
      let index = expected;
      if (index >= known || !cursor.nameIs(columns[index].nameBytes)) index = this.columnOf(cursor);
      else if (!columns[index].fits(cursor.type, measurement, cursor.valueStart, cursor.valueEnd)) {
        index = -1;
      }
      if (index < 0) {
        this.forgetColumns(known);
        return false;
      }
      expected = index + 1;
      found.push(index, cursor.type, cursor.valueStart, cursor.valueEnd);
    }
    return true;
  }

  /** Number of the column for the cursor's field, which is made if there is none; -1 when the value does not fit it. */
  private columnOf(cursor: FieldCursor): number {
    const { name, type, bytes, valueStart, valueEnd } = cursor;
    const index = this.byName.get(name);
    if (index !== undefined) {
      return this.columns[index].fits(type, bytes, valueStart, valueEnd) ? index : -1;
    }
    const value = cursor.value();
    this.addColumn(new BucketColumn(Buffer.from(name), value, value));
    return this.columns.length - 1;
  }

  /** Takes back the columns that a rejected measurement would have begun. */
  private forgetColumns(known: number): void {
    for (const column of this.columns.splice(known)) this.byName.delete(column.name);
  }

  /**
   * The whole bucket document. Field order: _id, control, meta, data.
   * @throws CommandError BSONObjectTooLarge
   */
  finish(): Buffer {
    tassert(this.timeColumn !== undefined, 'a bucket is written without measurements');
    const { meta, columns } = this;
    let mins = 5;
    let maxs = 5;
    let data = 5;
    for (const column of columns) {
      const named = column.nameBytes.length + 2;
      mins += named + column.min.end - column.min.start;
      maxs += named + column.max.end - column.max.start;
      data += named + 5 + column.byteLength;
    }
    // version, min and max, each with type and name.
    const control = 5 + 13 + 5 + mins + 5 + maxs;
    const metaBytes = meta === undefined ? 0 : 6 + meta.end - meta.start;
    const total = 5 + 17 + 9 + control + metaBytes + 6 + data;
    if (total > MAX_BSON_OBJECT_BYTES) throw tooLarge(total);
    const target = Buffer.allocUnsafe(total);
    let at = target.writeInt32LE(total, 0);
    at = writeHeader(target, at, BsonType.objectId, '_id');
    at += this.id.copy(target, at);
    at = writeHeader(target, at, BsonType.object, 'control');
    at = target.writeInt32LE(control, at);
    at = writeHeader(target, at, BsonType.int32, 'version');
    at = target.writeInt32LE(BUCKET_VERSION, at);
    at = this.writeExtremes(target, writeHeader(target, at, BsonType.object, 'min'), 'min', mins);
    at = this.writeExtremes(target, writeHeader(target, at, BsonType.object, 'max'), 'max', maxs);
    target[at] = 0;
    at += 1;
    if (meta !== undefined) {
      at = writeHeader(target, at, meta.type, 'meta');
      at += meta.bytes.copy(target, at, meta.start, meta.end);
    }
    at = this.writeData(target, writeHeader(target, at, BsonType.object, 'data'), data);
    target[at] = 0;
    tassert(at + 1 === total, 'a bucket has another size than was calculated');
    return target;
  }

  private writeExtremes(
    target: Buffer,
    start: number,
    extreme: 'min' | 'max',
    size: number,
  ): number {
    let at = target.writeInt32LE(size, start);
    for (const column of this.columns) {
      const value = column[extreme];
      at = writeNamed(target, at, value.type, column.nameBytes);
      const end = at + value.bytes.copy(target, at, value.start, value.end);
      // The least time is where the bucket begins, not where its first measurement is.
      if (column === this.timeColumn && extreme === 'min') {
        target.writeBigInt64LE(BigInt(this.minMs), at);
      }
      at = end;
    }
    target[at] = 0;
    return at + 1;
  }

  private writeData(target: Buffer, start: number, size: number): number {
    let at = target.writeInt32LE(size, start);
    for (const column of this.columns) {
      at = writeNamed(target, at, BsonType.object, column.nameBytes);
      at = target.writeInt32LE(5 + column.byteLength, at);
      at = column.writeElements(target, at);
      target[at] = 0;
      at += 1;
    }
    target[at] = 0;
    return at + 1;
  }
}

function tooLarge(bytes: number): CommandError {
  return new CommandError(
    'BSONObjectTooLarge',
    `A time-series bucket of ${bytes} bytes is larger than ${MAX_BSON_OBJECT_BYTES}`,
  );
}

function* namedValues(document: RawValue): Generator<[string, RawValue]> {
  const cursor = new FieldCursor(document.bytes, document.start);
  while (cursor.next()) yield [cursor.name, cursor.value()];
}

/** Writes type, ASCII name and NUL, and says where the value begins. */
function writeHeader(target: Buffer, at: number, type: number, name: string): number {
  target[at] = type;
  const end = at + 1 + target.write(name, at + 1, 'latin1');
  target[end] = 0;
  return end + 1;
}

function writeNamed(target: Buffer, at: number, type: number, name: Buffer): number {
  target[at] = type;
  const end = at + 1 + name.copy(target, at + 1);
  target[end] = 0;
  return end + 1;
}

/** The ends of what a date can say, as far as doubles can. */
const FIRST_DATE_MS = -(2 ** 63);
const LAST_DATE_MS = 2 ** 63 - 1024;

/** When the bucket for a measurement of this time would begin, milliseconds. */
export function bucketStartMs(timeMs: number, options: TimeseriesOptions): number {
  const roundingMs = options.bucketRoundingSeconds * 1000;
  const startMs = Math.floor(timeMs / roundingMs) * roundingMs;
  return Math.min(LAST_DATE_MS, Math.max(FIRST_DATE_MS, startMs));
}

/**
 * The time of a measurement, milliseconds.
 * @throws CommandError BadValue when it has none.
 */
export function timeOfMeasurement(measurement: Buffer, options: TimeseriesOptions): number {
  const cursor = new FieldCursor(measurement);
  while (cursor.next()) {
    if (!cursor.nameIs(options.timeField)) continue;
    if (cursor.type !== BsonType.date) break;
    return readInt64AsNumber(measurement, cursor.valueStart);
  }
  throw new CommandError(
    'BadValue',
    `'${options.timeField}' must be present and contain a valid BSON UTC datetime value`,
  );
}
