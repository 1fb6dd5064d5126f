/**
 * _shardsvrPrepareShardCollection: the primary shard makes a collection ready to be sharded, and lets nobody write to it until
 * _flushRoutingTableCacheUpdates says that it is done.
 * Source: MongoDB's manual, "Shard Key Indexes" and "Unique Indexes" of sharded collections.
 */
import { arrayValue, BsonType, documentOf, getField, fieldsOf } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { CollectionDescription, Transaction } from '../../../storage/index.ts';
import { cappedLimitsOf } from '../../catalog/capped-collections.ts';
import { collectionForWrite, splitNamespace } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { beginPreparation } from '../../sharding/preparations.ts';
import { uuidValue } from '../../sharding/routing.ts';
import { ShardKeyPattern } from '../../sharding/shard-key-pattern.ts';
import { missingKeyIndex, unsuitedIndexes } from '../../sharding/shard-key-index.ts';
import { indexDefinitions } from '../../sharding/collection-copy.ts';
import { namespaceIn, shardingOf, shardTraits } from './shard-command.ts';

interface PrepareRequest {
  readonly namespace: string;
  readonly pattern: ShardKeyPattern;
  readonly isUnique: boolean;
  /** A unique key needs a unique index. */
  readonly checksUniqueness: boolean;
  /** The index of the key is made where there is none. */
  readonly makesIndex: boolean;
}

/** A code without name. */
const NO_INDEX = 6_373_200;
const NO_INDEX_MESSAGE = 'Must have an index compatible with the proposed shard key';

/** Writers under way have so long to end. */
const DRAIN_MS = 5_000;

export const prepareShardCollection = defineCommand({
  ...shardTraits('_shardsvrPrepareShardCollection', 'Makes a collection ready to be sharded.'),
  parse: (body): PrepareRequest => ({
    namespace: namespaceIn(body),
    pattern: ShardKeyPattern.parse(body.document('key')),
    isUnique: body.boolean('unique'),
    checksUniqueness: body.boolean('enforceUniquenessCheck', true),
    makesIndex: body.boolean('implicitlyCreateIndex', true),
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
  state.enterDefinitionChange(op, splitNamespace(namespace).database);
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
  const missing = missingKeyIndex(collection, pattern, isUnique && request.checksUniqueness);
  if (missing === undefined) return;
  const isEmpty = transaction.recordCount(collection) === 0;
  const mayMake = isEmpty && !missing.isTaken;
  if (!mayMake && missing.unsuited.length > 0) throw unsuitedIndexes(pattern, missing);
  uassert(
    mayMake,
    'InvalidOptions',
    'Please create an index that starts with the proposed shard key before sharding the collection',
  );
  if (!request.makesIndex) throw new CommandError(NO_INDEX, NO_INDEX_MESSAGE);
  transaction.createIndex(collection, keyIndex(request, collection));
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
