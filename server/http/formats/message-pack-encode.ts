/**
 * Raw BSON as MessagePack.
 *
 * Promises: each value in the shortest form that gives its BSON type back (an int64 always has eight bytes, a double too);
 * fields keep their order. Bytes: docs/format/messagepack.md.
 */
import { BsonType, FieldCursor, fieldCount, type RawValue } from '../../../bson/index.ts';
import { extensionOf, FORMAT, TIMESTAMP_EXTENSION } from './message-pack-types.ts';

const NANOS_PER_MS = 1_000_000;

/** A document as one MessagePack map. */
export function encodeMessagePack(document: Buffer): Buffer {
  const out = new ByteWriter(document.length + 64);
  writeMap(out, document);
  return out.finish();
}

function writeMap(out: ByteWriter, document: Buffer): void {
  writeLength(out, fieldCount(document), MAP);
  const cursor = new FieldCursor(document);
  while (cursor.next()) {
    writeString(out, cursor.name);
    writeValue(out, cursor.value());
  }
}

function writeArray(out: ByteWriter, array: Buffer): void {
  writeLength(out, fieldCount(array), ARRAY);
  const cursor = new FieldCursor(array);
  while (cursor.next()) writeValue(out, cursor.value());
}

function writeValue(out: ByteWriter, value: RawValue): void {
  switch (value.type) {
    case BsonType.double:
      out.byte(FORMAT.float64);
      out.double(value.asNumber());
      return;
    case BsonType.string:
      return writeString(out, value.asString());
    case BsonType.object:
      return writeMap(out, value.asDocument());
    case BsonType.array:
      return writeArray(out, value.asDocument());
    case BsonType.bool:
      return out.byte(value.asBoolean() ? FORMAT.true : FORMAT.false);
    case BsonType.null:
      return out.byte(FORMAT.nil);
    case BsonType.int32:
      return writeInt32(out, value.asNumber());
    case BsonType.int64:
      out.byte(FORMAT.int64);
      return out.int64(value.bytes.readBigInt64LE(value.start));
    case BsonType.date:
      return writeDate(out, value.bytes.readBigInt64LE(value.start));
    case BsonType.binData: {
      const { subtype, bytes } = value.asBinary();
      if (subtype !== 0) break;
      writeLength(out, bytes.length, BINARY);
      return out.bytes(bytes);
    }
    default:
  }
  writeExtension(out, extensionOf(value.type) ?? 0, value.bytes.subarray(value.start, value.end));
}

function writeInt32(out: ByteWriter, value: number): void {
  if (value >= -32 && value < 128) out.byte(value & 0xff);
  else if (value >= 0 && value < 0x100) out.byte(FORMAT.uint8, value);
  else if (value >= 0 && value < 0x1_0000) out.byte(FORMAT.uint16, value >> 8, value & 0xff);
  else if (value >= -0x80 && value < 0) out.byte(FORMAT.int8, value & 0xff);
  else if (value >= -0x8000 && value < 0) {
    out.byte(FORMAT.int16, (value >> 8) & 0xff, value & 0xff);
  } else {
    out.byte(FORMAT.int32);
    out.uint32(value >>> 0);
  }
}

/** The shortest of MessagePack's three timestamps. */
function writeDate(out: ByteWriter, ms: bigint): void {
  const fraction = Number(((ms % 1000n) + 1000n) % 1000n);
  const seconds = (ms - BigInt(fraction)) / 1000n;
  const nanos = fraction * NANOS_PER_MS;
  if (seconds >= 0n && seconds < 2n ** 32n && nanos === 0) {
    out.byte(FORMAT.fixExt4, TIMESTAMP_EXTENSION & 0xff);
    out.uint32(Number(seconds));
  } else if (seconds >= 0n && seconds < 2n ** 34n) {
    out.byte(FORMAT.fixExt8, TIMESTAMP_EXTENSION & 0xff);
    out.int64(BigInt.asIntN(64, (BigInt(nanos) << 34n) | seconds));
  } else {
    out.byte(FORMAT.ext8, 12, TIMESTAMP_EXTENSION & 0xff);
    out.uint32(nanos);
    out.int64(seconds);
  }
}

const FIXED_EXTENSIONS: ReadonlyMap<number, number> = new Map([
  [1, FORMAT.fixExt1],
  [2, FORMAT.fixExt2],
  [4, FORMAT.fixExt4],
  [8, FORMAT.fixExt8],
  [16, FORMAT.fixExt16],
]);

function writeExtension(out: ByteWriter, type: number, content: Buffer): void {
  const fixed = FIXED_EXTENSIONS.get(content.length);
  if (fixed === undefined) writeLength(out, content.length, EXTENSION);
  else out.byte(fixed);
  out.byte(type);
  out.bytes(content);
}

function writeString(out: ByteWriter, text: string): void {
  const bytes = Buffer.from(text);
  writeLength(out, bytes.length, STRING);
  out.bytes(bytes);
}

/** First bytes of a kind of value by the size of its length; undefined: this kind has no such form. */
interface LengthForms {
  readonly fix: number | undefined;
  readonly fixLimit: number;
  readonly one: number | undefined;
  readonly two: number;
  readonly four: number;
}

const MAP: LengthForms = {
  fix: FORMAT.fixMap,
  fixLimit: 16,
  one: undefined,
  two: FORMAT.map16,
  four: FORMAT.map32,
};
const ARRAY: LengthForms = {
  fix: FORMAT.fixArray,
  fixLimit: 16,
  one: undefined,
  two: FORMAT.array16,
  four: FORMAT.array32,
};
const STRING: LengthForms = {
  fix: FORMAT.fixString,
  fixLimit: 32,
  one: FORMAT.string8,
  two: FORMAT.string16,
  four: FORMAT.string32,
};
const BINARY: LengthForms = {
  fix: undefined,
  fixLimit: 0,
  one: FORMAT.bin8,
  two: FORMAT.bin16,
  four: FORMAT.bin32,
};
const EXTENSION: LengthForms = {
  fix: undefined,
  fixLimit: 0,
  one: FORMAT.ext8,
  two: FORMAT.ext16,
  four: FORMAT.ext32,
};

function writeLength(out: ByteWriter, length: number, forms: LengthForms): void {
  if (forms.fix !== undefined && length < forms.fixLimit) out.byte(forms.fix | length);
  else if (forms.one !== undefined && length < 0x100) out.byte(forms.one, length);
  else if (length < 0x1_0000) out.byte(forms.two, length >> 8, length & 0xff);
  else {
    out.byte(forms.four);
    out.uint32(length);
  }
}

/** Bytes that grow, big-endian. */
class ByteWriter {
  private buffer: Buffer;
  private length = 0;

  constructor(initialBytes: number) {
    this.buffer = Buffer.allocUnsafe(initialBytes);
  }

  byte(...values: readonly number[]): void {
    this.reserve(values.length);
    for (const value of values) {
      this.buffer[this.length] = value;
      this.length += 1;
    }
  }

  uint32(value: number): void {
    this.reserve(4);
    this.length = this.buffer.writeUInt32BE(value, this.length);
  }

  int64(value: bigint): void {
    this.reserve(8);
    this.length = this.buffer.writeBigInt64BE(value, this.length);
  }

  double(value: number): void {
    this.reserve(8);
    this.length = this.buffer.writeDoubleBE(value, this.length);
  }

  bytes(content: Buffer): void {
    this.reserve(content.length);
    this.length += content.copy(this.buffer, this.length);
  }

  finish(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
