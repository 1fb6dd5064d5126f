/**
 * The page: the unit of reading in the block store. A header, a directory, documents one after the other.
 *
 * A page as it stands on the device may be compressed behind its header; the *plain* page is what it stands for. Offsets in
 * the directory are those of the plain page. Bytes: docs/format/page.md.
 */
import { invariant } from '../../common/assert.ts';
import { crc32c } from '../../common/crc32c.ts';
import { CorruptionError, type CorruptionKind } from '../../common/errors.ts';
import type { PageCompression, RecordId } from '../contract.ts';
import { isZero, readU32, readU64, writeU64 } from './integers.ts';
import { compressionOfNumber, expandBody, PAGE_COMPRESSION } from './page-compression.ts';

/** Page header, 72 bytes. docs/format/page.md#header */
export const PAGE_HEADER = {
  magic: 0, // u32  'FPAG'
  checksum: 4, // u32  crc32c of what follows the header, to the end of the last sector, then of the header from byte 8 on
  address: 8, // u64  own first sector: catches misdirected writes
  generation: 16, // u64  expected by the record map: catches lost writes
  commitNumber: 24, // u64  of the checkpoint that wrote it
  collection: 32, // u64  ident; 0 for the manifest
  storeId: 40, // 16 bytes: catches foreign pages
  usedBytes: 56, // u32  header and what follows it, as stored; the rest of the last sector is zero
  plainBytes: 60, // u32  header, directory and documents, uncompressed
  recordCount: 64, // u16
  kind: 66, // u8  1 records, 2 manifest
  compression: 67, // u8  of what follows the header: 0 none, 1 snappy, 2 zstd
  reserved: 68, // u32
  size: 72,
} as const;
invariant(PAGE_HEADER.size % 8 === 0, 'page-header: records start 8-aligned');

/** One record in the directory, 16 bytes. docs/format/page.md#directory */
export const DIRECTORY_ENTRY = {
  recordId: 0, // u64
  offset: 8, // u32  of the document, from the start of the plain page; 0 for a tombstone
  length: 12, // u32  of the document; 0 for a tombstone
  size: 16,
} as const;

export const PAGE_KIND = { records: 1, manifest: 2 } as const;
export type PageKind = (typeof PAGE_KIND)[keyof typeof PAGE_KIND];

/** 'FPAG' as a little-endian number. */
export const PAGE_MAGIC = 0x4741_5046;
/** What recordCount can say. */
export const MOST_PAGE_RECORDS = 65_535;
/** A compressed page that claims to stand for more is refused before anything is allocated. */
const MOST_EXPANDED_BYTES = 32 * 1024 * 1024;

export interface PageIdentity {
  /** Own first sector. */
  readonly address: number;
  readonly generation: number;
  /** 32 hexadecimal digits. */
  readonly storeId: string;
}

/** What a reader expects of a page; without a generation any will do. */
export type ExpectedPage = Omit<PageIdentity, 'generation'> & { readonly generation?: number };

export interface PageHeader extends PageIdentity {
  readonly commitNumber: number;
  readonly collection: number;
  /** As it is stored. */
  readonly usedBytes: number;
  /** Of the plain page. */
  readonly plainBytes: number;
  readonly recordCount: number;
  readonly kind: PageKind;
  readonly compression: PageCompression;
}

/** A record of a page; without a document it is a tombstone. */
export interface PageRecord {
  readonly recordId: RecordId;
  readonly document: Buffer | undefined;
}

/** Bytes that a page with these contents uses. */
export function recordsPageBytes(recordCount: number, documentBytes: number): number {
  return PAGE_HEADER.size + recordCount * DIRECTORY_ENTRY.size + documentBytes;
}

/** Writes one entry of the directory of a plain page. A tombstone has offset and length 0. */
export function writeDirectoryEntry(
  page: Buffer,
  slot: number,
  { recordId, offset, length }: { recordId: number; offset: number; length: number },
): void {
  const entry = PAGE_HEADER.size + slot * DIRECTORY_ENTRY.size;
  writeU64(page, recordId, entry + DIRECTORY_ENTRY.recordId);
  page.writeUInt32LE(offset, entry + DIRECTORY_ENTRY.offset);
  page.writeUInt32LE(length, entry + DIRECTORY_ENTRY.length);
}

/** Checksum of what follows the header in a page of whole sectors: sealPage goes on from it. */
export function bodyChecksum(page: Buffer): number {
  return crc32c(page, PAGE_HEADER.size, page.length);
}

/**
 * Writes the header of a page whose body stands, and sums it.
 * @param page whole sectors; zero behind usedBytes
 * @param checksum what bodyChecksum gave for it
 */
