/**
 * The plain ways of asking: one shard, all that have a collection, all there are.
 *
 * Promises: routes that are old are found out and asked anew; several shards are asked at once, and the error of one is the error of all.
 */
import type { RawValue } from '../../bson/index.ts';
import { worstOf } from '../merge/open-cursors.ts';
import type { RemoteServer } from '../network/remote-server.ts';
import {
  primaryTarget,
  shardTarget,
  withRoute,
  type CollectionRoute,
  type ShardTarget,
} from '../routing/collection-route.ts';
import type { Call } from './routed-command.ts';
import { shardRequest } from './shard-request.ts';

/** One shard's reply. */
export interface ShardAnswer {
  readonly shard: RemoteServer;
  readonly reply: Buffer;
}

export interface AskOptions {
  readonly set?: Readonly<Record<string, RawValue | undefined>>;
  readonly isRepeatable?: boolean;
}

/** Sends the client's command, with changes, to each of these shards. */
export async function askAll(
  { op, body }: Call,
  targets: readonly ShardTarget[],
  options: AskOptions = {},
): Promise<ShardAnswer[]> {
  const { set, isRepeatable = false } = options;
  const outcomes = await Promise.allSettled(
    targets.map(async ({ shard, versions }) => {
      const request = shardRequest(op, body.bytes, { versions, ...(set && { set }) });
      const { sequences } = body;
      const reply = await shard.command(request, op, { isRepeatable, sequences });
      return { shard, reply };
    }),
  );
  const errors = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  if (errors.length > 0) throw op.reason ?? worstOf(errors);
  return outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

/** The shards that have a collection, chunks of it or all. */
export async function ownersOf(
  { router, op }: Call,
  route: CollectionRoute,
): Promise<readonly ShardTarget[]> {
  const { sharded } = route;
  if (sharded === undefined) return [await primaryTarget(router, op, route)];
  const names = [...sharded.chunks.shards()].sort();
  return Promise.all(names.map((name) => shardTarget(router, op, sharded, name)));
}

/** The shard that has the database's own collections, whatever this one is. */
export async function primaryOf(
  { router, op }: Call,
  route: CollectionRoute,
): Promise<ShardTarget> {
  if (route.sharded === undefined) return primaryTarget(router, op, route);
  return shardTarget(router, op, route.sharded, route.database.primary);
}

/** Asks the shards that have the collection. undefined: there is no such database. */
export function askOwners(
  call: Call,
  namespace: string,
  options: AskOptions & { readonly create?: boolean } = {},
): Promise<readonly ShardAnswer[] | undefined> {
  return withRoute(
    call.router,
    call.op,
    namespace,
    async (route) =>
      route === undefined ? undefined : askAll(call, await ownersOf(call, route), options),
    options,
  );
}

/** Asks every shard of the cluster; none of them checks versions. */
export async function askCluster(call: Call, options: AskOptions = {}): Promise<ShardAnswer[]> {
  const shards = await call.router.shards.all(call.op);
  return askAll(
    call,
    shards.map((shard) => ({ shard, versions: {} })),
    options,
  );
}
