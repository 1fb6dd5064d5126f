/**
 * Engines for tests, and short ways to write and read through them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { documentOf, encodeIndexKey, getField, int32Value } from '../../../bson/index.ts';
import {
  openEngine,
  type CollectionDescription,
  type CommitNumber,
  type EngineOptions,
  type ReadView,
  type RecordId,
  type StorageEngine,
} from '../../../storage/index.ts';

export const A_INDEX: Buffer = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a_1' });

export function openMemoryEngine(options: EngineOptions = {}): Promise<StorageEngine> {
  return openEngine({ checkpointIntervalMs: 0, ...options });
}

/** Runs with a directory of its own, which goes afterwards. */
export async function withDirectory(run: (dbpath: string) => Promise<void>): Promise<void> {
  const dbpath = await mkdtemp(join(tmpdir(), 'flint-engine-'));
  try {
    await run(dbpath);
  } finally {
    await rm(dbpath, { recursive: true, force: true });
  }
}

export function createCollection(
  engine: StorageEngine,
  namespace: string,
  ...indexes: readonly Buffer[]
): CollectionDescription {
  const transaction = engine.begin();
  const created = transaction.createCollection(namespace);
  for (const spec of indexes) transaction.createIndex(created, spec);
  transaction.commit();
  return describe(engine, namespace);
}

export function describe(engine: StorageEngine, namespace: string): CollectionDescription {
  const view = engine.snapshot();
  const collection = view.collection(namespace);
  view.close();
  if (collection === undefined) throw new Error(`${namespace} is not there`);
  return collection;
}

export function insert(
  engine: StorageEngine,
  collection: CollectionDescription,
  document: Buffer,
): { recordId: RecordId; commitNumber: CommitNumber } {
  const transaction = engine.begin();
  const recordId = transaction.insert(collection, document);
  return { recordId, commitNumber: transaction.commit() };
}

export async function update(
  engine: StorageEngine,
  collection: CollectionDescription,
  recordId: RecordId,
  after: Buffer,
): Promise<CommitNumber> {
  const transaction = engine.begin();
  const before = await transaction.record(collection, recordId);
  if (before === undefined) throw new Error('no such record');
  transaction.update(collection, recordId, before, after);
  return transaction.commit();
}

export async function remove(
  engine: StorageEngine,
  collection: CollectionDescription,
  recordId: RecordId,
): Promise<CommitNumber> {
  const transaction = engine.begin();
  const before = await transaction.record(collection, recordId);
  if (before === undefined) throw new Error('no such record');
  transaction.delete(collection, recordId, before);
  return transaction.commit();
}

/** The values of one field, in order of record id. */
export async function scan(
  view: ReadView,
  collection: CollectionDescription,
  field: string,
): Promise<number[]> {
  const values: number[] = [];
  const cursor = view.scanRecords(collection);
  while (await cursor.next()) values.push(numberOf(cursor.document, field));
  cursor.close();
  return values;
}

/** The values of one field of the documents that an index has under `key`. */
export async function findByIndex(
  view: ReadView,
  collection: CollectionDescription,
  indexName: string,
  key: number,
  field: string,
): Promise<number[]> {
  const index = collection.indexes.find(({ name }) => name === indexName);
  if (index === undefined) throw new Error('no such index');
  const bound = encodeIndexKey([int32Value(key)], [1]).key;
  const cursor = view.scanIndex(index, { lower: bound, upper: bound }, 1);
  const values: number[] = [];
  while (cursor.next()) {
    const document = await view.record(collection, cursor.recordId);
    if (document === undefined) throw new Error('an entry without a record');
    values.push(numberOf(document, field));
  }
  return values;
}

export function numberOf(document: Buffer, field: string): number {
  return getField(document, field)?.asNumber() ?? Number.NaN;
}
