/**
 * Reads a compressed column of a bucket (BinData of subtype 7): values of one field, some of them missing.
 *
 * A column is a row of entries, each told by its first byte: a BSON element without a name (a literal), Simple-8b words of differences
 * to the value before, or objects taken apart, whose scalars are columns that are read in turn. A difference is one of whole numbers:
 * of dates, timestamps and ObjectIds the difference of differences; of doubles one of scaled values; of texts, binaries and decimals
 * one of 128 bits.
 * Promises: bytes are hostile: what is no column ends with an error, and a bucket gives no more than MAX_VALUES. The inside of literals
 * is not looked at: whoever builds documents of them validates those.
 * Source: MongoDB's description of the format, src/mongo/bson/util/bsoncolumn.h and its tests.
 */
import {
  BsonType,
  type BsonTypeCode,
  DocumentBuilder,
  FieldCursor,
  RawValue,
  readInt32,
  valueEndOf,
} from '../../bson/index.ts';
import { malformedColumn, type Simple8bValue, simple8bValues } from './simple8b.ts';

/** Values of one bucket: MongoDB ends it at 1,000 measurements, and few have more than hundreds of fields. */
const MAX_VALUES = 1_000_000;

/** How many values may still be read: a few bytes can stand for very many. */
export class ValueBudget {
  private left = MAX_VALUES;

  /** @throws CommandError 6067602 */
  spend(): void {
    this.left -= 1;
    if (this.left < 0) throw malformedColumn('more values than a bucket has');
  }
}

/** Entries whose first byte is smaller are literals. */
const FIRST_NO_LITERAL = 0x20;
const INTERLEAVED_LEGACY = 0xf0;
const INTERLEAVED = 0xf1;
const INTERLEAVED_ARRAY = 0xf2;

/** What doubles are multiplied by, by the upper half of the first byte; undefined: their bits are taken as a whole number. */
const SCALES: ReadonlyMap<number, number | undefined> = new Map([
  [0x80, undefined],
  [0x90, 1],
  [0xa0, 10],
  [0xb0, 100],
  [0xc0, 10_000],
  [0xd0, 100_000_000],
]);

/** A value of the column; undefined where it is missing. */
export type ColumnValue = RawValue | undefined;

/**
 * @param budget shared by the columns of one bucket
 * @throws CommandError 6067602 for bytes that are no column
 */
export function columnValues(bytes: Buffer, budget = new ValueBudget()): ColumnValue[] {
  const reader = new ColumnReader(bytes, budget);
  const values: ColumnValue[] = [];
  for (let next = reader.next(); next !== 'end'; next = reader.next()) values.push(next);
  return values;
}

/** Where the next entry begins: streams of one column take turns. */
interface Position {
  readonly bytes: Buffer;
  readonly budget: ValueBudget;
  at: number;
}

class ColumnReader {
  private readonly position: Position;
  private stream = new ValueStream();
  private objects: ObjectStream | undefined;

  constructor(bytes: Buffer, budget: ValueBudget) {
    this.position = { bytes, budget, at: 0 };
  }

  next(): ColumnValue | 'end' {
    const { position } = this;
    if (this.objects !== undefined) {
      const next = this.objects.next(position);
      if (next !== 'end') return next;
      this.stream = new ValueStream(this.objects.last);
      this.objects = undefined;
    }
    const next = this.stream.next(position);
    if (next !== 'end') return next;
    const first = position.bytes[position.at];
    if (first !== undefined && first >= INTERLEAVED_LEGACY) {
      this.objects = new ObjectStream(position);
      return this.next();
    }
    if (first !== 0 || position.at !== position.bytes.length - 1) {
      throw malformedColumn('it does not end where it should');
    }
    return 'end';
  }
}

/** The objects of an entry that takes them apart. */
class ObjectStream {
  /** The last object, for differences behind the entry. */
  last: ColumnValue;
  private readonly reference: Buffer;
  private readonly rootType: BsonTypeCode;
  private readonly entersArrays: boolean;
  private readonly streams: ValueStream[] = [];

