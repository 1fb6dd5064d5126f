/**
 * What must hold after every restart: the acknowledged documents, each once, whole, and in every index.
 */
import type { Collection, Db } from 'mongodb';
import { getField } from '../../bson/index.ts';
import { bytesOf, tagKeysOf, type DocumentId } from './documents.ts';

/** Collections of the test and the indexes that they keep besides the one on `_id`. */
export const COLLECTIONS = {
  indexed: [
    { key: { unique: 1 }, name: 'unique_1', unique: true },
    { key: { group: 1, version: -1 }, name: 'group_1_version_-1' },
    { key: { tags: 1 }, name: 'tags_1' },
  ],
  plain: [],
} as const;

export type CollectionName = keyof typeof COLLECTIONS;

/** Documents that are looked up one by one by a unique key, per restart. */
const LOOKED_UP = 50;

/** Version of every document that is there, by id; filled together with what is wrong. */
export interface Found {
  readonly versions: Map<DocumentId, number>;
  readonly violations: string[];
}

/** Reads a collection by a scan and compares every document with what its id and version say. */
export async function readAll(database: Db, name: CollectionName, found: Found): Promise<void> {
  const documents = await rawDocuments(database.collection(name), { $natural: 1 });
  for (const bytes of documents) {
    const { id, version } = identityOf(bytes);
    if (found.versions.has(id)) found.violations.push(`document ${id} is there twice`);
    found.versions.set(id, version);
    if (!bytes.equals(bytesOf(id, version))) {
      found.violations.push(`document ${id} is not what version ${version} of it is`);
    }
  }
}

/**
 * Asks the server to compare each index with its collection, and does the same by reading through each index.
 * @param versions of the documents of this collection.
 */
export async function checkIndexes(
  database: Db,
  name: CollectionName,
  versions: ReadonlyMap<DocumentId, number>,
): Promise<string[]> {
  const collection = database.collection(name);
  const violations = await validate(database, name, versions);
  const indexes = await collection.listIndexes().toArray();
  const expected = new Set<string>(['_id_', ...COLLECTIONS[name].map((index) => index.name)]);
  for (const { name: indexName } of indexes) expected.delete(String(indexName));
  for (const missing of expected) violations.push(`${name}: the index ${missing} is gone`);
  for (const index of indexes) {
    const documents = await rawDocuments(collection, String(index['name']));
    violations.push(...compareWithScan(`${name}, index ${index['name']}`, documents, versions));
  }
  if (name === 'indexed') violations.push(...(await lookUp(collection, versions)));
  return violations;
}

async function validate(
  database: Db,
  name: CollectionName,
  versions: ReadonlyMap<DocumentId, number>,
): Promise<string[]> {
  const report = await database.command({ validate: name, full: true });
  const violations: string[] = [];
  if (report['valid'] !== true || report['errors'].length > 0) {
    violations.push(`${name}: validate says ${JSON.stringify(report['errors'])}`);
  }
  if (Number(report['nrecords']) !== versions.size) {
    violations.push(`${name}: validate counts ${report['nrecords']} documents of ${versions.size}`);
  }
  for (const [index, keys] of Object.entries(report['keysPerIndex'])) {
    const expected = index === 'tags_1' ? tagKeys(versions) : versions.size;
    if (Number(keys) !== expected) {
      violations.push(`${name}: ${index} has ${String(keys)} keys and should have ${expected}`);
    }
  }
  return violations;
}

function tagKeys(versions: ReadonlyMap<DocumentId, number>): number {
  let keys = 0;
  for (const [id, version] of versions) keys += tagKeysOf(id, version);
  return keys;
}

function compareWithScan(
  where: string,
  documents: readonly Buffer[],
  versions: ReadonlyMap<DocumentId, number>,
): string[] {
  const violations: string[] = [];
  const seen = new Set<DocumentId>();
  for (const bytes of documents) {
    const { id, version } = identityOf(bytes);
    if (seen.has(id)) violations.push(`${where}: document ${id} comes twice`);
    seen.add(id);
    if (versions.get(id) !== version) {
      violations.push(
        `${where}: document ${id} has version ${version}, the scan ${versions.get(id)}`,
      );
    }
  }
  for (const id of versions.keys()) {
    if (!seen.has(id)) violations.push(`${where}: document ${id} is missing`);
  }
  return violations;
}

async function lookUp(
  collection: Collection,
  versions: ReadonlyMap<DocumentId, number>,
): Promise<string[]> {
  const violations: string[] = [];
  const every = Math.max(1, Math.floor(versions.size / LOOKED_UP));
  let position = 0;
  for (const [id, version] of versions) {
    position += 1;
    if (position % every !== 0) continue;
    const unique = `${id}:${version}`;
    const found = await collection.find({ unique }).hint('unique_1').toArray();
    if (found.length !== 1) violations.push(`unique_1 finds "${unique}" ${found.length} times`);
  }
  return violations;
}

/** All documents as their bytes, in the order of an index or of the collection. */
async function rawDocuments(
  collection: Collection,
  hint: string | { readonly $natural: 1 },
): Promise<Buffer[]> {
  const found: readonly unknown[] = await collection
    .find({}, { raw: true, batchSize: 1_000 })
    .hint(hint)
    .toArray();
  return found.map((document) => {
    if (!(document instanceof Uint8Array)) throw new Error('the driver gave no raw document');
    return Buffer.from(document.buffer, document.byteOffset, document.byteLength);
  });
}

function identityOf(bytes: Buffer): { id: DocumentId; version: number } {
  return {
    id: getField(bytes, '_id')?.asNumber() ?? NaN,
    version: getField(bytes, 'version')?.asNumber() ?? NaN,
  };
}
