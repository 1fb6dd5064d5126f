/**
 * find: the documents that match a filter, in batches.
 * Source: MongoDB's manual, "find".
 */
import {
  compareDocuments,
  documentOf,
  EMPTY_DOCUMENT,
  getField,
  isEmpty,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  type FindRequest,
  planQuery,
  type PlanExecutor,
  type QueryPlan,
  type RunningPlan,
} from '../../../query/index.ts';
import type { CollectionUuid, MaybePromise, ReadView } from '../../../storage/index.ts';
import { cappedLimitsOf } from '../../catalog/capped-collections.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { CursorProducer, CursorReader } from '../../cursors/cursor-registry.ts';
import { firstBatch } from '../../cursors/first-batch.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { admitInvolved } from '../../sharding/involved-collections.ts';
import { queryContext } from './query-context.ts';
import { hintIn } from './statement.ts';

export interface FindCommandRequest {
  readonly namespace: string;
  readonly find: FindRequest;
  readonly collation: Buffer | undefined;
  readonly variables: Buffer | undefined;
  readonly batchSize: number | undefined;
  readonly singleBatch: boolean;
  readonly noCursorTimeout: boolean;
  readonly awaitData: boolean;
}

export const find = defineCommand({
  name: 'find',
  help: 'Selects documents of a collection and returns a cursor to them.',
  kind: 'read',
  access: { action: 'find', on: 'collection' },
  route: 'shardsOfFilter',
  apiVersions: ['1'],
  unstableFields: [
    'awaitData',
    'max',
    'min',
    'noCursorTimeout',
    'oplogReplay',
    'returnKey',
    'showRecordId',
    'tailable',
    'term',
    'readOnce',
    'allowPartialResults',
    'requestResumeToken',
    'resumeAfter',
    'startAt',
  ],
  counter: 'query',
  parse: parseFind,
  plan: (request, op) => ({ request, plan: planFindCommand(request, op) }),
  execute: ({ request, plan }, op) =>
    firstBatch(op, {
      namespace: request.namespace,
      producer: openPlan(plan, op, {
        limit: request.find.limit ?? 0,
        tailed: tailedBy(request, op),
        isEmpty: op.view().collection(request.namespace) === undefined,
      }),
      batchSize: request.batchSize,
      singleBatch: request.singleBatch,
      noTimeout: request.noCursorTimeout,
      tailable: request.find.tailable === true,
      awaitData: request.awaitData,
    }),
  reply: (body) => body,
});

export function parseFind(body: CommandBody): FindCommandRequest {
  const namespace = body.collection();
  const request: FindCommandRequest = {
    namespace,
    find: {
      namespace,
      filter: body.document('filter', EMPTY_DOCUMENT),
      sort: body.document('sort', undefined),
      projection: body.document('projection', undefined),
      skip: body.limit('skip'),
      limit: body.limit('limit'),
      hint: hintIn(body),
      min: body.document('min', undefined),
      max: body.document('max', undefined),
      returnKey: body.safeBoolean('returnKey', undefined),
      showRecordId: body.safeBoolean('showRecordId', undefined),
      allowDiskUse: body.safeBoolean('allowDiskUse', undefined),
      tailable: body.safeBoolean('tailable', undefined),
    },
    collation: body.document('collation', undefined),
    variables: body.document('let', undefined),
    batchSize: body.limit('batchSize'),
    singleBatch: body.safeBoolean('singleBatch', false),
    noCursorTimeout: body.safeBoolean('noCursorTimeout', false),
    awaitData: body.safeBoolean('awaitData', false),
  };
  checkTailable(request);
  // oplogReplay has had no effect since MongoDB 4.4; partial results are a matter of routers.
  body.ignore('oplogReplay', 'allowPartialResults', 'allowSpeculativeMajorityRead');
  body.expectCollection();
  body.refuse('encryptionInformation', 'resumeAfter');
  body.refuse(
    'startAt',
    'requestResumeToken',
    'readOnce',
    'term',
    'mirrored',
    'includeQueryStatsMetrics',
  );
  return request;
}

/** What goes with a cursor that stays open at the end. */
function checkTailable({ find, awaitData, singleBatch }: FindCommandRequest): void {
  if (find.tailable !== true) {
    uassert(!awaitData, 'FailedToParse', "Cannot set 'awaitData' without also setting 'tailable'");
    return;
  }
  const { sort } = find;
  uassert(
    sort === undefined || isEmpty(sort) || compareDocuments(sort, NATURAL_ORDER) === 0,
    'BadValue',
    'cannot use tailable option with a sort other than {$natural: 1}',
  );
  uassert(!singleBatch, 'BadValue', "cannot use tailable option with the 'singleBatch' option");
}

