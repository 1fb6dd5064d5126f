/**
 * Finding the records that a write statement changes: shared by update, delete and findAndModify.
 *
 * One document is found and changed in one transaction. Many are found by a scan that holds no snapshot, a batch at a
 * time; each is read again in the transaction that changes it, and left alone when it does not match any more.
 * Source: MongoDB's manual, "Atomicity and Transactions": a multi-document write is atomic document by document.
 */
import {
  compileQueryFilter,
  evaluateInSlices,
  type LongWork,
  needsWatch,
  type Filter,
  type FindRequest,
  planInSlices,
  planQuery,
  type PlanExecutor,
  type QueryContext,
  type QueryPlan,
  type ScriptTrial,
} from '../../../query/index.ts';
import {
  KeysPendingError,
  type CollectionDescription,
  type MaybePromise,
  type ReadView,
  type RecordId,
  type Transaction,
} from '../../../storage/index.ts';
import { tassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { checkNotView } from '../../catalog/namespace.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { RecordWriter, type WriterOptions } from './record-writer.ts';

/** A record as a write found it. */
export interface FoundRecord {
  readonly recordId: RecordId;
  readonly document: Buffer;
}

/** What a statement looks for. */
export interface WriteTarget {
  readonly find: FindRequest;
  readonly context: QueryContext;
  readonly filter: Filter;
}

export function writeTarget(find: FindRequest, context: QueryContext): WriteTarget {
  return { find, context, filter: compileQueryFilter(find.filter, context) };
}

/**
 * Plans the search in a view; the collection may be missing.
 * @param namespace that explain shows then.
 */
export function planTarget(
  view: ReadView,
  collection: CollectionDescription | undefined,
  target: WriteTarget,
  namespace?: string,
): QueryPlan {
  const find = namespace === undefined ? target.find : { ...target.find, namespace };
  return planQuery(view, collection, find, target.context);
}

/** The first record that matches, or undefined. Synchronous when no page has to be read and the search is short. */
export function findFirst(
  op: OperationContext,
  transaction: Transaction,
  collection: CollectionDescription,
  target: WriteTarget,
): MaybePromise<FoundRecord | undefined> {
  const executor = planTarget(transaction, collection, target).open(transaction, op);
  const found = (document: Buffer | undefined): FoundRecord | undefined => {
    const recordId = executor.recordId;
    executor.close();
    if (document === undefined) return undefined;
    tassert(recordId !== undefined, 'a write plan lost the record of its document');
    return { recordId, document };
  };
  try {
    const document = executor.next();
    if (!(document instanceof Promise)) return found(document);
    return document.then(found, (error: unknown) => {
      executor.close();
      throw error;
    });
  } catch (error) {
    executor.close();
    throw error;
  }
}

/** How the target is compiled for a collection: its default collation, for one, comes from there. */
export type PrepareTarget = (collection: CollectionDescription | undefined) => WriteTarget;

/** Most records that one transaction of a multi-document write changes. */
const BATCH_COUNT = 128;

/**
 * Calls `change` for every record that matches, in transactions of a batch each.
 * @param change returns false when it left the record as it was. What it throws ends the write; records before stay changed.
 * @param evaluate what `change` evaluates on a document, when that contains scripts.
 * @returns how many records matched, and how many changed.
 */
export async function changeEach(
  op: OperationContext,
  options: ChangeOptions,
  change: ChangeRecord,
): Promise<{ matchedCount: number; changedCount: number }> {
  const view = op.renewView();
  const collection = view.collection(options.namespace);
  checkNotView(collection);
  const { target, plan } = await planInSlices(op, op.service.clock, () => {
    const compiled = options.prepare(collection);
    return { target: compiled, plan: planTarget(view, collection, compiled) };
  });
  if (collection === undefined) return { matchedCount: 0, changedCount: 0 };
  const executor = plan.open(view, op, {
    ...op.planOptions,
    renewView: () => op.renewView(),
    forWrites: true,
    // Only record ids are taken: each record is read again in the transaction that changes it.
    inPlace: true,
  });
  let matchedCount = 0;
  let changedCount = 0;
  try {
    for (;;) {
      let recordIds = await nextRecordIds(executor);
      if (recordIds.length === 0) break;
      executor.detach();
      while (recordIds.length > 0) {
        const batch = await op.transact((transaction) =>
          changeBatch({ op, transaction, collection, target, recordIds, options, change }),
        );
        matchedCount += batch.matchedCount;
        changedCount += batch.changedCount;
        if (batch.error !== undefined) throw batch.error;
        recordIds = recordIds.slice(batch.triedCount);
        await op.yield();
      }
      executor.attach(op.renewView(), op);
    }
  } finally {
    executor.close();
  }
  return { matchedCount, changedCount };
}

export interface ChangeOptions extends WriterOptions {
  readonly namespace: string;
  readonly prepare: PrepareTarget;
  /** What the change evaluates on a document, for the scripts in it. */
  readonly evaluate?: (document: Buffer) => void;
  /** What it evaluates may take long. */
  readonly longWork?: () => LongWork | undefined;
}

type ChangeRecord = (writer: RecordWriter, record: FoundRecord, target: WriteTarget) => boolean;

async function nextRecordIds(executor: PlanExecutor): Promise<RecordId[]> {
  const recordIds: RecordId[] = [];
  while (recordIds.length < BATCH_COUNT) {
    const next = executor.next();
    const document = next instanceof Promise ? await next : next;
    if (document === undefined) break;
    tassert(executor.recordId !== undefined, 'a write plan lost the record of its document');
    recordIds.push(executor.recordId);
  }
  return recordIds;
}

interface Batch {
  readonly op: OperationContext;
  readonly transaction: Transaction;
  readonly collection: CollectionDescription;
  readonly target: WriteTarget;
  readonly recordIds: readonly RecordId[];
  readonly options: ChangeOptions;
  readonly change: ChangeRecord;
}

interface BatchResult {
  readonly matchedCount: number;
  readonly changedCount: number;
  /** Those after them did not fit into the transaction with them. */
  readonly triedCount: number;
  /** Of the record that could not be changed: it is as it was, and those after it were not tried. */
  readonly error?: CommandError;
}

/**
 * Calls `then` once the scripts that `evaluate` reaches have run, so that it finds their results.
 * @param usesScripts false: it reaches none.
 */
export function whenPrepared<Result>(
  op: OperationContext,
  context: QueryContext,
  usesScripts: boolean,
  evaluate: () => void,
  then: () => Result,
): MaybePromise<Result> {
  const session = usesScripts ? context.scripts?.running : undefined;
  if (session === undefined) return then();
  const finish = (trial: ScriptTrial): Result => {
    session.replay(trial);
    try {
      return then();
    } finally {
      session.release(trial);
    }
  };
  const trial = session.prepare(evaluate, op);
  return trial instanceof Promise ? trial.then(finish) : finish(trial);
}

/** Runs the scripts that a batch will need, in one hop. undefined: it needs none. */
async function prepareBatch(
  { op, transaction, target, recordIds, options }: Batch,
  collection: CollectionDescription,
): Promise<{ replay(index: number): MaybePromise<void> } | undefined> {
  const session = target.context.scripts?.running;
  if (session === undefined) return undefined;
  const trials: (ScriptTrial | undefined)[] = [];
  for (const recordId of recordIds) {
    const read = transaction.record(collection, recordId);
    const document = read instanceof Promise ? await read : read;
    trials.push(
      document &&
        session.begin(() => {
          if (target.filter.matches(document)) options.evaluate?.(document);
        }),
    );
  }
  const present = trials.filter((trial) => trial !== undefined);
  op.onRelease(() => {
    for (const trial of present) session.release(trial);
  });
  const settleFrom = (index: number): Promise<void> =>
    session.settle(
      trials.slice(index).filter((trial) => trial !== undefined),
      op,
    );
  return {
    replay: (index) => {
      const [before, trial] = [trials[index - 1], trials[index]];
      if (before !== undefined) session.release(before);
      if (trial === undefined) return undefined;
      if (trial.isSettled) return session.replay(trial);
      return settleFrom(index).then(() => session.replay(trial));
    },
  };
}

/** What takes long is evaluated under a watch first; the change then finds it done. */
async function evaluateWatched({ op, target, options }: Batch, document: Buffer): Promise<void> {
  const isLong =
    needsWatch(target.filter.longWork, document) || needsWatch(options.longWork?.(), document);
  if (!isLong) return;
  const evaluate = (): void => {
    if (target.filter.matches(document)) options.evaluate?.(document);
  };
  await evaluateInSlices(document, op.service.clock, evaluate, op);
}

async function changeBatch(batch: Batch): Promise<BatchResult> {
  const { transaction, target, change } = batch;
  let matchedCount = 0;
  let changedCount = 0;
  const collection = transaction.collectionByUuid(batch.collection.uuid);
  const all = batch.recordIds.length;
  // Dropped in the meantime: nothing is left to change.
  if (collection === undefined) return { matchedCount, changedCount, triedCount: all };
  const writer = new RecordWriter(batch.op, transaction, collection, batch.options);
  const prepared = await prepareBatch(batch, collection);
  for (const [index, recordId] of batch.recordIds.entries()) {
    const read = transaction.record(collection, recordId);
    const document = read instanceof Promise ? await read : read;
    const ready = prepared?.replay(index);
    if (ready !== undefined) await ready;
    if (document !== undefined) await evaluateWatched(batch, document);
    if (document === undefined || !target.filter.matches(document)) continue;
    const savepoint = transaction.savepoint();
    try {
      if (change(writer, { recordId, document }, target)) changedCount += 1;
    } catch (error) {
      // Large documents: those before make a transaction of their own, and are not changed again for each that is waited for.
      if (changedCount > 0 && endsBatch(error)) {
        transaction.rollbackTo(savepoint);
        return { matchedCount, changedCount, triedCount: index };
      }
      if (!(error instanceof CommandError)) throw error;
      transaction.rollbackTo(savepoint);
      return { matchedCount, changedCount, triedCount: index, error };
    }
    matchedCount += 1;
  }
  return { matchedCount, changedCount, triedCount: all };
}

/** The transaction has no room for the record, or its index keys are still being made. */
function endsBatch(error: unknown): boolean {
  return (
    error instanceof KeysPendingError ||
    (error instanceof CommandError && error.codeName === 'TransactionTooLargeForCache')
  );
}
