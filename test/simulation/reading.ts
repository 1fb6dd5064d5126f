/**
 * Reads views through the engine's cursors and compares them with the model.
 */
import assert from 'node:assert/strict';
import { CorruptionError } from '../../common/errors.ts';
import type {
  CollectionDescription,
  IndexDescription,
  ReadView,
  RecordCursor,
  RecordId,
} from '../../storage/index.ts';
import { idKey, idOf, keysOf } from './documents.ts';
import type { ModelDocuments, ModelState } from './model.ts';

/** What a view shows, by scanning records, and how many documents of each collection have a damaged page. */
export interface Reading {
  readonly state: ModelState;
  readonly unreadable: Map<string, number>;
}

/** @param onDamage hears of every document that cannot be read */
export async function readState(
  view: ReadView,
  onDamage: (error: CorruptionError) => void,
): Promise<Reading> {
  const state: ModelState = new Map();
  const unreadable = new Map<string, number>();
  for (const collection of view.collections()) {
    const documents: ModelDocuments = new Map();
    const cursor = view.scanRecords(collection);
    for (
      let found = await nextReadable(cursor);
      found !== 'end';
      found = await nextReadable(cursor)
    ) {
      if (found instanceof CorruptionError) {
        onDamage(found);
        unreadable.set(collection.namespace, (unreadable.get(collection.namespace) ?? 0) + 1);
        continue;
      }
      const id = idOf(cursor.document);
      assert.ok(!documents.has(id), `${collection.namespace} shows _id ${id} twice`);
      documents.set(id, cursor.document);
    }
    cursor.close();
    state.set(collection.namespace, { options: collection.options, documents, indexes: new Map() });
  }
  return { state, unreadable };
}

async function nextReadable(cursor: RecordCursor): Promise<'record' | 'end' | CorruptionError> {
  try {
    return (await cursor.next()) ? 'record' : 'end';
  } catch (error) {
    if (error instanceof CorruptionError) return error;
    throw error;
  }
}

/** Compares every ready index of a collection, and the counts, with the documents that it should have. */
export async function checkCollection(
  view: ReadView,
  collection: CollectionDescription,
  expected: ModelDocuments,
): Promise<void> {
  let bytes = 0;
  for (const document of expected.values()) bytes += document.length;
  assert.equal(
    view.recordCount(collection),
    expected.size,
    `${collection.namespace}: record count`,
  );
  assert.equal(view.dataBytes(collection), bytes, `${collection.namespace}: data bytes`);
  for (const index of collection.indexes) {
    if (index.ready) await checkIndex(view, collection, index, expected);
  }
}

/** Finds a document by its `_id` through the index. @param taintedRecords ids of records that may be gone and have entries still */
export async function findById(
  view: ReadView,
  collection: CollectionDescription,
  id: string,
  taintedRecords: ReadonlySet<number>,
): Promise<{ recordId: RecordId; document: Buffer } | undefined> {
  const key = idKey(id);
  const cursor = view.scanIndex(collection.indexes[0], { lower: key, upper: key }, 1);
  if (!cursor.next()) return undefined;
  const { recordId } = cursor;
  assert.ok(!cursor.next(), `${collection.namespace}: two entries for _id ${id}`);
  cursor.close();
  const document = await view.record(collection, recordId);
  if (document === undefined && taintedRecords.has(recordId)) return undefined;
  assert.ok(document !== undefined, `${collection.namespace}: entry of _id ${id} without a record`);
  return { recordId, document };
}

/** What an index should hold: "key id", sorted. A unique one holds no key twice. */
export function entriesOf(index: IndexDescription, documents: ModelDocuments): string[] {
  const entries: string[] = [];
  const keys = new Set<string>();
  for (const [id, document] of documents) {
    for (const key of keysOf(index, document)) {
      entries.push(`${key} ${id}`);
      if (!index.unique) continue;
      assert.ok(!keys.has(key), `two documents have one key in the unique index ${index.name}`);
      keys.add(key);
    }
  }
  return entries.sort();
}

async function checkIndex(
  view: ReadView,
  collection: CollectionDescription,
  index: IndexDescription,
  expected: ModelDocuments,
): Promise<void> {
  const wanted = entriesOf(index, expected);
  for (const direction of [1, -1] as const) {
    const found: string[] = [];
    const cursor = view.scanIndex(index, {}, direction);
    let previous: Buffer | undefined;
    while (cursor.next()) {
      const { key, recordId } = cursor;
      const inOrder = previous === undefined || key.compare(previous) * direction >= 0;
      assert.ok(inOrder, `${collection.namespace} ${index.name}: entries out of order`);
      previous = key;
      const document = await view.record(collection, recordId);
      assert.ok(
        document !== undefined,
        `${collection.namespace} ${index.name}: entry without a record`,
      );
      found.push(`${key.toString('hex')} ${idOf(document)}`);
    }
    assertSame(found.sort(), wanted, `${collection.namespace} ${index.name}: entries`);
  }
}

/** Records of a collection by their ids, and the ids of those whose page is damaged. */
export interface RecordsRead {
  readonly readable: ReadonlyMap<number, Buffer>;
  readonly unreadable: ReadonlySet<number>;
}

export async function recordsOf(
  view: ReadView,
  collection: CollectionDescription,
): Promise<RecordsRead> {
  const readable = new Map<number, Buffer>();
  const unreadable = new Set<number>();
  const cursor = view.scanRecords(collection);
  for (
    let found = await nextReadable(cursor);
    found !== 'end';
    found = await nextReadable(cursor)
  ) {
    if (found === 'record') readable.set(cursor.recordId, cursor.document);
    else unreadable.add(cursor.recordId);
  }
  cursor.close();
  return { readable, unreadable };
}

/** Compares the entries of records that can be read. Of tainted ones nobody knows which they have. */
export function checkReadableEntries(
  view: ReadView,
  collection: CollectionDescription,
  index: IndexDescription,
  {
    readable,
    unreadable,
    taintedRecords,
  }: RecordsRead & { readonly taintedRecords: ReadonlySet<number> },
): void {
  const what = `${collection.namespace} ${index.name}, with damage`;
  const wanted: string[] = [];
  for (const [recordId, document] of readable) {
    if (taintedRecords.has(recordId)) continue;
    for (const key of keysOf(index, document)) wanted.push(`${key} ${recordId}`);
  }
  const found: string[] = [];
  const cursor = view.scanIndex(index, {}, 1);
  while (cursor.next()) {
    const { key, recordId } = cursor;
    if (taintedRecords.has(recordId) || unreadable.has(recordId)) continue;
    assert.ok(readable.has(recordId), `${what}: entry without a record`);
    found.push(`${key.toString('hex')} ${recordId}`);
  }
  cursor.close();
  assertSame(found.sort(), wanted.sort(), `${what}: entries`);
}

/** As deepEqual does, which is slow with long lists that are the same. */
export function assertSame(
  found: readonly string[],
  wanted: readonly string[],
  what: string,
): void {
  const isSame = found.length === wanted.length && found.every((each, at) => each === wanted[at]);
  if (!isSame) assert.deepEqual(found, wanted, what);
}
