/**
 * Removes the documents of ranges that have gone to other shards, or came with a migration that was given up.
 *
 * Owns: the tasks, documents of config.rangeDeletions. A task is written before the first document of its range can be superfluous, as
 * *pending*, and becomes ready (or is dropped) when it is known how the migration ended. Invariants:
 *  1. Only a ready task deletes, and only what this shard does not own by the config server's word.
 *  2. Plans that began while the range was owned are waited for.
 *  3. A task is dropped when nothing of its range is left.
 * Source: MongoDB's README_migrations, "Orphan range deletion".
 */
import {
  booleanValue,
  dateValue,
  documentOf,
  getField,
  setField,
  stringValue,
  unsetField,
  type RawValue,
} from '../../bson/index.ts';
import type { MaybePromise, RecordId, Transaction } from '../../storage/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import type { KeyTextRange } from './chunk-map.ts';
import { pauseAtStep } from './migration-steps.ts';
import { uuidValue } from './routing.ts';
import { ShardKeyPattern, type KeyText } from './shard-key-pattern.ts';
import { indexRange, shardKeyIndex } from './shard-key-walk.ts';
import type { ShardingState } from './sharding-state.ts';
import {
  changeFact,
  changeFacts,
  idOf,
  readFacts,
  recordById,
  type FactChange,
} from './stored-facts.ts';

export const RANGE_DELETIONS = 'config.rangeDeletions';

/** Documents of one transaction. */
const BATCH_COUNT = 128;
const REMOVAL_POLL_MS = 20;

export interface RangeDeletion {
  readonly migrationId: RawValue;
  readonly namespace: string;
  /** 32 hexadecimal digits. */
  readonly uuid: string;
  readonly pattern: Buffer;
  readonly min: Buffer;
  readonly max: Buffer;
  readonly donor: string;
  /** The removal waits for orphanCleanupDelaySecs; absent: it begins at once. */
  readonly isDelayed?: boolean;
}

/** A new task that does nothing yet. */
export function pendingTask(task: RangeDeletion): FactChange {
  const value = documentOf({
    _id: task.migrationId,
    nss: task.namespace,
    collectionUuid: uuidValue(task.uuid),
    donorShardId: task.donor,
    range: documentOf({ min: task.min, max: task.max }),
    keyPattern: task.pattern,
    pending: booleanValue(true),
    whenToClean: stringValue(task.isDelayed === true ? 'delayed' : 'now'),
  });
  return { namespace: RANGE_DELETIONS, id: task.migrationId, value };
}

/** The task goes: nothing of its range is superfluous. */
export function droppedTask(migrationId: RawValue): FactChange {
  return { namespace: RANGE_DELETIONS, id: migrationId, value: undefined };
}

/** The task may begin; undefined when there is none. */
export async function readyTask(
  op: OperationContext,
  migrationId: RawValue,
): Promise<FactChange | undefined> {
  for (const document of await readFacts(op, RANGE_DELETIONS)) {
    if (!idOf(document).toBytes().equals(migrationId.toBytes())) continue;
    const ready = unsetField(document, 'pending');
    const value = setField(ready, 'readySince', dateValue(op.service.clock.wallMs()));
    return { namespace: RANGE_DELETIONS, id: migrationId, value };
  }
  return undefined;
}

/** The collection has another name now. */
export async function renameTasks(
  transaction: Transaction,
  uuid: string,
  namespace: string,
): Promise<void> {
  const collection = transaction.collection(RANGE_DELETIONS);
  if (collection === undefined) return;
  const tasks: Buffer[] = [];
  const cursor = transaction.scanRecords(collection);
  try {
    while (await cursor.next()) tasks.push(Buffer.from(cursor.document));
  } finally {
    cursor.close();
  }
  for (const task of tasks) {
    if (taskFrom(task).uuid !== uuid) continue;
    const value = setField(task, 'nss', stringValue(namespace));
    await changeFact(transaction, { namespace: RANGE_DELETIONS, id: idOf(task), value });
  }
}

/** Documents of the collection are here, or may be, that do not count. */
export async function hasTasks(op: OperationContext, uuid: string): Promise<boolean> {
  const tasks = await readFacts(op, RANGE_DELETIONS);
  return tasks.some((document) => taskFrom(document).uuid === uuid);
}

/** Waits until nothing of the collection is left that is to be removed, or may be. */
export async function waitForRemovals(op: OperationContext, uuid: string): Promise<void> {
  while (await hasTasks(op, uuid)) await op.sleep(REMOVAL_POLL_MS);
}

/** Waits until what a migration left here is removed, whatever else is still to be removed. */
export async function waitForRemoval(op: OperationContext, migrationId: RawValue): Promise<void> {
  while ((await recordById(op.renewView(), RANGE_DELETIONS, migrationId)) !== undefined) {
    await op.sleep(REMOVAL_POLL_MS);
  }
}

