/**
 * Reads a file out of GridFS as a stream of Node.
 */
import { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import { Binary, type Document } from 'bson';
import type { FindCursor } from '../cursors/find-cursor.ts';
import {
  MongoGridFSChunkError,
  MongoGridFSStreamError,
  MongoInvalidArgumentError,
  MongoRuntimeError,
} from '../errors/driver-errors.ts';
import { Deadline } from '../operations/deadline.ts';
import type { BucketParts, GridFSFile } from './files.ts';

export interface GridFSBucketReadStreamOptions {
  sort?: Document;
  skip?: number;
  /** First byte. */
  start?: number;
  /** Byte after the last. */
  end?: number;
  timeoutMS?: number;
}
export interface GridFSBucketReadStreamOptionsWithRevision extends GridFSBucketReadStreamOptions {
  /** Of files with the same name: 0 the oldest, -1 the newest. */
  revision?: number;
}

export class GridFSBucketReadStream extends Readable {
  static readonly FILE = 'file' as const;
  readonly #bucket: BucketParts;
  readonly #filter: Document;
  readonly #options: GridFSBucketReadStreamOptions;
  readonly #deadline: Deadline;
  #file: GridFSFile | undefined;
  #cursor: FindCursor<Document> | undefined;
  #expected = 0;
  /** Position of the next chunk's first byte in the file. */
  #position = 0;
  #opening: Promise<void> | undefined;

  constructor(bucket: BucketParts, filter: Document, options: GridFSBucketReadStreamOptions = {}) {
    super({ emitClose: true });
    this.#bucket = bucket;
    this.#filter = filter;
    this.#options = { ...options };
    this.#deadline = Deadline.in(bucket.files.client.clock, options.timeoutMS ?? bucket.timeoutMS);
  }

  /** First byte to be read. Before reading begins. */
  start(start = 0): this {
    this.#throwIfReading();
    this.#options.start = start;
    return this;
  }

  /** Byte after the last one to be read. Before reading begins. */
  end(end = 0): this {
    this.#throwIfReading();
    this.#options.end = end;
    return this;
  }

  async abort(): Promise<void> {
    this.push(null);
    this.destroy();
    await this.#cursor?.close();
  }

  override _read(): void {
    this.#opening ??= this.#open();
    this.#opening
      .then(() => this.#pushNext())
      .catch((error: unknown) => {
        if (!this.destroyed)
          this.destroy(error instanceof Error ? error : new Error(String(error)));
      });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    callbackify(async () => {
      await this.#cursor?.close();
    })(() => done(error));
  }

  #throwIfReading(): void {
    if (this.#opening !== undefined) {
      throw new MongoGridFSStreamError('Options cannot be changed after the stream is initialized');
    }
  }

  get #limits() {
    const left = this.#deadline.leftMs;
    const { readPreference } = this.#bucket;
    return {
      ...(left === undefined || left === Infinity
        ? {}
        : { timeoutMS: Math.max(1, Math.ceil(left)) }),
      ...(readPreference === undefined ? {} : { readPreference }),
    };
  }

  async #open(): Promise<void> {
    const { files, chunks } = this.#bucket;
    const { sort, skip } = this.#options;
    this.#deadline.throwIfOver();
    const file = await files.findOne<GridFSFile>(this.#filter, {
      ...(sort === undefined ? {} : { sort }),
      ...(skip === undefined ? {} : { skip }),
      ...this.#limits,
    });
    if (file === null) throw fileNotFound(this.#filter);
    this.#file = file;
    if (file.length === 0) {
      checkRange(this.#options, 0);
      this.emit(GridFSBucketReadStream.FILE, file);
      return;
    }
    const { start } = checkRange(this.#options, file.length);
    const firstChunk = Math.floor(start / file.chunkSize);
    this.#expected = firstChunk;
    this.#position = firstChunk * file.chunkSize;
    const filter =
      firstChunk === 0 ? { files_id: file._id } : { files_id: file._id, n: { $gte: firstChunk } };
    this.#cursor = chunks.find<Document>(filter, { ...this.#limits, sort: { n: 1 } });
    this.emit(GridFSBucketReadStream.FILE, file);
  }

  async #pushNext(): Promise<void> {
    const file = this.#file;
    if (this.destroyed || file === undefined) return;
    const { start, end } = checkRange(this.#options, file.length);
    if (this.#cursor === undefined || this.#position >= end) {
      this.push(null);
      return;
    }
    this.#deadline.throwIfOver();
    const chunk = await this.#cursor.next();
    if (this.destroyed) return;
    const bytes = bytesOfChunk(chunk, this.#expected, file);
    const from = Math.max(0, start - this.#position);
    const to = Math.min(bytes.length, end - this.#position);
    this.#position += bytes.length;
    this.#expected += 1;
    this.push(bytes.subarray(from, to));
  }
}

function fileNotFound(filter: Document): MongoRuntimeError {
  const shown = filter['_id'] ?? filter['filename'];
  const error = new MongoRuntimeError(`FileNotFound: file ${String(shown)} was not found`);
  error.code = 'ENOENT';
  return error;
}

function checkRange(
  options: GridFSBucketReadStreamOptions,
  length: number,
): { start: number; end: number } {
  const { start = 0, end = length } = options;
  if (start > length) {
    throw new MongoInvalidArgumentError(
      `Stream start (${start}) must not be more than the length of the file (${length})`,
    );
  }
  if (start < 0)
    throw new MongoInvalidArgumentError(`Stream start (${start}) must not be negative`);
  if (end < start) {
    throw new MongoInvalidArgumentError(
      `Stream start (${start}) must not be greater than stream end (${end})`,
    );
  }
  if (end > length) {
    throw new MongoInvalidArgumentError(
      `Stream end (${end}) must not be more than the length of the file (${length})`,
    );
  }
  return { start, end };
}

/** @throws MongoGridFSChunkError for a chunk that is missing, or not as long as it must be. */
function bytesOfChunk(chunk: Document | null, expected: number, file: GridFSFile): Uint8Array {
  if (chunk === null)
    throw new MongoGridFSChunkError(`ChunkIsMissing: Got no chunk, expected: ${expected}`);
  const n = Number(chunk['n']);
  if (n > expected) {
    throw new MongoGridFSChunkError(
      `ChunkIsMissing: Got unexpected n: ${n}, expected: ${expected}`,
    );
  }
  if (n < expected) {
    throw new MongoGridFSChunkError(`ExtraChunk: Got unexpected n: ${n}, expected: ${expected}`);
  }
  const data: unknown = chunk['data'];
  const bytes = data instanceof Binary ? data.value() : data;
  if (!(bytes instanceof Uint8Array)) throw new MongoGridFSChunkError(`Chunk ${n} has no data`);
  const wanted = Math.min(file.chunkSize, file.length - n * file.chunkSize);
  if (bytes.length !== wanted) {
    if (wanted <= 0) {
      throw new MongoGridFSChunkError(
        `ExtraChunk: Got unexpected n: ${n}, expected file length ${file.length}`,
      );
    }
    throw new MongoGridFSChunkError(
      `ChunkIsWrongSize: Got unexpected length: ${bytes.length}, expected: ${wanted}`,
    );
  }
  return bytes;
}
