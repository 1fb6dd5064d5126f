/**
 * Frames: what a backup is made of. A file of a backup is a row of them, each with its own checksums. docs/format/backup.md
 */
import { CorruptionError } from '../../common/errors.ts';
import { crc32c } from '../../common/crc32c.ts';
import type { CommitNumber, CommitPoint } from '../contract.ts';
import { isZero, readU64, writeU64 } from './integers.ts';
import type { Timestamp } from './timestamp.ts';

export const BACKUP_FORMAT_VERSION = 1;

/** Before each frame's contents. docs/format/backup.md#frame-header */
export const BACKUP_FRAME = {
  magic: 0, // u32  'FBKP'
  checksum: 4, // u32  crc32c of bytes 8 to 64
  version: 8, // u16
  kind: 10, // u8  FRAME_KIND
  codec: 11, // u8  0 as it is, 1 zstd
  contentsChecksum: 12, // u32  crc32c of the contents as stored
  backupId: 16, // 16 bytes
  sequence: 32, // u64  of this frame in its file, from 0
  storedBytes: 40, // u64  of the contents behind this header
  plainBytes: 48, // u64  of the contents, uncompressed
  reserved: 56, // u64
  size: 64,
} as const;

const MAGIC = 0x504b4246; // 'FBKP' as little-endian bytes

/** Numbers are permanent. */
export const FRAME_KIND = {
  start: 1,
  entries: 2,
  sectors: 3,
  journal: 4,
  end: 5,
  point: 6,
} as const;
export type FrameKind = keyof typeof FRAME_KIND;
const KIND_NAMES: ReadonlyMap<number, FrameKind> = new Map([
  [FRAME_KIND.start, 'start'],
  [FRAME_KIND.entries, 'entries'],
  [FRAME_KIND.sectors, 'sectors'],
  [FRAME_KIND.journal, 'journal'],
  [FRAME_KIND.end, 'end'],
  [FRAME_KIND.point, 'point'],
]);

/** Numbers are permanent. */
export const FRAME_CODEC = { none: 0, zstd: 1 } as const;
export type FrameCodec = keyof typeof FRAME_CODEC;

/** No contents are longer, uncompressed: a length beyond it is damage. */
export const MOST_FRAME_BYTES = 1024 * 1024 * 1024;

export interface FrameHeader {
  readonly kind: FrameKind;
  readonly codec: FrameCodec;
  /** 32 hexadecimal digits. */
  readonly backupId: string;
  readonly sequence: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly contentsChecksum: number;
}

export function encodeFrameHeader(header: FrameHeader): Buffer {
  const bytes = Buffer.alloc(BACKUP_FRAME.size);
  bytes.writeUInt32LE(MAGIC, BACKUP_FRAME.magic);
  bytes.writeUInt16LE(BACKUP_FORMAT_VERSION, BACKUP_FRAME.version);
  bytes[BACKUP_FRAME.kind] = FRAME_KIND[header.kind];
  bytes[BACKUP_FRAME.codec] = FRAME_CODEC[header.codec];
  bytes.writeUInt32LE(header.contentsChecksum, BACKUP_FRAME.contentsChecksum);
  bytes.write(header.backupId, BACKUP_FRAME.backupId, 16, 'hex');
  writeU64(bytes, header.sequence, BACKUP_FRAME.sequence);
  writeU64(bytes, header.storedBytes, BACKUP_FRAME.storedBytes);
  writeU64(bytes, header.plainBytes, BACKUP_FRAME.plainBytes);
  bytes.writeUInt32LE(checksumOf(bytes), BACKUP_FRAME.checksum);
  return bytes;
}

