/**
 * Builds documents and arrays into one growing buffer.
 *
 * Owns: the buffer under construction. Promises: finish() gives a document of its own memory that later building never
 * changes, and makes the builder ready for the next document; growth stops at MAX_BUILT_BYTES.
 * Names are not checked for uniqueness, nor nesting for depth: validate.ts does both where bytes come from outside.
 */
import { tassert } from '../common/assert.ts';
import { CommandError } from '../common/errors.ts';
import type { Decimal } from './decimal.ts';
import type { RawValue } from './raw-value.ts';
import { writeInt32 } from './scalars.ts';
import { BsonType, type BsonTypeCode } from './types.ts';

/** No document grows beyond this while it is being built; results of users end at 16 MiB, checked by the caller. */
export const MAX_BUILT_BYTES = 64 * 1024 * 1024;
/** A finished document of at least this size takes the buffer with it instead of being copied. */
const HAND_OVER_BYTES = 64 * 1024;
const DEFAULT_BYTES = 512;
/** The longest text written char by char: a call into the runtime costs more than this many. */
const SHORT_TEXT = 24;

/** The most bytes copied in a loop, for the same reason. */
const SHORT_COPY = 40;

/** Names of array elements: '0', '1', … */
const INDEX_NAMES: readonly string[] = Array.from({ length: 1024 }, (_, index) => String(index));

/** The name of an array's element. */
export function indexName(index: number): string {
  return INDEX_NAMES[index] ?? String(index);
}

export class DocumentBuilder {
  private bytes: Buffer;
  private length = 4;
  /** Where the open nested documents begin, the outermost not included. */
  private readonly open: number[] = [];

  /** @param initialBytes room made at once; more is made when needed. */
  constructor(initialBytes = DEFAULT_BYTES) {
    this.bytes = Buffer.allocUnsafe(Math.max(initialBytes, 16));
  }

  /** Bytes written so far, counting the length of the document but no ends. */
  get byteLength(): number {
    return this.length;
  }

  append(name: string, value: RawValue): this {
    const count = value.end - value.start;
    const at = this.header(value.type, name, count);
    copyBytes(value.bytes, value.start, value.end, this.bytes, at);
    this.length = at + count;
    return this;
  }

  /** @param value an integer in -2^31..2^31-1. */
  appendInt32(name: string, value: number): this {
    const at = this.header(BsonType.int32, name, 4);
    writeInt32(this.bytes, at, value);
    this.length = at + 4;
    return this;
  }

  appendDouble(name: string, value: number): this {
    const at = this.header(BsonType.double, name, 8);
    this.length = this.bytes.writeDoubleLE(value, at);
    return this;
  }

  /** @param value in -2^63..2^63-1. */
  appendInt64(name: string, value: bigint): this {
    const at = this.header(BsonType.int64, name, 8);
    this.length = this.bytes.writeBigInt64LE(value, at);
    return this;
  }

  /**
   * int32 if it fits, else int64, as MongoDB gives out counts and sizes.
   * @param value a whole number, at most 2^53 in magnitude.
   */
  appendInteger(name: string, value: number): this {
    return (value | 0) === value
      ? this.appendInt32(name, value)
      : this.appendInt64(name, BigInt(value));
  }

  appendDecimal(name: string, value: Decimal): this {
    const at = this.header(BsonType.decimal128, name, 16);
    this.length = at + value.toBytes().copy(this.bytes, at);
    return this;
  }

  appendString(name: string, text: string): this {
    // UTF-8 takes at most three bytes per UTF-16 unit.
    const at = this.header(BsonType.string, name, text.length * 3 + 5);
    const end = this.writeText(text, at + 4);
    this.bytes[end] = 0;
    writeInt32(this.bytes, at, end + 1 - (at + 4));
    this.length = end + 1;
    return this;
  }

  appendBoolean(name: string, value: boolean): this {
    const at = this.header(BsonType.bool, name, 1);
    this.bytes[at] = value ? 1 : 0;
    this.length = at + 1;
    return this;
  }

  appendNull(name: string): this {
    this.length = this.header(BsonType.null, name, 0);
    return this;
  }

  /** @param ms whole milliseconds since 1970. */
  appendDate(name: string, ms: number): this {
    const at = this.header(BsonType.date, name, 8);
    this.length = this.bytes.writeBigInt64LE(BigInt(ms), at);
    return this;
  }

  /** @param document exactly one BSON document. */
  appendDocument(name: string, document: Buffer): this {
    return this.appendNested(BsonType.object, name, document);
  }

  /** @param array exactly one BSON document whose names are "0", "1", … */
  appendArray(name: string, array: Buffer): this {
    return this.appendNested(BsonType.array, name, array);
  }

  /** @param id the twelve bytes. */
  appendObjectId(name: string, id: Buffer): this {
    const at = this.header(BsonType.objectId, name, 12);
    copyBytes(id, 0, 12, this.bytes, at);
    this.length = at + 12;
    return this;
  }

  /** @param seconds and increment unsigned 32-bit numbers. */
  appendTimestamp(name: string, seconds: number, increment: number): this {
    const at = this.header(BsonType.timestamp, name, 8);
    writeInt32(this.bytes, at, increment);
    writeInt32(this.bytes, at + 4, seconds);
    this.length = at + 8;
    return this;
  }