/** Of the tasks, pending or not, those that overlap. */
export async function overlappingTasks(
  op: OperationContext,
  uuid: string,
  range: KeyTextRange,
): Promise<Buffer[]> {
  const tasks = await readFacts(op, RANGE_DELETIONS);
  return tasks.filter((document) => {
    const task = taskFrom(document);
    return task.uuid === uuid && task.range.min < range.max && range.min < task.range.max;
  });
}

/** Does all that is ready. @returns whether something is left to do later */
export async function runRangeDeletions(
  op: OperationContext,
  state: ShardingState,
): Promise<boolean> {
  let isLeft = false;
  for (const document of await readFacts(op, RANGE_DELETIONS)) {
    if (getField(document, 'pending') !== undefined) continue;
    if (isTooEarly(op, document) || !(await runTask(op, state, document))) isLeft = true;
  }
  return isLeft;
}

function isTooEarly({ service }: OperationContext, task: Buffer): boolean {
  if (getField(task, 'whenToClean')?.asString() !== 'delayed') return false;
  const delayMs = service.parameters.get('orphanCleanupDelaySecs') * 1000;
  const sinceMs = getField(task, 'readySince')?.asDateMs() ?? 0;
  return service.clock.wallMs() < sinceMs + delayMs;
}

interface Task {
  readonly namespace: string;
  readonly uuid: string;
  readonly pattern: ShardKeyPattern;
  readonly range: KeyTextRange;
}

function taskFrom(document: Buffer): Task {
  const pattern = ShardKeyPattern.parse(field(document, 'keyPattern').asDocument());
  const range = field(document, 'range').asDocument();
  return {
    namespace: field(document, 'nss').asString(),
    uuid: field(document, 'collectionUuid').asBinary().bytes.toString('hex'),
    pattern,
    range: {
      min: pattern.boundText(field(range, 'min').asDocument()),
      max: pattern.boundText(field(range, 'max').asDocument()),
    },
  };
}

/** The task's range by the collection's key as it is now: it may have been refined since. */
function rangeBy(pattern: ShardKeyPattern, document: Buffer): KeyTextRange {
  const range = field(document, 'range').asDocument();
  const textOf = (name: 'min' | 'max'): KeyText =>
    pattern.boundText(pattern.extendedBound(field(range, name).asDocument()));
  return { min: textOf('min'), max: textOf('max') };
}

function field(document: Buffer, name: string): RawValue {
  const value = getField(document, name);
  if (value !== undefined) return value;
  throw new Error(`config.rangeDeletions: a task without ${name}`);
}

/** @returns false when it has to wait */
async function runTask(
  op: OperationContext,
  state: ShardingState,
  document: Buffer,
): Promise<boolean> {
  const task = taskFrom(document);
  const collectionState = state.collection(task.namespace);
  const known = await state.refresh(op, task.namespace);
  if (collectionState.earlierIsUsed(task.uuid)) return false;
  const { routing } = known;
  const isSame = routing?.entry.uuid === task.uuid;
  const { shardName } = state.requiredIdentity;
  const isOwned =
    isSame &&
    [...routing.chunks.overlapping(rangeBy(routing.entry.pattern, document))].some(
      ({ shard }) => shard === shardName,
    );
  await pauseAtStep(op, 'suspendRangeDeletion');
  if (isSame && !isOwned) await deleteRange(op, task);
  await changeFacts(op, [droppedTask(idOf(document))]);
  return true;
}

/** Removes every document of a range. The caller knows that none of them counts. */
export async function deleteRange(op: OperationContext, task: Task): Promise<void> {
  while ((await deleteOnce(op, task)) > 0);
}

/** One walk over the range: from the beginning again for each batch it would pass all that is deleted already. @returns how many went */
async function deleteOnce(op: OperationContext, task: Task): Promise<number> {
  let total = 0;
  const collection = op.renewView().collection(task.namespace);
  if (collection === undefined || collection.uuid !== task.uuid) return total;
  const cursor = op
    .view()
    .scanIndex(shardKeyIndex(collection, task.pattern), indexRange(task.range), 1);
  try {
    for (let isEnd = false; !isEnd;) {
      const batch: RecordId[] = [];
      while (batch.length < BATCH_COUNT && !isEnd) {
        if (cursor.next()) batch.push(cursor.recordId);
        else isEnd = true;
      }
      cursor.detach();
      total += await deleteRecords(op, task, batch);
      await op.yield();
      cursor.attach(op.renewView());
    }
  } finally {
    cursor.close();
  }
  return total;
}

function deleteRecords(
  op: OperationContext,
  task: Task,
  batch: readonly RecordId[],
): MaybePromise<number> {
  return op.transact(async (transaction) => {
    let count = 0;
    const current = transaction.collection(task.namespace);
    if (current === undefined || current.uuid !== task.uuid) return count;
    for (const recordId of batch) {
      const stored = await transaction.record(current, recordId);
      if (stored === undefined || !isInRange(stored, task)) continue;
      transaction.delete(current, recordId, stored);
      count += 1;
    }
    return count;
  });
}

function isInRange(document: Buffer, { pattern, range }: Task): boolean {
  const { text } = pattern.keyOf(document);
  return text >= range.min && text < range.max;
}
