/**
 * The blocks of a mongodump archive: a magic number, the prelude, then documents of one namespace at a time.
 *
 * A block is a header document, any number of documents, and a terminator. The first block is the prelude: its header
 * tells versions, its documents one namespace each. Every other block has documents of one namespace.
 * Bytes: docs/format/mongodump.md#archive. Tests: test/cli/mongodump.
 */
import { BsonType, DocumentBuilder, getField } from '../../bson/index.ts';
import { FailedCommand } from '../command-line/subcommand.ts';

/** The first four bytes, little-endian. */
export const ARCHIVE_MAGIC = 0x8199e26d;
/** Ends a block, where the length of a document would stand. */
export const TERMINATOR = Buffer.from([0xff, 0xff, 0xff, 0xff]);
export const TERMINATOR_VALUE = -1;
const FORMAT_VERSION = '0.1';

export interface ArchiveHeader {
  readonly serverVersion: string;
  readonly toolVersion: string;
}

/** One namespace of the prelude. */
export interface PreludeEntry {
  readonly database: string;
  readonly collection: string;
  /** The text of its metadata file; empty when there is none. */
  readonly metadata: string;
  readonly type: string;
}

/** What heads a block of documents, and with `eof` says that the namespace has no more. */
export interface NamespaceHeader {
  readonly database: string;
  readonly collection: string;
  readonly eof: boolean;
  /** Of all the namespace's documents; 0 unless `eof`. */
  readonly crc: bigint;
}

export function encodeMagic(): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(ARCHIVE_MAGIC);
  return bytes;
}

/** Collections lie one behind the other in the archives that we write. */
export function encodeArchiveHeader({ serverVersion, toolVersion }: ArchiveHeader): Buffer {
  return new DocumentBuilder()
    .appendInt32('concurrent_collections', 1)
    .appendString('version', FORMAT_VERSION)
    .appendString('server_version', serverVersion)
    .appendString('tool_version', toolVersion)
    .finish();
}

/** @throws FailedCommand for a version that is none of ours to read. */
export function decodeArchiveHeader(document: Buffer): ArchiveHeader {
  const version = textField(document, 'version');
  if (version !== FORMAT_VERSION) {
    throw new FailedCommand(`the archive has format version '${version}'; only 0.1 can be read.`);
  }
  return {
    serverVersion: textField(document, 'server_version'),
    toolVersion: textField(document, 'tool_version'),
  };
}

export function encodePreludeEntry({ database, collection, metadata, type }: PreludeEntry): Buffer {
  return new DocumentBuilder()
    .appendString('db', database)
    .appendString('collection', collection)
    .appendString('metadata', metadata)
    .appendInt32('size', 0)
    .appendString('type', type)
    .finish();
}

export function decodePreludeEntry(document: Buffer): PreludeEntry {
  return {
    database: textField(document, 'db'),
    collection: textField(document, 'collection'),
    metadata: textField(document, 'metadata'),
    type: textField(document, 'type'),
  };
}

export function encodeNamespaceHeader({ database, collection, eof, crc }: NamespaceHeader): Buffer {
  return new DocumentBuilder()
    .appendString('db', database)
    .appendString('collection', collection)
    .appendBoolean('EOF', eof)
    .appendInt64('CRC', crc)
    .finish();
}

export function decodeNamespaceHeader(document: Buffer): NamespaceHeader {
  const eof = getField(document, 'EOF');
  const crc = getField(document, 'CRC');
  return {
    database: textField(document, 'db'),
    collection: textField(document, 'collection'),
    eof: eof?.type === BsonType.bool && eof.asBoolean(),
    crc: crc?.type === BsonType.int64 ? crc.asInt64() : 0n,
  };
}

/** Absent in archives of older tools: empty. */
function textField(document: Buffer, name: string): string {
  const value = getField(document, name);
  return value?.type === BsonType.string ? value.asString() : '';
}
