/**
 * Writes a file into GridFS as a stream of Node: chunks as they fill up, the file's document at the end.
 */
import { Writable } from 'node:stream';
import { callbackify } from 'node:util';
import { Binary, ObjectId, type Document } from 'bson';
import type { WriteConcernOptions } from '../concerns/write-concern.ts';
import { MongoAPIError } from '../errors/driver-errors.ts';
import { Deadline } from '../operations/deadline.ts';
import type { BucketParts, GridFSFile } from './files.ts';

export interface GridFSBucketWriteStreamOptions extends WriteConcernOptions {
  chunkSizeBytes?: number;
  id?: ObjectId;
  metadata?: Document;
  contentType?: string;
  aliases?: string[];
  timeoutMS?: number;
}

export class GridFSBucketWriteStream extends Writable {
  readonly id: ObjectId;
  readonly filename: string;
  readonly chunkSizeBytes: number;
  readonly options: GridFSBucketWriteStreamOptions;
  /** Bytes so far. */
  length = 0;
  /** The file's document, when everything is written. */
  gridFSFile: GridFSFile | null = null;
  readonly #bucket: BucketParts;
  readonly #deadline: Deadline;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #chunks = 0;
  #aborted = false;

  constructor(bucket: BucketParts, filename: string, options: GridFSBucketWriteStreamOptions = {}) {
    super();
    this.#bucket = bucket;
    this.options = options;
    this.filename = filename;
    this.id = options.id ?? new ObjectId();
    this.chunkSizeBytes = options.chunkSizeBytes ?? bucket.chunkSizeBytes;
    this.#deadline = Deadline.in(bucket.files.client.clock, options.timeoutMS ?? bucket.timeoutMS);
  }

  override _construct(done: (error?: Error | null) => void): void {
    callbackify(() => this.#bucket.ensureIndexes(this.#limits))(done);
  }

  override _write(
    chunk: unknown,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    if (!(bytes instanceof Uint8Array)) {
      done(new MongoAPIError('Only strings and bytes can be written to GridFS'));
      return;
    }
    this.#waiting.push(Buffer.from(bytes));
    this.#waitingBytes += bytes.length;
    this.length += bytes.length;
    callbackify(() => this.#flush(false))(done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#aborted) {
      done();
      return;
    }
    callbackify(() => this.#finish())(done);
  }

  /** Ends the upload, and takes away what was written of it. */
  async abort(): Promise<void> {
    if (this.writableFinished)
      throw new MongoAPIError('Cannot abort a stream that has already completed');
    if (this.#aborted) throw new MongoAPIError('Cannot call abort() on a stream twice');
    this.#aborted = true;
    await this.#bucket.chunks.deleteMany({ files_id: this.id }, this.#limits);
  }

  get #limits() {
    const left = this.#deadline.leftMs;
    this.#deadline.throwIfOver();
    return {
      ...(left === undefined || left === Infinity
        ? {}
        : { timeoutMS: Math.max(1, Math.ceil(left)) }),
      ...(this.options.writeConcern === undefined
        ? {}
        : { writeConcern: this.options.writeConcern }),
    };
  }

  /** Writes what fills whole chunks; at the end the rest as well. */
  async #flush(isEnd: boolean): Promise<void> {
    if (this.#waitingBytes < this.chunkSizeBytes && !isEnd) return;
    const bytes = Buffer.concat(this.#waiting);
    let offset = 0;
    while (bytes.length - offset >= this.chunkSizeBytes || (isEnd && offset < bytes.length)) {
      const end = Math.min(bytes.length, offset + this.chunkSizeBytes);
      await this.#bucket.chunks.insertOne(
        {
          _id: new ObjectId(),
          files_id: this.id,
          n: this.#chunks,
          data: new Binary(bytes.subarray(offset, end)),
        },
        this.#limits,
      );
      this.#chunks += 1;
      offset = end;
      if (this.#aborted) throw new MongoAPIError('Stream has been aborted');
    }
    const rest = bytes.subarray(offset);
    this.#waiting = rest.length === 0 ? [] : [rest];
    this.#waitingBytes = rest.length;
  }

  async #finish(): Promise<void> {
    await this.#flush(true);
    const { contentType, aliases, metadata } = this.options;
    const file: GridFSFile = {
      _id: this.id,
      length: this.length,
      chunkSize: this.chunkSizeBytes,
      uploadDate: new Date(),
      filename: this.filename,
      ...(contentType === undefined ? {} : { contentType }),
      ...(aliases === undefined ? {} : { aliases }),
      ...(metadata === undefined ? {} : { metadata }),
    };
    await this.#bucket.files.insertOne({ ...file }, this.#limits);
    this.gridFSFile = file;
  }
}
