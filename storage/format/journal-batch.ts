/**
 * Header of a journal batch; its entries follow, BSON documents one after the other, then zeros to the end of the block.
 * docs/format/journal.md#batch
 */
import { crc32c } from '../../common/crc32c.ts';
import { isZero, readU64, writeU64 } from './integers.ts';

/** Batch header, 64 bytes. docs/format/journal.md#batch */
export const BATCH_HEADER = {
  magic: 0, // u32  'FJBT'
  checksum: 4, // u32  crc32c of bytes 8 to length
  length: 8, // u32  bytes of header and entries, without padding
  chain: 12, // u32  checksum of the batch before; 0 for the store's first
  epoch: 16, // 8 bytes  random, drawn at every start
  sequence: 24, // u64  one more than the batch before
  segment: 32, // u64  number of the segment it belongs to
  offset: 40, // u32  own place in the segment, bytes: catches misdirected writes
  entryCount: 44, // u32  0 for a batch that only records a flush
  flushedSequence: 48, // u64  every batch up to this one was on the device when this one was written
  flags: 56, // u32  bit 0: first batch of its epoch
  reserved: 60, // u32
  size: 64,
} as const;

export const EPOCH_BYTES = 8;

const MAGIC = 0x54424a46; // 'FJBT' as little-endian bytes
const FLAG_FIRST_OF_EPOCH = 1;

export interface BatchHeader {
  readonly length: number;
  readonly chain: number;
  readonly epoch: Buffer;
  readonly sequence: number;
  readonly segment: number;
  readonly offset: number;
  readonly entryCount: number;
  readonly flushedSequence: number;
  /** Nothing before it is in flight any more; a commit unfinished before it never happened. */
  readonly firstOfEpoch: boolean;
}

/** Header and checksum of a batch as read back. */
export interface StoredBatchHeader extends BatchHeader {
  readonly checksum: number;
}

/** Writes the header in front of the entries, which must be in place. @returns the batch's checksum */
export function writeBatchHeader(batch: Buffer, header: BatchHeader): number {
  batch.fill(0, 0, BATCH_HEADER.size);
  batch.writeUInt32LE(MAGIC, BATCH_HEADER.magic);
  batch.writeUInt32LE(header.length, BATCH_HEADER.length);
  batch.writeUInt32LE(header.chain, BATCH_HEADER.chain);
  header.epoch.copy(batch, BATCH_HEADER.epoch);
  writeU64(batch, header.sequence, BATCH_HEADER.sequence);
  writeU64(batch, header.segment, BATCH_HEADER.segment);
  batch.writeUInt32LE(header.offset, BATCH_HEADER.offset);
  batch.writeUInt32LE(header.entryCount, BATCH_HEADER.entryCount);
  writeU64(batch, header.flushedSequence, BATCH_HEADER.flushedSequence);
  batch.writeUInt32LE(header.firstOfEpoch ? FLAG_FIRST_OF_EPOCH : 0, BATCH_HEADER.flags);
  const checksum = crc32c(batch, BATCH_HEADER.length, header.length);
  batch.writeUInt32LE(checksum, BATCH_HEADER.checksum);
  return checksum;
}

/**
 * Reads the header at `offset` of `bytes` without checking its checksum.
 * @returns undefined when no batch begins there.
 */
export function peekBatchHeader(bytes: Buffer, offset: number): StoredBatchHeader | undefined {
  if (bytes.readUInt32LE(offset + BATCH_HEADER.magic) !== MAGIC) return undefined;
  const length = bytes.readUInt32LE(offset + BATCH_HEADER.length);
  const flags = bytes.readUInt32LE(offset + BATCH_HEADER.flags);
  if (length < BATCH_HEADER.size || flags > FLAG_FIRST_OF_EPOCH) return undefined;
  if (!isZero(bytes, offset + BATCH_HEADER.reserved, offset + BATCH_HEADER.size)) return undefined;
  const epochAt = offset + BATCH_HEADER.epoch;
  return {
    checksum: bytes.readUInt32LE(offset + BATCH_HEADER.checksum),
    length,
    chain: bytes.readUInt32LE(offset + BATCH_HEADER.chain),
    epoch: Buffer.from(bytes.subarray(epochAt, epochAt + EPOCH_BYTES)),
    sequence: readU64(bytes, offset + BATCH_HEADER.sequence),
    segment: readU64(bytes, offset + BATCH_HEADER.segment),
    offset: bytes.readUInt32LE(offset + BATCH_HEADER.offset),
    entryCount: bytes.readUInt32LE(offset + BATCH_HEADER.entryCount),
    flushedSequence: readU64(bytes, offset + BATCH_HEADER.flushedSequence),
    firstOfEpoch: flags === FLAG_FIRST_OF_EPOCH,
  };
}

/** True when the whole batch at `offset` is what was written: checksum right, padding zero. */
export function batchIsIntact(
  bytes: Buffer,
  offset: number,
  header: StoredBatchHeader,
  paddedBytes: number,
): boolean {
  const end = offset + header.length;
  if (offset + paddedBytes > bytes.length) return false;
  if (crc32c(bytes, offset + BATCH_HEADER.length, end) !== header.checksum) return false;
  return isZero(bytes, end, offset + paddedBytes);
}
