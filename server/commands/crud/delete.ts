/**
 * delete: removes one document or all that match.
 * Source: MongoDB's manual, "delete".
 */
import { CommandError } from '../../../common/errors.ts';
import { explainWrite } from '../../../query/index.ts';
import type { CollectionDescription, MaybePromise } from '../../../storage/index.ts';
import { checkNotView, checkWritable } from '../../catalog/namespace.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import { nestedBody } from '../../command/nested-body.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { deleteMeasurement, deleteMeasurements, measurementTarget } from './delete-measurements.ts';
import {
  changeEach,
  findFirst,
  type FoundRecord,
  planTarget,
  type PrepareTarget,
  type WriteTarget,
  writeTarget,
} from './matching-records.ts';
import type { Explainable } from './explain-reply.ts';
import { queryContext } from './query-context.ts';
import { RecordWriter } from './record-writer.ts';
import { hintIn } from './statement.ts';
import {
  appendWriteErrors,
  checkBatchCount,
  onlyStatement,
  parseWriteOptions,
  runStatements,
  type WriteError,
  type WriteOptions,
} from './write-batch.ts';

/** One entry of `deletes`. */
export interface DeleteStatement {
  readonly filter: Buffer;
  readonly isMulti: boolean;
  readonly collation: Buffer | undefined;
  readonly hint: string | Buffer | undefined;
}

export interface DeleteRequest extends WriteOptions {
  readonly deletes: readonly DeleteStatement[];
  readonly variables: Buffer | undefined;
}

export interface DeleteResult {
  readonly deletedCount: number;
  readonly errors: readonly WriteError[];
}

export const deleteCommand = defineCommand({
  name: 'delete',
  help: 'Deletes documents of a collection.',
  kind: 'write',
  access: { action: 'remove', on: 'collection' },
  route: 'shardsOfFilter',
  apiVersions: ['1'],
  counter: 'none',
  parse: parseDeleteRequest,
  execute: (request, op) => {
    checkWritable(request.namespace);
    return runDeletes(op, request);
  },
  reply:
    ({ deletedCount, errors }) =>
    (out) => {
      out.appendInt32('n', deletedCount);
      appendWriteErrors(out, errors);
    },
});

export function parseDeleteRequest(body: CommandBody): DeleteRequest {
  const deletes = body.documents('deletes');
  checkBatchCount(deletes.length);
  return {
    ...parseWriteOptions(body),
    deletes: deletes.map((bytes) => parseStatement(bytes, body)),
    variables: body.document('let', undefined),
  };
}

function parseStatement(bytes: Buffer, parent: CommandBody): DeleteStatement {
  const body = nestedBody('delete.deletes', bytes, parent);
  const filter = body.document('q');
  const limit = body.number('limit');
  if (limit !== 0 && limit !== 1) {
    throw new CommandError(
      'FailedToParse',
      `The limit field in delete objects must be 0 or 1. Got ${limit}`,
    );
  }
  const statement: DeleteStatement = {
    filter,
    isMulti: limit === 0,
    collation: body.document('collation', undefined),
    hint: hintIn(body),
  };
  body.refuse('sampleId');
  body.rejectUnknownFields();
  return statement;
}

/** Runs the statements of a delete, or of one operation of bulkWrite. */
export function runDeletes(
  op: OperationContext,
  request: DeleteRequest,
): MaybePromise<DeleteResult> {
  let deletedCount = 0;
  const conclude = (errors: readonly WriteError[]): DeleteResult => {
    op.report.deletedCount = (op.report.deletedCount ?? 0) + deletedCount;
    op.service.metrics.documents.deleted += deletedCount;
    return { deletedCount, errors };
  };
  const errors = runStatements(op, {
    statements: request.deletes,
    ordered: request.ordered,
    run: (statement) => {
      op.service.metrics.operations.delete += 1;
      const prepare: PrepareTarget = (collection) => targetOf(op, request, statement, collection);
      return statement.isMulti
        ? deleteMany(op, request.namespace, prepare)
        : deleteOne(op, request.namespace, prepare);
    },
    done: (count) => {
      deletedCount += count;
    },
  });
  return errors instanceof Promise ? errors.then(conclude) : conclude(errors);
}

/** What the one statement of a delete would do. @throws CommandError InvalidLength for several. */
export function planDeleteForExplain(request: DeleteRequest, op: OperationContext): Explainable {
  const statement = onlyStatement(request.deletes);
  const view = op.view();
  const collection = view.collection(request.namespace);
  checkNotView(collection);
  const target = targetOf(op, request, statement, collection);
  const timeseries = timeseriesOf(view, collection);
  const plan =
    timeseries === undefined
      ? planTarget(view, collection, target, request.namespace)
      : planTarget(
          view,
          timeseries.buckets,
          measurementTarget(timeseries, target.find, target.context).buckets,
        );
  return explainWrite(plan, {
    stage: statement.isMulti ? 'BATCHED_DELETE' : 'DELETE',
    multi: statement.isMulti,
    upsert: false,
    changes: () => true,
  });
}

function targetOf(
  op: OperationContext,
  request: DeleteRequest,
  { filter, hint, isMulti, collation }: DeleteStatement,
  collection: CollectionDescription | undefined,
): WriteTarget {
  const context = queryContext(op, { variables: request.variables, collation, collection });
  return writeTarget(
    { filter, ...(hint === undefined ? {} : { hint }), ...(isMulti ? {} : { limit: 1 }) },
    context,
  );
}

function deleteOne(
  op: OperationContext,
  namespace: string,
  prepare: PrepareTarget,
): MaybePromise<number> {
  return op.transact((transaction) => {
    const collection = transaction.collection(namespace);
    checkNotView(collection);
    const target = prepare(collection);
    if (collection === undefined) return 0;
    const timeseries = timeseriesOf(transaction, collection);
    if (timeseries !== undefined) {
      const wanted = measurementTarget(timeseries, target.find, target.context);
      return deleteMeasurement(op, transaction, timeseries, wanted).then((removed) =>
        removed === undefined ? 0 : 1,
      );
    }
    const remove = (record: FoundRecord | undefined): number => {
      if (record === undefined) return 0;
      new RecordWriter(op, transaction, collection).delete(record.recordId, record.document);
      return 1;
    };
    const found = findFirst(op, transaction, collection, target);
    return found instanceof Promise ? found.then(remove) : remove(found);
  });
}

async function deleteMany(
  op: OperationContext,
  namespace: string,
  prepare: PrepareTarget,
): Promise<number> {
  const view = op.renewView();
  const timeseries = timeseriesOf(view, view.collection(namespace));
  if (timeseries !== undefined) {
    const { find, context } = prepare(timeseries.shown);
    return deleteMeasurements(op, timeseries, measurementTarget(timeseries, find, context));
  }
  const { matchedCount } = await changeEach(
    op,
    { namespace, prepare },
    (writer, { recordId, document }) => {
      writer.delete(recordId, document);
      return true;
    },
  );
  return matchedCount;
}
