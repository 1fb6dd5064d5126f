/**
 * What the torture writes: the documents of the crash test, with a shard key that spreads every writer over all chunks.
 */
import { serialize } from 'bson';
import {
  documentOf,
  fieldsOf,
  type DocumentId,
  type TestDocument,
  type Version,
} from '../crash/documents.ts';

export type { DocumentId, TestDocument, Version };

/** Shard keys lie in [0, KEYS). */
export const KEYS = 100_000;
/** Ids of different writers never meet. The documents of writer 0 are there from the start and never change. */
export const IDS_PER_WRITER = 1_000_000;

/** The collections, by the shard key. */
export const COLLECTIONS = {
  ranged: { k: 1 },
  hashed: { _id: 'hashed' },
  compound: { owner: 1, k: 1 },
} as const;

export type CollectionName = keyof typeof COLLECTIONS;
export const COLLECTION_NAMES = ['ranged', 'hashed', 'compound'] as const;

/** Two or more documents of a writer may share a key. */
export function keyOf(id: DocumentId): number {
  return (Math.imul(id, 2_654_435_761) >>> 8) % KEYS;
}

export function ownerOf(id: DocumentId): number {
  return Math.floor(id / IDS_PER_WRITER);
}

/** What names a document on one shard, whatever the shard key is. */
export function targetedFilter(id: DocumentId): { _id: DocumentId; k: number; owner: number } {
  return { _id: id, k: keyOf(id), owner: ownerOf(id) };
}

/** The whole document, in the order in which it is stored. */
export function shardedDocument(id: DocumentId, version: number): TestDocument {
  const { _id, ...rest } = documentOf(id, version);
  return { _id, k: keyOf(id), owner: ownerOf(id), ...rest };
}

/** From any version to this one. */
export function changeTo(id: DocumentId, version: number) {
  return { $set: fieldsOf(id, version), $inc: { version: 1 } };
}

/** @returns what is wrong with a document that was read, as a sentence */
export function flawOf(document: TestDocument): string | undefined {
  const version = Number(document['version']);
  const expected = serialize(shardedDocument(document._id, version));
  if (Buffer.compare(serialize(document), expected) === 0) return undefined;
  return `document ${document._id} is not what version ${version} of it is`;
}