  appendBinary(name: string, content: Buffer, subtype = 0): this {
    const at = this.header(BsonType.binData, name, 5 + content.length);
    writeInt32(this.bytes, at, content.length);
    this.bytes[at + 4] = subtype;
    this.length = at + 5 + content.copy(this.bytes, at + 5);
    return this;
  }

  /** Copies a whole element (type, name and value) as it stands in `source`. */
  appendElementBytes(source: Buffer, elementStart: number, elementEnd: number): this {
    const count = elementEnd - elementStart;
    this.reserve(count);
    copyBytes(source, elementStart, elementEnd, this.bytes, this.length);
    this.length += count;
    return this;
  }

  /** Copies all elements of a document. */
  appendElementsOf(document: Buffer): this {
    return this.appendElementBytes(document, 4, document.length - 1);
  }

  /** Opens a nested document: what follows goes into it, until end(). */
  beginDocument(name: string): this {
    return this.begin(BsonType.object, name);
  }

  /** Opens a nested array; its elements' names, "0", "1", …, are the caller's (indexName). */
  beginArray(name: string): this {
    return this.begin(BsonType.array, name);
  }

  /** Closes what beginDocument or beginArray opened last. */
  end(): this {
    const start = this.open.pop();
    tassert(start !== undefined, 'DocumentBuilder: end without begin');
    this.close(start);
    return this;
  }

  /** The finished document; the builder is empty afterwards and can build the next one. */
  finish(): Buffer {
    tassert(this.open.length === 0, 'DocumentBuilder: a nested document is still open');
    this.close(0);
    const length = this.length;
    this.length = 4;
    if (length >= HAND_OVER_BYTES) {
      const document = this.bytes.subarray(0, length);
      this.bytes = Buffer.allocUnsafe(DEFAULT_BYTES);
      return document;
    }
    const document = Buffer.allocUnsafe(length);
    copyBytes(this.bytes, 0, length, document, 0);
    return document;
  }

  /** Forgets what was built. */
  clear(): this {
    this.length = 4;
    this.open.length = 0;
    return this;
  }

  private close(start: number): void {
    this.reserve(1);
    this.bytes[this.length] = 0;
    this.length += 1;
    writeInt32(this.bytes, start, this.length - start);
  }

  private begin(type: BsonTypeCode, name: string): this {
    const at = this.header(type, name, 4);
    this.open.push(at);
    this.length = at + 4;
    return this;
  }

  private appendNested(type: BsonTypeCode, name: string, document: Buffer): this {
    const at = this.header(type, name, document.length);
    copyBytes(document, 0, document.length, this.bytes, at);
    this.length = at + document.length;
    return this;
  }

  /** Writes type and name, makes room for `valueBytes`, and says where the value begins. Does not move `length`. */
  private header(type: BsonTypeCode, name: string, valueBytes: number): number {
    this.reserve(2 + name.length * 3 + valueBytes);
    const at = this.length;
    this.bytes[at] = type;
    const nameEnd = this.writeText(name, at + 1);
    if (name.length > 0 && name.includes('\0')) {
      throw new CommandError('BadValue', 'Field names cannot contain an embedded null byte');
    }
    this.bytes[nameEnd] = 0;
    return nameEnd + 1;
  }

  /** Writes UTF-8 and says where it ends; the caller has made room. */
  private writeText(text: string, at: number): number {
    const length = text.length;
    if (length > SHORT_TEXT) return at + this.bytes.write(text, at, 'utf8');
    const bytes = this.bytes;
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 127) return at + bytes.write(text, at, 'utf8');
      bytes[at + index] = code;
    }
    return at + length;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    if (needed > MAX_BUILT_BYTES) {
      throw new CommandError('BSONObjectTooLarge', `A document of ${needed} bytes is too large`);
    }
    const larger = Buffer.allocUnsafe(
      Math.min(MAX_BUILT_BYTES, Math.max(needed, this.bytes.length * 2)),
    );
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

/** Builds the elements of an array and names them by their index. */
export class ArrayBuilder {
  private readonly builder: DocumentBuilder;
  private count = 0;

  constructor(initialBytes?: number) {
    this.builder = new DocumentBuilder(initialBytes);
  }

  /** Elements pushed so far. */
  get length(): number {
    return this.count;
  }

  /** Bytes written so far, counting the length of the document but no end. */
  get byteLength(): number {
    return this.builder.byteLength;
  }

  push(value: RawValue): this {
    this.builder.append(this.nextName(), value);
    return this;
  }

  pushDocument(document: Buffer): this {
    this.builder.appendDocument(this.nextName(), document);
    return this;
  }

  pushArray(array: Buffer): this {
    this.builder.appendArray(this.nextName(), array);
    return this;
  }

  pushString(text: string): this {
    this.builder.appendString(this.nextName(), text);
    return this;
  }

  /** The finished array as a BSON document with names "0", "1", …; the builder is empty afterwards. */
  finish(): Buffer {
    this.count = 0;
    return this.builder.finish();
  }

  private nextName(): string {
    const name = indexName(this.count);
    this.count += 1;
    return name;
  }
}

/** Short pieces are copied in a loop, which beats the call into the runtime. */
function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start > SHORT_COPY) {
    source.copy(target, at, start, end);
    return;
  }
  for (let from = start, to = at; from < end; from += 1, to += 1) target[to] = source[from];
}
