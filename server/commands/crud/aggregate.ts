/**
 * aggregate: runs a pipeline over a collection, or over no collection at all.
 * Source: MongoDB's manual, "aggregate".
 */
import { BsonType, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  type AggregateRequest,
  compileCollation,
  involvedNamespaces,
  planAggregate,
  type QueryContext,
  type QueryPlan,
} from '../../../query/index.ts';
import type { MaybePromise, ReadView } from '../../../storage/index.ts';
import { namespaceOf, splitNamespace } from '../../catalog/namespace.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import { nestedBody } from '../../command/nested-body.ts';
import type { ReplyBody } from '../../command/reply.ts';
import { firstBatch } from '../../cursors/first-batch.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { admitInvolved } from '../../sharding/involved-collections.ts';
import { explainReply } from './explain-reply.ts';
import { openPlan } from './find.ts';
import { mergesIntoItsInput } from './merge-target.ts';
import { defaultCollationOf, queryContext } from './query-context.ts';
import { pipelineHost } from './server-sources.ts';
import { hintIn } from './statement.ts';

export interface AggregateCommandRequest {
  readonly namespace: string;
  readonly pipeline: readonly Buffer[];
  readonly hint: string | Buffer | undefined;
  readonly allowDiskUse: boolean | undefined;
  readonly collation: Buffer | undefined;
  readonly variables: Buffer | undefined;
  readonly batchSize: number | undefined;
  readonly isExplain: boolean;
  readonly bypassValidation: boolean;
}

export const aggregate = defineCommand({
  name: 'aggregate',
  help: 'Runs an aggregation pipeline.',
  kind: 'read',
  takesWriteConcern: true,
  access: { action: 'find', on: 'collection' },
  route: 'shardsOfFilter',
  apiVersions: ['1'],
  parse: (body) => parseAggregate(body),
  plan: (request, op) => ({ request, plan: planAggregateCommand(request, op) }),
  execute: ({ request, plan }, op): MaybePromise<ReplyBody> => {
    if (request.isExplain) return explainReply(plan, 'queryPlanner', op, op.commandBody);
    return firstBatch(op, {
      namespace: request.namespace,
      producer: openPlan(plan, op, {
        isStable: mergesIntoItsInput(request.pipeline, [request.namespace, plan.namespace]),
      }),
      batchSize: request.batchSize,
    });
  },
  reply: (body) => body,
});

/** @param isExplained it stands inside explain, which says how much to tell. */
export function parseAggregate(body: CommandBody, isExplained = false): AggregateCommandRequest {
  const namespace = namespaceOfTarget(body);
  const wantsExplain = body.safeBoolean('explain', false);
  uassert(
    !wantsExplain || !isExplained,
    'FailedToParse',
    "The 'explain' option is illegal when a explain verbosity is also provided",
  );
  const isExplain = wantsExplain || isExplained;
  const request: AggregateCommandRequest = {
    namespace,
    pipeline: stagesOf(body),
    hint: hintIn(body),
    allowDiskUse: body.safeBoolean('allowDiskUse', undefined),
    collation: body.document('collation', undefined),
    variables: body.document('let', undefined),
    batchSize: batchSizeOf(body, isExplain),
    isExplain,
    bypassValidation: body.safeBoolean('bypassDocumentValidation', false),
  };
  body.expectCollection();
  body.refuse('encryptionInformation', 'exchange', 'fromMongos', 'needsMerge');
  body.refuse('isMapReduceCommand', 'requestReshardingResumeToken', 'requestResumeToken');
  body.refuse('resumeAfter', 'startAt', 'includeQueryStatsMetrics');
  return request;
}

/** In place of a collection's name, as MongoDB's replies show it. */
const NO_COLLECTION = '$cmd.aggregate';

/** `aggregate: 1` is for pipelines that bring their own documents. */
function namespaceOfTarget(body: CommandBody): string {
  const { target, database } = body;
  if (!target.isNumber) return body.collection();
  if (target.asNumber() !== 1) {
    throw new CommandError(
      'FailedToParse',
      "Invalid command format: the 'aggregate' field must specify a collection name or 1",
    );
  }
  body.namespace = namespaceOf(database, NO_COLLECTION);
  return body.namespace;
}

function stagesOf(body: CommandBody): Buffer[] {
  const value = body.value('pipeline');
  if (value === undefined) throw body.missing('pipeline');
  if (value.type !== BsonType.array) {
    throw new CommandError('TypeMismatch', "'pipeline' option must be specified as an array");
  }
  return body.array('pipeline').map(stageOf);
}

function stageOf(stage: RawValue): Buffer {
  if (stage.type === BsonType.object) return stage.asDocument();
  throw new CommandError('TypeMismatch', "Each element of the 'pipeline' array must be an object");
}

function batchSizeOf(body: CommandBody, isExplain: boolean): number | undefined {
  const cursor = body.value('cursor');
  if (cursor === undefined) {
    if (isExplain) return undefined;
    throw new CommandError(
      'FailedToParse',
      "The 'cursor' option is required, except for aggregate with the explain argument",
    );
  }
  if (cursor.type !== BsonType.object) {
    throw new CommandError('TypeMismatch', 'cursor field must be missing or an object');
  }
  const options = nestedBody('aggregate.cursor', cursor.asDocument(), body);
  const batchSize = options.limit('batchSize');
  options.rejectUnknownFields();
  return batchSize;
}

/** A view that the pipeline joins compares as it was created to compare. @throws CommandError OptionNotSupportedOnView */
function checkInvolvedViews(
  view: ReadView,
  { namespace, pipeline }: AggregateCommandRequest,
  context: QueryContext,
): void {
  const { database } = splitNamespace(namespace);
  for (const involved of involvedNamespaces(pipeline, database)) {
    const collection = view.collection(involved);
    if (collection?.kind !== 'view') continue;
    const own = defaultCollationOf(collection);
    const collator = own === undefined ? undefined : compileCollation(own);
    // Collators are made once per set of options.
    if (collator === context.collator) continue;
    throw new CommandError(
      'OptionNotSupportedOnView',
      `Cannot override a view's default collation: ${involved}`,
    );
  }
}

export function planAggregateCommand(
  request: AggregateCommandRequest,
  op: OperationContext,
): QueryPlan {
  const { namespace, pipeline, hint, allowDiskUse, collation, variables } = request;
  uassert(
    pipeline.length > 0 || !namespace.endsWith(`.${NO_COLLECTION}`),
    'InvalidNamespace',
    '{aggregate: 1} is not valid for an empty pipeline.',
  );
  const view = op.view();
  const collection = view.collection(namespace);
  admitInvolved(op, { view, namespace, collection, pipeline });
  const context = queryContext(op, { collation, variables, collection });
  checkInvolvedViews(view, request, context);
  const aggregateRequest: AggregateRequest = {
    namespace,
    pipeline,
    host: pipelineHost(op, { context, bypassValidation: request.bypassValidation }),
    ...(hint === undefined ? {} : { hint }),
    ...(allowDiskUse === undefined ? {} : { allowDiskUse }),
  };
  return planAggregate(view, collection, aggregateRequest, context);
}
