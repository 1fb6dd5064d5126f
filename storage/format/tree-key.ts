/**
 * Keys of the index store: every tree's keys begin with its ident, so that few LMDB trees hold all of ours.
 *
 * Layouts: docs/format/lmdb.md#keys. Numbers are big-endian here, because keys sort as bytes.
 *
 *  - ident 0: the store's own records (identity)
 *  - a collection's ident: the record map, one key per block of records (format/record-map.ts)
 *  - an index's ident: ident, encoded key, record id; value: a flag byte and type bits, where there are any
 */
import { createHash } from 'node:crypto';
import { invariant } from '../../common/assert.ts';
import type { Ident, RecordId } from '../contract.ts';

/** Bytes of an ident, and of a record id, within a key. */
export const IDENT_BYTES = 6;
export const RECORD_ID_BYTES = 6;

/** Longest key of the index store, bytes: what LMDB takes with pages of 4 KiB, rounded down. */
export const MAX_STORE_KEY_BYTES = 1900;

/** An encoded index key longer than this is cut: kept prefix and SHA-256 of the whole. */
export const MAX_WHOLE_INDEX_KEY_BYTES = 1024;
const HASH_BYTES = 32;
/** What is kept of a cut key; with the hash it is as long as the longest whole key. */
export const CUT_INDEX_KEY_PREFIX_BYTES = MAX_WHOLE_INDEX_KEY_BYTES - HASH_BYTES;

/** Idents 0 to 15 are the store's own; collections and indexes come after. */
export const FIRST_TREE_IDENT = 16;

/** Writes an unsigned 48-bit number, big-endian. */
export function writeUInt48BE(target: Buffer, value: number, offset: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  target[offset] = high >>> 8;
  target[offset + 1] = high;
  target[offset + 2] = value >>> 24;
  target[offset + 3] = value >>> 16;
  target[offset + 4] = value >>> 8;
  target[offset + 5] = value;
}

/** Reads an unsigned 48-bit number, big-endian. */
export function readUInt48BE(source: Buffer, offset: number): number {
  const high = source[offset] * 256 + source[offset + 1];
  const low =
    ((source[offset + 2] << 24) |
      (source[offset + 3] << 16) |
      (source[offset + 4] << 8) |
      source[offset + 5]) >>>
    0;
  return high * 0x1_0000_0000 + low;
}

/** First bytes of every key of a tree. */
export function treePrefix(ident: Ident): Buffer {
  const prefix = Buffer.allocUnsafe(IDENT_BYTES);
  writeUInt48BE(prefix, ident, 0);
  return prefix;
}

/** The first key after a tree: an exclusive upper bound. */
export function treeEnd(ident: Ident): Buffer {
  const end = Buffer.allocUnsafe(IDENT_BYTES);
  writeUInt48BE(end, ident + 1, 0);
  return end;
}

/** A tree's prefix followed by other bytes, such as a bound of a walk. */
export function treeKey(ident: Ident, suffix: Buffer): Buffer {
  const key = Buffer.allocUnsafe(IDENT_BYTES + suffix.length);
  writeUInt48BE(key, ident, 0);
  suffix.copy(key, IDENT_BYTES);
  return key;
}

/**
 * The form of an encoded key in which delta and base keep it: the key itself, or for a long one its first
 * CUT_INDEX_KEY_PREFIX_BYTES bytes and the SHA-256 of the whole. Two keys are equal if and only if their stored forms are.
 */
export function storedIndexKey(encodedKey: Buffer): { key: Buffer; whole: boolean } {
  if (encodedKey.length <= MAX_WHOLE_INDEX_KEY_BYTES) return { key: encodedKey, whole: true };
  const key = Buffer.allocUnsafe(MAX_WHOLE_INDEX_KEY_BYTES);
  encodedKey.copy(key, 0, 0, CUT_INDEX_KEY_PREFIX_BYTES);
  createHash('sha256').update(encodedKey).digest().copy(key, CUT_INDEX_KEY_PREFIX_BYTES);
  return { key, whole: false };
}

/** Key of an index entry: ident, stored key, record id. */
export function indexEntryKey(ident: Ident, storedKey: Buffer, recordId: RecordId): Buffer {
  invariant(storedKey.length <= MAX_WHOLE_INDEX_KEY_BYTES, 'index entry: key was not cut');
  const keyEnd = IDENT_BYTES + storedKey.length;
  const key = Buffer.allocUnsafe(keyEnd + RECORD_ID_BYTES);
  writeUInt48BE(key, ident, 0);
  storedKey.copy(key, IDENT_BYTES);
  writeUInt48BE(key, recordId, keyEnd);
  return key;
}

/** The stored key within an index entry's key; shares its memory. */
export function storedKeyOfEntry(entryKey: Buffer): Buffer {
  return entryKey.subarray(IDENT_BYTES, entryKey.length - RECORD_ID_BYTES);
}

/** The record id at the end of an index entry's key. */
export function recordIdOfEntry(entryKey: Buffer): number {
  return readUInt48BE(entryKey, entryKey.length - RECORD_ID_BYTES);
}

/** Flags in an index entry's value. */
const ENTRY_WHOLE = 0;
const ENTRY_CUT = 1;

/**
 * Value of an index entry: empty for the usual one (whole key, no type bits); else a flag byte and the type bits. A key that
 * was cut has none: it cannot be decoded, and those of a long array have no bound.
 */
export function indexEntryValue(typeBits: Buffer, whole: boolean): Buffer {
  if (!whole) return CUT_VALUE;
  if (typeBits.length === 0) return EMPTY_VALUE;
  const value = Buffer.allocUnsafe(1 + typeBits.length);
  value[0] = ENTRY_WHOLE;
  typeBits.copy(value, 1);
  return value;
}

/** @returns the type bits, sharing the value's memory. */
export function typeBitsOfEntry(value: Buffer): Buffer {
  return value.length === 0 || !entryKeyIsWhole(value) ? NO_TYPE_BITS : value.subarray(1);
}

/** False when the entry's key was cut. */
export function entryKeyIsWhole(value: Buffer): boolean {
  return value.length === 0 || value[0] === ENTRY_WHOLE;
}

const EMPTY_VALUE = Buffer.alloc(0);
const CUT_VALUE = Buffer.of(ENTRY_CUT);
export const NO_TYPE_BITS: Buffer = Buffer.alloc(0);
