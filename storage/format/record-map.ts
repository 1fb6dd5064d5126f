/**
 * The record map: where each record's document lies, in blocks of up to 32 neighbouring records.
 *
 * Blocks, so that a scan or a fold of neighbours touches one LMDB entry for 32 records.
 * Layout: docs/format/lmdb.md#record-map. Little-endian, but for the key.
 */
import { CorruptionError } from '../../common/errors.ts';
import { invariant } from '../../common/assert.ts';
import type { CommitNumber, Ident, RecordId } from '../contract.ts';
import { readU32, writeU32 } from './integers.ts';
import { IDENT_BYTES, readUInt48BE, writeUInt48BE } from './tree-key.ts';

/** Records per block: record ids with the same recordId >> 5. */
export const RECORDS_PER_BLOCK = 32;
const BLOCK_SHIFT = 5;
const BLOCK_MASK = RECORDS_PER_BLOCK - 1;
const TWO_POW_40 = 2 ** 40;

/** Key of a block: ident u48, block number u48, both big-endian. */
export const RECORD_MAP_KEY_BYTES = IDENT_BYTES + 6;

/** Header of a block: which of its 32 records are there. docs/format/lmdb.md#record-map */
export const RECORD_MAP_BLOCK = {
  present: 0, // u32  bit n: record (block number * 32 + n) has an entry
  size: 4,
} as const;

/** One entry, 24 bytes; entries follow the header in order of record id. docs/format/lmdb.md#record-map-entry */
export const RECORD_MAP_ENTRY = {
  sector: 0, // u40  first sector of the page
  generation: 5, // u40  that the page must have: catches lost writes
  commitNumber: 10, // u48  of the write that made this version
  bytes: 16, // u32  length of the document
  slot: 20, // u16  number within the page's directory
  sectors: 22, // u16  length of the page
  size: 24,
} as const;

/** Where a record's document lies in the base, and which commit put it there. */
export interface RecordPlace {
  readonly sector: number;
  /** Length of the page. */
  readonly sectors: number;
  readonly slot: number;
  /** Length of the document. */
  readonly bytes: number;
  readonly generation: number;
  readonly commitNumber: CommitNumber;
}

/** Number of the block that holds a record. */
export function recordBlockOf(recordId: RecordId): number {
  // Shifts work on 32 bits only; record ids may be longer.
  return recordId < 0x8000_0000
    ? recordId >>> BLOCK_SHIFT
    : Math.floor(recordId / RECORDS_PER_BLOCK);
}

/** Position of a record within its block, 0 to 31. */
export function recordSlotOf(recordId: RecordId): number {
  return recordId & BLOCK_MASK;
}

export function recordMapKey(ident: Ident, block: number): Buffer {
  const key = Buffer.allocUnsafe(RECORD_MAP_KEY_BYTES);
  writeUInt48BE(key, ident, 0);
  writeUInt48BE(key, block, IDENT_BYTES);
  return key;
}

/** The block number in a record map's key. */
export function blockOfRecordMapKey(key: Buffer): number {
  return readUInt48BE(key, IDENT_BYTES);
}

/** Which records a block holds, as bits of an unsigned 32-bit number. @throws CorruptionError for a malformed block. */
export function presentRecords(block: Buffer): number {
  if (block.length < RECORD_MAP_BLOCK.size) throw malformed();
  const present = readU32(block, RECORD_MAP_BLOCK.present);
  if (block.length !== RECORD_MAP_BLOCK.size + countBits(present) * RECORD_MAP_ENTRY.size) {
    throw malformed();
  }
  return present;
}

/** Offset of a record's entry within a block whose `present` bits are given; the record must be there. */
export function recordEntryOffset(present: number, slot: number): number {
  const before = countBits(present & ((1 << slot) - 1));
  return RECORD_MAP_BLOCK.size + before * RECORD_MAP_ENTRY.size;
}

/** @param offset as recordEntryOffset gave it for a block that presentRecords has checked */
export function readRecordPlace(source: Buffer, offset: number): RecordPlace {
  return {
    sector: readUInt40LE(source, offset + RECORD_MAP_ENTRY.sector),
    sectors: readUInt16LE(source, offset + RECORD_MAP_ENTRY.sectors),
    slot: readUInt16LE(source, offset + RECORD_MAP_ENTRY.slot),
    bytes: readU32(source, offset + RECORD_MAP_ENTRY.bytes),
    generation: readUInt40LE(source, offset + RECORD_MAP_ENTRY.generation),
    commitNumber: readUInt48LE(source, offset + RECORD_MAP_ENTRY.commitNumber) as CommitNumber,
  };
}

