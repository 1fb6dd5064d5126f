/**
 * BSON's type codes, their names in MongoDB's messages and $type, and their order among each other.
 *
 * Owns: everything that depends on a type code alone. Never: looks at a value's bytes.
 * Sources: bsonspec.org version 1.1; MongoDB's manual, "BSON Types" and "Comparison/Sort Order".
 */

/** Type codes as they stand before an element's name. */
export const BsonType = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binData: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  dbPointer: 12,
  javascript: 13,
  symbol: 14,
  javascriptWithScope: 15,
  int32: 16,
  timestamp: 17,
  int64: 18,
  decimal128: 19,
  minKey: 255,
  maxKey: 127,
} as const;

export type BsonTypeCode = (typeof BsonType)[keyof typeof BsonType];

/** The alias that MongoDB prints for a type and that $type accepts. */
export type BsonTypeName =
  | 'double'
  | 'string'
  | 'object'
  | 'array'
  | 'binData'
  | 'undefined'
  | 'objectId'
  | 'bool'
  | 'date'
  | 'null'
  | 'regex'
  | 'dbPointer'
  | 'javascript'
  | 'symbol'
  | 'javascriptWithScope'
  | 'int'
  | 'timestamp'
  | 'long'
  | 'decimal'
  | 'minKey'
  | 'maxKey';

interface TypeFacts {
  readonly name: BsonTypeName;
  /** Place in the order of types. Equal for types that compare by value: all numbers, string and symbol. */
  readonly order: number;
  /** Bytes of a value; of a value that begins with its own length, the bytes which that length leaves out. */
  readonly bytes: number;
  /** For a value that begins with its own length: the smallest length. */
  readonly minLength?: number;
}

/** In the table of sizes: two cstrings (regex). */
export const CSTRINGS = -1;
/** In the table of sizes: no such type. */
export const UNKNOWN_TYPE = -2;

const FACTS: Readonly<Record<BsonTypeCode, TypeFacts>> = {
  [BsonType.minKey]: { name: 'minKey', order: 1, bytes: 0 },
  [BsonType.undefined]: { name: 'undefined', order: 2, bytes: 0 },
  [BsonType.null]: { name: 'null', order: 3, bytes: 0 },
  [BsonType.double]: { name: 'double', order: 4, bytes: 8 },
  [BsonType.int32]: { name: 'int', order: 4, bytes: 4 },
  [BsonType.int64]: { name: 'long', order: 4, bytes: 8 },
  [BsonType.decimal128]: { name: 'decimal', order: 4, bytes: 16 },
  [BsonType.string]: { name: 'string', order: 5, bytes: 4, minLength: 1 },
  [BsonType.symbol]: { name: 'symbol', order: 5, bytes: 4, minLength: 1 },
  [BsonType.object]: { name: 'object', order: 6, bytes: 0, minLength: 5 },
  [BsonType.array]: { name: 'array', order: 7, bytes: 0, minLength: 5 },
  [BsonType.binData]: { name: 'binData', order: 8, bytes: 5, minLength: 0 },
  [BsonType.objectId]: { name: 'objectId', order: 9, bytes: 12 },
  [BsonType.bool]: { name: 'bool', order: 10, bytes: 1 },
  [BsonType.date]: { name: 'date', order: 11, bytes: 8 },
  [BsonType.timestamp]: { name: 'timestamp', order: 12, bytes: 8 },
  [BsonType.regex]: { name: 'regex', order: 13, bytes: CSTRINGS },
  [BsonType.dbPointer]: { name: 'dbPointer', order: 14, bytes: 16, minLength: 1 },
  [BsonType.javascript]: { name: 'javascript', order: 15, bytes: 4, minLength: 1 },
  [BsonType.javascriptWithScope]: {
    name: 'javascriptWithScope',
    order: 16,
    bytes: 0,
    minLength: 14,
  },
  [BsonType.maxKey]: { name: 'maxKey', order: 17, bytes: 0 },
};

/** In the table of least lengths: the value does not begin with its length. */
export const NO_LENGTH = -1;

/** By type code: bytes of a value besides what its own length counts, CSTRINGS or UNKNOWN_TYPE. */
export const VALUE_BYTES = new Int8Array(256).fill(UNKNOWN_TYPE);
/** By type code: the smallest length that a value may begin with, or NO_LENGTH. */
export const MIN_LENGTH = new Int8Array(256).fill(NO_LENGTH);
const TYPE_ORDER = new Uint8Array(256);
for (const [code, facts] of Object.entries(FACTS)) {
  VALUE_BYTES[Number(code)] = facts.bytes;
  MIN_LENGTH[Number(code)] = facts.minLength ?? NO_LENGTH;
  TYPE_ORDER[Number(code)] = facts.order;
}

/** Whether `code` is one of BSON's type codes. */
export function isBsonType(code: number): code is BsonTypeCode {
  return VALUE_BYTES[code] > UNKNOWN_TYPE;
}

/** The alias of a type, such as 'int' or 'objectId'. */
export function typeNameOf(type: BsonTypeCode): BsonTypeName {
  return FACTS[type].name;
}

/** Place of a type in MongoDB's comparison order, 1 (MinKey) to 17 (MaxKey). Types of equal place compare by value. */
export function typeOrderOf(type: BsonTypeCode): number {
  return TYPE_ORDER[type];
}

/** Every type code with its alias, in comparison order. */
export const BSON_TYPES: readonly { readonly code: BsonTypeCode; readonly name: BsonTypeName }[] =
  Object.values(BsonType)
    .map((code) => ({ code, name: FACTS[code].name }))
    .sort((a, b) => FACTS[a.code].order - FACTS[b.code].order || a.code - b.code);
