/**
 * One BSON value inside some buffer: the representation of a value on every floor.
 *
 * Owns: reading a single value. A RawValue is a view; it copies nothing and is immutable as long as its buffer is.
 * Promises: the `as…` functions read what their documentation says, whatever the type: they never read outside of
 * start..end, provided that the value came from FieldCursor, getField or a constructor (values.ts), and throw nothing
 * but InvalidBSON, for the inside of a code with scope that was never validated.
 */
import { Decimal } from './decimal.ts';
import { readInt32, readInt64AsNumber, readUint32 } from './scalars.ts';
import { scopeStartOf } from './value-size.ts';
import { BsonType, typeNameOf, type BsonTypeCode, type BsonTypeName } from './types.ts';

const INT64_MAX = 9_223_372_036_854_775_807n;
const INT64_MIN = -9_223_372_036_854_775_808n;

export class RawValue {
  readonly type: BsonTypeCode;
  readonly bytes: Buffer;
  /** First byte of the value itself, after type and name. */
  readonly start: number;
  /** The byte after the value. */
  readonly end: number;

  constructor(type: BsonTypeCode, bytes: Buffer, start: number, end: number) {
    this.type = type;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /** int, long, double or decimal. */
  get isNumber(): boolean {
    const type = this.type;
    return (
      type === BsonType.int32 ||
      type === BsonType.double ||
      type === BsonType.int64 ||
      type === BsonType.decimal128
    );
  }

  /** null or undefined. */
  get isNullish(): boolean {
    return this.type === BsonType.null || this.type === BsonType.undefined;
  }

  /** The type's alias: 'int', 'long', 'double', 'decimal', 'string', 'object', … */
  get typeName(): BsonTypeName {
    return typeNameOf(this.type);
  }

  /** Any number as the nearest double; 0 for what is no number. */
  asNumber(): number {
    const type: number = this.type;
    switch (type) {
      case BsonType.int32:
        return readInt32(this.bytes, this.start);
      case BsonType.double:
        return this.bytes.readDoubleLE(this.start);
      case BsonType.int64:
        return readInt64AsNumber(this.bytes, this.start);
      case BsonType.decimal128:
        return this.asDecimal().toNumber();
      default:
        return 0;
    }
  }

  /** Any number as an int64: cut towards zero, held at the ends of int64's range, 0 for NaN and what is no number. */
  asInt64(): bigint {
    const type: number = this.type;
    switch (type) {
      case BsonType.int64:
        return this.bytes.readBigInt64LE(this.start);
      case BsonType.int32:
        return BigInt(readInt32(this.bytes, this.start));
      case BsonType.double:
        return clampInt64(this.bytes.readDoubleLE(this.start));
      case BsonType.decimal128:
        return decimalToInt64(this.asDecimal());
      default:
        return 0n;
    }
  }

  /** A bool's value; false for every other type (isTruthy knows them all). */
  asBoolean(): boolean {
    return this.type === BsonType.bool && this.bytes[this.start] !== 0;
  }

  /** Text of a string, symbol or code (with or without scope); '' for other types. Invalid UTF-8 becomes U+FFFD. */
  asString(): string {
    const type: number = this.type;
    switch (type) {
      case BsonType.string:
      case BsonType.symbol:
      case BsonType.javascript:
        return this.bytes.toString('utf8', this.start + 4, this.end - 1);
      case BsonType.javascriptWithScope: {
        const scope = scopeStartOf(this.bytes, this.start, this.end);
        return this.bytes.toString('utf8', this.start + 8, scope - 1);
      }
      default:
        return '';
    }
  }

  /** Milliseconds since 1970 of a date; 0 for other types. Beyond 2^53 the nearest double. */
  asDateMs(): number {
    return this.type === BsonType.date ? readInt64AsNumber(this.bytes, this.start) : 0;
  }

  /** An object or array, or a code's scope, as one BSON document: a view, not a copy. Empty Buffer for other types. */
  asDocument(): Buffer {
    const type: number = this.type;
    switch (type) {
      case BsonType.object:
      case BsonType.array:
        return this.bytes.subarray(this.start, this.end);
      case BsonType.javascriptWithScope:
        return this.bytes.subarray(scopeStartOf(this.bytes, this.start, this.end), this.end);
      default:
        return this.bytes.subarray(this.end, this.end);
    }
  }

  /** Subtype and content of a binData (subtype 2: with its inner length), empty for other types. */
  asBinary(): { subtype: number; bytes: Buffer } {
    if (this.type !== BsonType.binData) {
      return { subtype: 0, bytes: this.bytes.subarray(this.end, this.end) };
    }
    return {
      subtype: this.bytes[this.start + 4],
      bytes: this.bytes.subarray(this.start + 5, this.end),
    };
  }

  /** Pattern and options of a regex; empty for other types. */
  asRegex(): { pattern: string; options: string } {
    if (this.type !== BsonType.regex) return { pattern: '', options: '' };
    const patternEnd = this.bytes.indexOf(0, this.start);
    return {
      pattern: this.bytes.toString('utf8', this.start, patternEnd),
      options: this.bytes.toString('utf8', patternEnd + 1, this.end - 1),
    };
  }

  /** Both halves of a timestamp, unsigned; zeros for other types. */
  asTimestamp(): { seconds: number; increment: number } {
    if (this.type !== BsonType.timestamp) return { seconds: 0, increment: 0 };
    return {
      seconds: readUint32(this.bytes, this.start + 4),
      increment: readUint32(this.bytes, this.start),
    };
  }

  /** The twelve bytes of an objectId, or of the id inside a dbPointer; empty for other types. */
  asObjectIdBytes(): Buffer {
    const holdsOne = this.type === BsonType.objectId || this.type === BsonType.dbPointer;
    return this.bytes.subarray(holdsOne ? this.end - 12 : this.end, this.end);
  }

  /**
   * Any number as a decimal: integers and decimals exactly, doubles rounded to 15 digits as MongoDB converts them.
   * Zero for what is no number.
   */
  asDecimal(): Decimal {
    const type: number = this.type;
    switch (type) {
      case BsonType.decimal128:
        return Decimal.fromBytes(this.bytes, this.start);
      case BsonType.int32:
      case BsonType.int64:
        return Decimal.fromBigInt(this.asInt64());
      case BsonType.double:
        return Decimal.fromNumber(this.bytes.readDoubleLE(this.start));
      default:
        return Decimal.ZERO;
    }
  }

  /** The value's bytes: a view, not a copy. */
  toBytes(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }

  /** Truth as aggregation sees it: false, null, undefined and every zero are false, all else (NaN too) is true. */
  isTruthy(): boolean {
    const type: number = this.type;
    switch (type) {
      case BsonType.bool:
        return this.bytes[this.start] !== 0;
      case BsonType.null:
      case BsonType.undefined:
        return false;
      case BsonType.decimal128:
        return !this.asDecimal().isZero;
      case BsonType.int32:
      case BsonType.int64:
      case BsonType.double:
        return this.asNumber() !== 0;
      default:
        return true;
    }
  }
}

function clampInt64(value: number): bigint {
  if (Number.isNaN(value)) return 0n;
  if (value >= 9_223_372_036_854_775_808) return INT64_MAX;
  if (value <= -9_223_372_036_854_775_808) return INT64_MIN;
  return BigInt(Math.trunc(value));
}

function decimalToInt64(value: Decimal): bigint {
  if (value.isNaN) return 0n;
  const whole = value.toBigInt();
  if (whole === undefined) return value.sign > 0 ? INT64_MAX : INT64_MIN;
  return whole > INT64_MAX ? INT64_MAX : whole < INT64_MIN ? INT64_MIN : whole;
}