export function sealPage(header: PageHeader, page: Buffer, checksum = bodyChecksum(page)): void {
  invariant(header.usedBytes <= page.length, 'page: body exceeds it');
  page.writeUInt32LE(PAGE_MAGIC, PAGE_HEADER.magic);
  writeU64(page, header.address, PAGE_HEADER.address);
  writeU64(page, header.generation, PAGE_HEADER.generation);
  writeU64(page, header.commitNumber, PAGE_HEADER.commitNumber);
  writeU64(page, header.collection, PAGE_HEADER.collection);
  page.write(header.storeId, PAGE_HEADER.storeId, 16, 'hex');
  page.writeUInt32LE(header.usedBytes, PAGE_HEADER.usedBytes);
  page.writeUInt32LE(header.plainBytes, PAGE_HEADER.plainBytes);
  page.writeUInt16LE(header.recordCount, PAGE_HEADER.recordCount);
  page[PAGE_HEADER.kind] = header.kind;
  page[PAGE_HEADER.compression] = PAGE_COMPRESSION[header.compression];
  page.writeUInt32LE(0, PAGE_HEADER.reserved);
  page.writeUInt32LE(withHeader(page, checksum), PAGE_HEADER.checksum);
}

/**
 * Checks a page just read, before anything of it is used: that it is whole, and the one that should stand there.
 * @param bytes what was read from its address on; may reach beyond its end
 * @param sectorBytes a page ends at a multiple of it
 * @returns its header, and its length in bytes, whole sectors
 * @throws CorruptionError kinds checksum, foreign, misdirectedWrite, lostWrite, malformed
 */
export function verifyPage(
  bytes: Buffer,
  sectorBytes: number,
  expected: ExpectedPage,
): { header: PageHeader; pageBytes: number } {
  const usedBytes = bytes.readUInt32LE(PAGE_HEADER.usedBytes);
  const pageBytes = Math.ceil(usedBytes / sectorBytes) * sectorBytes;
  if (bytes.readUInt32LE(PAGE_HEADER.magic) === PAGE_MAGIC && pageBytes > bytes.length) {
    // Another page, longer than the one that should stand there? Its checksum cannot be asked.
    checkIdentity(readIdentity(bytes), expected);
  }
  if (
    bytes.readUInt32LE(PAGE_HEADER.magic) !== PAGE_MAGIC ||
    usedBytes < PAGE_HEADER.size ||
    pageBytes > bytes.length ||
    bytes.readUInt32LE(PAGE_HEADER.checksum) !== checksumOf(bytes, pageBytes)
  ) {
    throw isZero(bytes, 0, sectorBytes)
      ? damage('lostWrite', expected, 'nothing was ever written there')
      : damage('checksum', expected, 'its checksum does not fit');
  }
  const identity = readIdentity(bytes);
  checkIdentity(identity, expected);
  return { header: readHeader(bytes, identity), pageBytes };
}

/** How long a page says it is, bytes; 0 when no page begins there. Nothing is checked. */
export function claimedPageBytes(bytes: Buffer): number {
  if (bytes.readUInt32LE(PAGE_HEADER.magic) !== PAGE_MAGIC) return 0;
  return bytes.readUInt32LE(PAGE_HEADER.usedBytes);
}

/** Whose page something claims to be, unchecked; `kind` may be anything. */
export function peekPage(
  bytes: Buffer,
): PageIdentity & { readonly kind: number; readonly collection: number } {
  const collection = readU64(bytes, PAGE_HEADER.collection);
  return { ...readIdentity(bytes), kind: bytes[PAGE_HEADER.kind], collection };
}

/**
 * The plain page of one that verifyPage has checked: header (as stored), directory, documents; `plainBytes` long.
 * Its compression must have been loaded (isCompressionLoaded).
 * @param target memory for it, `plainBytes` long; absent: a page that is stored plain is a part of `bytes`
 * @throws CorruptionError malformed when it cannot be decompressed, or a record lies outside
 */
export function plainPage(bytes: Buffer, header: PageHeader, target?: Buffer): Buffer {
  const page = expandedPage(bytes, header, target);
  if (header.kind === PAGE_KIND.records) checkDirectory(page, header);
  return page;
}

function expandedPage(bytes: Buffer, header: PageHeader, target: Buffer | undefined): Buffer {
  const { compression, plainBytes, usedBytes } = header;
  if (compression === 'none') {
    const page = bytes.subarray(0, usedBytes);
    if (target === undefined) return page;
    page.copy(target);
    return target;
  }
  const body = bytes.subarray(PAGE_HEADER.size, usedBytes);
  const page = target ?? Buffer.allocUnsafeSlow(plainBytes);
  bytes.copy(page, 0, 0, PAGE_HEADER.size);
  try {
    expandBody(compression, body, plainBytes - PAGE_HEADER.size).copy(page, PAGE_HEADER.size);
  } catch (error) {
    throw damage('malformed', header, `it cannot be decompressed (${compression})`, error);
  }
  return page;
}

