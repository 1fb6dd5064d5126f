/**
 * The superblock: what a store is, and which checkpoint it recorded last. Two copies, written in turn.
 *
 * Bytes: docs/format/superblock.md.
 */
import { invariant } from '../../common/assert.ts';
import { CommandError, CorruptionError } from '../../common/errors.ts';
import { crc32c } from '../../common/crc32c.ts';
import { isZero, readU64, writeU64 } from './integers.ts';

/** Bytes of one copy, whatever the sector size: it must be readable before that is known. */
export const SUPERBLOCK_BYTES = 4096;

/** 128 of these bytes are used. docs/format/superblock.md */
export const SUPERBLOCK = {
  magic: 0, // 8 bytes 'FLINTBLK'
  checksum: 8, // u32  crc32c of everything behind it, to byte 4096
  formatVersion: 12, // u32
  storeId: 16, // 16 bytes
  sectorBytes: 32, // u32
  extentSectors: 36, // u32
  pageSectors: 40, // u32  largest page that records share
  copy: 44, // u32  0 or 1
  address: 48, // u64  own first sector
  sequence: 56, // u64  counts superblock writes; its parity is the copy
  checkpoint: 64, // u64
  commitNumber: 72, // u64
  manifestAddress: 80, // u64
  manifestGeneration: 88, // u64
  manifestSectors: 96, // u32
  reserved: 100, // u32
  generationLimit: 104, // u64  no page of this or a later generation exists
  size: 128,
} as const;

export const SUPERBLOCK_MAGIC = Buffer.from('FLINTBLK', 'latin1');
/** Version of all layouts of the block store. A server refuses versions that it does not know. */
export const BLOCK_FORMAT_VERSION = 3;
/** The second copy stands here, bytes from the start of the device: found without knowing any size. */
export const SECOND_COPY_OFFSET_BYTES = 512 * 1024;

export interface Superblock {
  /** 32 hexadecimal digits. */
  readonly storeId: string;
  readonly sectorBytes: number;
  readonly extentSectors: number;
  readonly pageSectors: number;
  readonly sequence: number;
  readonly checkpoint: number;
  readonly commitNumber: number;
  readonly manifestAddress: number;
  readonly manifestGeneration: number;
  readonly manifestSectors: number;
  readonly generationLimit: number;
}

/** First sector of a copy. */
export function superblockSector(copy: number, sectorBytes: number): number {
  return copy === 0 ? 0 : SECOND_COPY_OFFSET_BYTES / sectorBytes;
}

/** Fills `target`, one whole sector, with the copy that the sequence's parity names. */
export function encodeSuperblock(superblock: Superblock, target: Buffer): void {
  invariant(target.length >= SUPERBLOCK_BYTES, 'superblock: sector too small');
  const copy = superblock.sequence % 2;
  target.fill(0);
  SUPERBLOCK_MAGIC.copy(target, SUPERBLOCK.magic);
  target.writeUInt32LE(BLOCK_FORMAT_VERSION, SUPERBLOCK.formatVersion);
  target.write(superblock.storeId, SUPERBLOCK.storeId, 16, 'hex');
  target.writeUInt32LE(superblock.sectorBytes, SUPERBLOCK.sectorBytes);
  target.writeUInt32LE(superblock.extentSectors, SUPERBLOCK.extentSectors);
  target.writeUInt32LE(superblock.pageSectors, SUPERBLOCK.pageSectors);
  target.writeUInt32LE(copy, SUPERBLOCK.copy);
  writeU64(target, superblockSector(copy, superblock.sectorBytes), SUPERBLOCK.address);
  writeU64(target, superblock.sequence, SUPERBLOCK.sequence);
  writeU64(target, superblock.checkpoint, SUPERBLOCK.checkpoint);
  writeU64(target, superblock.commitNumber, SUPERBLOCK.commitNumber);
  writeU64(target, superblock.manifestAddress, SUPERBLOCK.manifestAddress);
  writeU64(target, superblock.manifestGeneration, SUPERBLOCK.manifestGeneration);
  target.writeUInt32LE(superblock.manifestSectors, SUPERBLOCK.manifestSectors);
  writeU64(target, superblock.generationLimit, SUPERBLOCK.generationLimit);
  target.writeUInt32LE(checksumOf(target), SUPERBLOCK.checksum);
}

