/**
 * Makes measurements out of a bucket, one after the other.
 *
 * Promises: a measurement has the time first, then the meta value, then the other fields in the order of their columns;
 * values keep type and bytes; columns that are not wanted are not touched. Measurements are Buffers of their own, but for
 * those that hold nothing but the meta value, which share one.
 * bench/micro/query/timeseries.bench.ts measures it.
 */
import {
  BsonType,
  FieldCursor,
  type RawValue,
  readInt32,
  readInt64AsNumber,
  valueEndOf,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { bucketParts } from './bucket-layout.ts';

/** Which fields come out. */
export interface UnpackFields {
  readonly timeField: string;
  readonly metaField: string | undefined;
  /** Names of fields at the top level; undefined: all but those of `exclude`. */
  readonly include?: ReadonlySet<string> | undefined;
  readonly exclude?: ReadonlySet<string> | undefined;
}

/** Times that are wanted, milliseconds; both ends included. */
export interface TimeRange {
  readonly minMs: number;
  readonly maxMs: number;
}

/** One column while it is read. */
interface ColumnReader {
  /** "name" and NUL. */
  name: Buffer;
  /** Where the next element begins, and the NUL after the last. */
  at: number;
  limit: number;
  /** Number of the measurement that the next element belongs to; Infinity at the end. */
  row: number;
  valueStart: number;
  /** Of the measurement that is being made; 0: none. */
  type: number;
  start: number;
  end: number;
}

export class BucketUnpacker {
  private readonly fields: UnpackFields;
  private readonly timeName: Buffer;
  private readonly wantsTime: boolean;
  private readonly wantsMeta: boolean;
  private readonly range: TimeRange | undefined;
  private bytes: Buffer = Buffer.alloc(0);
  private readonly time: ColumnReader = newReader();
  private readonly columns: ColumnReader[] = [];
  private columnCount = 0;
  /** Type, name and value of the meta field; empty when there is none, or none is wanted. */
  private meta: Buffer = NOTHING;
  /** What every measurement is when no column is wanted. */
  private shared: Buffer | undefined;
  private readonly cursor = new FieldCursor();

  /** @param range times outside it are left out. */
  constructor(fields: UnpackFields, range?: TimeRange) {
    this.fields = fields;
    this.timeName = Buffer.concat([Buffer.from(fields.timeField), Buffer.of(0)]);
    this.wantsTime = this.wants(fields.timeField);
    this.wantsMeta = fields.metaField !== undefined && this.wants(fields.metaField);
    this.range = range;
  }

  private wants(name: string): boolean {
    const { include, exclude } = this.fields;
    return include === undefined ? exclude?.has(name) !== true : include.has(name);
  }

  /** Begins with another bucket. @throws as bucketParts does. */
  reset(bucket: Buffer): void {
    const { meta, data } = bucketParts(bucket);
    this.bytes = bucket;
    this.meta = this.wantsMeta && meta !== undefined ? this.metaElement(meta) : NOTHING;
    this.time.row = Infinity;
    this.columnCount = 0;
    const { cursor } = this;
    cursor.reset(bucket, data.start);
    while (cursor.next()) {
      const isTime = cursor.nameIs(this.fields.timeField);
      if (!isTime && !this.wants(cursor.name)) continue;
      if (cursor.type !== BsonType.object) {
        throw new CommandError('NotImplemented', 'FlintDB does not read compressed columns yet');
      }
      if (isTime) this.openColumn(this.time);
      else this.openColumn(this.nextColumn());
    }
    const isShared = this.columnCount === 0 && !this.wantsTime;
    this.shared = isShared ? documentOfElement(this.meta) : undefined;
  }

  private metaElement(meta: RawValue): Buffer {
    const name = Buffer.from(this.fields.metaField ?? '');
    return Buffer.concat([Buffer.of(meta.type), name, Buffer.of(0), meta.toBytes()]);
  }

  private nextColumn(): ColumnReader {
    const { columns, columnCount } = this;
    if (columnCount === columns.length) columns.push(newReader());
    this.columnCount = columnCount + 1;
    return columns[columnCount];
  }

  private openColumn(column: ColumnReader): void {
    const { bytes, nameStart, valueStart } = this.cursor;
    const known = column.name;
    const size = valueStart - nameStart;
    if (known.length !== size || known.compare(bytes, nameStart, valueStart) !== 0) {
      column.name = bytes.subarray(nameStart, valueStart);
    }
    column.at = valueStart + 4;
    column.limit = valueStart + readInt32(bytes, valueStart) - 1;
    readRow(column, bytes);
  }

  /** The next measurement; undefined when the bucket has no further one. */
  next(): Buffer | undefined {
    const { time, bytes, range, shared } = this;
    for (;;) {
      const { row } = time;
      if (row === Infinity) return undefined;
      take(time, bytes);
      if (range !== undefined && !isWithin(range, time, bytes)) continue;
      return shared ?? this.build(row);
    }
  }

  private build(row: number): Buffer {
    const { bytes, columns, columnCount, time, meta, wantsTime, timeName } = this;
    let size = 5 + meta.length;
    if (wantsTime) size += 1 + timeName.length + time.end - time.start;
    for (let index = 0; index < columnCount; index += 1) {
      const column = columns[index];
      while (column.row < row) take(column, bytes);
      if (column.row === row) {
        take(column, bytes);
        size += 1 + column.name.length + column.end - column.start;
      } else column.type = 0;
    }
    const target = Buffer.allocUnsafe(size);
    target[0] = size;
    target[1] = size >> 8;
    target[2] = size >> 16;
    target[3] = size >> 24;
    let at = 4;
    if (wantsTime) at = writeValue(target, at, time, timeName, bytes);
    if (meta.length > 0) at = copyBytes(meta, 0, meta.length, target, at);
    for (let index = 0; index < columnCount; index += 1) {
      const column = columns[index];
      if (column.type !== 0) at = writeValue(target, at, column, column.name, bytes);
    }
    target[at] = 0;
    return target;
  }
}

const NOTHING = Buffer.alloc(0);

function newReader(): ColumnReader {
  return {
    name: NOTHING,
    at: 0,
    limit: 0,
    row: Infinity,
    valueStart: 0,
    type: 0,
    start: 0,
    end: 0,
  };
}

function isWithin(range: TimeRange, time: ColumnReader, bytes: Buffer): boolean {
  if (time.type !== BsonType.date) return true;
  const ms = readInt64AsNumber(bytes, time.start);
  return ms >= range.minMs && ms <= range.maxMs;
}

/** Reads the number of the element at `at`. */
function readRow(column: ColumnReader, bytes: Buffer): void {
  let { at } = column;
  if (at >= column.limit) {
    column.row = Infinity;
    return;
  }
  let row = 0;
  for (at += 1; bytes[at] > 0; at += 1) row = row * 10 + bytes[at] - 48;
  column.row = row;
  column.valueStart = at + 1;
}

/** Makes the element at `at` the column's value, and goes on to the next one. */
function take(column: ColumnReader, bytes: Buffer): void {
  const type = bytes[column.at];
  const end = valueEndOf(bytes, type, column.valueStart, column.limit);
  column.type = type;
  column.start = column.valueStart;
  column.end = end;
  column.at = end;
  readRow(column, bytes);
}

function writeValue(
  target: Buffer,
  start: number,
  column: ColumnReader,
  name: Buffer,
  bytes: Buffer,
): number {
  target[start] = column.type;
  const at = copyBytes(name, 0, name.length, target, start + 1);
  return copyBytes(bytes, column.start, column.end, target, at);
}

/** Values and names are short: a loop beats the call into the runtime. */
function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  const count = end - start;
  if (count > 40) {
    source.copy(target, at, start, end);
    return at + count;
  }
  let to = at;
  for (let from = start; from < end; from += 1) {
    target[to] = source[from];
    to += 1;
  }
  return to;
}

function documentOfElement(element: Buffer): Buffer {
  const document = Buffer.allocUnsafe(element.length + 5);
  document.writeInt32LE(document.length, 0);
  element.copy(document, 4);
  document[document.length - 1] = 0;
  return document;
}