/** The records of a plain page, in order of slot. Documents are parts of it. */
export function recordsOfPage(bytes: Buffer, header: PageHeader): PageRecord[] {
  const records: PageRecord[] = [];
  for (let slot = 0; slot < header.recordCount; slot += 1) {
    const entry = PAGE_HEADER.size + slot * DIRECTORY_ENTRY.size;
    const offset = bytes.readUInt32LE(entry + DIRECTORY_ENTRY.offset);
    const length = bytes.readUInt32LE(entry + DIRECTORY_ENTRY.length);
    records.push({
      recordId: readU64(bytes, entry + DIRECTORY_ENTRY.recordId) as RecordId,
      document: length === 0 ? undefined : bytes.subarray(offset, offset + length),
    });
  }
  return records;
}

function readIdentity(bytes: Buffer): PageIdentity {
  return {
    address: readU64(bytes, PAGE_HEADER.address),
    generation: readU64(bytes, PAGE_HEADER.generation),
    storeId: bytes.toString('hex', PAGE_HEADER.storeId, PAGE_HEADER.storeId + 16),
  };
}

function readHeader(bytes: Buffer, identity: PageIdentity): PageHeader {
  const kind = bytes[PAGE_HEADER.kind];
  if (kind !== PAGE_KIND.records && kind !== PAGE_KIND.manifest) {
    throw damage('malformed', identity, `unknown kind ${kind}`);
  }
  const compression = compressionOfNumber(bytes[PAGE_HEADER.compression]);
  if (compression === undefined) {
    throw damage('malformed', identity, 'it is compressed in a way this server does not know');
  }
  if (bytes.readUInt32LE(PAGE_HEADER.reserved) !== 0) {
    throw damage('malformed', identity, 'unused bytes are not zero');
  }
  const usedBytes = bytes.readUInt32LE(PAGE_HEADER.usedBytes);
  const plainBytes = bytes.readUInt32LE(PAGE_HEADER.plainBytes);
  checkLengths(identity, compression, usedBytes, plainBytes);
  return {
    ...identity,
    commitNumber: readU64(bytes, PAGE_HEADER.commitNumber),
    collection: readU64(bytes, PAGE_HEADER.collection),
    usedBytes,
    plainBytes,
    recordCount: bytes.readUInt16LE(PAGE_HEADER.recordCount),
    kind,
    compression,
  };
}

/** Before anything is allocated for what it claims. */
function checkLengths(
  identity: PageIdentity,
  compression: PageCompression,
  usedBytes: number,
  plainBytes: number,
): void {
  if (compression === 'none') {
    if (plainBytes !== usedBytes) throw damage('malformed', identity, 'its two lengths disagree');
  } else if (plainBytes < PAGE_HEADER.size || plainBytes > MOST_EXPANDED_BYTES) {
    throw damage('malformed', identity, `it claims to stand for ${plainBytes} bytes`);
  }
}

/** A page that is whole, but not the one that should stand there. */
function checkIdentity(header: PageIdentity, expected: ExpectedPage): void {
  if (header.storeId !== expected.storeId) {
    throw damage('foreign', expected, `it belongs to store ${header.storeId}`);
  }
  if (header.address !== expected.address) {
    throw damage('misdirectedWrite', expected, `it was written for sector ${header.address}`);
  }
  if (expected.generation !== undefined && header.generation !== expected.generation) {
    throw damage(
      'lostWrite',
      expected,
      `generation ${header.generation} stands there instead of ${expected.generation}`,
    );
  }
}

function checkDirectory(page: Buffer, header: PageHeader): void {
  const { recordCount, plainBytes } = header;
  const directoryEnd = PAGE_HEADER.size + recordCount * DIRECTORY_ENTRY.size;
  if (directoryEnd > plainBytes) throw damage('malformed', header, 'its directory is too long');
  for (let entry: number = PAGE_HEADER.size; entry < directoryEnd; entry += DIRECTORY_ENTRY.size) {
    const offset = readU32(page, entry + DIRECTORY_ENTRY.offset);
    const length = readU32(page, entry + DIRECTORY_ENTRY.length);
    if (length === 0 && offset === 0) continue;
    if (offset < directoryEnd || offset + length > plainBytes) {
      throw damage('malformed', header, 'a record lies outside');
    }
  }
}

function checksumOf(bytes: Buffer, pageBytes: number): number {
  return withHeader(bytes, crc32c(bytes, PAGE_HEADER.size, pageBytes));
}

function withHeader(page: Buffer, checksum: number): number {
  return crc32c(page, PAGE_HEADER.address, PAGE_HEADER.size, checksum);
}

function damage(
  kind: CorruptionKind,
  { address }: ExpectedPage,
  message: string,
  cause?: unknown,
): CorruptionError {
  return new CorruptionError(kind, 'page', `sector ${address}: ${message}`, { cause });
}