/** @throws CorruptionError checksum, malformed: what is wrong, without the place, which the caller knows */
export function decodeFrameHeader(bytes: Buffer): FrameHeader {
  if (bytes.readUInt32LE(BACKUP_FRAME.magic) !== MAGIC) {
    throw new CorruptionError('malformed', 'backup', 'no frame begins here');
  }
  if (bytes.readUInt32LE(BACKUP_FRAME.checksum) !== checksumOf(bytes)) {
    throw new CorruptionError('checksum', 'backup', 'the header of a frame is damaged');
  }
  const version = bytes.readUInt16LE(BACKUP_FRAME.version);
  if (version !== BACKUP_FORMAT_VERSION) {
    throw new CorruptionError(
      'malformed',
      'backup',
      `it has format version ${version}; this program reads version ${BACKUP_FORMAT_VERSION}`,
    );
  }
  const kind = KIND_NAMES.get(bytes[BACKUP_FRAME.kind]);
  const codec = codecOf(bytes[BACKUP_FRAME.codec]);
  const storedBytes = readU64(bytes, BACKUP_FRAME.storedBytes);
  const plainBytes = readU64(bytes, BACKUP_FRAME.plainBytes);
  const isPossible = storedBytes <= MOST_FRAME_BYTES && plainBytes <= MOST_FRAME_BYTES;
  const isUnused = isZero(bytes, BACKUP_FRAME.reserved, BACKUP_FRAME.size);
  if (kind === undefined || codec === undefined || !isPossible || !isUnused) {
    throw new CorruptionError('malformed', 'backup', 'the header of a frame makes no sense');
  }
  return {
    kind,
    codec,
    storedBytes,
    plainBytes,
    backupId: bytes.toString('hex', BACKUP_FRAME.backupId, BACKUP_FRAME.backupId + 16),
    sequence: readU64(bytes, BACKUP_FRAME.sequence),
    contentsChecksum: bytes.readUInt32LE(BACKUP_FRAME.contentsChecksum),
  };
}

function codecOf(number: number): FrameCodec | undefined {
  if (number === FRAME_CODEC.none) return 'none';
  return number === FRAME_CODEC.zstd ? 'zstd' : undefined;
}

function checksumOf(header: Buffer): number {
  return crc32c(header, BACKUP_FRAME.version, BACKUP_FRAME.size);
}

/** Head of a `sectors` frame's contents; whole sectors follow. docs/format/backup.md#sectors */
export const BACKUP_SECTORS = {
  first: 0, // u64
  count: 8, // u32
  reserved: 12, // u32
  size: 16,
} as const;

export function encodeSectors(first: number, count: number, sectors: Buffer): Buffer {
  const head = Buffer.alloc(BACKUP_SECTORS.size);
  writeU64(head, first, BACKUP_SECTORS.first);
  head.writeUInt32LE(count, BACKUP_SECTORS.count);
  return Buffer.concat([head, sectors]);
}

/** @throws CorruptionError malformed */
export function decodeSectors(
  contents: Buffer,
  sectorBytes: number,
): { readonly first: number; readonly count: number; readonly sectors: Buffer } {
  const sectors = contents.subarray(BACKUP_SECTORS.size);
  const count =
    contents.length < BACKUP_SECTORS.size ? -1 : contents.readUInt32LE(BACKUP_SECTORS.count);
  if (sectors.length !== count * sectorBytes) {
    throw new CorruptionError('malformed', 'backup', 'a frame of sectors has a wrong length');
  }
  return { first: readU64(contents, BACKUP_SECTORS.first), count, sectors };
}

/** Head of a `journal` frame's contents; entries of whole commits follow. docs/format/backup.md#journal */
export const BACKUP_JOURNAL = {
  commitBefore: 0, // u64
  timestampBefore: 8, // timestamp  of that commit: increment, then seconds
  commitLast: 16, // u64  the last commit in it
  timestampLast: 24, // timestamp
  coveredTo: 32, // timestamp  no commit up to this time is missing
  size: 40,
} as const;

/** What the journal frames of an archive say of themselves. */
export interface JournalSpan {
  readonly before: CommitPoint;
  readonly last: CommitPoint;
  /** At least the time of `last`. */
  readonly coveredTo: Timestamp;
}