  constructor(position: Position) {
    const { bytes, at } = position;
    const kind = bytes[at];
    if (kind > INTERLEAVED_ARRAY) throw malformedColumn('an unknown entry');
    this.entersArrays = kind >= INTERLEAVED;
    this.rootType = kind === INTERLEAVED_ARRAY ? BsonType.array : BsonType.object;
    const end = at + 5 > bytes.length ? 0 : at + 1 + readInt32(bytes, at + 1);
    if (end < at + 6 || end > bytes.length) throw malformedColumn('an object that does not fit');
    this.reference = bytes.subarray(at + 1, end);
    position.at = end;
    this.addStreams(this.reference, 0);
    if (this.streams.length === 0) throw malformedColumn('objects without fields');
  }

  private isEntered(type: number): boolean {
    return type === BsonType.object || (this.entersArrays && type === BsonType.array);
  }

  private addStreams(bytes: Buffer, start: number): void {
    const cursor = new FieldCursor(bytes, start);
    while (cursor.next()) {
      if (this.isEntered(cursor.type)) this.addStreams(bytes, cursor.valueStart);
      else this.streams.push(new ValueStream(cursor.value()));
    }
  }

  next(position: Position): ColumnValue | 'end' {
    const [first] = this.streams;
    if (!first.hasMore && position.bytes[position.at] === 0) {
      position.at += 1;
      return 'end';
    }
    const streams = this.streams.values();
    const built = this.build(position, new FieldCursor(this.reference), streams);
    this.last =
      built === undefined ? undefined : new RawValue(this.rootType, built, 0, built.length);
    return this.last;
  }

  /** @returns undefined for an object of which nothing is there. */
  private build(
    position: Position,
    reference: FieldCursor,
    streams: Iterator<ValueStream>,
  ): Buffer | undefined {
    const builder = new DocumentBuilder();
    let count = 0;
    let isReferenceEmpty = true;
    while (reference.next()) {
      isReferenceEmpty = false;
      const { name, type } = reference;
      let value: ColumnValue | 'end';
      if (this.isEntered(type)) {
        const inner = new FieldCursor(reference.bytes, reference.valueStart);
        const built = this.build(position, inner, streams);
        value = built && new RawValue(type, built, 0, built.length);
      } else {
        const stream = streams.next();
        value = stream.done === true ? 'end' : stream.value.next(position);
      }
      if (value === 'end') throw malformedColumn('an object that ends early');
      if (value === undefined) continue;
      builder.append(name, value);
      count += 1;
    }
    return count === 0 && !isReferenceEmpty ? undefined : builder.finish();
  }
}

/** One stream of scalars: literals, and differences to what came before. */
class ValueStream {
  private last: ColumnValue;
  private encoding: Encoding = NO_ENCODING;
  private words: Iterator<Simple8bValue> | undefined;
  private upcoming: IteratorResult<Simple8bValue> | undefined;
  /** The last difference, which the next words may repeat. */
  private lastDelta: Simple8bValue = 0n;
  /** Value of `last` as the number that differences are added to. */
  private encoded = 0n;
  /** Where differences of differences are stored, the last difference. */
  private step = 0n;

  constructor(last?: RawValue) {
    if (last !== undefined) this.begin(last);
  }

  /** A value can be given without another entry. */
  get hasMore(): boolean {
    this.upcoming ??= this.words?.next();
    return this.upcoming !== undefined && this.upcoming.done !== true;
  }

  /** @returns 'end' at an entry that is not this stream's. */
  next(position: Position): ColumnValue | 'end' {
    if (this.hasMore) {
      position.budget.spend();
      return this.fromDelta();
    }
    const { bytes, at } = position;
    const first = bytes[at];
    if (first === undefined) throw malformedColumn('it ends early');
    if (first === 0) return 'end';
    if (isLiteral(first)) return this.literal(position, first);
    if (first >= INTERLEAVED_LEGACY) return 'end';
    const scaleByte = first & 0xf0;
    const end = at + 1 + ((first & 0x0f) + 1) * 8;
    if (!SCALES.has(scaleByte) || end >= bytes.length) throw malformedColumn('an unknown entry');
    this.encoding = encodingOf(this.last?.type, SCALES.get(scaleByte));
    if (this.last?.type === BsonType.double) this.encoded = this.encoding.encode(this.last);
    this.words = simple8bValues(bytes, at + 1, end, this.lastDelta);
    this.upcoming = undefined;
    position.at = end;
    return this.next(position);
  }