const NATURAL_ORDER = documentOf({ $natural: 1 });

export function planFindCommand(request: FindCommandRequest, op: OperationContext): QueryPlan {
  const { collation, variables, namespace } = request;
  const view = op.view();
  const collection = view.collection(namespace);
  admitInvolved(op, { view, namespace, collection });
  const context = queryContext(op, { collation, variables, collection });
  if (collection !== undefined && collection.kind !== 'collection') checkFindOnView(request);
  else if (request.find.tailable === true && collection !== undefined) {
    uassert(
      cappedLimitsOf(collection.options) !== undefined,
      'BadValue',
      `error processing query: ns=${namespace}: tailable cursor requested on non capped collection`,
    );
  }
  return planQuery(view, collection, request.find, context);
}

/** On a view a find becomes a pipeline, which has no place for these options. */
function checkFindOnView({ find, singleBatch, noCursorTimeout }: FindCommandRequest): void {
  const isNatural = find.sort !== undefined && getField(find.sort, '$natural') !== undefined;
  const refused: readonly (readonly [string, boolean])[] = [
    ['Option min', find.min !== undefined && !isEmpty(find.min)],
    ['Option max', find.max !== undefined && !isEmpty(find.max)],
    ['Option returnKey', find.returnKey === true],
    ['Option showRecordId', find.showRecordId === true],
    ['Option tailable', find.tailable === true],
    ['Option noCursorTimeout', noCursorTimeout],
    ['Option singleBatch', singleBatch && find.limit !== 1],
    ['Sort option $natural', isNatural],
  ];
  for (const [option, isGiven] of refused) {
    if (!isGiven) continue;
    throw new CommandError('InvalidPipelineOperator', `${option} not supported in aggregation.`);
  }
}

function tailedBy(
  { find, namespace }: FindCommandRequest,
  op: OperationContext,
): CollectionUuid | undefined {
  return find.tailable === true ? op.view().collection(namespace)?.uuid : undefined;
}

interface ProducerOptions {
  /** 0 for none; the plan itself enforces it. */
  readonly limit?: number;
  /** There is no collection: even a first batch of none is the last one. */
  readonly isEmpty?: boolean;
  /** The plan sees nothing of what is written after it began. */
  readonly isStable?: boolean;
  /** The collection that a tailable plan reads. */
  readonly tailed?: CollectionUuid | undefined;
}

/** Opens a plan for a scan without snapshot: after each yield it goes on in the latest state. */
export function openPlan(
  plan: QueryPlan,
  op: OperationContext,
  options: ProducerOptions = {},
): CursorProducer {
  return new PlanProducer(plan, op, options);
}

/** An executor between operations: it knows who pulls from it now, and when a limit has been reached. */
class PlanProducer implements CursorProducer {
  private readonly executor: PlanExecutor;
  private readonly limit: number;
  private readonly tailed: CollectionUuid | undefined;
  private readonly isEmpty: boolean;
  private reader: CursorReader;
  private returned = 0;
  /** What the executor reports of itself. */
  private readonly running: RunningPlan | undefined;
  /** What it reads on a shard, and holds as long as it is open. */
  private held: readonly (() => void)[];

  constructor(plan: QueryPlan, op: OperationContext, options: ProducerOptions) {
    const { limit = 0, isStable, isEmpty, tailed } = options;
    this.limit = limit;
    this.isEmpty = isEmpty === true;
    this.tailed = tailed;
    this.reader = op;
    this.held = op.reads.map((known) => known.use());
    this.executor = plan.open(op.view(), op, {
      ...op.planOptions,
      ...(isStable === true ? {} : { renewView: () => this.reader.renewView() }),
    });
    this.running = op.report.plan;
  }

  get isExhausted(): boolean {
    return this.isEmpty || (this.limit > 0 && this.returned >= this.limit);
  }

  /** A tailable cursor that has seen nothing has no place from which it could go on, and is over, as in MongoDB. */
  get tails(): CollectionUuid | undefined {
    const canGoOn = !this.isExhausted && this.executor.statistics.docsExamined > 0;
    return canGoOn ? this.tailed : undefined;
  }

  next(): MaybePromise<Buffer | undefined> {
    const document = this.executor.next();
    if (document !== undefined) this.returned += 1;
    return document;
  }

  detach(): void {
    this.executor.detach();
  }

  attach(view: ReadView, reader: CursorReader): void {
    this.reader = reader;
    if (this.running !== undefined) reader.report.planResumed(this.running);
    this.executor.attach(view, reader);
  }

  close(): void {
    this.executor.close();
    for (const release of this.held) release();
    this.held = [];
  }
}
