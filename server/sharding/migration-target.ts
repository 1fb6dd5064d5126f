/**
 * The taking side of a chunk migration: stores what another shard sends of a range that is not this shard's yet.
 *
 * Owns: which migrations send to it. Nothing of what came counts before the config server has given the range over: the ownership filter
 * hides it, and a pending task of config.rangeDeletions, written before the first document, removes it should the migration be given up.
 */
import { getField, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import type { KeyTextRange } from './chunk-map.ts';
import { createCopy, type CollectionCopy } from './collection-copy.ts';
import { pauseAtStep } from './migration-steps.ts';
import {
  deleteRange,
  droppedTask,
  overlappingTasks,
  pendingTask,
  readyTask,
} from './range-deletions.ts';
import { ShardKeyPattern } from './shard-key-pattern.ts';
import type { ShardingState } from './sharding-state.ts';
import { changeFacts, idOf, recordById } from './stored-facts.ts';

export interface ReceiveRequest {
  readonly migrationId: RawValue;
  readonly copy: CollectionCopy;
  readonly pattern: Buffer;
  readonly min: Buffer;
  readonly max: Buffer;
  readonly fromShard: string;
}

interface Receiving {
  /** Ends when nothing that came is being stored any more. */
  work: Promise<void>;
  readonly namespace: string;
  readonly uuid: string;
  readonly pattern: ShardKeyPattern;
  readonly range: KeyTextRange;
}

/** MongoDB's receiveChunkWaitForRangeDeleterTimeoutMS. */
const REMOVAL_WAIT_MS = 10_000;
const PAUSE_MS = 50;
/** Documents of one transaction. */
const BATCH_COUNT = 128;
const REMEMBERED_ENDS = 1_000;

export class MigrationTarget {
  private readonly state: ShardingState;
  private readonly receiving = new Map<string, Receiving>();
  /** Migrations that have ended, the newest ones: what is still on its way of them begins nothing. */
  private readonly ended = new Set<string>();

  constructor(state: ShardingState) {
    this.state = state;
  }

  /** @throws CommandError ConflictingOperationInProgress when documents of the range still wait for their removal after ten seconds */
  async start(op: OperationContext, request: ReceiveRequest): Promise<void> {
    const { copy, migrationId, fromShard } = request;
    const pattern = ShardKeyPattern.parse(request.pattern);
    const range = { min: pattern.boundText(request.min), max: pattern.boundText(request.max) };
    const { namespace, uuid } = copy;
    const startMs = op.service.clock.monotonicMs();
    while ((await overlappingTasks(op, uuid, range)).length > 0) {
      if (op.service.clock.monotonicMs() - startMs < REMOVAL_WAIT_MS) {
        await op.sleep(PAUSE_MS);
        continue;
      }
      throw new CommandError(
        'ConflictingOperationInProgress',
        `Documents of a range of ${namespace} that overlaps with this one have not been removed from this shard yet`,
      );
    }
    const known = await this.state.refresh(op, namespace);
    const { shardName } = this.state.requiredIdentity;
    const chunks = [...(known.routing?.chunks.overlapping(range) ?? [])];
    if (chunks.some(({ shard }) => shard === shardName)) {
      throw new CommandError('IllegalOperation', 'The range is this shard’s own already');
    }
    await changeFacts(op, [
      pendingTask({
        migrationId,
        namespace,
        uuid,
        pattern: request.pattern,
        min: request.min,
        max: request.max,
        donor: fromShard,
      }),
    ]);
    if (this.ended.has(keyOf(migrationId))) {
      // Its end found no task to make ready; nobody else would ever remove this one.
      await changeFacts(op, [droppedTask(migrationId)]);
      throw hasEnded();
    }
    await pauseAtStep(op, 'migrateThreadHangAtStep1');
    const hasChunks = known.routing?.chunks.shards().includes(shardName) === true;
    await op.transact((transaction) => void createCopy(transaction, copy, { hasChunks }));
    const receiving = { namespace, uuid, pattern, range, work: Promise.resolve() };
    await deleteRange(op, receiving);
    if (this.ended.has(keyOf(migrationId))) throw hasEnded();
    this.receiving.set(keyOf(migrationId), receiving);
  }

  async receive(
    op: OperationContext,
    migrationId: RawValue,
    documents: readonly Buffer[],
    deleted: readonly RawValue[],
  ): Promise<void> {
    const receiving = this.required(migrationId);
    const stored = receiving.work.then(() =>
      this.receiveInTurn(op, migrationId, { documents, deleted }),
    );
    receiving.work = stored.catch(() => {});
    await stored;
  }

  /** What is late, because its sender has given up, must not come after what is sent then, nor after the end. */
  private async receiveInTurn(
    op: OperationContext,
    migrationId: RawValue,
    { documents, deleted }: { documents: readonly Buffer[]; deleted: readonly RawValue[] },
  ): Promise<void> {
    const receiving = this.required(migrationId);
    await pauseAtStep(op, 'migrateThreadHangAtStep2');
    for (let start = 0; start < documents.length; start += BATCH_COUNT) {
      await store(op, receiving, documents.slice(start, start + BATCH_COUNT));
      await op.yield();
    }
    for (let start = 0; start < deleted.length; start += BATCH_COUNT) {
      await remove(op, receiving, deleted.slice(start, start + BATCH_COUNT));
      await op.yield();
    }
  }

  /** All that came is on the device, and nothing more is taken. */
  async flush(op: OperationContext, migrationId: RawValue): Promise<void> {
    const receiving = this.required(migrationId);
    await pauseAtStep(op, 'migrateThreadHangAtStep3');
    await op.waitFor(receiving.work);
    this.receiving.delete(keyOf(migrationId));
    await op.engine.flushed(op.renewView().commitNumber);
  }

  /** How it ended. Repeatable, also for a migration of which nothing is known any more. */
  async finish(
    op: OperationContext,
    migrationId: RawValue,
    { namespace, isCommitted }: { readonly namespace: string; readonly isCommitted: boolean },
  ): Promise<void> {
    const receiving = this.receiving.get(keyOf(migrationId));
    this.noteEnded(keyOf(migrationId));
    await op.waitFor(receiving?.work ?? Promise.resolve());
    await pauseAtStep(op, 'migrateThreadHangAtStep4');
    if (isCommitted) await this.state.refresh(op, namespace);
    const task = isCommitted ? droppedTask(migrationId) : await readyTask(op, migrationId);
    if (task !== undefined) await changeFacts(op, [task]);
  }

  private required(migrationId: RawValue): Receiving {
    const receiving = this.receiving.get(keyOf(migrationId));
    if (receiving !== undefined) return receiving;
    throw hasEnded();
  }

  private noteEnded(key: string): void {
    this.receiving.delete(key);
    this.ended.add(key);
    if (this.ended.size <= REMEMBERED_ENDS) return;
    const [oldest] = this.ended;
    if (oldest !== undefined) this.ended.delete(oldest);
  }
}

function hasEnded(): CommandError {
  return new CommandError(
    'ConflictingOperationInProgress',
    'This shard receives nothing of this migration: it has been restarted, or the migration has ended',
  );
}

function keyOf(migrationId: RawValue): string {
  return migrationId.toBytes().toString('hex');
}

async function store(
  op: OperationContext,
  receiving: Receiving,
  documents: readonly Buffer[],
): Promise<void> {
  await op.transact(async (transaction) => {
    const collection = transaction.collection(receiving.namespace);
    if (collection === undefined || collection.uuid !== receiving.uuid) throw dropped(receiving);
    for (const document of documents) {
      const before = await recordById(transaction, receiving.namespace, idOf(document));
      if (before === undefined) {
        transaction.insert(collection, Buffer.from(document));
        continue;
      }
      if (!isIn(before.document, receiving)) {
        throw new CommandError(
          'DuplicateKey',
          `A document with the same _id is on this shard, outside of the range that is moved`,
          { fields: { keyPattern: { _id: 1 }, keyValue: getField(document, '_id') } },
        );
      }
      if (before.document.equals(document)) continue;
      transaction.update(collection, before.recordId, before.document, Buffer.from(document));
    }
  });
}

async function remove(
  op: OperationContext,
  receiving: Receiving,
  ids: readonly RawValue[],
): Promise<void> {
  await op.transact(async (transaction) => {
    const collection = transaction.collection(receiving.namespace);
    if (collection === undefined || collection.uuid !== receiving.uuid) throw dropped(receiving);
    for (const id of ids) {
      const before = await recordById(transaction, receiving.namespace, id);
      if (before === undefined || !isIn(before.document, receiving)) continue;
      transaction.delete(collection, before.recordId, before.document);
    }
  });
}

function isIn(document: Buffer, { pattern, range }: Receiving): boolean {
  const { text } = pattern.keyOf(document);
  return text >= range.min && text < range.max;
}

function dropped({ namespace }: Receiving): CommandError {
  return new CommandError('NamespaceNotFound', `${namespace} was dropped during a migration`);
}
