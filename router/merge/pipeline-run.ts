/**
 * A pipeline over a cluster: on one shard as it is, or in two parts.
 *
 * Owns: the choice, and the router's part, which query/ runs as it runs any other: its first stage, $mergeCursors, gives the shards'
 * documents, and pipelines inside it ($lookup, $unionWith, $graphLookup) are routed in their turn.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  documentOf,
  documentValue,
  EMPTY_DOCUMENT,
  isEmpty,
  type RawValue,
  stringValue,
} from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import {
  compileCollation,
  involvedNamespaces,
  outputNamespace,
  planAggregate,
  type PipelineHost,
  type QueryContext,
} from '../../query/index.ts';
import {
  openPlan,
  OperationContext,
  pipelineHost,
  queryContext,
  type CursorProducer,
  type CursorReader,
} from '../../server/cluster.ts';
import { shownSettings } from '../commands/query-settings.ts';
import { appendLimits, appendVersions } from '../commands/shard-request.ts';
import { collectionOf, databaseOf } from '../network/read-all.ts';
import { withRoute, type CollectionRoute, type ShardTarget } from '../routing/collection-route.ts';
import { collationThrough, joinsShardedView, orOverView } from '../routing/views.ts';
import type { Router } from '../router.ts';
import { targetsOf } from '../targeting/targets.ts';
import { unpacked } from './carried-metadata.ts';
import { MergedCursor } from './merged-cursor.ts';
import { openCursors } from './open-cursors.ts';
import { shardedDataDistribution } from './sharded-data-distribution.ts';
import { RoutedWriter } from './pipeline-writer.ts';
import { sourceOfShards } from './shard-sources.ts';
import { sortedMerge } from './sort-order.ts';
import {
  argumentOf,
  nameOf,
  splitPipeline,
  tellsOfShard,
  type SplitPipeline,
} from './split-pipeline.ts';

export interface RoutedPipeline {
  /** "database.collection", or "database.$cmd.aggregate" for a pipeline on no collection. */
  readonly namespace: string;
  readonly pipeline: readonly Buffer[];
  readonly collation: Buffer | undefined;
  /** The command's `let`. */
  readonly variables: Buffer | undefined;
  readonly hint: RawValue | undefined;
  readonly allowDiskUse: boolean | undefined;
  readonly batchSize: number | undefined;
  readonly bypassValidation: boolean;
  /** Further fields that shards get as they are: readConcern, comment. */
  readonly further: Buffer;
  /** It is a mapReduce: from its first $project on it has functions that only the router runs. */
  readonly mapReduce?: { readonly scope: Buffer | undefined };
}

const NO_COLLECTION = '$cmd.aggregate';

/** Stages that write: behind them is nobody who could be asked twice. */
const WRITERS: ReadonlySet<string> = new Set(['$out', '$merge']);

export async function openRoutedPipeline(
  router: Router,
  op: OperationContext,
  request: RoutedPipeline,
): Promise<CursorProducer> {
  refuseChangeStreams(request.pipeline);
  if (request.namespace.endsWith(`.${NO_COLLECTION}`)) {
    return new MergePart(router, op, request, request.pipeline, undefined);
  }
  return withRoute(router, op, request.namespace, (route) =>
    orOverView(
      () => openTwice(router, op, request, route),
      (view) =>
        openRoutedPipeline(router, op, {
          ...request,
          namespace: view.namespace,
          pipeline: [...view.pipeline, ...request.pipeline],
          collation: collationThrough(view, request.collation),
        }),
    ),
  );
}

/** Whole on one shard, if it can be; and when that shard says that it cannot, in parts. */
async function openTwice(
  router: Router,
  op: OperationContext,
  request: RoutedPipeline,
  route: CollectionRoute | undefined,
): Promise<CursorProducer> {
  try {
    return await open(router, op, request, route, true);
  } catch (error) {
    if (!joinsShardedView(error)) throw error;
    return open(router, op, request, route, false);
  }
}

async function open(
  router: Router,
  op: OperationContext,
  request: RoutedPipeline,
  route: CollectionRoute | undefined,
  mayBeWhole: boolean,
): Promise<CursorProducer> {
  const { pipeline, collation } = request;
  if (route === undefined && tellsOfShard(pipeline[0])) {
    return new MergePart(router, op, request, pipeline, undefined, request.namespace);
  }
  if (route === undefined) {
    return new MergePart(
      router,
      op,
      request,
      [MERGE_CURSORS, ...pipeline],
      new MergedCursor([], {}, op),
    );
  }
  const filter = leadingFilter(pipeline);
  const { targets } = await targetsOf(router, op, route, filter, collation);
  const isWhole = mayBeWhole && (await runsWhole(router, op, request, targets, route));
  if (isWhole) {
    const whole = targets.map((target) => withDatabaseVersion(target, route, pipeline));
    return onShards(op, request, whole, wholePart(pipeline), route);
  }
  const split = splitRequest(request);
  const { mergePart } = split;
  const merged = await onShards(op, request, targets, split, route);
  if (mergePart.length === 0) return merged;
  try {
    return new MergePart(router, op, request, [MERGE_CURSORS, ...mergePart], merged);
  } catch (error) {
    // The router's part is refused: what the shards have begun, nobody would ever read.
    merged.close();
    throw error;
  }
}

