/**
 * _shardsvrPrepareShardCollection: the primary shard makes a collection ready to be sharded, and lets nobody write to it until
 * _flushRoutingTableCacheUpdates says that it is done.
 * Source: MongoDB's manual, "Shard Key Indexes" and "Unique Indexes" of sharded collections.
 */
import {
  arrayValue,
  BsonType,
  documentOf,
  getField,
  inspect,
  fieldsOf,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type {
  CollectionDescription,
  IndexDescription,
  Transaction,
} from '../../../storage/index.ts';
import { cappedLimitsOf } from '../../catalog/capped-collections.ts';
import { collectionForWrite } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { beginPreparation } from '../../sharding/preparations.ts';
import { uuidValue } from '../../sharding/routing.ts';
import { ShardKeyPattern } from '../../sharding/shard-key-pattern.ts';
import { servesShardKey } from '../../sharding/shard-key-walk.ts';
import { indexDefinitions } from '../../sharding/collection-copy.ts';
import { namespaceIn, shardingOf, shardTraits } from './shard-command.ts';

interface PrepareRequest {
  readonly namespace: string;
  readonly pattern: ShardKeyPattern;
  readonly isUnique: boolean;
}

/** Writers under way have so long to end. */
const DRAIN_MS = 5_000;

export const prepareShardCollection = defineCommand({
  ...shardTraits('_shardsvrPrepareShardCollection', 'Makes a collection ready to be sharded.'),
  parse: (body): PrepareRequest => ({
    namespace: namespaceIn(body),
    pattern: ShardKeyPattern.parse(body.document('key')),
    isUnique: body.boolean('unique'),
  }),
  execute: prepare,
  reply: (collection, op) => ({
    uuid: uuidValue(collection.uuid),
    isEmpty: op.view().recordCount(collection) === 0,
    options: collection.options,
    indexes: arrayValue(indexDefinitions(collection)),
  }),
});

async function prepare(
  request: PrepareRequest,
  op: OperationContext,
): Promise<CollectionDescription> {
  const { namespace } = request;
  const state = shardingOf(op);
  const section = await state.collection(namespace).enterCriticalSection(async (drained) => {
    let isOver = false;
    void drained.then(() => {
      isOver = true;
    });
    await op.waitAtMost(drained, DRAIN_MS);
    uassert(isOver, 'LockTimeout', `Writes to ${namespace} did not end within ${DRAIN_MS} ms`);
  });
  try {
    await op.transact((transaction) => makeReady(transaction, request));
    if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
  } catch (error) {
    section.release();
    throw error;
  }
  beginPreparation(state, namespace, { section, timers: op.service.timers });
  const collection = op.renewView().collection(namespace);
  if (collection !== undefined) return collection;
  throw new CommandError('NamespaceNotFound', `${namespace} was dropped meanwhile`);
}

function makeReady(transaction: Transaction, request: PrepareRequest): void {
  const { namespace, pattern, isUnique } = request;
  const collection = collectionForWrite(transaction, namespace);
  uassert(
    collection.kind === 'collection',
    'CommandNotSupportedOnView',
    `${namespace} is no collection of documents: it cannot be sharded`,
  );
  uassert(
    cappedLimitsOf(collection.options) === undefined,
    'InvalidOptions',
    "can't shard a capped collection",
  );
  for (const index of collection.indexes) checkUnique(index, request);
  const usable = collection.indexes.filter((index) => servesShardKey(index, pattern));
  if (usable.some((index) => !isUnique || index.unique || pattern.isId)) return;
  const isEmpty = transaction.recordCount(collection) === 0;
  uassert(
    isEmpty && usable.length === 0,
    'InvalidOptions',
    usable.length > 0
      ? `can't shard collection '${namespace}' with unique shard key: the index of the key is not unique`
      : 'Please create an index that starts with the proposed shard key before sharding the collection',
  );
  transaction.createIndex(collection, keyIndex(request, collection));
}

/** A unique index is unique on each shard alone, unless equal keys are on the same one. */
function checkUnique(index: IndexDescription, { namespace, pattern }: PrepareRequest): void {
  const isId = index.name === '_id_';
  if (!index.unique || isId) return;
  const covers = pattern.fields.every(
    ({ path }, at) => index.fields[at]?.path === path.text && index.fields[at].kind === 'ordered',
  );
  uassert(
    covers,
    'InvalidOptions',
    `can't shard collection '${namespace}' with unique index on ${inspect(keyOf(index))} and proposed shard key ${inspect(pattern.pattern)}. Uniqueness can't be maintained unless shard key is a prefix`,
  );
}

function keyOf(index: IndexDescription): Buffer {
  return getField(index.spec, 'key')?.asDocument() ?? documentOf({});
}

function keyIndex(
  { pattern, isUnique }: PrepareRequest,
  collection: CollectionDescription,
): Buffer {
  const name = [...fieldsOf(pattern.pattern)]
    .map(([path, kind]) => `${path}_${kind.type === BsonType.string ? kind.asString() : 1}`)
    .join('_');
  const collates = getField(collection.options, 'collation') !== undefined;
  return documentOf({
    v: 2,
    key: pattern.pattern,
    name: collates ? `${name}_simple` : name,
    unique: isUnique ? true : undefined,
  });
}
