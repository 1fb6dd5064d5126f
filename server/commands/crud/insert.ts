/**
 * insert: adds documents to a collection, which is created when it is not there.
 *
 * Documents are stored in transactions of a few at a time: cheap per document, and no client waits long for its turn.
 * An error leaves the documents before it stored, as in MongoDB.
 * Source: MongoDB's manual, "insert".
 */
import type { CommandError } from '../../../common/errors.ts';
import type { MaybePromise, Transaction } from '../../../storage/index.ts';
import { checkWritable } from '../../catalog/namespace.ts';
import { documentToInsert } from '../../catalog/stored-document.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { insertMeasurements } from './insert-measurements.ts';
import { RecordWriter, writerForInsert } from './record-writer.ts';
import {
  appendWriteErrors,
  checkBatchCount,
  parseWriteOptions,
  statementError,
  type WriteError,
  type WriteOptions,
} from './write-batch.ts';

export interface InsertRequest extends WriteOptions {
  readonly documents: readonly Buffer[];
  /** Empty timestamps are stored as they are. */
  readonly keepEmptyTimestamps: boolean;
}

export interface InsertResult {
  readonly insertedCount: number;
  readonly errors: readonly WriteError[];
}

/** One transaction holds at most so many documents and, unless one is larger, so many bytes. */
const TRANSACTION_COUNT = 128;
const TRANSACTION_BYTES = 256 * 1024;

export const insert = defineCommand({
  name: 'insert',
  help: 'Inserts documents into a collection.',
  kind: 'write',
  access: { action: 'insert', on: 'collection' },
  route: 'shardsOfDocuments',
  apiVersions: ['1'],
  counter: 'none',
  parse: (body): InsertRequest => {
    const documents = body.documents('documents');
    checkBatchCount(documents.length);
    const keepEmptyTimestamps = body.safeBoolean('bypassEmptyTsReplacement', false);
    // Named one by one: a spread costs as much as all the rest of this function.
    const { namespace, ordered, bypassValidation } = parseWriteOptions(body);
    return { namespace, ordered, bypassValidation, documents, keepEmptyTimestamps };
  },
  execute: (request, op) => {
    checkWritable(request.namespace);
    return insertDocuments(op, request);
  },
  reply:
    ({ insertedCount, errors }) =>
    (out) => {
      out.appendInt32('n', insertedCount);
      appendWriteErrors(out, errors);
    },
});

/** Runs an insert, or a run of inserts into one collection of bulkWrite. */
export function insertDocuments(
  op: OperationContext,
  request: InsertRequest,
): MaybePromise<InsertResult> {
  const first = insertSlice(op, request, 0);
  if (!(first instanceof Promise) && first.next >= request.documents.length) {
    return conclude(op, first.insertedCount, first.errors);
  }
  return insertSlices(op, request, first);
}

async function insertSlices(
  op: OperationContext,
  request: InsertRequest,
  first: MaybePromise<SliceResult>,
): Promise<InsertResult> {
  let slice = await first;
  let insertedCount = slice.insertedCount;
  const errors = [...slice.errors];
  while (slice.next < request.documents.length) {
    if (request.ordered && errors.length > 0) break;
    await op.yield();
    slice = await insertSlice(op, request, slice.next);
    insertedCount += slice.insertedCount;
    errors.push(...slice.errors);
  }
  return conclude(op, insertedCount, errors);
}

function conclude(
  op: OperationContext,
  insertedCount: number,
  errors: readonly WriteError[],
): InsertResult {
  op.service.metrics.operations.insert += insertedCount + errors.length;
  op.service.metrics.documents.inserted += insertedCount;
  op.report.insertedCount = (op.report.insertedCount ?? 0) + insertedCount;
  return { insertedCount, errors };
}

interface SliceResult {
  readonly insertedCount: number;
  readonly errors: readonly WriteError[];
  /** Index of the first document that was not tried; past the end when the batch is over. */
  readonly next: number;
}

/** Stores documents from `start` on in one transaction. */
function insertSlice(
  op: OperationContext,
  request: InsertRequest,
  start: number,
): MaybePromise<SliceResult> {
  return op.transact((transaction) => {
    const { documents, namespace, ordered } = request;
    const collection = transaction.collection(namespace);
    const timeseries = timeseriesOf(transaction, collection);
    if (timeseries !== undefined) {
      return insertMeasurements(op, transaction, timeseries, request, start);
    }
    const target: InsertTarget = {
      transaction,
      request,
      writer:
        collection === undefined || collection.kind === 'view'
          ? undefined
          : new RecordWriter(op, transaction, collection, request),
    };
    const errors: WriteError[] = [];
    let insertedCount = 0;
    let bytes = 0;
    let next = start;
    while (
      next < documents.length &&
      next - start < TRANSACTION_COUNT &&
      bytes < TRANSACTION_BYTES
    ) {
      const document = documents[next];
      const error = tryInsert(op, target, document);
      // A large document after small ones begins a transaction of its own.
      if (error?.codeName === 'TransactionTooLargeForCache' && insertedCount > 0) break;
      if (error === undefined) insertedCount += 1;
      else errors.push({ index: next, error });
      bytes += document.length;
      next += 1;
      if (error !== undefined && ordered) return { insertedCount, errors, next: documents.length };
    }
    return { insertedCount, errors, next };
  });
}

/** Where the documents of one transaction go. */
interface InsertTarget {
  readonly transaction: Transaction;
  readonly request: InsertRequest;
  /** undefined when there is no collection to write to: the first document that can be stored creates it. */
  readonly writer: RecordWriter | undefined;
}

function tryInsert(
  op: OperationContext,
  { transaction, request, writer }: InsertTarget,
  document: Buffer,
): CommandError | undefined {
  const savepoint = transaction.savepoint();
  try {
    const complete = documentToInsert(document, op.service.stamps, request.keepEmptyTimestamps);
    (writer ?? writerForInsert(op, transaction, request)).insert(complete);
    return undefined;
  } catch (error) {
    const known = statementError(op, error);
    transaction.rollbackTo(savepoint);
    return known;
  }
}
