/**
 * Small durable documents of a shard, one by its `_id`: the tasks that a crash must not make it forget.
 */
import { encodeIndexKey, getField, type RawValue } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import type { ReadView, RecordId, Transaction } from '../../storage/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import { uuidValue } from './routing.ts';

/** A document to write, or (undefined) to remove. */
export interface FactChange {
  readonly namespace: string;
  readonly id: RawValue;
  readonly value: Buffer | undefined;
}

/** Writes them all at once; durable when it resolves. */
export async function changeFacts(
  op: OperationContext,
  changes: readonly FactChange[],
): Promise<void> {
  await op.transact(async (transaction) => {
    for (const change of changes) await changeFact(transaction, change);
  });
  if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
}

/** All documents of a small collection. */
export async function readFacts(op: OperationContext, namespace: string): Promise<Buffer[]> {
  const view = op.renewView();
  const collection = view.collection(namespace);
  const facts: Buffer[] = [];
  if (collection === undefined) return facts;
  const cursor = view.scanRecords(collection);
  try {
    while (await cursor.next()) facts.push(Buffer.from(cursor.document));
  } finally {
    cursor.close();
  }
  return facts;
}

/** A random UUID for the `_id` of a new one. */
export function newFactId(op: OperationContext): RawValue {
  const bytes = op.service.random.bytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return uuidValue(bytes.toString('hex'));
}

export interface StoredRecord {
  readonly recordId: RecordId;
  readonly document: Buffer;
}

/** The record with this `_id`. */
export async function recordById(
  view: ReadView,
  namespace: string,
  id: RawValue,
): Promise<StoredRecord | undefined> {
  const collection = view.collection(namespace);
  if (collection === undefined) return undefined;
  const recordId = view.uniqueRecordId(collection.indexes[0], encodeIndexKey([id], [1]).key);
  if (recordId === undefined) return undefined;
  const document = await view.record(collection, recordId);
  return document === undefined ? undefined : { recordId, document };
}

/** The `_id` of a stored document. */
export function idOf(document: Buffer): RawValue {
  const id = getField(document, '_id');
  tassert(id !== undefined, 'a stored document has no _id');
  return id;
}

/** The same as a part of a transaction. */
export async function changeFact(
  transaction: Transaction,
  { namespace, id, value }: FactChange,
): Promise<void> {
  const before = await recordById(transaction, namespace, id);
  let collection = transaction.collection(namespace);
  if (value === undefined) {
    if (collection !== undefined && before !== undefined) {
      transaction.delete(collection, before.recordId, before.document);
    }
    return;
  }
  collection ??= transaction.createCollection(namespace);
  if (before === undefined) transaction.insert(collection, value);
  else transaction.update(collection, before.recordId, before.document, value);
}
