/**
 * GridFS: files in two collections.
 * Source: driver specification "GridFS".
 */
import type { ObjectId, Document } from 'bson';
import { ReadPreference } from '../concerns/read-preference.ts';
import type { WriteConcernOptions } from '../concerns/write-concern.ts';
import type { FindCursor } from '../cursors/find-cursor.ts';
import type { Db } from '../db.ts';
import { MongoRuntimeError } from '../errors/driver-errors.ts';
import { Emitter } from '../events/emitter.ts';
import { Deadline } from '../operations/deadline.ts';
import type { FindOptions, OperationOptions } from '../types/options.ts';
import type { BucketParts, GridFSFile } from './files.ts';
import {
  GridFSBucketReadStream,
  type GridFSBucketReadStreamOptions,
  type GridFSBucketReadStreamOptionsWithRevision,
} from './read-stream.ts';
import { GridFSBucketWriteStream, type GridFSBucketWriteStreamOptions } from './write-stream.ts';

export type { GridFSChunk, GridFSFile } from './files.ts';

export interface GridFSBucketOptions extends WriteConcernOptions {
  /** Default fs: the collections are fs.files and fs.chunks. */
  bucketName?: string;
  /** Default 255 KiB. */
  chunkSizeBytes?: number;
  readPreference?: OperationOptions['readPreference'];
  timeoutMS?: number;
}

const DEFAULT_CHUNK_BYTES = 255 * 1024;

export class GridFSBucket extends Emitter {
  static readonly INDEX = 'index' as const;
  readonly #parts: BucketParts;

  constructor(db: Db, options: GridFSBucketOptions = {}) {
    super();
    const {
      bucketName = 'fs',
      chunkSizeBytes = DEFAULT_CHUNK_BYTES,
      writeConcern,
      timeoutMS,
    } = options;
    const inherited = writeConcern === undefined ? {} : { writeConcern };
    const files = db.collection(`${bucketName}.files`, inherited);
    const chunks = db.collection(`${bucketName}.chunks`, inherited);
    let ensuring: Promise<void> | undefined;
    const given = options.readPreference;
    this.#parts = {
      files,
      chunks,
      chunkSizeBytes,
      readPreference:
        given === undefined ? undefined : ReadPreference.fromOptions({ readPreference: given }),
      timeoutMS: timeoutMS ?? db.timeoutMS,
      ensureIndexes: (limits) => {
        ensuring ??= ensureIndexes(this.#parts, limits).then(() => {
          this.emit(GridFSBucket.INDEX);
        });
        return ensuring;
      },
    };
  }

  openUploadStream(
    filename: string,
    options: GridFSBucketWriteStreamOptions = {},
  ): GridFSBucketWriteStream {
    return new GridFSBucketWriteStream(this.#parts, filename, options);
  }

  openUploadStreamWithId(
    id: ObjectId,
    filename: string,
    options: GridFSBucketWriteStreamOptions = {},
  ): GridFSBucketWriteStream {
    return new GridFSBucketWriteStream(this.#parts, filename, { ...options, id });
  }

  openDownloadStream(
    id: ObjectId,
    options: GridFSBucketReadStreamOptions = {},
  ): GridFSBucketReadStream {
    return new GridFSBucketReadStream(this.#parts, { _id: id }, options);
  }

  openDownloadStreamByName(
    filename: string,
    options: GridFSBucketReadStreamOptionsWithRevision = {},
  ): GridFSBucketReadStream {
    const { revision = -1, ...rest } = options;
    const isFromOldest = revision >= 0;
    return new GridFSBucketReadStream(
      this.#parts,
      { filename },
      {
        ...rest,
        sort: { uploadDate: isFromOldest ? 1 : -1 },
        skip: isFromOldest ? revision : -revision - 1,
      },
    );
  }

  find(filter: Document = {}, options: FindOptions = {}): FindCursor<GridFSFile> {
    return this.#parts.files.find<GridFSFile>(filter, options);
  }

  /** Takes away a file and its chunks. @throws MongoRuntimeError when there is no such file. */
  async delete(id: ObjectId, options: { timeoutMS?: number } = {}): Promise<void> {
    const { files, chunks } = this.#parts;
    const limits = this.#limits(options);
    const { deletedCount } = await files.deleteOne({ _id: id }, limits());
    await chunks.deleteMany({ files_id: id }, limits());
    if (deletedCount === 0) throw new MongoRuntimeError(`File not found for id ${String(id)}`);
  }

  async rename(
    id: ObjectId,
    filename: string,
    options: { timeoutMS?: number } = {},
  ): Promise<void> {
    const limits = this.#limits(options);
    const { matchedCount } = await this.#parts.files.updateOne(
      { _id: id },
      { $set: { filename } },
      limits(),
    );
    if (matchedCount === 0) throw new MongoRuntimeError(`File with id ${String(id)} not found`);
  }

  /** Takes away all files of a name. @throws MongoRuntimeError when there is none. */
  async deleteByName(filename: string, options: { timeoutMS?: number } = {}): Promise<void> {
    const { files, chunks } = this.#parts;
    const limits = this.#limits(options);
    const found = await files.find({ filename }, { projection: { _id: 1 }, ...limits() }).toArray();
    if (found.length === 0) throw new MongoRuntimeError(`File not found for name ${filename}`);
    const ids = found.map(({ _id }) => _id);
    await files.deleteMany({ _id: { $in: ids } }, limits());
    await chunks.deleteMany({ files_id: { $in: ids } }, limits());
  }

  /** Gives all files of a name another one. @throws MongoRuntimeError when there is none. */
  async renameByName(
    filename: string,
    newName: string,
    options: { timeoutMS?: number } = {},
  ): Promise<void> {
    const limits = this.#limits(options);
    const { matchedCount } = await this.#parts.files.updateMany(
      { filename },
      { $set: { filename: newName } },
      limits(),
    );
    if (matchedCount === 0) throw new MongoRuntimeError(`File with name ${filename} not found`);
  }

  /** Takes away all files of the bucket. */
  async drop(options: { timeoutMS?: number } = {}): Promise<void> {
    const limits = this.#limits(options);
    await this.#parts.files.drop(limits());
    await this.#parts.chunks.drop(limits());
  }

  /** One time limit for several operations: what is left of it for the next. */
  #limits(options: { timeoutMS?: number }): () => { timeoutMS?: number } {
    const { clock } = this.#parts.files.client;
    const deadline = Deadline.in(clock, options.timeoutMS ?? this.#parts.timeoutMS);
    return () => {
      const left = deadline.leftMs;
      deadline.throwIfOver();
      return left === undefined || left === Infinity
        ? {}
        : { timeoutMS: Math.max(1, Math.ceil(left)) };
    };
  }
}

/** Where nothing was uploaded yet. */
async function ensureIndexes(
  { files, chunks }: BucketParts,
  { timeoutMS }: { readonly timeoutMS?: number },
): Promise<void> {
  const limits = timeoutMS === undefined ? {} : { timeoutMS };
  const any = await files.findOne({}, { projection: { _id: 1 }, ...limits });
  if (any !== null) return;
  await files.createIndex({ filename: 1, uploadDate: 1 }, { background: false, ...limits });
  await chunks.createIndex({ files_id: 1, n: 1 }, { background: false, unique: true, ...limits });
}
