/**
 * What the crash test writes: every document is a function of its id and version, so that any mixture of two versions shows.
 */
import { Int32, serialize } from 'bson';
import type { Document } from 'mongodb';
import { SeededRandom } from '../../common/random.ts';

/** Number of a document: no two writers share one, and none is used twice. */
export type DocumentId = number;

/** How many times a document was changed; undefined where there is no document. */
export type Version = number | undefined;

export interface TestDocument extends Document {
  _id: DocumentId;
}

const LARGEST_TAG = 40;

/** The whole document, in the order in which it is stored. */
export function documentOf(id: DocumentId, version: number): TestDocument {
  return { _id: id, ...fieldsOf(id, version), version: new Int32(version) };
}

/** What changes from version to version besides the version itself. */
export function fieldsOf(id: DocumentId, version: number): Document {
  const random = new SeededRandom(id * 7919 + version);
  return {
    unique: `${id}:${version}`,
    group: new Int32(random.below(100)),
    tags: Array.from({ length: 1 + random.below(4) }, () => `tag${random.below(LARGEST_TAG)}`),
    payload: random.bytes(payloadBytes(random)),
  };
}

/** Mostly small, now and then more than a page, rarely more than many pages. */
function payloadBytes(random: SeededRandom): number {
  const dice = random.next();
  if (dice < 0.002) return 200_000 + random.below(200_000);
  if (dice < 0.03) return 5_000 + random.below(60_000);
  return random.below(400);
}

/** The bytes that a store must give back. */
export function bytesOf(id: DocumentId, version: number): Buffer {
  return Buffer.from(serialize(documentOf(id, version)));
}

/** How many keys a document has in the index on `tags`. */
export function tagKeysOf(id: DocumentId, version: number): number {
  return new Set(fieldsOf(id, version)['tags']).size;
}