function splitRequest({ pipeline, mapReduce }: RoutedPipeline): SplitPipeline {
  if (mapReduce === undefined) return splitPipeline(pipeline);
  const start = pipeline.findIndex((stage) => nameOf(stage) === '$project');
  const split = splitPipeline(pipeline.slice(0, start));
  return { ...split, mergePart: [...split.mergePart, ...pipeline.slice(start)] };
}

const MERGE_CURSORS = documentOf({ $mergeCursors: EMPTY_DOCUMENT });

type Placed = Pick<RoutedPipeline, 'namespace' | 'pipeline' | 'mapReduce'>;

/** One shard does it all. */
export async function runsWhole(
  router: Router,
  op: OperationContext,
  request: Placed,
  targets: readonly ShardTarget[],
  route: CollectionRoute,
): Promise<boolean> {
  const [only, ...others] = targets;
  if (only === undefined || others.length > 0 || request.mapReduce !== undefined) return false;
  return staysOn(router, op, request, only, route);
}

/** Everything that the pipeline reads and writes is on this one shard, as far as can be seen here: of views the shard knows more. */
async function staysOn(
  router: Router,
  op: OperationContext,
  { pipeline, namespace }: Placed,
  { shard }: ShardTarget,
  { database, sharded }: CollectionRoute,
): Promise<boolean> {
  const output = outputNamespace(pipeline, database.name);
  // A part of a collection is not what $out is of, and a shard that has a part is not always where others are.
  if (output !== undefined && sharded !== undefined) return false;
  const involved = involvedNamespaces(pipeline, databaseOf(namespace));
  if (output !== undefined) involved.push(output);
  if (involved.length === 0) return true;
  if (database.primary !== shard.name) return false;
  for (const other of new Set(involved)) {
    if (databaseOf(other) !== database.name) return false;
    if ((await router.routing.collection(other, op)) !== undefined) return false;
  }
  return true;
}

/** The shard of a part of a sharded collection is to be the one of the unsharded ones, too. */
function withDatabaseVersion(
  target: ShardTarget,
  { database, sharded }: CollectionRoute,
  pipeline: readonly Buffer[],
): ShardTarget {
  const isAlone = involvedNamespaces(pipeline, database.name).length === 0;
  if (sharded === undefined || isAlone || database.version === undefined) return target;
  const databaseVersion = database.version.toValue();
  return { ...target, versions: { ...target.versions, databaseVersion } };
}

type ShardPart = Omit<SplitPipeline, 'mergePart'>;

function wholePart(pipeline: readonly Buffer[]): ShardPart {
  return { shardPart: pipeline, order: undefined, carriesMetadata: false };
}

async function onShards(
  op: OperationContext,
  request: RoutedPipeline,
  targets: readonly ShardTarget[],
  { shardPart: pipeline, order, carriesMetadata }: ShardPart,
  route: CollectionRoute,
): Promise<MergedCursor> {
  const { batchSize } = request;
  const writes = pipeline.some((stage) => WRITERS.has(nameOf(stage)));
  const { cursors } = await openCursors(
    op,
    targets,
    ({ versions }) => {
      const out = shardCommand(request, pipeline);
      appendLimits(out, op);
      appendVersions(out, versions);
      return out.finish();
    },
    { batchSize: batchSize === 0 ? undefined : batchSize, isRepeatable: !writes },
  );
  const collation = request.collation ?? route.sharded?.entry.defaultCollation;
  const collator =
    collation === undefined || isEmpty(collation) ? undefined : compileCollation(collation);
  const merge =
    order === undefined || cursors.length < 2
      ? undefined
      : sortedMerge(order, undefined, collator).order;
  const finish = carriesMetadata ? unpacked : undefined;
  return new MergedCursor(cursors, { order: merge, finish }, op);
}

function shardCommand(request: RoutedPipeline, pipeline: readonly Buffer[]): DocumentBuilder {
  const { namespace, collation, variables, hint, allowDiskUse, batchSize } = request;
  const stages = new ArrayBuilder();
  for (const stage of pipeline) stages.pushDocument(stage);
  const out = new DocumentBuilder(1024).appendString('aggregate', collectionOf(namespace));
  out.append('pipeline', arrayValue(stages.finish()));
  out.beginDocument('cursor');
  if (batchSize !== undefined) out.appendInteger('batchSize', batchSize);
  out.end();
  if (collation !== undefined) out.appendDocument('collation', collation);
  if (variables !== undefined) out.appendDocument('let', variables);
  if (hint !== undefined) out.append('hint', hint);
  if (allowDiskUse !== undefined) out.appendBoolean('allowDiskUse', allowDiskUse);
  if (request.bypassValidation) out.appendBoolean('bypassDocumentValidation', true);
  out.appendElementsOf(request.further).appendString('$db', databaseOf(namespace));
  return out;
}