export function encodeJournalFrame(span: JournalSpan, entries: Buffer): Buffer {
  const head = Buffer.alloc(BACKUP_JOURNAL.size);
  writeU64(head, span.before.commitNumber, BACKUP_JOURNAL.commitBefore);
  writeTimestamp(head, span.before.timestamp, BACKUP_JOURNAL.timestampBefore);
  writeU64(head, span.last.commitNumber, BACKUP_JOURNAL.commitLast);
  writeTimestamp(head, span.last.timestamp, BACKUP_JOURNAL.timestampLast);
  writeTimestamp(head, span.coveredTo, BACKUP_JOURNAL.coveredTo);
  return Buffer.concat([head, entries]);
}

/** @throws CorruptionError malformed */
export function decodeJournalFrame(contents: Buffer): JournalSpan & { readonly entries: Buffer } {
  if (contents.length < BACKUP_JOURNAL.size) {
    throw new CorruptionError('malformed', 'backup', 'a frame of the journal is too short');
  }
  return {
    before: {
      // What was written there was one; the brand exists for the compiler only.
      commitNumber: readU64(contents, BACKUP_JOURNAL.commitBefore) as CommitNumber,
      timestamp: readTimestamp(contents, BACKUP_JOURNAL.timestampBefore),
    },
    last: {
      commitNumber: readU64(contents, BACKUP_JOURNAL.commitLast) as CommitNumber,
      timestamp: readTimestamp(contents, BACKUP_JOURNAL.timestampLast),
    },
    coveredTo: readTimestamp(contents, BACKUP_JOURNAL.coveredTo),
    entries: contents.subarray(BACKUP_JOURNAL.size),
  };
}

/** Head of a `point` frame's contents; a commit number (u64) of each server follows. docs/format/backup.md#point */
export const BACKUP_POINT = {
  wallMs: 0, // u64  by the config server's clock, since 1970
  servers: 8, // u32
  reserved: 12, // u32
  size: 16,
} as const;

const COMMIT_BYTES = 8;

/** Where all servers of a cluster stood at one moment. */
export interface ClusterPoint {
  readonly wallMs: number;
  /** In the order in which the backup names its servers. */
  readonly commits: readonly CommitNumber[];
}

export function encodeClusterPoint({ wallMs, commits }: ClusterPoint): Buffer {
  const bytes = Buffer.alloc(BACKUP_POINT.size + commits.length * COMMIT_BYTES);
  writeU64(bytes, wallMs, BACKUP_POINT.wallMs);
  bytes.writeUInt32LE(commits.length, BACKUP_POINT.servers);
  for (const [index, commit] of commits.entries()) {
    writeU64(bytes, commit, BACKUP_POINT.size + index * COMMIT_BYTES);
  }
  return bytes;
}

/** @param servers so many there must be @throws CorruptionError malformed */
export function decodeClusterPoint(contents: Buffer, servers: number): ClusterPoint {
  const isWhole =
    contents.length === BACKUP_POINT.size + servers * COMMIT_BYTES &&
    contents.readUInt32LE(BACKUP_POINT.servers) === servers;
  if (!isWhole) {
    throw new CorruptionError('malformed', 'backup', 'a point of a cluster has a wrong length');
  }
  return {
    wallMs: readU64(contents, BACKUP_POINT.wallMs),
    commits: Array.from(
      { length: servers },
      // What was written there was one; the brand exists for the compiler only.
      (_, index) => readU64(contents, BACKUP_POINT.size + index * COMMIT_BYTES) as CommitNumber,
    ),
  };
}

function writeTimestamp(target: Buffer, { seconds, increment }: Timestamp, offset: number): void {
  target.writeUInt32LE(increment, offset);
  target.writeUInt32LE(seconds, offset + 4);
}

function readTimestamp(source: Buffer, offset: number): Timestamp {
  return { increment: source.readUInt32LE(offset), seconds: source.readUInt32LE(offset + 4) };
}
