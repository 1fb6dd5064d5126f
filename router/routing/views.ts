/**
 * Views of sharded collections: no shard alone can answer for them, so they are refused until the router resolves them.
 *
 * Owns: the views of each database, asked of its primary shard and kept for a second.
 */
import { documentOf, getField } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { involvedNamespaces, stagesOf } from '../../query/index.ts';
import type { OperationContext } from '../../server/index.ts';
import { readCursor } from '../network/read-all.ts';
import type { Router } from '../router.ts';
import type { DatabaseRoute } from './routing-cache.ts';

/** What a view reads, by its namespace. */
type Views = ReadonlyMap<string, readonly string[]>;

interface Known {
  readonly atMs: number;
  readonly views: Views;
}

const KEPT_MS = 1_000;
const MAX_DEPTH = 20;
const KNOWN = new WeakMap<Router, Map<string, Known>>();

/** @throws CommandError NotImplemented for a view that reads a sharded collection, at whatever depth */
export async function refuseShardedView(
  router: Router,
  op: OperationContext,
  database: DatabaseRoute,
  namespace: string,
): Promise<void> {
  if (database.version === undefined) return;
  const views = await viewsOf(router, op, database);
  let level = views.get(namespace) ?? [];
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth += 1) {
    for (const read of level) {
      if ((await router.routing.collection(read, op)) === undefined) continue;
      throw new CommandError(
        'NotImplemented',
        `${namespace} is a view of the sharded collection ${read}, which is not supported by FlintDB yet`,
      );
    }
    level = level.flatMap((read) => views.get(read) ?? []);
  }
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
  const views = new Map<string, readonly string[]>();
  for (const entry of await readCursor(shard, op, listing)) {
    const options = getField(entry, 'options')?.asDocument();
    const view = getField(entry, 'name')?.asString();
    const viewOn = options && getField(options, 'viewOn')?.asString();
    if (options === undefined || view === undefined || viewOn === undefined) continue;
    const pipeline = stagesOf(getField(options, 'pipeline'));
    views.set(`${name}.${view}`, [`${name}.${viewOn}`, ...involvedNamespaces(pipeline, name)]);
  }
  byDatabase.set(name, { atMs: nowMs, views });
  return views;
}

/** A view may have come, or gone. */
export function forgetViews(router: Router, database: string): void {
  KNOWN.get(router)?.delete(database);
}
