/**
 * What GridFS keeps: a document per file, and its bytes in chunks.
 * Source: driver specification "GridFS".
 */
import type { Binary, Document, ObjectId } from 'bson';
import type { Collection } from '../collection.ts';
import type { ReadPreference } from '../concerns/read-preference.ts';

export interface GridFSFile {
  _id: ObjectId;
  length: number;
  chunkSize: number;
  filename: string;
  metadata?: Document;
  uploadDate: Date;
  contentType?: string;
  aliases?: string[];
}

export interface GridFSChunk {
  _id: ObjectId;
  files_id: ObjectId;
  n: number;
  data: Binary | Uint8Array;
}

/** The two collections of a bucket, and what holds for both. */
export interface BucketParts {
  readonly files: Collection;
  readonly chunks: Collection;
  readonly chunkSizeBytes: number;
  readonly readPreference: ReadPreference | undefined;
  readonly timeoutMS: number | undefined;
  /** Makes the indexes before the first upload; once. */
  ensureIndexes(limits: { readonly timeoutMS?: number }): Promise<void>;
}
