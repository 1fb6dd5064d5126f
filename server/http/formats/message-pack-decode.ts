/**
 * MessagePack as raw BSON. What comes in was written by anybody: every length is checked against the bytes that are there.
 *
 * Promises: a whole number of up to 32 bits becomes an int32, one in 64 bits an int64, a float a double. Bytes:
 * docs/format/messagepack.md.
 */
import { CommandError } from '../../../common/errors.ts';
import {
  dateBigIntValue,
  DocumentBuilder,
  indexName,
  MAX_MESSAGE_LEVELS,
  rawValueFrom,
} from '../../../bson/index.ts';
import { EXTENSIONS, FORMAT, TIMESTAMP_EXTENSION } from './message-pack-types.ts';

const INT32_MAX = 0x7fff_ffff;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** @throws CommandError FailedToParse: no sound MessagePack, or not one map, or what BSON cannot say; InvalidBSON: an extension's content. */
export function decodeMessagePack(bytes: Buffer): Buffer {
  return new Reader(bytes).document();
}

class Reader {
  private readonly bytes: Buffer;
  private readonly out: DocumentBuilder;
  private offset = 0;
  private depth = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.out = new DocumentBuilder(bytes.length + 64);
  }

  document(): Buffer {
    const count = this.mapSize(this.uint(1));
    if (count === undefined) throw refused('a document must be a map');
    this.fields(count);
    if (this.offset !== this.bytes.length) throw refused('bytes follow the document');
    return this.out.finish();
  }

  private fields(count: number): void {
    for (let field = 0; field < count; field += 1) {
      const size = this.stringSize(this.uint(1));
      if (size === undefined) throw refused('the name of a field must be a string');
      const name = this.text(size);
      if (name.includes('\0')) throw refused('the name of a field must not contain a zero byte');
      this.value(name);
    }
  }

  private value(name: string): void {
    const first = this.uint(1);
    const { out } = this;
    if (first < 0x80) return void out.appendInteger(name, first);
    if (first >= FORMAT.negativeFixInt) return void out.appendInteger(name, first - 0x100);
    const mapSize = this.mapSize(first);
    if (mapSize !== undefined) {
      return this.nested(() => {
        out.beginDocument(name);
        this.fields(mapSize);
      });
    }
    const arraySize = this.arraySize(first);
    if (arraySize !== undefined) {
      return this.nested(() => {
        out.beginArray(name);
        for (let index = 0; index < arraySize; index += 1) this.value(indexName(index));
      });
    }
    const stringSize = this.stringSize(first);
    if (stringSize !== undefined) return void out.appendString(name, this.text(stringSize));
    this.scalar(name, first);
  }

  private nested(write: () => void): void {
    this.depth += 1;
    if (this.depth >= MAX_MESSAGE_LEVELS) throw refused('it is nested too deeply');
    write();
    this.out.end();
    this.depth -= 1;
  }

  private scalar(name: string, first: number): void {
    const { out } = this;
    switch (first) {
      case FORMAT.nil:
        return void out.appendNull(name);
      case FORMAT.false:
      case FORMAT.true:
        return void out.appendBoolean(name, first === FORMAT.true);
      case FORMAT.float32:
        return void out.appendDouble(name, this.bytes.readFloatBE(this.take(4)));
      case FORMAT.float64:
        return void out.appendDouble(name, this.bytes.readDoubleBE(this.take(8)));
      case FORMAT.uint8:
        return void out.appendInteger(name, this.uint(1));
      case FORMAT.uint16:
        return void out.appendInteger(name, this.uint(2));
      case FORMAT.uint32: {
        const value = this.uint(4);
        if (value > INT32_MAX) out.appendInt64(name, BigInt(value));
        else out.appendInteger(name, value);
        return;
      }
      case FORMAT.int8:
        return void out.appendInteger(name, this.bytes.readInt8(this.take(1)));
      case FORMAT.int16:
        return void out.appendInteger(name, this.bytes.readInt16BE(this.take(2)));
      case FORMAT.int32:
        return void out.appendInteger(name, this.bytes.readInt32BE(this.take(4)));
      case FORMAT.int64:
        return void out.appendInt64(name, this.bytes.readBigInt64BE(this.take(8)));
      case FORMAT.uint64: {
        const value = this.bytes.readBigUInt64BE(this.take(8));
        if (value > INT64_MAX) throw refused(`${value} does not fit into 64 bits with a sign`);
        return void out.appendInt64(name, value);
      }
      case FORMAT.bin8:
      case FORMAT.bin16:
      case FORMAT.bin32:
        return void out.appendBinary(name, this.slice(this.uint(1 << (first - FORMAT.bin8))));
      case FORMAT.ext8:
      case FORMAT.ext16:
      case FORMAT.ext32:
        return this.extension(name, this.uint(1 << (first - FORMAT.ext8)));
      case FORMAT.fixExt1:
      case FORMAT.fixExt2:
      case FORMAT.fixExt4:
      case FORMAT.fixExt8:
      case FORMAT.fixExt16:
        return this.extension(name, 1 << (first - FORMAT.fixExt1));
      default:
        throw refused(`no value begins with 0x${first.toString(16)}`);
    }
  }

  private extension(name: string, size: number): void {
    const extension = this.bytes.readInt8(this.take(1));
    const content = this.slice(size);
    if (extension === TIMESTAMP_EXTENSION) {
      this.out.append(name, dateBigIntValue(millisecondsOf(content)));
      return;
    }
    const type = EXTENSIONS.get(extension);
    if (type === undefined) throw refused(`there is no extension type ${extension}`);
    // It must fill the extension: what follows a shorter value would pass for fields of the document.
    this.out.append(name, rawValueFrom(type, content));
  }

  private mapSize(first: number): number | undefined {
    if ((first & 0xf0) === FORMAT.fixMap) return first & 0x0f;
    if (first === FORMAT.map16) return this.uint(2);
    return first === FORMAT.map32 ? this.uint(4) : undefined;
  }

  private arraySize(first: number): number | undefined {
    if ((first & 0xf0) === FORMAT.fixArray) return first & 0x0f;
    if (first === FORMAT.array16) return this.uint(2);
    return first === FORMAT.array32 ? this.uint(4) : undefined;
  }

  private stringSize(first: number): number | undefined {
    if ((first & 0xe0) === FORMAT.fixString) return first & 0x1f;
    if (first === FORMAT.string8) return this.uint(1);
    if (first === FORMAT.string16) return this.uint(2);
    return first === FORMAT.string32 ? this.uint(4) : undefined;
  }

  private text(size: number): string {
    const content = this.slice(size);
    try {
      return UTF8.decode(content);
    } catch (error) {
      throw new CommandError('FailedToParse', 'MessagePack: a string is not UTF-8', {
        cause: error,
      });
    }
  }

  private slice(size: number): Buffer {
    const start = this.take(size);
    return this.bytes.subarray(start, start + size);
  }

  private uint(size: number): number {
    return this.bytes.readUIntBE(this.take(size), size);
  }

  /** Moves on by so many bytes. @returns where they begin. */
  private take(size: number): number {
    const start = this.offset;
    if (size > this.bytes.length - start) throw refused('it ends in the middle of a value');
    this.offset = start + size;
    return start;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** MessagePack's three forms of a timestamp; what is finer than milliseconds is cut off. */
function millisecondsOf(content: Buffer): bigint {
  const [seconds, nanos] = secondsAndNanos(content);
  if (nanos > 999_999_999) throw refused('a timestamp has more than 999999999 nanoseconds');
  const ms = seconds * 1000n + BigInt(Math.floor(nanos / 1_000_000));
  if (ms > INT64_MAX || ms < INT64_MIN) throw refused('a timestamp is beyond what a date can say');
  return ms;
}

function secondsAndNanos(content: Buffer): [seconds: bigint, nanos: number] {
  switch (content.length) {
    case 4:
      return [BigInt(content.readUInt32BE(0)), 0];
    case 8: {
      const both = content.readBigUInt64BE(0);
      return [both & (2n ** 34n - 1n), Number(both >> 34n)];
    }
    case 12:
      return [content.readBigInt64BE(4), content.readUInt32BE(0)];
    default:
      throw refused(`a timestamp has 4, 8 or 12 bytes, not ${content.length}`);
  }
}

function refused(why: string): CommandError {
  return new CommandError('FailedToParse', `MessagePack: ${why}`);
}
