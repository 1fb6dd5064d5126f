/**
 * The page: the unit of reading in the block store. A header, a directory, documents one after the other.
 *
 * Bytes: docs/format/page.md.
 */
import { invariant } from '../../common/assert.ts';
import { crc32c } from '../../common/crc32c.ts';
import { CorruptionError, type CorruptionKind } from '../../common/errors.ts';
import type { RecordId } from '../contract.ts';
import { isZero, readU64, writeU64 } from './integers.ts';

/** Page header, 64 bytes. docs/format/page.md#header */
export const PAGE_HEADER = {
  magic: 0, // u32  'FPAG'
  checksum: 4, // u32  crc32c of everything behind it, to the end of the last sector
  address: 8, // u64  own first sector: catches misdirected writes
  generation: 16, // u64  expected by the record map: catches lost writes
  commitNumber: 24, // u64  of the checkpoint that wrote it
  collection: 32, // u64  ident; 0 for the manifest
  storeId: 40, // 16 bytes: catches foreign pages
  usedBytes: 56, // u32  header, directory and documents; the rest of the last sector is zero
  recordCount: 60, // u16
  kind: 62, // u8  1 records, 2 manifest
  compression: 63, // u8  0 none; other values are reserved
  size: 64,
} as const;
invariant(PAGE_HEADER.size % 8 === 0, 'page-header: records start 8-aligned');

/** One record in the directory, 16 bytes. docs/format/page.md#directory */
export const DIRECTORY_ENTRY = {
  recordId: 0, // u64
  offset: 8, // u32  of the document, from the start of the page; 0 for a tombstone
  length: 12, // u32  of the document; 0 for a tombstone
  size: 16,
} as const;

export const PAGE_KIND = { records: 1, manifest: 2 } as const;
export type PageKind = (typeof PAGE_KIND)[keyof typeof PAGE_KIND];

/** 'FPAG' as a little-endian number. */
export const PAGE_MAGIC = 0x4741_5046;
/** What recordCount can say. */
export const MOST_PAGE_RECORDS = 65_535;

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
  readonly usedBytes: number;
  readonly recordCount: number;
  readonly kind: PageKind;
}

/** A record to be written; without a document it is a tombstone. */
export interface PageRecord {
  readonly recordId: RecordId;
  readonly document: Buffer | undefined;
}

/** Bytes that a page with these contents uses. */
export function recordsPageBytes(recordCount: number, documentBytes: number): number {
  return PAGE_HEADER.size + recordCount * DIRECTORY_ENTRY.size + documentBytes;
}

/** Fills `target`, whole sectors, with a page of records. */
export function encodeRecordsPage(
  header: Omit<PageHeader, 'usedBytes' | 'recordCount' | 'kind'>,
  records: readonly PageRecord[],
  target: Buffer,
): void {
  invariant(records.length <= MOST_PAGE_RECORDS, 'page: too many records');
  let entry: number = PAGE_HEADER.size;
  let offset = PAGE_HEADER.size + records.length * DIRECTORY_ENTRY.size;
  for (const { recordId, document } of records) {
    writeU64(target, recordId, entry + DIRECTORY_ENTRY.recordId);
    target.writeUInt32LE(document === undefined ? 0 : offset, entry + DIRECTORY_ENTRY.offset);
    target.writeUInt32LE(document?.length ?? 0, entry + DIRECTORY_ENTRY.length);
    if (document !== undefined) {
      invariant(offset + document.length <= target.length, 'page: documents exceed it');
      document.copy(target, offset);
      offset += document.length;
    }
    entry += DIRECTORY_ENTRY.size;
  }
  const { size } = PAGE_HEADER;
  invariant(offset >= size, 'page: no room for the header');
  sealPage(
    { ...header, usedBytes: offset, recordCount: records.length, kind: PAGE_KIND.records },
    target,
  );
}

