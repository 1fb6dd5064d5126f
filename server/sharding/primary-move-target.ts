/**
 * The taking side of movePrimary: makes the collections and views of a database that another shard has, and stores their documents.
 *
 * Owns: which moves send to it, and their durable traces, documents of config.movePrimaryRecipients: what was made for a move that is
 * given up is dropped by them. No router looks for any of it here before the config server has made this shard the primary one.
 */
import {
  ArrayBuilder,
  arrayValue,
  documentOf,
  EMPTY_DOCUMENT,
  FieldCursor,
  getField,
  stringValue,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { CollectionDescription, Transaction } from '../../storage/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import { checkedUuid, createCopy, type CollectionCopy } from './collection-copy.ts';
import { uuidValue } from './routing.ts';
import type { ShardingState } from './sharding-state.ts';
import { changeFact, newFactId, recordById } from './stored-facts.ts';

export const RECIPIENTS = 'config.movePrimaryRecipients';

/**
 * A collection, time series or view as the other shard has it. What is not sharded gets another UUID here: the store remembers a dropped
 * one until its next checkpoint, and a database may come back before.
 */
export interface MovedCollection extends CollectionCopy {
  readonly kind: CollectionDescription['kind'];
  /** It stays where its chunks are: the primary shard has its definition, too. */
  readonly isSharded: boolean;
}

export interface PrimaryReceiveRequest {
  readonly moveId: RawValue;
  readonly database: string;
  readonly fromShard: string;
  readonly collections: readonly MovedCollection[];
}

interface Receiving {
  readonly moveId: string;
  readonly uuids: ReadonlySet<string>;
  /** Ends when nothing that came is being stored any more. */
  work: Promise<void>;
}

/** Documents of one transaction. */
const BATCH_COUNT = 128;
const REMEMBERED_ENDS = 1_000;

export class PrimaryMoveTarget {
  private readonly state: ShardingState;
  /** By database. */
  private readonly receiving = new Map<string, Receiving>();
  /** Moves that have ended, the newest ones: what is still on its way of them begins nothing. */
  private readonly ended = new Set<string>();

  constructor(state: ShardingState) {
    this.state = state;
  }

  /** @throws CommandError NamespaceExists for a collection with documents that is here already */
  async start(op: OperationContext, request: PrimaryReceiveRequest): Promise<void> {
    const { database, moveId, fromShard } = request;
    const collections = request.collections.map((collection) =>
      collection.isSharded ? collection : { ...collection, uuid: newUuid(op) },
    );
    await this.state.refreshDatabase(op, database);
    if (this.state.database(database).known?.primary === this.state.requiredIdentity.shardName) {
      throw new CommandError('IllegalOperation', `${database} is this shard’s own already`);
    }
    const uuids = collections.filter(({ isSharded }) => !isSharded).map(({ uuid }) => uuid);
    const trace = documentOf({
      _id: database,
      moveId,
      donorShardId: fromShard,
      collections: arrayOf(uuids.map((uuid) => uuidValue(uuid))),
    });
    await op.transact(async (transaction) => {
      if (this.ended.has(keyOf(moveId))) throw hasEnded();
      const left = await recordById(transaction, RECIPIENTS, stringValue(database));
      if (left !== undefined) dropAll(transaction, database, uuidsOf(left.document));
      await changeFact(transaction, {
        namespace: RECIPIENTS,
        id: stringValue(database),
        value: trace,
      });
      for (const collection of collections) makeCollection(transaction, collection);
    });
    if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
    this.receiving.set(database, {
      moveId: keyOf(moveId),
      uuids: new Set(uuids),
      work: Promise.resolve(),
    });
  }

  async receive(
    op: OperationContext,
    moveId: RawValue,
    { namespace, documents }: { readonly namespace: string; readonly documents: readonly Buffer[] },
  ): Promise<void> {
    const receiving = this.required(databaseOf(namespace), moveId);
    // What is late, because its sender has given up, must not come after the end.
    const stored = receiving.work.then(async () => {
      const { uuids } = this.required(databaseOf(namespace), moveId);
      for (let start = 0; start < documents.length; start += BATCH_COUNT) {
        await store(op, namespace, uuids, documents.slice(start, start + BATCH_COUNT));
        await op.yield();
      }
    });
    receiving.work = stored.catch(() => {});
    await stored;
  }

  /** All that came is on the device, and nothing more is taken. */
  async flush(op: OperationContext, moveId: RawValue, database: string): Promise<void> {
    await op.waitFor(this.required(database, moveId).work);
    this.receiving.delete(database);
    await op.engine.flushed(op.renewView().commitNumber);
  }

  /** How it ended. Repeatable, also for a move of which nothing is known any more. */
  async finish(
    op: OperationContext,
    moveId: RawValue,
    { database, isCommitted }: { readonly database: string; readonly isCommitted: boolean },
  ): Promise<void> {
    const receiving = this.receiving.get(database);
    this.noteEnded(database, keyOf(moveId));
    await op.waitFor(receiving?.work ?? Promise.resolve());
    this.state.forgetDatabase(database);
    const id = stringValue(database);
    await op.transact(async (transaction) => {
      const trace = await recordById(transaction, RECIPIENTS, id);
      const isThis =
        trace !== undefined &&
        getField(trace.document, 'moveId')?.toBytes().equals(moveId.toBytes());
      if (isThis !== true) return;
      if (!isCommitted) dropAll(transaction, database, uuidsOf(trace.document));
      await changeFact(transaction, { namespace: RECIPIENTS, id, value: undefined });
    });
    if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
  }

  private required(database: string, moveId: RawValue): Receiving {
    const receiving = this.receiving.get(database);
    if (receiving?.moveId === keyOf(moveId)) return receiving;
    throw hasEnded();
  }

  private noteEnded(database: string, key: string): void {
    if (this.receiving.get(database)?.moveId === key) this.receiving.delete(database);
    this.ended.add(key);
    if (this.ended.size <= REMEMBERED_ENDS) return;
    const [oldest] = this.ended;
    if (oldest !== undefined) this.ended.delete(oldest);
  }
}

/** Drops those of a database's collections and views that have one of these UUIDs. */
export function dropAll(
  transaction: Transaction,
  database: string,
  uuids: ReadonlySet<string>,
): void {
  for (const collection of transaction.collections(database)) {
    if (uuids.has(collection.uuid)) transaction.dropCollection(collection);
  }
}

function makeCollection(transaction: Transaction, collection: MovedCollection): void {
  const { namespace, kind, isSharded } = collection;
  const existing = transaction.collection(namespace);
  if (existing !== undefined && isSharded && existing.uuid === collection.uuid) return;
  if (existing !== undefined && transaction.recordCount(existing) > 0) {
    throw new CommandError(
      'NamespaceExists',
      `${namespace} is on this shard already, with documents: it would be hidden by the one that is moved`,
    );
  }
  if (existing !== undefined) transaction.dropCollection(existing);
  if (kind === 'collection') createCopy(transaction, collection);
  else transaction.createCollection(namespace, { kind, ...definitionOf(collection) });
}

function newUuid(op: OperationContext): string {
  return newFactId(op).asBinary().bytes.toString('hex');
}

function definitionOf({ uuid, options }: MovedCollection) {
  return { uuid: checkedUuid(uuid), options };
}

async function store(
  op: OperationContext,
  namespace: string,
  uuids: ReadonlySet<string>,
  documents: readonly Buffer[],
): Promise<void> {
  await op.transact((transaction) => {
    const collection = transaction.collection(namespace);
    if (collection === undefined || !uuids.has(collection.uuid)) {
      throw new CommandError('NamespaceNotFound', `${namespace} was dropped during a movePrimary`);
    }
    for (const document of documents) transaction.insert(collection, Buffer.from(document));
  });
}

/** Of what a trace tells. */
export function uuidsOf(trace: Buffer): ReadonlySet<string> {
  const uuids = new Set<string>();
  const cursor = new FieldCursor(getField(trace, 'collections')?.asDocument() ?? EMPTY_DOCUMENT);
  while (cursor.next()) uuids.add(cursor.value().asBinary().bytes.toString('hex'));
  return uuids;
}

function arrayOf(values: readonly RawValue[]): RawValue {
  const array = new ArrayBuilder();
  for (const value of values) array.push(value);
  return arrayValue(array.finish());
}

function keyOf(moveId: RawValue): string {
  return moveId.toBytes().toString('hex');
}

function databaseOf(namespace: string): string {
  return namespace.slice(0, namespace.indexOf('.'));
}

function hasEnded(): CommandError {
  return new CommandError(
    'ConflictingOperationInProgress',
    'This shard receives nothing of this movePrimary: it has been restarted, or the move has ended',
  );
}
