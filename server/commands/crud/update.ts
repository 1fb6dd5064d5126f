/**
 * update: changes one document or all that match, or inserts one when none does (upsert).
 * Source: MongoDB's manual, "update".
 */
import type { DocumentBuilder, RawValue } from '../../../bson/index.ts';
import { getField, indexName } from '../../../bson/index.ts';
import { tassert, uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../../common/limits.ts';
import {
  evaluateInSlices,
  needsWatch,
  explainWrite,
  type QueryContext,
  type Update,
} from '../../../query/index.ts';
import type { CollectionDescription, MaybePromise, Transaction } from '../../../storage/index.ts';
import { checkNotView, checkWritable } from '../../catalog/namespace.ts';
import { documentToInsert } from '../../catalog/stored-document.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import { nestedBody } from '../../command/nested-body.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import {
  changeEach,
  findFirst,
  type FoundRecord,
  planTarget,
  whenPrepared,
  type WriteTarget,
  writeTarget,
} from './matching-records.ts';
import type { Explainable } from './explain-reply.ts';
import { queryContext } from './query-context.ts';
import { RecordWriter, writerForInsert, type WriterOptions } from './record-writer.ts';
import { compileStatementUpdate, hintIn } from './statement.ts';
import { checkSeriesUpdate, compileSeriesUpdate, updateSeries } from './update-series.ts';
import {
  appendWriteErrors,
  checkBatchCount,
  onlyStatement,
  parseWriteOptions,
  runStatements,
  type WriteError,
  type WriteOptions,
} from './write-batch.ts';

/** One entry of `updates`. */
export interface UpdateStatement {
  readonly filter: Buffer;
  readonly update: RawValue;
  readonly constants: Buffer | undefined;
  readonly multi: boolean;
  readonly upsert: boolean;
  readonly collation: Buffer | undefined;
  readonly arrayFilters: readonly Buffer[] | undefined;
  readonly hint: string | Buffer | undefined;
  readonly sort: Buffer | undefined;
}

export interface UpdateRequest extends WriteOptions {
  readonly updates: readonly UpdateStatement[];
  readonly variables: Buffer | undefined;
  /** Empty timestamps of replacements are stored as they are. */
  readonly keepEmptyTimestamps?: boolean;
}

/** What one statement did. */
interface StatementResult {
  readonly matchedCount: number;
  readonly modifiedCount: number;
  readonly upsertedId?: RawValue;
}

export interface UpdateResult {
  readonly matchedCount: number;
  readonly modifiedCount: number;
  readonly upserted: readonly { readonly index: number; readonly id: RawValue }[];
  readonly errors: readonly WriteError[];
}

export const update = defineCommand({
  name: 'update',
  help: 'Updates documents of a collection.',
  kind: 'write',
  access: { action: 'update', on: 'collection' },
  route: 'shardsOfFilter',
  apiVersions: ['1'],
  counter: 'none',
  parse: parseUpdateRequest,
  execute: (request, op) => {
    checkWritable(request.namespace);
    return runUpdates(op, request);
  },
  reply: (result) => (out) => replyTo(out, result),
});

export function parseUpdateRequest(body: CommandBody): UpdateRequest {
  const updates = body.documents('updates');
  checkBatchCount(updates.length);
  return {
    ...parseWriteOptions(body),
    keepEmptyTimestamps: body.safeBoolean('bypassEmptyTsReplacement', false),
    updates: updates.map((bytes) => parseUpdateStatement(bytes, body)),
    variables: body.document('let', undefined),
  };
}

/** Reads one entry of `updates`. */
function parseUpdateStatement(bytes: Buffer, parent: CommandBody): UpdateStatement {
  const body = nestedBody('update.updates', bytes, parent);
  const update = body.value('u');
  if (update === undefined) throw body.missing('u');
  const statement: UpdateStatement = {
    filter: body.document('q'),
    update,
    constants: body.document('c', undefined),
    multi: body.boolean('multi', false),
    upsert: body.boolean('upsert', false),
    collation: body.document('collation', undefined),
    arrayFilters: body.documents('arrayFilters', undefined),
    hint: hintIn(body),
    sort: body.document('sort', undefined),
  };
  body.refuse('sampleId', 'upsertSupplied');
  body.rejectUnknownFields();
  if (statement.multi && statement.sort !== undefined) {
    throw new CommandError('FailedToParse', 'Cannot specify sort with multi=true');
  }
  return statement;
}

/** Runs the statements of an update, or of one operation of bulkWrite. */
export function runUpdates(
  op: OperationContext,
  request: UpdateRequest,
): MaybePromise<UpdateResult> {
  let matchedCount = 0;
  let modifiedCount = 0;
  const upserted: { index: number; id: RawValue }[] = [];
  const conclude = (errors: readonly WriteError[]): UpdateResult => {
    noteUpdates(op, { matchedCount, modifiedCount, upsertedCount: upserted.length });
    return { matchedCount, modifiedCount, upserted, errors };
  };
  const errors = runStatements(op, {
    statements: request.updates,
    ordered: request.ordered,
    run: (statement) => {
      op.service.metrics.operations.update += 1;
      return runStatement(op, request, statement);
    },
    done: (result, index) => {
      matchedCount += result.matchedCount;
      modifiedCount += result.modifiedCount;
      if (result.upsertedId !== undefined) upserted.push({ index, id: result.upsertedId });
    },
  });
  return errors instanceof Promise ? errors.then(conclude) : conclude(errors);
}

function noteUpdates(
  { report, service }: OperationContext,
  done: { matchedCount: number; modifiedCount: number; upsertedCount: number },
): void {
  // A bulkWrite has several.
  report.matchedCount = (report.matchedCount ?? 0) + done.matchedCount;
  report.modifiedCount = (report.modifiedCount ?? 0) + done.modifiedCount;
  if (done.upsertedCount > 0) {
    report.upsertedCount = (report.upsertedCount ?? 0) + done.upsertedCount;
  }
  service.metrics.documents.updated += done.modifiedCount;
  service.metrics.documents.inserted += done.upsertedCount;
}

function replyTo(out: DocumentBuilder, result: UpdateResult): void {
  out.appendInt32('n', result.matchedCount + result.upserted.length);
  if (result.upserted.length > 0) {
    out.beginArray('upserted');
    for (const [position, { index, id }] of result.upserted.entries()) {
      out.beginDocument(indexName(position)).appendInt32('index', index).append('_id', id).end();
    }
    out.end();
  }
  out.appendInt32('nModified', result.modifiedCount);
  appendWriteErrors(out, result.errors);
}

function runStatement(
  op: OperationContext,
  request: UpdateRequest,
  statement: UpdateStatement,
): MaybePromise<StatementResult> {
  const { keepEmptyTimestamps } = request;
  const prepare: PrepareUpdate = (collection) => {
    const context = queryContext(op, {
      variables: request.variables,
      collation: statement.collation,
      collection,
    });
    const target = targetOf(statement, context);
    const parts = { ...statement, keepEmptyTimestamps };
    return { target, compiled: compileStatementUpdate(parts, context) };
  };
  return statement.multi
    ? updateMany(op, request, statement, prepare)
    : updateOne(op, request, prepare, statement);
}

/** A statement compiled for the collection that it meets. */
type PrepareUpdate = (collection: CollectionDescription | undefined) => {
  readonly target: WriteTarget;
  readonly compiled: Update;
};

/** What the one statement of an update would do. @throws CommandError InvalidLength for several. */
export function planUpdateForExplain(request: UpdateRequest, op: OperationContext): Explainable {
  const statement = onlyStatement(request.updates);
  const view = op.view();
  const collection = view.collection(request.namespace);
  checkNotView(collection);
  const context = queryContext(op, {
    variables: request.variables,
    collation: statement.collation,
    collection,
  });
  const { multi, upsert } = statement;
  const timeseries = timeseriesOf(view, collection);
  if (timeseries !== undefined) {
    const series = compileSeriesUpdate(timeseries, statement, context);
    return explainWrite(planTarget(view, timeseries.buckets, series.target), {
      stage: 'UPDATE',
      multi,
      upsert,
      changes: changesOf(series.target, series.compiled),
    });
  }
  const target = targetOf(statement, context);
  const changes = changesOf(target, compileStatementUpdate(statement, context));
  return explainWrite(planTarget(view, collection, target, request.namespace), {
    stage: 'UPDATE',
    multi,
    upsert,
    changes,
  });
}

/** Whether an update would change a document that it finds. */
export function changesOf(target: WriteTarget, compiled: Update): (document: Buffer) => boolean {
  return (document) => {
    const position = compiled.needsPosition ? target.filter.matchPosition(document) : undefined;
    return compiled.apply(document, position) !== document;
  };
}

/** The search of an update statement. */
function targetOf(statement: UpdateStatement, context: QueryContext): WriteTarget {
  const { filter, hint, sort, multi } = statement;
  return writeTarget(
    {
      filter,
      ...(hint === undefined ? {} : { hint }),
      ...(sort === undefined ? {} : { sort }),
      ...(multi ? {} : { limit: 1 }),
    },
    context,
  );
}

function updateOne(
  op: OperationContext,
  request: UpdateRequest,
  prepare: PrepareUpdate,
  statement: UpdateStatement,
): MaybePromise<StatementResult> {
  const { upsert } = statement;
  return op.transact((transaction) => {
    const collection = transaction.collection(request.namespace);
    checkNotView(collection);
    if (collection?.kind === 'timeseries') checkSeriesUpdate(statement);
    const { target, compiled } = prepare(collection);
    const apply = (record: FoundRecord | undefined): MaybePromise<StatementResult> => {
      if (collection === undefined || record === undefined) {
        return upsert ? upsertInto(op, transaction, request, target, compiled) : NOTHING_MATCHED;
      }
      const writer = new RecordWriter(op, transaction, collection, request);
      const modified = applyUpdate(op, writer, target, compiled, record);
      const counted = (after: Buffer): StatementResult => ({
        matchedCount: 1,
        modifiedCount: after === record.document ? 0 : 1,
      });
      return modified instanceof Promise ? modified.then(counted) : counted(modified);
    };
    if (collection === undefined) return apply(undefined);
    const found = findFirst(op, transaction, collection, target);
    return found instanceof Promise ? found.then(apply) : apply(found);
  });
}

const NOTHING_MATCHED: StatementResult = { matchedCount: 0, modifiedCount: 0 };

async function updateMany(
  op: OperationContext,
  request: UpdateRequest,
  statement: UpdateStatement,
  prepare: PrepareUpdate,
): Promise<StatementResult> {
  const view = op.renewView();
  const timeseries = timeseriesOf(view, view.collection(request.namespace));
  if (timeseries !== undefined) {
    const context = queryContext(op, {
      variables: request.variables,
      collation: statement.collation,
      collection: timeseries.shown,
    });
    return updateSeries(op, timeseries, statement, context);
  }
  let update: Update | undefined;
  const { matchedCount, changedCount } = await changeEach(
    op,
    {
      namespace: request.namespace,
      bypassValidation: request.bypassValidation ?? false,
      prepare: (collection) => {
        const { target, compiled } = prepare(collection);
        update = compiled;
        return target;
      },
      evaluate: (document) => {
        if (update?.usesScripts === true || update?.longWork !== undefined) update?.apply(document);
      },
      longWork: () => update?.longWork,
    },
    (writer, record, target) => {
      tassert(update !== undefined, 'an update was not compiled');
      return writeUpdate(writer, target, update, record) !== record.document;
    },
  );
  if (matchedCount === 0 && statement.upsert) {
    return op.transact((transaction) => {
      const { target, compiled } = prepare(transaction.collection(request.namespace));
      return upsertInto(op, transaction, request, target, compiled);
    });
  }
  return { matchedCount, modifiedCount: changedCount };
}

/** Applies an update to one record. @returns the document as it is now: the same Buffer when nothing changed. */
export function applyUpdate(
  op: OperationContext,
  writer: RecordWriter,
  target: WriteTarget,
  compiled: Update,
  record: FoundRecord,
): MaybePromise<Buffer> {
  const evaluate = (): void => void compiled.apply(record.document);
  const write = (): Buffer => writeUpdate(writer, target, compiled, record);
  if (needsWatch(compiled.longWork, record.document) && compiled.usesScripts !== true) {
    const { clock } = op.service;
    return evaluateInSlices(record.document, clock, evaluate, op).then(write);
  }
  return whenPrepared(op, target.context, compiled.usesScripts === true, evaluate, write);
}

function writeUpdate(
  writer: RecordWriter,
  target: WriteTarget,
  compiled: Update,
  record: FoundRecord,
): Buffer {
  const { recordId, document } = record;
  const position = compiled.needsPosition ? target.filter.matchPosition(document) : undefined;
  const after = compiled.apply(document, position);
  if (after !== document) writer.update(recordId, document, after);
  return after;
}

/** Inserts the document of an upsert. */
export function upsertInto(
  op: OperationContext,
  transaction: Transaction,
  into: WriterOptions & { readonly namespace: string },
  target: WriteTarget,
  compiled: Update,
): MaybePromise<UpsertResult> {
  const { filter } = target.find;
  return whenPrepared(
    op,
    target.context,
    compiled.usesScripts === true,
    () => void compiled.upsertDocument(filter),
    () => insertUpserted(op, transaction, into, compiled.upsertDocument(filter)),
  );
}

type UpsertResult = StatementResult & { readonly upsertedId: RawValue; readonly document: Buffer };

function insertUpserted(
  op: OperationContext,
  transaction: Transaction,
  into: WriterOptions & { readonly namespace: string },
  upserted: Buffer,
): UpsertResult {
  uassert(
    upserted.length <= MAX_BSON_OBJECT_BYTES,
    17420,
    `Document to upsert is larger than ${MAX_BSON_OBJECT_BYTES}`,
  );
  // A replacement has its times by now; what modifiers say stays.
  const document = documentToInsert(upserted, op.service.stamps, true);
  const upsertedId = getField(document, '_id');
  tassert(upsertedId !== undefined, 'an upsert lost its _id');
  writerForInsert(op, transaction, into).insert(document);
  return { matchedCount: 0, modifiedCount: 0, upsertedId, document };
}