/** Writes the header over a page whose body stands, zeroes what is unused, and sums it. */
export function sealPage(header: PageHeader, target: Buffer): void {
  invariant(header.usedBytes <= target.length, 'page: body exceeds it');
  target.fill(0, header.usedBytes);
  target.writeUInt32LE(PAGE_MAGIC, PAGE_HEADER.magic);
  writeU64(target, header.address, PAGE_HEADER.address);
  writeU64(target, header.generation, PAGE_HEADER.generation);
  writeU64(target, header.commitNumber, PAGE_HEADER.commitNumber);
  writeU64(target, header.collection, PAGE_HEADER.collection);
  target.write(header.storeId, PAGE_HEADER.storeId, 16, 'hex');
  target.writeUInt32LE(header.usedBytes, PAGE_HEADER.usedBytes);
  target.writeUInt16LE(header.recordCount, PAGE_HEADER.recordCount);
  target[PAGE_HEADER.kind] = header.kind;
  target[PAGE_HEADER.compression] = 0;
  target.writeUInt32LE(checksumOf(target, target.length), PAGE_HEADER.checksum);
}

/**
 * Checks a page just read, before anything of it is used.
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
  const header = readHeader(bytes, usedBytes);
  checkIdentity(header, expected);
  checkBody(bytes, header, expected);
  return { header, pageBytes };
}

/** How long a page says it is, bytes; 0 when no page begins there. Nothing is checked. */
export function claimedPageBytes(bytes: Buffer): number {
  if (bytes.readUInt32LE(PAGE_HEADER.magic) !== PAGE_MAGIC) return 0;
  return bytes.readUInt32LE(PAGE_HEADER.usedBytes);
}

/** The header of what claims to be a page, unchecked. */
export function peekPage(bytes: Buffer): PageHeader {
  return readHeader(bytes, bytes.readUInt32LE(PAGE_HEADER.usedBytes));
}

/** The records of a page that verifyPage has checked, in order of slot. Documents are parts of `bytes`. */
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

function readHeader(bytes: Buffer, usedBytes: number): PageHeader {
  return {
    address: readU64(bytes, PAGE_HEADER.address),
    generation: readU64(bytes, PAGE_HEADER.generation),
    storeId: bytes.toString('hex', PAGE_HEADER.storeId, PAGE_HEADER.storeId + 16),
    commitNumber: readU64(bytes, PAGE_HEADER.commitNumber),
    collection: readU64(bytes, PAGE_HEADER.collection),
    usedBytes,
    recordCount: bytes.readUInt16LE(PAGE_HEADER.recordCount),
    kind: bytes[PAGE_HEADER.kind] === PAGE_KIND.manifest ? PAGE_KIND.manifest : PAGE_KIND.records,
  };
}

/** A page that is whole, but not the one that should stand there. */
function checkIdentity(header: PageHeader, expected: ExpectedPage): void {
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

function checkBody(bytes: Buffer, header: PageHeader, expected: ExpectedPage): void {
  const kind = bytes[PAGE_HEADER.kind];
  if (kind !== PAGE_KIND.records && kind !== PAGE_KIND.manifest) {
    throw damage('malformed', expected, `unknown kind ${kind}`);
  }
  if (bytes[PAGE_HEADER.compression] !== 0) {
    throw damage('malformed', expected, 'it is compressed in a way this server does not know');
  }
  const { recordCount, usedBytes } = header;
  const directoryEnd = PAGE_HEADER.size + recordCount * DIRECTORY_ENTRY.size;
  if (directoryEnd > usedBytes) throw damage('malformed', expected, 'its directory is too long');
  for (let entry: number = PAGE_HEADER.size; entry < directoryEnd; entry += DIRECTORY_ENTRY.size) {
    const offset = bytes.readUInt32LE(entry + DIRECTORY_ENTRY.offset);
    const length = bytes.readUInt32LE(entry + DIRECTORY_ENTRY.length);
    if (length === 0 && offset === 0) continue;
    if (offset < directoryEnd || offset + length > usedBytes) {
      throw damage('malformed', expected, 'a record lies outside');
    }
  }
}

function checksumOf(bytes: Buffer, pageBytes: number): number {
  return crc32c(bytes, PAGE_HEADER.address, pageBytes);
}

function damage(kind: CorruptionKind, { address }: ExpectedPage, message: string): CorruptionError {
  return new CorruptionError(kind, 'page', `sector ${address}: ${message}`);
}