function leadingFilter(pipeline: readonly Buffer[]): Buffer {
  const [first] = pipeline;
  if (first === undefined) return EMPTY_DOCUMENT;
  const argument = nameOf(first) === '$match' ? argumentOf(first) : undefined;
  return argument?.type === BsonType.object ? argument.asDocument() : EMPTY_DOCUMENT;
}

function refuseChangeStreams([first]: readonly Buffer[]): void {
  if (first === undefined || nameOf(first) !== '$changeStream') return;
  throw new CommandError(
    'NotImplemented',
    '$changeStream through a router is not supported by FlintDB yet',
  );
}

/** The router's part, as the cursor of an operation. */
class MergePart implements CursorProducer {
  private readonly producer: CursorProducer;
  private readonly shards: MergedCursor | undefined;
  /** What it joins and has not read to its end. */
  private readonly joined = new Set<CursorProducer>();
  private op: OperationContext;

  constructor(
    router: Router,
    op: OperationContext,
    request: RoutedPipeline,
    pipeline: readonly Buffer[],
    shards: MergedCursor | undefined,
    namespace = `${databaseOf(request.namespace)}.${NO_COLLECTION}`,
  ) {
    this.op = op;
    this.shards = shards;
    const { collation, variables, allowDiskUse, bypassValidation, mapReduce } = request;
    const context = queryContext(op, {
      collation,
      variables,
      ...(mapReduce && { isMapReduce: true, scriptScope: mapReduce.scope }),
    });
    const plan = planAggregate(
      op.view(),
      undefined,
      {
        namespace,
        pipeline,
        host: this.hostFor(router, request, context, bypassValidation),
        ...(allowDiskUse === undefined ? {} : { allowDiskUse }),
      },
      context,
    );
    this.producer = openPlan(plan, op, { isStable: true });
  }

  next(): ReturnType<CursorProducer['next']> {
    return this.producer.next();
  }

  detach(): void {
    this.producer.detach();
    this.shards?.detach();
    for (const each of this.joined) each.detach();
  }

  attach(view: Parameters<CursorProducer['attach']>[0], reader: CursorReader): void {
    tassert(reader instanceof OperationContext, 'a cursor is pulled by no operation');
    this.op = reader;
    this.shards?.attach(view, reader);
    // The operation that opened them is over, and its time limit with it.
    for (const each of this.joined) each.attach(view, reader);
    this.producer.attach(view, reader);
  }

  close(): void {
    this.producer.close();
    this.shards?.close();
  }

  private hostFor(
    router: Router,
    request: RoutedPipeline,
    context: QueryContext,
    bypassValidation: boolean,
  ): PipelineHost {
    const own = pipelineHost(this.op, { context, bypassValidation });
    return {
      writer: new RoutedWriter(router, this.op, bypassValidation),
      source: (stage, argument, where) => {
        if (stage === '$mergeCursors') return this.documents();
        if (stage === '$shardedDataDistribution') return shardedDataDistribution(router, this.op);
        // Without a query analyzer nothing is sampled.
        if (stage === '$listSampledQueries') return [];
        const ownDocuments = own.source?.(stage, argument, where);
        if (stage === '$querySettings') return shownSettings({ router, op: this.op }, argument);
        return sourceOfShards(router, this.op, stage, argument) ?? ownDocuments;
      },
      openPipeline: (namespace, pipeline, inner) =>
        this.foreign(router, request, { namespace, pipeline, context: inner }),
    };
  }

  private async *documents(): AsyncGenerator<Buffer> {
    if (this.shards === undefined) return;
    for (;;) {
      const document = await this.shards.next();
      if (document === undefined) return;
      yield document;
    }
  }

  private async *foreign(
    router: Router,
    request: RoutedPipeline,
    { namespace, pipeline, context }: ForeignPipeline,
  ): AsyncGenerator<Buffer> {
    const producer = await openRoutedPipeline(router, this.op, {
      namespace,
      pipeline,
      collation: request.collation,
      variables: variablesOf(context),
      hint: undefined,
      allowDiskUse: request.allowDiskUse,
      batchSize: undefined,
      bypassValidation: false,
      further: EMPTY_DOCUMENT,
    });
    this.joined.add(producer);
    try {
      for (;;) {
        const document = await producer.next();
        if (document === undefined) return;
        yield document;
      }
    } finally {
      this.joined.delete(producer);
      producer.close();
    }
  }
}

interface ForeignPipeline {
  readonly namespace: string;
  readonly pipeline: readonly Buffer[];
  readonly context: QueryContext;
}

/** The variables of an inner pipeline as a `let`. Those of the system each server has itself. */
function variablesOf({ variables }: QueryContext): Buffer | undefined {
  const out = new DocumentBuilder();
  let count = 0;
  for (const [name, value] of variables) {
    if (/^[A-Z]/.test(name)) continue;
    count += 1;
    if (value === undefined) out.append(name, stringValue('$$REMOVE'));
    else out.append(name, documentValue(documentOf({ $literal: value })));
  }
  return count === 0 ? undefined : out.finish();
}