/**
 * Reads one copy.
 * @param bytes what begins at its place, at least SUPERBLOCK_BYTES
 * @throws CorruptionError kinds missing (all zeros), checksum, misdirectedWrite (the other copy's place), malformed;
 * CommandError UnsupportedFormat for a store of another version
 */
export function decodeSuperblock(bytes: Buffer, copy: number): Superblock {
  const sector = bytes.subarray(0, SUPERBLOCK_BYTES);
  if (isZero(sector, 0, sector.length)) throw damage('missing', copy, 'nothing was ever written');
  if (!sector.subarray(0, SUPERBLOCK_MAGIC.length).equals(SUPERBLOCK_MAGIC)) {
    throw damage('malformed', copy, 'it does not begin with FLINTBLK');
  }
  if (sector.readUInt32LE(SUPERBLOCK.checksum) !== checksumOf(sector)) {
    throw damage('checksum', copy, 'its checksum does not fit');
  }
  checkVersion(sector.readUInt32LE(SUPERBLOCK.formatVersion));
  const superblock = readFields(sector);
  checkSizes(superblock, copy);
  const address = readU64(sector, SUPERBLOCK.address);
  if (address !== superblockSector(copy, superblock.sectorBytes)) {
    throw damage('misdirectedWrite', copy, `it was written for sector ${address}`);
  }
  if (superblock.sequence % 2 !== copy || sector.readUInt32LE(SUPERBLOCK.copy) !== copy) {
    throw damage('malformed', copy, 'its sequence is that of the other copy');
  }
  if (!isZero(sector, SUPERBLOCK.size, sector.length)) {
    throw damage('malformed', copy, 'unused bytes are not zero');
  }
  return superblock;
}

function readFields(sector: Buffer): Superblock {
  return {
    storeId: sector.toString('hex', SUPERBLOCK.storeId, SUPERBLOCK.storeId + 16),
    sectorBytes: sector.readUInt32LE(SUPERBLOCK.sectorBytes),
    extentSectors: sector.readUInt32LE(SUPERBLOCK.extentSectors),
    pageSectors: sector.readUInt32LE(SUPERBLOCK.pageSectors),
    sequence: readU64(sector, SUPERBLOCK.sequence),
    checkpoint: readU64(sector, SUPERBLOCK.checkpoint),
    commitNumber: readU64(sector, SUPERBLOCK.commitNumber),
    manifestAddress: readU64(sector, SUPERBLOCK.manifestAddress),
    manifestGeneration: readU64(sector, SUPERBLOCK.manifestGeneration),
    manifestSectors: sector.readUInt32LE(SUPERBLOCK.manifestSectors),
    generationLimit: readU64(sector, SUPERBLOCK.generationLimit),
  };
}

function checkSizes({ sectorBytes, extentSectors, pageSectors }: Superblock, copy: number): void {
  const isPowerOfTwo = 2 ** Math.round(Math.log2(sectorBytes)) === sectorBytes;
  if (!isPowerOfTwo || sectorBytes < SUPERBLOCK_BYTES || sectorBytes > 65_536) {
    throw damage('malformed', copy, `sectors of ${sectorBytes} bytes`);
  }
  if (pageSectors < 1 || extentSectors < pageSectors || extentSectors > 65_535) {
    throw damage('malformed', copy, `extents of ${extentSectors} sectors`);
  }
}

function checkVersion(version: number): void {
  if (version === BLOCK_FORMAT_VERSION) return;
  const advice =
    version > BLOCK_FORMAT_VERSION
      ? 'Use a newer server.'
      : 'It was made by an earlier build: dump its data with that build, and restore it here.';
  throw new CommandError(
    'UnsupportedFormat',
    `The block store has format version ${version}; this server reads version ${BLOCK_FORMAT_VERSION}. ${advice}`,
  );
}

function checksumOf(sector: Buffer): number {
  return crc32c(sector, SUPERBLOCK.formatVersion, SUPERBLOCK_BYTES);
}

function damage(
  kind: 'missing' | 'checksum' | 'misdirectedWrite' | 'malformed',
  copy: number,
  message: string,
): CorruptionError {
  return new CorruptionError(kind, 'superblock', `copy ${copy}: ${message}`);
}
