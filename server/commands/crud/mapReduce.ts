/**
 * mapReduce: an aggregation written as two JavaScript functions. Deprecated, and a pipeline behind its face as in MongoDB.
 * Source: MongoDB's manual, "mapReduce".
 */
import {
  arrayValue,
  ArrayBuilder,
  BsonType,
  documentOf,
  documentValue,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  int64Value,
  isEmpty,
  type RawValue,
  stringValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../../common/limits.ts';
import { planAggregate, type QueryPlan } from '../../../query/index.ts';
import { checkHasRecords } from '../../catalog/namespace.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';
import type { CursorProducer } from '../../cursors/cursor-registry.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { admitInvolved } from '../../sharding/involved-collections.ts';
import { openPlan } from './find.ts';
import { queryContext } from './query-context.ts';
import { pipelineHost } from './server-sources.ts';

/** Where the result goes. */
type Output =
  | { readonly kind: 'inline' }
  | {
      readonly kind: 'replace' | 'merge' | 'reduce';
      /** undefined: the database of the command. */
      readonly database: string | undefined;
      readonly collection: string;
    };

export interface MapReduceRequest {
  readonly namespace: string;
  readonly database: string;
  readonly map: string;
  readonly reduce: string;
  readonly finalize: string | undefined;
  readonly out: Output;
  readonly filter: Buffer;
  readonly sort: Buffer | undefined;
  readonly limit: number | undefined;
  readonly scope: Buffer | undefined;
  readonly collation: Buffer | undefined;
  readonly bypassValidation: boolean;
}

export const mapReduce = defineCommand({
  name: 'mapReduce',
  aliases: ['mapreduce'],
  help: 'Runs an aggregation of two JavaScript functions. Deprecated.',
  kind: 'read',
  takesWriteConcern: true,
  access: { action: 'find', on: 'collection' },
  route: 'shardsOfFilter',
  parse: parseMapReduce,
  plan: (request, op) => ({ request, plan: planMapReduce(request, op) }),
  execute: async ({ request, plan }, op): Promise<ReplyFields> => {
    const results = await inContext(() => resultsOf(openPlan(plan, op)));
    return replyTo(request, results);
  },
  reply: (fields) => fields,
});

export function parseMapReduce(body: CommandBody): MapReduceRequest {
  const namespace = body.collection();
  const request: MapReduceRequest = {
    namespace,
    database: body.database,
    map: codeIn(body, 'map'),
    reduce: codeIn(body, 'reduce'),
    finalize: finalizeIn(body),
    out: outputOf(body),
    filter: body.document('query', EMPTY_DOCUMENT),
    sort: body.document('sort', undefined),
    limit: body.limit('limit'),
    scope: body.document('scope', undefined),
    collation: body.document('collation', undefined),
    bypassValidation: body.safeBoolean('bypassDocumentValidation', false),
  };
  // jsMode was a way to run it, verbose a matter of the reply; both have no effect since MongoDB 4.4.
  body.boolean('jsMode', false);
  body.boolean('verbose', false);
  body.refuse('readOnce', 'encryptionInformation');
  return request;
}

function codeIn(body: CommandBody, name: string): string {
  const value = body.value(name);
  if (value === undefined) throw body.missing(name);
  return codeOf(name, value);
}

function codeOf(name: string, value: RawValue): string {
  uassert(
    value.type === BsonType.string || value.type === BsonType.javascript,
    'BadValue',
    `'${name}' must be of string or code type`,
  );
  return value.asString();
}

function finalizeIn(body: CommandBody): string | undefined {
  const value = body.value('finalize');
  return value === undefined || value.isNullish ? undefined : codeOf('finalize', value);
}

function outputOf(body: CommandBody): Output {
  const out = body.value('out');
  if (out === undefined) throw body.missing('out');
  if (out.type === BsonType.string) {
    return { kind: 'replace', database: undefined, collection: out.asString() };
  }
  uassert(out.type === BsonType.object, 'BadValue', "'out' must be either a string or an object");
  const given = out.asDocument();
  const inline = getField(given, 'inline');
  if (inline === undefined) return collectionOutput(given);
  uassert(countOf(given) === 1, 'InvalidOptions', "'inline' must be specified alone");
  uassert(inline.asNumber() === 1, 'BadValue', "'inline' takes only numeric '1'");
  return { kind: 'inline' };
}

function countOf(document: Buffer): number {
  return ['inline', 'replace', 'merge', 'reduce', 'db', 'sharded', 'nonAtomic'].filter(
    (name) => getField(document, name) !== undefined,
  ).length;
}

function collectionOutput(given: Buffer): Output {
  const kind = (['replace', 'merge', 'reduce'] as const).find(
    (name) => getField(given, name) !== undefined,
  );
  if (kind === undefined) {
    throw new CommandError('BadValue', "'out' requires 'replace', 'merge' or 'reduce'");
  }
  const collection = getField(given, kind);
  uassert(
    collection?.type === BsonType.string,
    'BadValue',
    `'${kind}' supports only string consisting of output collection name`,
  );
  const database = getField(given, 'db');
  uassert(
    database === undefined || database.type === BsonType.string,
    'BadValue',
    'db field value must be string',
  );
  const name = database?.asString();
  uassert(
    name === undefined || !['admin', 'config', 'local'].includes(name),
    'CommandNotSupported',
    'cannot target internal database as output',
  );
  checkFlag(given, 'nonAtomic');
  checkFlag(given, 'sharded');
  const known = [kind, 'db', 'nonAtomic', 'sharded'];
  uassert(
    Array.from(fieldsOf(given)).every(([field]) => known.includes(field)),
    'BadValue',
    "'out' supports only output type with collection name, optional 'sharded' and optional 'db'",
  );
  uassert(
    getField(given, 'sharded') === undefined,
    'InvalidOptions',
    'Cannot use mapReduce to create a new sharded collection. Please create and shard the target collection before proceeding.',
  );
  return { kind, database: name, collection: collection.asString() };
}

function checkFlag(given: Buffer, name: string): void {
  const value = getField(given, name);
  if (value === undefined) return;
  uassert(value.type === BsonType.bool, 'BadValue', `${name} field value must be boolean`);
  uassert(value.asBoolean(), 'BadValue', `${name} field value must be true`);
}

/** Runs it by whatever opens its pipeline. */
export function mapReduceOver(
  request: MapReduceRequest,
  open: (pipeline: readonly Buffer[]) => Promise<CursorProducer>,
): Promise<ReplyFields> {
  return inContext(async () => replyTo(request, await resultsOf(await open(pipelineOf(request)))));
}

/** How it would run, for explain and for running it. */
export function planMapReduce(request: MapReduceRequest, op: OperationContext): QueryPlan {
  checkOutput(request, op);
  const { namespace, collation, scope } = request;
  const view = op.view();
  const collection = view.collection(namespace);
  uassert(
    collection?.kind !== 'view',
    'CommandNotSupportedOnView',
    'mapReduce on a view is not supported',
  );
  uassert(
    op.service.scripts !== undefined,
    31246,
    'Cannot run server-side javascript without the javascript engine enabled',
  );
  const pipeline = pipelineOf(request);
  admitInvolved(op, { view, namespace, collection, pipeline });
  const context = queryContext(op, {
    collation,
    collection,
    isMapReduce: true,
    scriptScope: scope,
  });
  const host = pipelineHost(op, { context, bypassValidation: request.bypassValidation });
  return inContextNow(() =>
    planAggregate(view, collection, { namespace, pipeline, host }, context),
  );
}

/** A result is no measurement. @throws CommandError CommandNotSupportedOnView */
function checkOutput({ out, database }: MapReduceRequest, op: OperationContext): void {
  if (out.kind === 'inline') return;
  checkHasRecords(op.view().collection(`${out.database ?? database}.${out.collection}`));
}

function pipelineOf(request: MapReduceRequest): Buffer[] {
  const { map, reduce, finalize, filter, sort, limit } = request;
  const stages: Buffer[] = [];
  if (!isEmpty(filter)) stages.push(documentOf({ $match: filter }));
  if (sort !== undefined) {
    uassert(!isEmpty(sort), 15976, 'The mapReduce sort option must have at least one sort key');
    stages.push(documentOf({ $sort: sort }));
  }
  if (limit !== undefined && limit > 0) {
    stages.push(documentOf({ $limit: int64Value(BigInt(limit)) }));
  }
  const emit = documentOf({ eval: stringValue(map), this: stringValue('$$ROOT') });
  stages.push(
    documentOf({ $project: documentOf({ _id: 0, emits: documentOf({ $_internalJsEmit: emit }) }) }),
    documentOf({ $unwind: stringValue('$emits') }),
    documentOf({
      $group: documentOf({
        _id: stringValue('$emits.k'),
        value: documentOf({
          $_internalJsReduce: documentOf({
            data: stringValue('$emits'),
            eval: stringValue(reduce),
          }),
        }),
      }),
    }),
  );
  if (finalize !== undefined) stages.push(finalizing(finalize, { _id: 1 }));
  const output = outputStage(request);
  if (output !== undefined) stages.push(output);
  return stages;
}

function functionOf(body: string, args: readonly RawValue[]): Buffer {
  return documentOf({
    $function: documentOf({
      body: stringValue(body),
      args: listOf(args),
      lang: stringValue('js'),
    }),
  });
}

function listOf(values: readonly RawValue[]): RawValue {
  const list = new ArrayBuilder();
  for (const value of values) list.push(value);
  return arrayValue(list.finish());
}

function finalizing(finalize: string, kept: { readonly _id?: number }): Buffer {
  const value = functionOf(finalize, [stringValue('$_id'), stringValue('$value')]);
  return documentOf({ $project: documentOf({ ...kept, value }) });
}

function outputStage({ out, database, reduce, finalize }: MapReduceRequest): Buffer | undefined {
  if (out.kind === 'inline') return undefined;
  const into = documentOf({
    db: stringValue(out.database ?? database),
    coll: stringValue(out.collection),
  });
  switch (out.kind) {
    case 'replace':
      return documentOf({ $out: into });
    case 'merge':
      return mergeStage(into, stringValue('replace'));
    case 'reduce': {
      const both = listOf([stringValue('$value'), stringValue('$$new.value')]);
      const value = functionOf(reduce, [stringValue('$_id'), both]);
      const pipeline = [documentOf({ $project: documentOf({ value }) })];
      if (finalize !== undefined) pipeline.push(finalizing(finalize, {}));
      return mergeStage(into, listOf(pipeline.map((stage) => documentValue(stage))));
    }
  }
}

function mergeStage(into: Buffer, whenMatched: RawValue): Buffer {
  return documentOf({
    $merge: documentOf({
      into,
      on: stringValue('_id'),
      whenMatched,
      whenNotMatched: stringValue('insert'),
    }),
  });
}

/** Everything that is no mistake of the command's own words is shown as an error inside mapReduce. */
async function inContext<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    throw withContext(error);
  }
}

function inContextNow<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw withContext(error);
  }
}

function withContext(error: unknown): unknown {
  if (!(error instanceof CommandError) || error.message.startsWith('The mapReduce ')) return error;
  return new CommandError(error.code, `MapReduce internal error :: caused by :: ${error.message}`, {
    cause: error,
  });
}

async function resultsOf(producer: CursorProducer): Promise<readonly Buffer[]> {
  const results: Buffer[] = [];
  let bytes = 0;
  try {
    for (let next = await producer.next(); next !== undefined; next = await producer.next()) {
      bytes += next.length;
      uassert(
        bytes <= MAX_BSON_OBJECT_BYTES,
        'BSONObjectTooLarge',
        `the results of a mapReduce with 'inline' exceed ${MAX_BSON_OBJECT_BYTES} bytes`,
      );
      results.push(next);
    }
  } finally {
    producer.close();
  }
  return results;
}

function replyTo({ out }: MapReduceRequest, results: readonly Buffer[]): ReplyFields {
  if (out.kind === 'inline') return { results };
  const { database, collection } = out;
  return {
    result: database === undefined ? collection : { db: database, collection },
  };
}
