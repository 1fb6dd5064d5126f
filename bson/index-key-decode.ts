/**
 * Index keys back into values, exact in type and value. The counterpart of index-key.ts and index-key-number.ts.
 *
 * Promises: reads only inside the key; bytes that encodeIndexKey does not give throw CorruptionError.
 */
import { CommandError } from '../common/errors.ts';
import { DocumentBuilder, indexName } from './builder.ts';
import { corruptKey, KeyReader } from './key-reader.ts';
import { readNumber } from './index-key-number-decode.ts';
import { LONG_BINARY, type Direction } from './index-key.ts';
import { KEY_CLASS, MAGNITUDE } from './key-classes.ts';
import type { RawValue } from './raw-value.ts';
import { writeInt32 } from './scalars.ts';
import { TypeBitsReader } from './type-bits.ts';
import { BsonType, type BsonTypeCode } from './types.ts';
import {
  FALSE,
  MAX_KEY,
  MIN_KEY,
  NULL,
  TRUE,
  UNDEFINED_VALUE,
  arrayValue,
  binaryValue,
  documentValue,
  rawValueFrom,
} from './values.ts';

/** Nesting that no encoded value has: a damaged key ends here instead of exhausting the stack. */
const MAX_DEPTH = 1000;

/**
 * The values of a whole key, or of the leading fields when `key` is a prefix made of fewer values.
 * Missing values come back as null, array elements under the names "0", "1", …
 * @throws CorruptionError when key and type bits were not made by encodeIndexKey.
 */
export function decodeIndexKey(
  key: Buffer,
  typeBits: Buffer,
  directions: readonly Direction[],
): RawValue[] {
  try {
    return readValues(new KeyReader(key), new TypeBitsReader(typeBits), directions);
  } catch (error) {
    // A damaged length makes a value that is no BSON, which its constructor refuses as if a client had sent it.
    if (error instanceof CommandError) throw corruptKey(error.message);
    throw error;
  }
}

function readValues(
  reader: KeyReader,
  bits: TypeBitsReader,
  directions: readonly Direction[],
): RawValue[] {
  const values: RawValue[] = [];
  for (let field = 0; field < directions.length && !reader.atEnd; field += 1) {
    reader.setInverted(directions[field] < 0);
    values.push(readValue(reader, bits, 0));
  }
  if (!reader.atEnd) throw corruptKey('bytes are left over');
  bits.expectEnd();
  return values;
}

function readValue(reader: KeyReader, bits: TypeBitsReader, depth: number): RawValue {
  const keyClass = reader.byte();
  if (keyClass >= KEY_CLASS.nan && keyClass <= KEY_CLASS.zero + MAGNITUDE.large) {
    return readNumber(reader, bits, keyClass);
  }
  switch (keyClass) {
    case KEY_CLASS.minKey:
      return MIN_KEY;
    case KEY_CLASS.undefined:
      return UNDEFINED_VALUE;
    case KEY_CLASS.null:
      return NULL;
    case KEY_CLASS.string:
      return textValue(bits.bit() === 0 ? BsonType.string : BsonType.symbol, reader);
    case KEY_CLASS.object:
      return documentValue(readElements(reader, bits, true, depth + 1));
    case KEY_CLASS.array:
      return arrayValue(readElements(reader, bits, false, depth + 1));
    case KEY_CLASS.binData:
      return readBinary(reader);
    case KEY_CLASS.objectId:
      return rawValueFrom(BsonType.objectId, reader.raw(12));
    case KEY_CLASS.false:
      return FALSE;
    case KEY_CLASS.true:
      return TRUE;
    case KEY_CLASS.date:
      return readLong(reader, BsonType.date, 0x80);
    case KEY_CLASS.timestamp:
      return readLong(reader, BsonType.timestamp, 0);
    case KEY_CLASS.regex:
      return rawValueFrom(BsonType.regex, Buffer.concat([reader.cstring(), reader.cstring()]));
    case KEY_CLASS.dbPointer: {
      const length = reader.bigEndian(4);
      return rawValueFrom(
        BsonType.dbPointer,
        Buffer.concat([littleEndian(length), reader.raw(length + 12)]),
      );
    }
    case KEY_CLASS.javascript:
      return textValue(BsonType.javascript, reader);
    case KEY_CLASS.javascriptWithScope:
      return readCodeWithScope(reader, bits, depth);
    case KEY_CLASS.maxKey:
      return MAX_KEY;
    default:
      throw corruptKey('unknown class');
  }
}

/** Length, text and NUL of a string, symbol or code. */
function readText(reader: KeyReader): Buffer {
  const text = reader.text(4, 1);
  writeInt32(text, 0, text.length - 4);
  text[text.length - 1] = 0;
  return text;
}

function textValue(type: BsonTypeCode, reader: KeyReader): RawValue {
  return rawValueFrom(type, readText(reader));
}

function readBinary(reader: KeyReader): RawValue {
  const short = reader.byte();
  const length = short < LONG_BINARY ? short : reader.bigEndian(4);
  const subtype = reader.byte();
  return binaryValue(reader.raw(length), subtype);
}

/** Eight bytes, most significant first. @param flip bits of the first byte that the encoding flipped. */
function readLong(reader: KeyReader, type: BsonTypeCode, flip: number): RawValue {
  const bytes = reader.raw(8);
  bytes[0] ^= flip;
  return rawValueFrom(type, bytes.reverse());
}

function readCodeWithScope(reader: KeyReader, bits: TypeBitsReader, depth: number): RawValue {
  const code = readText(reader);
  const scope = readElements(reader, bits, true, depth + 1);
  const length = littleEndian(4 + code.length + scope.length);
  return rawValueFrom(BsonType.javascriptWithScope, Buffer.concat([length, code, scope]));
}

function readElements(
  reader: KeyReader,
  bits: TypeBitsReader,
  named: boolean,
  depth: number,
): Buffer {
  if (depth > MAX_DEPTH) throw corruptKey('nested too deeply');
  const builder = new DocumentBuilder(64);
  for (let index = 0; !reader.tryEnd(); index += 1) {
    builder.append(named ? readName(reader) : indexName(index), readValue(reader, bits, depth));
  }
  return builder.finish();
}

/** An element's name, after the class of its type, which its value repeats. */
function readName(reader: KeyReader): string {
  reader.byte();
  const name = reader.text();
  if (name.includes(0)) throw corruptKey('a name holds a NUL');
  return name.toString('utf8');
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  writeInt32(bytes, 0, value);
  return bytes;
}
