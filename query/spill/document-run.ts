/**
 * Documents with their record ids, written one after the other to a spill file and read back in that order.
 *
 * Bytes of an entry: checksum of the rest as u32 (crc32c), length of the metadata as u32 (0: none), record id as f64 (0: none), then the
 * document, which begins with its own length, and the metadata. What the disk gives back otherwise than it was written is named, never
 * taken for a document.
 */
import { readInt32 } from '../../bson/index.ts';
import { crc32c } from '../../common/crc32c.ts';
import { CorruptionError } from '../../common/errors.ts';
import { packMetadata, unpackMetadata } from '../document-metadata.ts';
import type { SpillFile } from './spill-space.ts';

const WRITE_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;
const HEADER_BYTES = 16;
/** Where in it what is summed begins. */
const SUMMED_FROM = 4;
const SHORTEST_DOCUMENT_BYTES = 5;
const NO_METADATA = Buffer.alloc(0);

/** Collects entries and writes them in large pieces. */
export class RunWriter {
  private readonly file: SpillFile;
  private buffer = Buffer.allocUnsafe(WRITE_BYTES);
  private used = 0;
  readonly start: number;

  constructor(file: SpillFile) {
    this.file = file;
    this.start = file.size;
  }

  write(document: Buffer, recordId: number): void {
    const metadata = packMetadata(document) ?? NO_METADATA;
    const bytes = HEADER_BYTES + document.length + metadata.length;
    if (this.used + bytes > this.buffer.length) {
      this.flush();
      if (bytes > this.buffer.length) this.buffer = Buffer.allocUnsafe(bytes);
    }
    const { buffer, used } = this;
    buffer.writeUInt32LE(metadata.length, used + 4);
    buffer.writeDoubleLE(recordId, used + 8);
    document.copy(buffer, used + HEADER_BYTES);
    metadata.copy(buffer, used + HEADER_BYTES + document.length);
    buffer.writeUInt32LE(crc32c(buffer, used + SUMMED_FROM, used + bytes), used);
    this.used += bytes;
  }

  /** Writes what is left. @returns where the run ends in the file. */
  finish(): number {
    this.flush();
    return this.file.size;
  }

  private flush(): void {
    if (this.used > 0) this.file.append(this.buffer.subarray(0, this.used));
    this.used = 0;
  }
}

export interface RunEntry {
  readonly document: Buffer;
  readonly recordId: number;
}

/**
 * Reads the entries of file[start, end) in order. Each document is a copy: it stays valid.
 * @throws CorruptionError when the disk gives something else than was written
 */
export function* readRun(file: SpillFile, start: number, end: number): Generator<RunEntry> {
  let buffer = Buffer.allocUnsafe(READ_BYTES);
  let held = 0;
  let at = 0;
  let offset = start;
  const fill = (wanted: number): void => {
    if (held - at >= wanted) return;
    const rest = buffer.subarray(at, held);
    const target =
      wanted > buffer.length ? Buffer.allocUnsafe(Math.max(wanted, READ_BYTES)) : buffer;
    rest.copy(target, 0);
    held -= at;
    at = 0;
    buffer = target;
    const room = Math.min(buffer.length - held, end - offset);
    const got = file.read(buffer.subarray(held, held + room), offset);
    held += got;
    offset += got;
    if (held - at < wanted) throw damaged(offset - (held - at));
  };
  while (at < held || offset < end) {
    fill(HEADER_BYTES + 4);
    const entryAt = offset - (held - at);
    const length = readInt32(buffer, at + HEADER_BYTES);
    const metadataBytes = buffer.readUInt32LE(at + 4);
    const bytes = HEADER_BYTES + length + metadataBytes;
    if (length < SHORTEST_DOCUMENT_BYTES || bytes > end - entryAt) throw damaged(entryAt);
    fill(bytes);
    if (crc32c(buffer, at + SUMMED_FROM, at + bytes) !== buffer.readUInt32LE(at)) {
      throw damaged(entryAt);
    }
    const from = at + HEADER_BYTES;
    const document = Buffer.from(buffer.subarray(from, from + length));
    const metadata =
      metadataBytes === 0
        ? undefined
        : Buffer.from(buffer.subarray(from + length, from + length + metadataBytes));
    yield {
      document: metadata === undefined ? document : unpackMetadata(document, metadata),
      recordId: buffer.readDoubleLE(at + 8),
    };
    at += bytes;
  }
}

function damaged(offset: number): CorruptionError {
  const message = `an entry at offset ${offset} is not what was written there`;
  return new CorruptionError('checksum', 'spill file', message);
}
