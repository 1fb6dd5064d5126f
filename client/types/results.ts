/**
 * What operations give.
 */
import type { Document } from 'bson';
import type { InferIdType, WithId } from './schema.ts';

export interface InsertOneResult<Schema = Document> {
  acknowledged: boolean;
  insertedId: InferIdType<Schema>;
}

export interface InsertManyResult<Schema = Document> {
  acknowledged: boolean;
  insertedCount: number;
  insertedIds: { [index: number]: InferIdType<Schema> };
}

export interface UpdateResult<Schema = Document> {
  acknowledged: boolean;
  matchedCount: number;
  modifiedCount: number;
  upsertedCount: number;
  upsertedId: InferIdType<Schema> | null;
}

export interface DeleteResult {
  acknowledged: boolean;
  deletedCount: number;
}

/** The whole reply of findAndModify. */
export interface ModifyResult<Schema = Document> {
  value: WithId<Schema> | null;
  lastErrorObject?: Document;
  ok: 0 | 1;
}

export interface ListDatabasesResult {
  databases: ({ name: string; sizeOnDisk?: number; empty?: boolean } & Document)[];
  totalSize?: number;
  totalSizeMb?: number;
  ok: 1 | 0;
}
