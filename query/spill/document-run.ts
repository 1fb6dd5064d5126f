/**
 * Documents with their record ids, written one after the other to a spill file and read back in that order.
 *
 * Bytes of an entry: record id as f64 (0: none), then the document, which begins with its own length.
 */
import { readInt32 } from '../../bson/index.ts';
import type { SpillFile } from './spill-space.ts';

const WRITE_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;
const ID_BYTES = 8;

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
    const bytes = ID_BYTES + document.length;
    if (this.used + bytes > this.buffer.length) {
      this.flush();
      if (bytes > this.buffer.length) this.buffer = Buffer.allocUnsafe(bytes);
    }
    this.buffer.writeDoubleLE(recordId, this.used);
    document.copy(this.buffer, this.used + ID_BYTES);
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

/** Reads the entries of file[start, end) in order. Each document is a copy: it stays valid. */
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
  };
  while (at < held || offset < end) {
    fill(ID_BYTES + 4);
    const length = readInt32(buffer, at + ID_BYTES);
    fill(ID_BYTES + length);
    const from = at + ID_BYTES;
    yield {
      document: Buffer.from(buffer.subarray(from, from + length)),
      recordId: buffer.readDoubleLE(at),
    };
    at = from + length;
  }
}
