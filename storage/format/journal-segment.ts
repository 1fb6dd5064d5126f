/**
 * Header of a journal segment, in its first block. docs/format/journal.md#segment-header
 */
import { crc32c } from '../../common/crc32c.ts';
import { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber } from '../contract.ts';
import { isZero, readU64, writeU64 } from './integers.ts';
import type { Timestamp } from './timestamp.ts';

export const JOURNAL_FORMAT_VERSION = 1;

/** Batches are padded to at least this many bytes. */
export const SMALLEST_BLOCK_BYTES = 4096;

/** Segment header, 128 bytes; the rest of its block is zero. docs/format/journal.md#segment-header */
export const SEGMENT_HEADER = {
  magic: 0, // u32  'FJSG'
  checksum: 4, // u32  crc32c of bytes 8 to 128
  version: 8, // u16  format version
  reserved1: 10, // u16
  blockBytes: 12, // u32  batches are padded to this; physical block of the device it was made on
  storeId: 16, // 16 bytes
  number: 32, // u64  of this segment, 1 for the store's first
  segmentBytes: 40, // u64  size of the device when the header was written
  firstSequence: 48, // u64  of the first batch
  firstChain: 56, // u32  checksum of the batch before the first one
  reserved2: 60, // u32
  commitBefore: 64, // u64  last commit number before the first batch
  timestampBefore: 72, // timestamp  of that commit
  chainSegment: 80, // u64  segment in which a commit begins that goes on here; this one's number if none
  wallMs: 88, // u64  when the header was written, ms since 1970
  reserved3: 96, // 32 bytes
  size: 128,
} as const;

const MAGIC = 0x47534a46; // 'FJSG' as little-endian bytes

export interface SegmentHeader {
  readonly blockBytes: number;
  readonly storeId: Buffer;
  readonly number: number;
  readonly segmentBytes: number;
  readonly firstSequence: number;
  readonly firstChain: number;
  readonly commitBefore: CommitNumber;
  readonly timestampBefore: Timestamp;
  readonly chainSegment: number;
  readonly wallMs: number;
}

/** Fills the block with the header and zeros. */
export function writeSegmentHeader(block: Buffer, header: SegmentHeader): void {
  block.fill(0);
  block.writeUInt32LE(MAGIC, SEGMENT_HEADER.magic);
  block.writeUInt16LE(JOURNAL_FORMAT_VERSION, SEGMENT_HEADER.version);
  block.writeUInt32LE(header.blockBytes, SEGMENT_HEADER.blockBytes);
  header.storeId.copy(block, SEGMENT_HEADER.storeId);
  writeU64(block, header.number, SEGMENT_HEADER.number);
  writeU64(block, header.segmentBytes, SEGMENT_HEADER.segmentBytes);
  writeU64(block, header.firstSequence, SEGMENT_HEADER.firstSequence);
  block.writeUInt32LE(header.firstChain, SEGMENT_HEADER.firstChain);
  writeU64(block, header.commitBefore, SEGMENT_HEADER.commitBefore);
  block.writeUInt32LE(header.timestampBefore.increment, SEGMENT_HEADER.timestampBefore);
  block.writeUInt32LE(header.timestampBefore.seconds, SEGMENT_HEADER.timestampBefore + 4);
  writeU64(block, header.chainSegment, SEGMENT_HEADER.chainSegment);
  writeU64(block, header.wallMs, SEGMENT_HEADER.wallMs);
  const checksum = crc32c(block, SEGMENT_HEADER.version, SEGMENT_HEADER.size);
  block.writeUInt32LE(checksum, SEGMENT_HEADER.checksum);
}

/**
 * Reads a segment's first block.
 * @returns undefined when it is no intact header: never used, wiped, torn or damaged.
 * @throws CorruptionError 'malformed' for an intact header of a format that this version does not know.
 */
export function readSegmentHeader(block: Buffer): SegmentHeader | undefined {
  if (block.readUInt32LE(SEGMENT_HEADER.magic) !== MAGIC) return undefined;
  const checksum = crc32c(block, SEGMENT_HEADER.version, SEGMENT_HEADER.size);
  if (block.readUInt32LE(SEGMENT_HEADER.checksum) !== checksum) return undefined;
  const version = block.readUInt16LE(SEGMENT_HEADER.version);
  if (version !== JOURNAL_FORMAT_VERSION) {
    throw new CorruptionError(
      'malformed',
      'journal segment',
      `format version ${version} is not known to this version of FlintDB (${JOURNAL_FORMAT_VERSION})`,
    );
  }
  if (!isZero(block, SEGMENT_HEADER.reserved3, block.length)) return undefined;
  return {
    blockBytes: block.readUInt32LE(SEGMENT_HEADER.blockBytes),
    storeId: Buffer.from(block.subarray(SEGMENT_HEADER.storeId, SEGMENT_HEADER.storeId + 16)),
    number: readU64(block, SEGMENT_HEADER.number),
    segmentBytes: readU64(block, SEGMENT_HEADER.segmentBytes),
    firstSequence: readU64(block, SEGMENT_HEADER.firstSequence),
    firstChain: block.readUInt32LE(SEGMENT_HEADER.firstChain),
    commitBefore: readU64(block, SEGMENT_HEADER.commitBefore) as CommitNumber,
    timestampBefore: {
      increment: block.readUInt32LE(SEGMENT_HEADER.timestampBefore),
      seconds: block.readUInt32LE(SEGMENT_HEADER.timestampBefore + 4),
    },
    chainSegment: readU64(block, SEGMENT_HEADER.chainSegment),
    wallMs: readU64(block, SEGMENT_HEADER.wallMs),
  };
}
