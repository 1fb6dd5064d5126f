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
  /** Bytes of a value; VARIABLE_SIZE when the value says. */
  readonly bytes: number;
  /** Place in the order of types. Equal for types that compare by value: all numbers, string and symbol. */
  readonly order: number;
}

/** In the table of sizes: the value's own bytes say how long it is. */
export const VARIABLE_SIZE = -1;
/** In the table of sizes: no such type. */
export const UNKNOWN_TYPE = -2;

const FACTS: Readonly<Record<BsonTypeCode, TypeFacts>> = {
  255: { name: 'minKey', bytes: 0, order: 1 },
  6: { name: 'undefined', bytes: 0, order: 2 },
  10: { name: 'null', bytes: 0, order: 3 },
  1: { name: 'double', bytes: 8, order: 4 },
  16: { name: 'int', bytes: 4, order: 4 },
  18: { name: 'long', bytes: 8, order: 4 },
  19: { name: 'decimal', bytes: 16, order: 4 },
  2: { name: 'string', bytes: VARIABLE_SIZE, order: 5 },
  14: { name: 'symbol', bytes: VARIABLE_SIZE, order: 5 },
  3: { name: 'object', bytes: VARIABLE_SIZE, order: 6 },
  4: { name: 'array', bytes: VARIABLE_SIZE, order: 7 },
  5: { name: 'binData', bytes: VARIABLE_SIZE, order: 8 },
  7: { name: 'objectId', bytes: 12, order: 9 },
  8: { name: 'bool', bytes: 1, order: 10 },
  9: { name: 'date', bytes: 8, order: 11 },
  17: { name: 'timestamp', bytes: 8, order: 12 },
  11: { name: 'regex', bytes: VARIABLE_SIZE, order: 13 },
  12: { name: 'dbPointer', bytes: VARIABLE_SIZE, order: 14 },
  13: { name: 'javascript', bytes: VARIABLE_SIZE, order: 15 },
  15: { name: 'javascriptWithScope', bytes: VARIABLE_SIZE, order: 16 },
  127: { name: 'maxKey', bytes: 0, order: 17 },
};

/** Value bytes by type code: a size, VARIABLE_SIZE or UNKNOWN_TYPE. */
export const VALUE_BYTES = new Int8Array(256).fill(UNKNOWN_TYPE);
const TYPE_ORDER = new Uint8Array(256);
for (const [code, facts] of Object.entries(FACTS)) {
  VALUE_BYTES[Number(code)] = facts.bytes;
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