  private literal(position: Position, type: number): RawValue {
    const { bytes, at } = position;
    if (bytes[at + 1] !== 0) throw malformedColumn('a literal with a name');
    const end = valueEndOf(bytes, type, at + 2, bytes.length);
    // The table of sizes knows every type, and only those.
    const value = new RawValue(type as BsonTypeCode, bytes, at + 2, end);
    position.at = end;
    position.budget.spend();
    this.begin(value);
    return value;
  }

  private begin(value: RawValue): void {
    this.last = value;
    this.encoding = encodingOf(value.type, undefined);
    this.encoded = this.encoding.encode(value);
    this.step = 0n;
    this.lastDelta = 0n;
    this.words = undefined;
    this.upcoming = undefined;
  }

  private fromDelta(): ColumnValue {
    const delta = this.upcoming?.value;
    this.upcoming = undefined;
    this.lastDelta = delta;
    if (delta === undefined) return undefined;
    const { encoding, last } = this;
    if (delta === 0n && !encoding.isOfSteps) return last;
    if (last === undefined) throw malformedColumn('a difference to nothing');
    // The sign stands in the lowest bit.
    const signed = (delta >> 1n) ^ -(delta & 1n);
    if (encoding.isOfSteps) {
      this.step = BigInt.asIntN(encoding.bits, this.step + signed);
      this.encoded = BigInt.asIntN(encoding.bits, this.encoded + this.step);
    } else this.encoded = BigInt.asIntN(encoding.bits, this.encoded + signed);
    const value = encoding.decode(this.encoded, last);
    this.last = value;
    return value;
  }
}

function isLiteral(first: number): boolean {
  return first < FIRST_NO_LITERAL || first === BsonType.minKey || first === BsonType.maxKey;
}

/** How values of a type are whole numbers. */
interface Encoding {
  readonly bits: 64 | 128;
  /** Differences of differences are stored. */
  readonly isOfSteps: boolean;
  encode(value: RawValue): bigint;
  /** @param like the value before: what the number does not say is taken from it */
  decode(number: bigint, like: RawValue): RawValue;
}

const NO_ENCODING: Encoding = {
  bits: 64,
  isOfSteps: false,
  encode: () => 0n,
  decode: () => {
    throw malformedColumn('a difference of values that have none');
  },
};

/** Of types that are a whole number of so many bytes. */
function whole(bytes: 1 | 4 | 8, isOfSteps: boolean): Encoding {
  return {
    bits: 64,
    isOfSteps,
    encode: (value) => BigInt.asIntN(64, littleEndian(value.bytes, value.start, bytes, bytes > 1)),
    decode: (number, like) => new RawValue(like.type, bytesOf(number, bytes), 0, bytes),
  };
}

function littleEndian(bytes: Buffer, start: number, count: number, isSigned = false): bigint {
  let number = 0n;
  for (let index = count - 1; index >= 0; index -= 1) {
    number = (number << 8n) | BigInt(bytes[start + index]);
  }
  return isSigned ? BigInt.asIntN(count * 8, number) : number;
}

function bytesOf(number: bigint, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  let rest = BigInt.asUintN(128, number);
  for (let index = 0; index < count; index += 1, rest >>= 8n) bytes[index] = Number(rest & 255n);
  return bytes;
}

function scaled(scale: number | undefined): Encoding {
  const ofBits = whole(8, false);
  if (scale === undefined) return ofBits;
  return {
    bits: 64,
    isOfSteps: false,
    encode: (value) => {
      const number = value.asNumber() * scale;
      const rounded = Math.sign(number) * Math.round(Math.abs(number));
      if (!Number.isSafeInteger(rounded)) throw malformedColumn('a double that is not scaled');
      return BigInt(rounded);
    },
    decode: (number, like) => {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(Number(number) / scale);
      return new RawValue(like.type, bytes, 0, 8);
    },
  };
}

