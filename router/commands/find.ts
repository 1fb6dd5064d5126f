/**
 * find through the router: one shard's answer as it is, or those of several merged in order.
 */
import {
  documentValue,
  EMPTY_DOCUMENT,
  getField,
  int64Value,
  isEmpty,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { compileCollation, findAsPipeline } from '../../query/index.ts';
import { firstBatch, type OperationContext, type ReplyBody } from '../../server/cluster.ts';
import { MergedCursor } from '../merge/merged-cursor.ts';
import { openCursors } from '../merge/open-cursors.ts';
import type { ShardCursor } from '../merge/shard-cursor.ts';
import { nearMerge, sortedMerge, type SortedMerge } from '../merge/sort-order.ts';
import { TailingCursor } from '../merge/tailing-cursor.ts';
import { withRoute, type CollectionRoute } from '../routing/collection-route.ts';
import { orOverView, type ShardedView } from '../routing/views.ts';
import { targetsOf } from '../targeting/targets.ts';
import { openOverView } from './over-view.ts';
import { namespaceOf, type Call } from './routed-command.ts';
import { shardRequest } from './shard-request.ts';

export interface FindArguments {
  readonly namespace: string;
  readonly filter: Buffer;
  readonly sort: Buffer | undefined;
  readonly projection: Buffer | undefined;
  readonly collation: Buffer | undefined;
  readonly skip: number;
  /** 0: none. */
  readonly limit: number;
  readonly batchSize: number | undefined;
  readonly singleBatch: boolean;
  readonly noCursorTimeout: boolean;
  readonly allowPartialResults: boolean;
  readonly tailable: boolean;
  readonly awaitData: boolean;
}

export function parseFind(call: Call): FindArguments {
  const { body } = call;
  return {
    namespace: namespaceOf(call),
    filter: body.document('filter', EMPTY_DOCUMENT),
    sort: body.document('sort', undefined),
    projection: body.document('projection', undefined),
    collation: body.document('collation', undefined),
    skip: body.limit('skip') ?? 0,
    limit: body.limit('limit') ?? 0,
    batchSize: body.limit('batchSize'),
    singleBatch: body.safeBoolean('singleBatch', false),
    noCursorTimeout: body.safeBoolean('noCursorTimeout', false),
    allowPartialResults: body.safeBoolean('allowPartialResults', false),
    tailable: body.safeBoolean('tailable', false),
    awaitData: body.safeBoolean('awaitData', false),
  };
}

export function runFind(call: Call): Promise<ReplyBody> {
  const request = parseFind(call);
  call.router.querySettings.apply(call.op, call.body.bytes);
  return withRoute(call.router, call.op, request.namespace, (route) =>
    orOverView(
      () => findOnce(call, request, route),
      (view) => findInView(call, request, view),
    ),
  );
}

async function findOnce(
  call: Call,
  request: FindArguments,
  route: CollectionRoute | undefined,
): Promise<ReplyBody> {
  const { router, op, body } = call;
  const { namespace, filter, collation, batchSize, singleBatch } = request;
  if (route === undefined) return call.original.run(body, op);
  const { targets } = await targetsOf(router, op, route, filter, collation);
  const isMerge = targets.length > 1;
  const merge = isMerge ? mergeOf(call, request, route) : undefined;
  const changes = isMerge ? changesForShards(request, merge) : {};
  const { cursors, isPartial } = await openCursors(
    op,
    targets,
    ({ versions }) => shardRequest(op, body.bytes, { versions, set: changes }),
    { batchSize, allowPartialResults: request.allowPartialResults },
  );
  const [only] = cursors;
  if (request.tailable && only !== undefined) return tail(op, request, only);
  const producer = new MergedCursor(
    cursors,
    isMerge
      ? { order: merge?.order, finish: merge?.finish, skip: request.skip, limit: request.limit }
      : {},
    op,
  );
  return firstBatch(op, {
    namespace,
    producer,
    batchSize,
    singleBatch,
    noTimeout: request.noCursorTimeout,
    isPartial,
  });
}

/** A capped collection is on one shard: others refuse the option. */
function tail(
  op: OperationContext,
  { namespace, batchSize, noCursorTimeout, awaitData }: FindArguments,
  cursor: ShardCursor,
): ReturnType<typeof firstBatch> {
  return firstBatch(op, {
    namespace,
    producer: new TailingCursor(cursor, op, awaitData),
    batchSize,
    noTimeout: noCursorTimeout,
    tailable: true,
    awaitData,
  });
}

/** A view of a sharded collection: the find is a pipeline behind the view's. */
async function findInView(
  call: Call,
  request: FindArguments,
  view: ShardedView,
): Promise<ReplyBody> {
  const { op } = call;
  const { namespace, batchSize, singleBatch, noCursorTimeout } = request;
  const { collation } = request;
  const pipeline = findAsPipeline(request);
  const producer = await openOverView(call, { view, pipeline, collation, batchSize });
  return firstBatch(op, {
    namespace,
    producer,
    batchSize,
    singleBatch,
    noTimeout: noCursorTimeout,
  });
}

/** undefined: in any order. */
function mergeOf(
  { body }: Call,
  { filter, sort, projection, collation }: FindArguments,
  route: CollectionRoute,
): SortedMerge | undefined {
  const shown = projection === undefined || isEmpty(projection) ? undefined : projection;
  if (sort === undefined || isEmpty(sort)) return nearMerge(filter, shown);
  if (getField(sort, '$natural') !== undefined) return undefined;
  if (body.safeBoolean('returnKey', false)) {
    throw new CommandError(
      'NotImplemented',
      'returnKey with a sort over several shards is not supported by FlintDB yet',
    );
  }
  const effective = collation ?? route.sharded?.entry.defaultCollation;
  const collator =
    effective === undefined || isEmpty(effective) ? undefined : compileCollation(effective);
  return sortedMerge(sort, shown, collator);
}

/** More is no limit. */
const MOST = 2n ** 63n - 1n;

/** Each shard gives as many as all together might be; what is skipped, only the router knows. */
function changesForShards(
  { skip, limit }: FindArguments,
  merge: SortedMerge | undefined,
): Record<string, RawValue | undefined> {
  const wanted = BigInt(skip) + BigInt(limit);
  return {
    skip: undefined,
    limit: limit === 0 || wanted > MOST ? undefined : int64Value(wanted),
    singleBatch: undefined,
    ...(merge?.projection === undefined ? {} : { projection: documentValue(merge.projection) }),
  };
}
