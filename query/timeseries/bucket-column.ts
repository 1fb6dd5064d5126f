/**
 * One column of a bucket under construction: the values of one field by the number of their measurement, and their extremes.
 *
 * Owns: the bytes of elements that were added; those of the bucket that was there before stay where they are until the
 * bucket is written. bench/micro/query/timeseries.bench.ts measures what a value costs here.
 */
import { BsonType, RawValue, readInt32, readInt64AsNumber } from '../../bson/index.ts';
import { fitsShape, joinExtreme } from './min-max.ts';

/** A range of bytes in some buffer. */
export interface ByteRange {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

const NO_BYTES: ByteRange = { bytes: Buffer.alloc(0), start: 0, end: 0 };

export class BucketColumn {
  readonly name: string;
  /** UTF-8, without NUL. */
  readonly nameBytes: Buffer;
  /** Smallest and largest value; of containers part by part. */
  min: RawValue;
  max: RawValue;
  /** Number of the measurement that gave the last value: a field named twice counts once. */
  lastRow = -1;
  private readonly before: ByteRange;
  /** Grows from nothing: most columns of a measurement with very many fields get one value. */
  private added = NO_BYTES.bytes;
  private addedBytes = 0;
  /** Extremes as numbers while all values are doubles or int32, none of them NaN, or all of them dates; else NaN. */
  private minNumber = NaN;
  private maxNumber = NaN;
  private numericKind = 0;

  /** @param before elements that the bucket has already. */
  constructor(nameBytes: Buffer, min: RawValue, max: RawValue, before: ByteRange = NO_BYTES) {
    this.nameBytes = nameBytes;
    this.name = nameBytes.toString();
    this.min = min;
    this.max = max;
    this.before = before;
    const kind = numericKindOf(min.type);
    const minNumber = numberOf(min.type, min.bytes, min.start);
    const maxNumber = numberOf(max.type, max.bytes, max.start);
    if (kind === 0 || kind !== numericKindOf(max.type) || minNumber !== minNumber) return;
    this.numericKind = kind;
    this.minNumber = minNumber;
    this.maxNumber = maxNumber;
  }

  /** Bytes of all elements. */
  get byteLength(): number {
    return this.before.end - this.before.start + this.addedBytes;
  }

  /** Whether a value may join the others: see fitsShape. */
  fits(type: number, bytes: Buffer, start: number, end: number): boolean {
    const known = this.min.type;
    const knownIsPlain = known !== BsonType.object && known !== BsonType.array;
    const isPlain = type !== BsonType.object && type !== BsonType.array;
    if (knownIsPlain && isPlain) return true;
    if (known !== type) return false;
    return fitsShape(this.min, new RawValue(known, bytes, start, end));
  }

  /** Adds the value of measurement number `row`. */
  add(row: number, type: number, bytes: Buffer, start: number, end: number): void {
    this.lastRow = row;
    const count = end - start;
    if (this.addedBytes + count + 12 > this.added.length) this.grow(count + 12);
    const target = this.added;
    let at = this.addedBytes;
    target[at] = type;
    at = writeNumber(target, at + 1, row);
    target[at] = 0;
    at += 1;
    if (count > 32) bytes.copy(target, at, start, end);
    else for (let from = start, to = at; from < end; from += 1, to += 1) target[to] = bytes[from];
    this.addedBytes = at + count;
    this.noteExtremes(type, bytes, start, end);
  }

  private noteExtremes(type: number, bytes: Buffer, start: number, end: number): void {
    const kind = this.numericKind;
    if (kind !== 0 && numericKindOf(type) === kind) {
      const number = numberOf(type, bytes, start);
      if (number >= this.minNumber && number <= this.maxNumber) return;
      if (number < this.minNumber) {
        this.minNumber = number;
        this.min = rawValue(type, bytes, start, end);
        return;
      }
      if (number > this.maxNumber) {
        this.maxNumber = number;
        this.max = rawValue(type, bytes, start, end);
        return;
      }
    }
    this.numericKind = 0;
    const value = rawValue(type, bytes, start, end);
    this.min = joinExtreme(this.min, value, 'min');
    this.max = joinExtreme(this.max, value, 'max');
  }

  private grow(count: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.added.length * 2, this.addedBytes + count));
    this.added.copy(larger, 0, 0, this.addedBytes);
    this.added = larger;
  }

  /** Copies all elements to `target`, and says where they end. */
  writeElements(target: Buffer, at: number): number {
    const { bytes, start, end } = this.before;
    bytes.copy(target, at, start, end);
    const middle = at + end - start;
    this.added.copy(target, middle, 0, this.addedBytes);
    return middle + this.addedBytes;
  }
}

/** A value that is known to be of a BSON type: it stood in a validated document. */
function rawValue(type: number, bytes: Buffer, start: number, end: number): RawValue {
  return new RawValue(type as RawValue['type'], bytes, start, end);
}

/** 1: numbers that a double holds exactly, 2: dates; 0: what has to be compared with care. */
function numericKindOf(type: number): 0 | 1 | 2 {
  if (type === BsonType.double || type === BsonType.int32) return 1;
  return type === BsonType.date ? 2 : 0;
}

/** NaN for what is neither double, int32 nor a date that a double holds exactly. */
function numberOf(type: number, bytes: Buffer, start: number): number {
  if (type === BsonType.double) return bytes.readDoubleLE(start);
  if (type === BsonType.int32) return readInt32(bytes, start);
  if (type !== BsonType.date) return NaN;
  const ms = readInt64AsNumber(bytes, start);
  return Number.isSafeInteger(ms) ? ms : NaN;
}

/** Writes a number from 0 in decimal digits, and says where they end. */
function writeNumber(target: Buffer, at: number, value: number): number {
  let end = at;
  if (value >= 10) end = writeNumber(target, at, Math.trunc(value / 10));
  target[end] = 48 + (value % 10);
  return end + 1;
}
