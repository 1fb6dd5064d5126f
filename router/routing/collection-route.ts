/**
 * Where a collection is, and the loop around every routed operation: route, ask, and once more when a shard says that the route is
 * old, until the operation's deadline.
 */
import { CommandError } from '../../common/errors.ts';
import { ShardVersion, type OperationContext } from '../../server/cluster.ts';
import { RawValue } from '../../bson/index.ts';
import { databaseOf } from '../network/read-all.ts';
import type { RemoteServer } from '../network/remote-server.ts';
import type { Router } from '../router.ts';
import type { DatabaseRoute, ShardedCollection } from './routing-cache.ts';

/** What a routed command carries, so that a shard can see whether it was routed rightly. */
export interface Versions {
  readonly shardVersion?: Buffer;
  readonly databaseVersion?: Buffer;
}

/** A shard, and what to send with a command to it. */
export interface ShardTarget {
  readonly shard: RemoteServer;
  readonly versions: Versions;
}

/** A collection as the router sees it for one attempt. */
export interface CollectionRoute {
  readonly namespace: string;
  readonly database: DatabaseRoute;
  readonly sharded: ShardedCollection | undefined;
}

const UNSHARDED = ShardVersion.UNSHARDED.toValue();

/** An operation without a deadline is routed again so often. */
const MAX_ATTEMPTS = 60;
/** The first attempts follow at once: the shard has waited already. */
const PROMPT_ATTEMPTS = 3;
const PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 250;

/**
 * Runs `attempt` with a route, and again with another one as long as shards refuse the route. What an attempt has begun it undoes
 * itself before it throws.
 * @param options.create makes the database when it is not there; without it `attempt` gets undefined then.
 */
export async function withRoute<Result>(
  router: Router,
  op: OperationContext,
  namespace: string,
  attempt: (route: CollectionRoute | undefined) => Promise<Result>,
  options: { readonly create?: boolean } = {},
): Promise<Result> {
  return withRetries(router, op, async (seen) => {
    const route = await routeOf(router, op, namespace, options.create === true);
    if (route !== undefined) seen(route);
    return attempt(route);
  });
}

/** The same loop for whoever finds routes in another way: each that was used is told to `seen`. */
export async function withRetries<Result>(
  router: Router,
  op: OperationContext,
  attempt: (seen: (route: CollectionRoute) => void) => Promise<Result>,
): Promise<Result> {
  for (let count = 1; ; count += 1) {
    const routes: CollectionRoute[] = [];
    try {
      return await attempt((route) => routes.push(route));
    } catch (error) {
      if (!isStale(error) || count >= MAX_ATTEMPTS) throw error;
      op.throwIfInterrupted();
      noteStale(router, error, routes);
      await pauseBefore(op, count);
    }
  }
}

/** Gives those who change the place of the data some time. */
export async function pauseBefore(op: OperationContext, attempts: number): Promise<void> {
  if (attempts <= PROMPT_ATTEMPTS) return;
  await op.sleep(Math.min(LONGEST_PAUSE_MS, PAUSE_MS * (attempts - PROMPT_ATTEMPTS)));
}

export async function routeOf(
  router: Router,
  op: OperationContext,
  namespace: string,
  create = false,
): Promise<CollectionRoute | undefined> {
  const name = databaseOf(namespace);
  const database = create
    ? await router.routing.createDatabase(name, op)
    : await router.routing.database(name, op);
  if (database === undefined) return undefined;
  const sharded = await router.routing.collection(namespace, op);
  return { namespace, database, sharded };
}

/** The one shard of a collection that is not sharded. */
export async function primaryTarget(
  router: Router,
  op: OperationContext,
  { database, namespace }: CollectionRoute,
): Promise<ShardTarget> {
  const shard = await router.shards.get(database.primary, op);
  if (database.version === undefined) return { shard, versions: {} };
  const isCollection = namespace.includes('.');
  return {
    shard,
    versions: {
      ...(isCollection ? { shardVersion: UNSHARDED } : {}),
      databaseVersion: database.version.toValue(),
    },
  };
}

/** A shard of a sharded collection, chunks or not. */
export async function shardTarget(
  router: Router,
  op: OperationContext,
  { chunks }: ShardedCollection,
  name: string,
): Promise<ShardTarget> {
  const shard = await router.shards.get(name, op);
  return { shard, versions: { shardVersion: chunks.versionOf(name).toValue() } };
}

const STALE_CODES: ReadonlySet<string> = new Set(['StaleConfig', 'StaleEpoch', 'StaleDbVersion']);

/** A shard refused because the router's knowledge is old. */
export function isStale(error: unknown): error is CommandError {
  return error instanceof CommandError && STALE_CODES.has(error.codeName);
}

/** What was routed by is read again before the next attempt. */
export function noteStale(
  router: Router,
  error: CommandError,
  routes: readonly CollectionRoute[],
): void {
  const { routing } = router;
  const named = textOf(error.fields['ns']) ?? textOf(error.fields['db']);
  let isKnown = false;
  for (const { namespace, database, sharded } of routes) {
    const isNamed = named === undefined || named === namespace || named === database.name;
    isKnown ||= isNamed;
    if (error.codeName === 'StaleDbVersion') routing.databaseIsStale(database.name, database);
    if (isNamed) routing.collectionIsStale(namespace, { value: sharded });
  }
  if (isKnown || named === undefined) return;
  if (named.includes('.')) routing.collectionIsStale(named);
  else routing.databaseIsStale(named);
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof RawValue && value.typeName === 'string' ? value.asString() : undefined;
}
