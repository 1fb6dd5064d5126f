/**
 * Where a journal ended when it was closed. docs/format/journal.md#end-record
 */
import { crc32c } from '../../common/crc32c.ts';
import { isZero, readU64, writeU64 } from './integers.ts';

/** End record, 64 bytes; the rest of its block is zero. docs/format/journal.md#end-record */
export const END_RECORD = {
  magic: 0, // u32  'FJEN'
  checksum: 4, // u32  crc32c of bytes 8 to 64
  version: 8, // u16  format version
  reserved1: 10, // u16
  chain: 12, // u32  checksum of the last batch
  storeId: 16, // 16 bytes
  segment: 32, // u64  number of the last segment
  offset: 40, // u64  behind the last batch, in the segment, bytes
  sequence: 48, // u64  one more than the last batch's
  reserved2: 56, // 8 bytes
  size: 64,
} as const;

const MAGIC = 0x4e454a46; // 'FJEN' as little-endian bytes
const END_RECORD_VERSION = 1;

/** What the next batch would have to say, and where it would stand. */
export interface JournalEndRecord {
  readonly segment: number;
  readonly offset: number;
  readonly sequence: number;
  readonly chain: number;
}

/** Fills the block with the record and zeros. */
export function writeEndRecord(block: Buffer, storeId: Buffer, end: JournalEndRecord): void {
  block.fill(0);
  block.writeUInt32LE(MAGIC, END_RECORD.magic);
  block.writeUInt16LE(END_RECORD_VERSION, END_RECORD.version);
  block.writeUInt32LE(end.chain, END_RECORD.chain);
  storeId.copy(block, END_RECORD.storeId);
  writeU64(block, end.segment, END_RECORD.segment);
  writeU64(block, end.offset, END_RECORD.offset);
  writeU64(block, end.sequence, END_RECORD.sequence);
  const checksum = crc32c(block, END_RECORD.version, END_RECORD.size);
  block.writeUInt32LE(checksum, END_RECORD.checksum);
}

/** @returns undefined when it is no intact record of this store and version: recovery does without. */
export function readEndRecord(block: Buffer, storeId: Buffer): JournalEndRecord | undefined {
  if (block.readUInt32LE(END_RECORD.magic) !== MAGIC) return undefined;
  const checksum = crc32c(block, END_RECORD.version, END_RECORD.size);
  if (block.readUInt32LE(END_RECORD.checksum) !== checksum) return undefined;
  if (block.readUInt16LE(END_RECORD.version) !== END_RECORD_VERSION) return undefined;
  if (!isZero(block, END_RECORD.reserved2, block.length)) return undefined;
  const owner = block.subarray(END_RECORD.storeId, END_RECORD.storeId + storeId.length);
  if (!owner.equals(storeId)) return undefined;
  return {
    segment: readU64(block, END_RECORD.segment),
    offset: readU64(block, END_RECORD.offset),
    sequence: readU64(block, END_RECORD.sequence),
    chain: block.readUInt32LE(END_RECORD.chain),
  };
}
