/**
 * First bytes of encoded values inside index keys, in MongoDB's order of types. docs/format/index-keys.md
 *
 * Permanent: they are on disk. No class is 0x00 or 0xFF, so that no field of a key, inverted or not, begins with 0x00
 * (the end of an object) or with 0xFF (which successorOfPrefix relies on).
 */
export const KEY_CLASS = {
  /** Ends the elements of an object or array inside a key. */
  end: 0x00,
  minKey: 0x10,
  undefined: 0x14,
  null: 0x18,
  nan: 0x25,
  /** Numbers: zero here, a positive number of magnitude class m at zero + m, a negative one at zero - m. */
  zero: 0x30,
  string: 0x40,
  object: 0x44,
  array: 0x48,
  binData: 0x4c,
  objectId: 0x50,
  false: 0x54,
  true: 0x55,
  date: 0x58,
  timestamp: 0x5c,
  regex: 0x60,
  dbPointer: 0x64,
  javascript: 0x68,
  javascriptWithScope: 0x6c,
  maxKey: 0xf0,
} as const;

/**
 * Classes of a number's magnitude: below 1; 1 to 2^63 by the bytes that twice its whole part takes (1..8 bytes are
 * classes 2..9); from 2^63 on.
 */
export const MAGNITUDE = { small: 1, wholeOfOneByte: 2, large: 10 } as const;

/** Bits of a fraction that stand in the key before a decimal's remainder. */
export const FRACTION_BITS = 55;

/** Added to a decimal's place of its first digit, to make it unsigned. */
export const DECIMAL_PLACE_BIAS = 8192;