/** Bytes of an ObjectId in the order of their weight: those that change most come first. The five in its middle stay. */
const OBJECT_ID_ORDER: readonly number[] = [3, 11, 2, 10, 1, 9, 0];

const OBJECT_IDS: Encoding = {
  bits: 64,
  isOfSteps: true,
  encode: ({ bytes, start }) =>
    OBJECT_ID_ORDER.reduce(
      (number, place, weight) => number | (BigInt(bytes[start + place]) << BigInt(8 * weight)),
      0n,
    ),
  decode: (number, like) => {
    const id = Buffer.from(like.bytes.subarray(like.start, like.end));
    OBJECT_ID_ORDER.forEach((place, weight) => {
      id[place] = Number((number >> BigInt(8 * weight)) & 255n);
    });
    return new RawValue(like.type, id, 0, id.length);
  },
};

const MOST_ENCODED_BYTES = 16;

/** Short texts, the last letter weighing least; longer ones count as nothing. */
const TEXTS: Encoding = {
  bits: 128,
  isOfSteps: false,
  encode: ({ bytes, start, end }) => {
    const text = bytes.subarray(start + 4, end - 1);
    if (text.length > MOST_ENCODED_BYTES || text[0] === 0) return 0n;
    let number = 0n;
    for (const byte of text) number = (number << 8n) | BigInt(byte);
    return BigInt.asIntN(128, number);
  },
  decode: (number, like) => {
    const reversed = bytesOf(number, MOST_ENCODED_BYTES);
    let length = MOST_ENCODED_BYTES;
    while (length > 0 && reversed[length - 1] === 0) length -= 1;
    const value = Buffer.alloc(length + 5);
    value.writeInt32LE(length + 1);
    for (let index = 0; index < length; index += 1) value[4 + index] = reversed[length - 1 - index];
    return new RawValue(like.type, value, 0, value.length);
  },
};

/** Length and subtype of a BinData. */
const BINARY_HEADER_BYTES = 5;

const BINARIES: Encoding = {
  bits: 128,
  isOfSteps: false,
  encode: ({ bytes, start, end }) => {
    const count = end - start - BINARY_HEADER_BYTES;
    if (count > MOST_ENCODED_BYTES) return 0n;
    return BigInt.asIntN(128, littleEndian(bytes, start + BINARY_HEADER_BYTES, count));
  },
  decode: (number, like) => {
    const count = like.end - like.start - BINARY_HEADER_BYTES;
    if (count > MOST_ENCODED_BYTES) throw malformedColumn('a difference of long binaries');
    const header = like.bytes.subarray(like.start, like.start + BINARY_HEADER_BYTES);
    const value = Buffer.concat([header, bytesOf(number, count)]);
    return new RawValue(like.type, value, 0, value.length);
  },
};

const DECIMALS: Encoding = {
  bits: 128,
  isOfSteps: false,
  encode: ({ bytes, start }) => littleEndian(bytes, start, 16, true),
  decode: (number, like) => new RawValue(like.type, bytesOf(number, 16), 0, 16),
};

function encodingOf(type: BsonTypeCode | undefined, scale: number | undefined): Encoding {
  switch (type) {
    case BsonType.double:
      return scaled(scale);
    case BsonType.int32:
      return whole(4, false);
    case BsonType.int64:
      return whole(8, false);
    case BsonType.bool:
      return whole(1, false);
    case BsonType.date:
    case BsonType.timestamp:
      return whole(8, true);
    case BsonType.objectId:
      return OBJECT_IDS;
    case BsonType.string:
    case BsonType.javascript:
      return TEXTS;
    case BsonType.binData:
      return BINARIES;
    case BsonType.decimal128:
      return DECIMALS;
    default:
      return NO_ENCODING;
  }
}

/** The bytes of a BinData value that is a column; undefined for any other value. */
export function columnBytes({ type, bytes, start, end }: RawValue): Buffer | undefined {
  const isColumn = type === BsonType.binData && bytes[start + 4] === COLUMN_SUBTYPE;
  return isColumn ? bytes.subarray(start + BINARY_HEADER_BYTES, end) : undefined;
}

const COLUMN_SUBTYPE = 7;
