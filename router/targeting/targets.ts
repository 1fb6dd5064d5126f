/**
 * Which shards an operation needs.
 */
import type { RawValue } from '../../bson/index.ts';
import { compileCollation } from '../../query/index.ts';
import type { OperationContext } from '../../server/cluster.ts';
import { isEmpty } from '../../bson/index.ts';
import {
  primaryTarget,
  shardTarget,
  type CollectionRoute,
  type ShardTarget,
} from '../routing/collection-route.ts';
import type { ShardedCollection } from '../routing/routing-cache.ts';
import type { Router } from '../router.ts';
import { keyRangesOf } from './key-ranges.ts';

export interface Targeting {
  /** By name of the shard; at least one. */
  readonly targets: readonly ShardTarget[];
  /** The filter names one key of a sharded collection. */
  readonly key: readonly RawValue[] | undefined;
}

/** @param collation of the command; undefined: the collection's own. */
export async function targetsOf(
  router: Router,
  op: OperationContext,
  route: CollectionRoute,
  filter: Buffer,
  collation: Buffer | undefined,
): Promise<Targeting> {
  const { sharded } = route;
  if (sharded === undefined) {
    return { targets: [await primaryTarget(router, op, route)], key: undefined };
  }
  const { names, key } = shardNamesOf(sharded, filter, collation);
  const targets = await Promise.all(names.map((name) => shardTarget(router, op, sharded, name)));
  return { targets, key };
}

/** The shards that can have documents which match. */
export function shardNamesOf(
  sharded: ShardedCollection,
  filter: Buffer,
  collation: Buffer | undefined,
): { readonly names: readonly string[]; readonly key: readonly RawValue[] | undefined } {
  const { entry, chunks } = sharded;
  const { ranges, key } = keyRangesOf(filter, entry.pattern, comparesBytes(sharded, collation));
  const all = chunks.shards();
  if (ranges === undefined) return { names: [...all].sort(), key };
  const names = new Set<string>();
  for (const range of ranges) {
    if (range.min >= range.max) continue;
    for (const shard of chunks.shardsOf(range)) names.add(shard);
    if (names.size === all.length) break;
  }
  // A filter that nothing can match is asked of some shard all the same: it may be wrong, and explain wants a plan.
  if (names.size === 0 && all[0] !== undefined) names.add(all[0]);
  return { names: [...names].sort(), key };
}

/** Chunks are bounded in the order of bytes: what a collation calls equal may lie elsewhere. */
export function comparesBytes(
  { entry }: ShardedCollection,
  collation: Buffer | undefined,
): boolean {
  const effective =
    collation === undefined || isEmpty(collation) ? entry.defaultCollation : collation;
  return effective === undefined || isEmpty(effective) || compileCollation(effective) === undefined;
}