export function writeRecordPlace(target: Buffer, place: RecordPlace, offset: number): void {
  invariant(place.slot <= 0xffff, 'record map: slot is no u16');
  invariant(place.sectors <= 0xffff, 'record map: page length is no u16');
  invariant(place.bytes <= 0xffff_ffff, 'record map: length is no u32');
  invariant(place.sector < TWO_POW_40, 'record map: sector is no u40');
  invariant(place.generation < TWO_POW_40, 'record map: generation is no u40');
  writeUInt40LE(target, place.sector, offset + RECORD_MAP_ENTRY.sector);
  writeUInt40LE(target, place.generation, offset + RECORD_MAP_ENTRY.generation);
  writeUInt48LE(target, place.commitNumber, offset + RECORD_MAP_ENTRY.commitNumber);
  writeU32(target, place.bytes, offset + RECORD_MAP_ENTRY.bytes);
  writeUInt16LE(target, place.slot, offset + RECORD_MAP_ENTRY.slot);
  writeUInt16LE(target, place.sectors, offset + RECORD_MAP_ENTRY.sectors);
}

/**
 * Works a run of patches into one block, in place of reading and writing it once per record.
 * Use: load, then set and remove, then finish.
 */
export class RecordBlockEditor {
  private present = 0;
  private readonly entries = Buffer.alloc(RECORDS_PER_BLOCK * RECORD_MAP_ENTRY.size);

  /** Starts from a stored block, or from an empty one. */
  load(block: Buffer | undefined): void {
    this.present = block === undefined ? 0 : presentRecords(block);
    if (block === undefined) return;
    let from: number = RECORD_MAP_BLOCK.size;
    for (let slot = 0; slot < RECORDS_PER_BLOCK; slot += 1) {
      if ((this.present & (1 << slot)) === 0) continue;
      block.copy(this.entries, slot * RECORD_MAP_ENTRY.size, from, from + RECORD_MAP_ENTRY.size);
      from += RECORD_MAP_ENTRY.size;
    }
  }

  /** Sets a record's entry from its encoded bytes. */
  set(slot: number, source: Buffer, offset: number): void {
    invariant(slot < RECORDS_PER_BLOCK, 'record map: slot past the block');
    this.present = (this.present | (1 << slot)) >>> 0;
    source.copy(this.entries, slot * RECORD_MAP_ENTRY.size, offset, offset + RECORD_MAP_ENTRY.size);
  }

  remove(slot: number): void {
    invariant(slot < RECORDS_PER_BLOCK, 'record map: slot past the block');
    this.present = (this.present & ~(1 << slot)) >>> 0;
  }

  /** The edited block; undefined when no record is left, so that its key goes, too. */
  finish(): Buffer | undefined {
    if (this.present === 0) return undefined;
    const count = countBits(this.present);
    const block = Buffer.allocUnsafe(RECORD_MAP_BLOCK.size + count * RECORD_MAP_ENTRY.size);
    block.writeUInt32LE(this.present, RECORD_MAP_BLOCK.present);
    let to: number = RECORD_MAP_BLOCK.size;
    for (let slot = 0; slot < RECORDS_PER_BLOCK; slot += 1) {
      if ((this.present & (1 << slot)) === 0) continue;
      const from = slot * RECORD_MAP_ENTRY.size;
      this.entries.copy(block, to, from, from + RECORD_MAP_ENTRY.size);
      to += RECORD_MAP_ENTRY.size;
    }
    return block;
  }
}

/** Number of set bits of a 32-bit number. */
export function countBits(bits: number): number {
  let count = bits - ((bits >>> 1) & 0x5555_5555);
  count = (count & 0x3333_3333) + ((count >>> 2) & 0x3333_3333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

function readUInt40LE(source: Buffer, offset: number): number {
  return readU32(source, offset) + source[offset + 4] * 0x1_0000_0000;
}

function writeUInt40LE(target: Buffer, value: number, offset: number): void {
  writeU32(target, value, offset);
  target[offset + 4] = Math.floor(value / 0x1_0000_0000);
}

function readUInt48LE(source: Buffer, offset: number): number {
  return readU32(source, offset) + readUInt16LE(source, offset + 4) * 0x1_0000_0000;
}

function readUInt16LE(source: Buffer, offset: number): number {
  return source[offset] | (source[offset + 1] << 8);
}

function writeUInt48LE(target: Buffer, value: number, offset: number): void {
  writeU32(target, value, offset);
  writeUInt16LE(target, Math.floor(value / 0x1_0000_0000), offset + 4);
}

function writeUInt16LE(target: Buffer, value: number, offset: number): void {
  target[offset] = value;
  target[offset + 1] = value >>> 8;
}

function malformed(): CorruptionError {
  return new CorruptionError('malformed', 'record map block', 'length and present bits disagree');
}
