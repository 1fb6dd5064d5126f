/**
 * Views of sharded collections: no shard alone can answer for them, so the router puts the pipeline of the view before what is asked of it.
 *
 * Owns: the views of each database, asked of its primary shard and kept for a second. A view that reads no sharded collection, at whatever
 * depth, is its primary shard's business.
 */
import { documentOf, getField, isEmpty, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { compileCollation, involvedNamespaces, stagesOf } from '../../query/index.ts';
import type { OperationContext } from '../../server/cluster.ts';
import { readCursor } from '../network/read-all.ts';
import type { Router } from '../router.ts';
import type { CollectionRoute } from './collection-route.ts';
import type { DatabaseRoute } from './routing-cache.ts';

interface View {
  readonly viewOn: string;
  readonly pipeline: readonly Buffer[];
  readonly collation: Buffer | undefined;
  /** All namespaces that it reads itself. */
  readonly reads: readonly string[];
}

type Views = ReadonlyMap<string, View>;

interface Known {
  readonly atMs: number;
  readonly views: Views;
}

/** A view as what it stands for. */
export interface ShardedView {
  /** No view. */
  readonly namespace: string;
  readonly pipeline: readonly Buffer[];
  readonly collation: Buffer;
}

const KEPT_MS = 1_000;
const MAX_DEPTH = 20;
const SIMPLE = documentOf({ locale: stringValue('simple') });
const KNOWN = new WeakMap<Router, Map<string, Known>>();

/** undefined: it is no view, or one that a single shard answers for. @throws CommandError ViewDepthLimitExceeded */
export async function shardedViewOf(
  router: Router,
  op: OperationContext,
  { database, sharded, namespace }: CollectionRoute,
): Promise<ShardedView | undefined> {
  if (sharded !== undefined || database.version === undefined) return undefined;
  const views = await viewsOf(router, op, database);
  const view = views.get(namespace);
  if (view === undefined || !(await readsSharded(router, op, views, view))) return undefined;
  const { collation = SIMPLE } = view;
  let pipeline = view.pipeline;
  let base = view.viewOn;
  for (let depth = 1; ; depth += 1) {
    const next = views.get(base);
    if (next === undefined) return { namespace: base, pipeline, collation };
    if (depth === MAX_DEPTH) {
      throw new CommandError(
        'ViewDepthLimitExceeded',
        `View depth too deep or view cycle detected; maximum depth is ${MAX_DEPTH}`,
      );
    }
    pipeline = [...next.pipeline, ...pipeline];
    base = next.viewOn;
  }
}

/** The collation of an operation on a view is the view's. @throws CommandError OptionNotSupportedOnView for another one */
export function collationThrough(view: ShardedView, given: Buffer | undefined): Buffer {
  if (given === undefined || isEmpty(given)) return view.collation;
  // Collators are made once per set of options.
  if (compileCollation(given) === compileCollation(view.collation)) return view.collation;
  throw new CommandError('OptionNotSupportedOnView', "Cannot override a view's default collation");
}

async function readsSharded(
  router: Router,
  op: OperationContext,
  views: Views,
  view: View,
): Promise<boolean> {
  let level = view.reads;
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth += 1) {
    for (const read of level) {
      if ((await router.routing.collection(read, op)) !== undefined) return true;
    }
    level = level.flatMap((read) => views.get(read)?.reads ?? []);
  }
  return false;
}

async function viewsOf(
  router: Router,
  op: OperationContext,
  { name, primary }: DatabaseRoute,
): Promise<Views> {
  let byDatabase = KNOWN.get(router);
  if (byDatabase === undefined) KNOWN.set(router, (byDatabase = new Map()));
  const nowMs = op.service.clock.monotonicMs();
  const known = byDatabase.get(name);
  if (known !== undefined && nowMs - known.atMs < KEPT_MS) return known.views;
  const shard = await router.shards.get(primary, op);
  const filter = documentOf({ type: 'view' });
  const listing = documentOf({ listCollections: 1, filter, $db: name });
  const views = new Map<string, View>();
  for (const entry of await readCursor(shard, op, listing)) {
    const options = getField(entry, 'options')?.asDocument();
    const view = getField(entry, 'name')?.asString();
    const viewOn = options && getField(options, 'viewOn')?.asString();
    if (options === undefined || view === undefined || viewOn === undefined) continue;
    const pipeline = stagesOf(getField(options, 'pipeline'));
    const source = `${name}.${viewOn}`;
    views.set(`${name}.${view}`, {
      viewOn: source,
      pipeline,
      collation: getField(options, 'collation')?.asDocument(),
      reads: [source, ...involvedNamespaces(pipeline, name)],
    });
  }
  byDatabase.set(name, { atMs: nowMs, views });
  return views;
}

/** A view may have come, or gone. */
export function forgetViews(router: Router, database: string): void {
  KNOWN.get(router)?.delete(database);
}
