/**
 * How BSON's types stand in MessagePack: the numbers of docs/format/messagepack.md.
 */
import { BsonType, type BsonTypeCode } from '../../../bson/index.ts';

/** First bytes. Source: the MessagePack specification, "Formats". */
export const FORMAT = {
  fixMap: 0x80,
  fixArray: 0x90,
  fixString: 0xa0,
  nil: 0xc0,
  false: 0xc2,
  true: 0xc3,
  bin8: 0xc4,
  bin16: 0xc5,
  bin32: 0xc6,
  ext8: 0xc7,
  ext16: 0xc8,
  ext32: 0xc9,
  float32: 0xca,
  float64: 0xcb,
  uint8: 0xcc,
  uint16: 0xcd,
  uint32: 0xce,
  uint64: 0xcf,
  int8: 0xd0,
  int16: 0xd1,
  int32: 0xd2,
  int64: 0xd3,
  fixExt1: 0xd4,
  fixExt2: 0xd5,
  fixExt4: 0xd6,
  fixExt8: 0xd7,
  fixExt16: 0xd8,
  string8: 0xd9,
  string16: 0xda,
  string32: 0xdb,
  array16: 0xdc,
  array32: 0xdd,
  map16: 0xde,
  map32: 0xdf,
  negativeFixInt: 0xe0,
} as const;

/** MessagePack's own extension for points in time. */
export const TIMESTAMP_EXTENSION = -1;

/** Extension type to BSON type; the content is the value's bytes as BSON has them. */
export const EXTENSIONS: ReadonlyMap<number, BsonTypeCode> = new Map<number, BsonTypeCode>([
  [5, BsonType.binData],
  [6, BsonType.undefined],
  [7, BsonType.objectId],
  [11, BsonType.regex],
  [12, BsonType.dbPointer],
  [13, BsonType.javascript],
  [14, BsonType.symbol],
  [15, BsonType.javascriptWithScope],
  [17, BsonType.timestamp],
  [19, BsonType.decimal128],
  // Its code in BSON is 255, which as a signed byte is the timestamp's.
  [126, BsonType.minKey],
  [127, BsonType.maxKey],
]);

const EXTENSION_OF: ReadonlyMap<BsonTypeCode, number> = new Map(
  [...EXTENSIONS].map(([extension, type]) => [type, extension]),
);

/** undefined: MessagePack says this type by itself. */
export function extensionOf(type: BsonTypeCode): number | undefined {
  return EXTENSION_OF.get(type);
}
