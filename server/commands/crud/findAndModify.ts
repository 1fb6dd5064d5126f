/**
 * findAndModify: changes or removes one document and answers with it, as it was or as it became.
 * Source: MongoDB's manual, "findAndModify".
 */
import { EMPTY_DOCUMENT, isEmpty, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  compileProjection,
  explainWrite,
  type Projection,
  type QueryContext,
  type Update,
} from '../../../query/index.ts';
import type { CollectionDescription, MaybePromise, Transaction } from '../../../storage/index.ts';
import { checkNotView, checkWritable } from '../../catalog/namespace.ts';
import { type TimeseriesCollection, timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { deleteMeasurement, measurementTarget } from './delete-measurements.ts';
import {
  findFirst,
  type FoundRecord,
  planTarget,
  whenPrepared,
  type WriteTarget,
  writeTarget,
} from './matching-records.ts';
import type { Explainable } from './explain-reply.ts';
import { queryContext } from './query-context.ts';
import { RecordWriter } from './record-writer.ts';
import { compileStatementUpdate, hintIn } from './statement.ts';
import { applyUpdate, changesOf, upsertInto } from './update.ts';
import { checkSeriesUpdate } from './update-series.ts';

export interface FindAndModifyRequest {
  readonly namespace: string;
  readonly filter: Buffer;
  readonly sort: Buffer | undefined;
  readonly fields: Buffer | undefined;
  readonly remove: boolean;
  readonly update: RawValue | undefined;
  /** Answer with the document as it became. */
  readonly returnNew: boolean;
  readonly upsert: boolean;
  readonly arrayFilters: readonly Buffer[] | undefined;
  readonly hint: string | Buffer | undefined;
  readonly collation: Buffer | undefined;
  readonly variables: Buffer | undefined;
  readonly bypassValidation: boolean;
  /** Empty timestamps of a replacement are stored as they are. */
  readonly keepEmptyTimestamps: boolean;
}

interface FindAndModifyResult {
  readonly count: 0 | 1;
  /** Absent for a removal. */
  readonly updatedExisting?: boolean;
  readonly upsertedId?: RawValue;
  readonly value: Buffer | null;
}

export const findAndModify = defineCommand({
  name: 'findAndModify',
  aliases: ['findandmodify'],
  help: 'Updates or removes one document and returns it.',
  kind: 'write',
  access: { action: 'update', on: 'collection' },
  route: 'shardsOfFilter',
  apiVersions: ['1'],
  parse: parseFindAndModify,
  execute: (request, op) => {
    checkWritable(request.namespace);
    const done = run(op, request);
    return done instanceof Promise
      ? done.then((result) => noteResult(op, result))
      : noteResult(op, done);
  },
  reply: ({ count, updatedExisting, upsertedId, value }) => ({
    lastErrorObject: { n: count, updatedExisting, upserted: upsertedId },
    value,
  }),
});

function noteResult(
  { report, service }: OperationContext,
  result: FindAndModifyResult,
): FindAndModifyResult {
  const { documents } = service.metrics;
  if (result.updatedExisting === undefined) {
    report.deletedCount = result.count;
    documents.deleted += result.count;
  } else if (result.updatedExisting) {
    report.matchedCount = 1;
    documents.updated += 1;
  } else if (result.upsertedId !== undefined) {
    report.upsertedCount = 1;
    documents.inserted += 1;
  }
  return result;
}

export function parseFindAndModify(body: CommandBody): FindAndModifyRequest {
  const namespace = body.collection();
  const update = body.value('update');
  const request: FindAndModifyRequest = {
    namespace,
    filter: body.document('query', EMPTY_DOCUMENT),
    sort: body.document('sort', undefined),
    fields: body.document('fields', undefined),
    remove: body.safeBoolean('remove', false),
    update: update?.isNullish === true ? undefined : update,
    returnNew: body.safeBoolean('new', false),
    upsert: body.safeBoolean('upsert', false),
    arrayFilters: body.documents('arrayFilters', undefined),
    hint: hintIn(body),
    collation: body.document('collation', undefined),
    variables: body.document('let', undefined),
    bypassValidation: body.safeBoolean('bypassDocumentValidation', false),
    keepEmptyTimestamps: body.safeBoolean('bypassEmptyTsReplacement', false),
  };
  body.expectCollection();
  body.refuse('encryptionInformation', 'sampleId');
  checkCombination(request);
  return request;
}

function checkCombination({
  remove,
  update,
  upsert,
  returnNew,
  arrayFilters,
}: FindAndModifyRequest): void {
  const refuse = (message: string): never => {
    throw new CommandError('FailedToParse', message);
  };
  if (!remove) {
    if (update === undefined) refuse('Either an update or remove=true must be specified');
    return;
  }
  if (update !== undefined) refuse('Cannot specify both an update and remove=true');
  if (upsert) refuse('Cannot specify both upsert=true and remove=true');
  if (returnNew) {
    refuse(
      "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document",
    );
  }
  if (arrayFilters !== undefined) refuse('Cannot specify arrayFilters and remove=true');
}

/** What a findAndModify would do. */
export function planFindAndModifyForExplain(
  request: FindAndModifyRequest,
  op: OperationContext,
): Explainable {
  const { collation, variables, namespace } = request;
  const view = op.view();
  const collection = view.collection(namespace);
  checkNotView(collection);
  const context = queryContext(op, { variables, collation, collection });
  const target = findAndModifyTarget(request, context);
  const { remove, upsert, update, arrayFilters } = request;
  const timeseries = timeseriesOf(view, collection);
  if (timeseries !== undefined) {
    checkOnTimeseries(request);
    const { buckets } = measurementTarget(timeseries, target.find, context);
    return explainWrite(planTarget(view, timeseries.buckets, buckets), {
      stage: 'DELETE',
      multi: false,
      upsert,
      changes: () => true,
    });
  }
  const compiled =
    remove || update === undefined
      ? undefined
      : compileStatementUpdate({ update, upsert, multi: false, arrayFilters }, context);
  return explainWrite(planTarget(view, collection, target, namespace), {
    stage: compiled === undefined ? 'DELETE' : 'UPDATE',
    multi: false,
    upsert,
    changes: compiled === undefined ? () => true : changesOf(target, compiled),
  });
}

function findAndModifyTarget(request: FindAndModifyRequest, context: QueryContext): WriteTarget {
  const { filter, sort, hint } = request;
  return writeTarget(
    {
      filter,
      limit: 1,
      ...(sort === undefined ? {} : { sort }),
      ...(hint === undefined ? {} : { hint }),
    },
    context,
  );
}

/** The compiled parts of one findAndModify. */
interface Compiled {
  readonly target: WriteTarget;
  readonly update: Update | undefined;
  readonly projection: Projection | undefined;
}

function compile(
  op: OperationContext,
  request: FindAndModifyRequest,
  collection: CollectionDescription | undefined,
): Compiled {
  const { fields, remove, update, upsert, arrayFilters, collation, variables } = request;
  const { keepEmptyTimestamps } = request;
  const context = queryContext(op, { variables, collation, collection });
  const target = findAndModifyTarget(request, context);
  return {
    target,
    update:
      remove || update === undefined
        ? undefined
        : compileStatementUpdate(
            { update, upsert, multi: false, arrayFilters, keepEmptyTimestamps },
            context,
          ),
    projection:
      fields === undefined
        ? undefined
        : compileProjection(fields, { context, filter: target.filter }),
  };
}

function run(
  op: OperationContext,
  request: FindAndModifyRequest,
): MaybePromise<FindAndModifyResult> {
  return op.transact((transaction) => {
    const collection = transaction.collection(request.namespace);
    checkNotView(collection);
    const compiled = compile(op, request, collection);
    const timeseries = timeseriesOf(transaction, collection);
    if (timeseries !== undefined) {
      return removeMeasurement(op, transaction, timeseries, request, compiled);
    }
    const change = (record: FoundRecord | undefined): MaybePromise<FindAndModifyResult> =>
      record === undefined || collection === undefined
        ? changeNothing(op, transaction, request, compiled)
        : changeRecord(
            op,
            new RecordWriter(op, transaction, collection, request),
            request,
            compiled,
            record,
          );
    if (collection === undefined) return change(undefined);
    const found = findFirst(op, transaction, collection, compiled.target);
    return found instanceof Promise ? found.then(change) : change(found);
  });
}

/** A time series lets a measurement be removed, and changes none. @throws CommandError InvalidOptions */
function checkOnTimeseries({ remove, upsert, sort }: FindAndModifyRequest): void {
  if (!remove) checkSeriesUpdate({ multi: false, upsert });
  uassert(
    sort === undefined || isEmpty(sort),
    'InvalidOptions',
    'Cannot perform findAndModify with sort on a timeseries collection',
  );
}

async function removeMeasurement(
  op: OperationContext,
  transaction: Transaction,
  timeseries: TimeseriesCollection,
  request: FindAndModifyRequest,
  compiled: Compiled,
): Promise<FindAndModifyResult> {
  checkOnTimeseries(request);
  const { find, context } = compiled.target;
  const target = measurementTarget(timeseries, find, context);
  const removed = await deleteMeasurement(op, transaction, timeseries, target);
  if (removed === undefined) return { count: 0, value: null };
  return { count: 1, value: await project(op, compiled, removed) };
}

function changeNothing(
  op: OperationContext,
  transaction: Transaction,
  request: FindAndModifyRequest,
  compiled: Compiled,
): MaybePromise<FindAndModifyResult> {
  if (compiled.update === undefined) return { count: 0, value: null };
  if (!request.upsert) return { count: 0, updatedExisting: false, value: null };
  const upserted = upsertInto(op, transaction, request, compiled.target, compiled.update);
  return after(upserted, ({ upsertedId, document }) =>
    after(request.returnNew ? project(op, compiled, document) : null, (value) => ({
      count: 1,
      updatedExisting: false,
      upsertedId,
      value,
    })),
  );
}

/** Goes on with a value, at once when it is there. */
function after<Value, Result>(
  value: MaybePromise<Value>,
  then: (value: Value) => MaybePromise<Result>,
): MaybePromise<Result> {
  return value instanceof Promise ? value.then(then) : then(value);
}

function changeRecord(
  op: OperationContext,
  writer: RecordWriter,
  request: FindAndModifyRequest,
  compiled: Compiled,
  record: FoundRecord,
): MaybePromise<FindAndModifyResult> {
  const { document, recordId } = record;
  const { target, update } = compiled;
  if (update === undefined) {
    writer.delete(recordId, document);
    return after(project(op, compiled, document), (value) => ({ count: 1, value }));
  }
  const updated = applyUpdate(op, writer, target, update, record);
  return after(updated, (changed) =>
    after(project(op, compiled, request.returnNew ? changed : document), (value) => ({
      count: 1,
      updatedExisting: true,
      value,
    })),
  );
}

function project(
  op: OperationContext,
  { projection, target }: Compiled,
  document: Buffer,
): MaybePromise<Buffer> {
  if (projection === undefined) return document;
  const position = projection.needsPosition ? target.filter.matchPosition(document) : undefined;
  const apply = (): Buffer => projection.apply(document, position);
  return whenPrepared(op, target.context, projection.usesScripts, apply, apply);
}
