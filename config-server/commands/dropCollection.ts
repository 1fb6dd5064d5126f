/**
 * _configsvrDropCollection and _configsvrDropDatabase: what is sharded goes from the metadata, and then from the shards.
 *
 * The metadata first: from then on every shard refuses who routes by them. A document of config.pendingDrops, part of that change, stays
 * until all shards have dropped their part (catalog/pending-drops.ts): who interrupts it does not undo it, and a restart goes on. A shard
 * that has not followed refuses whoever comes to what it still has by that name (server/sharding/sharding-state.ts).
 */
import {
  compareValues,
  documentOf,
  getField,
  stringValue,
  type RawValue,
} from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { type Expectation, type TopologyKey } from '../../server/index.ts';
import {
  defineCommand,
  type CollectionRouting,
  type Command,
  type OperationContext,
  type ShardEntry,
  uuidValue,
} from '../../server/cluster.ts';
import {
  endDrop,
  pendingCollection,
  pendingDatabase,
  pendingDrops,
  type PendingDrop,
} from '../catalog/pending-drops.ts';
import { finishRenameOf } from '../catalog/pending-renames.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, databaseOf, namespaceIn, textIn } from './arguments.ts';
import { checkUserWrites } from './setUserWriteBlockMode.ts';

export function dropCollection(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrDropCollection', 'Drops a collection of the cluster.', 'internal'),
    parse: (body) => namespaceIn(body),
    execute: async (namespace, op) => {
      await checkUserWrites(server());
      await carriedOn(server(), () => drop(server(), op, namespace));
    },
    reply: () => ({}),
  });
}

export function dropDatabase(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrDropDatabase', 'Drops a database of the cluster.', 'internal'),
    parse: (body) => textIn(body),
    execute: async (name, op) => {
      await checkUserWrites(server());
      await carriedOn(server(), () =>
        server().locks.run(`drop of ${name}`, () => dropWholeDatabase(server(), op, name)),
      );
      return name;
    },
    reply: (name) => ({ dropped: name }),
  });
}

/**
 * Ends what has begun of drops in a database, so that its names are free. To be called without any lock.
 * @throws what a shard answers that does not drop its part
 */
export async function settleDrops(
  server: ConfigServer,
  op: OperationContext,
  database: string,
): Promise<void> {
  const drops = await pendingDrops(server, op, database);
  for (const pending of drops) await carryOnDrop(server, op, pending);
}

/** Goes on with it, unless somebody else has ended it. @throws what a shard answers that does not drop its part */
export async function carryOnDrop(
  server: ConfigServer,
  op: OperationContext,
  { id, namespace, database, isDatabase }: PendingDrop,
): Promise<void> {
  await server.locks.run(isDatabase ? `drop of ${namespace}` : namespace, async () => {
    const drops = await pendingDrops(server, op, database);
    const pending = drops.find((drop) => compareValues(drop.id, id) === 0);
    if (pending === undefined) return;
    if (isDatabase) await followDatabase(server, op, pending);
    else await followCollection(server, op, pending);
  });
}

/** What it leaves undone is done in the background. */
async function carriedOn(server: ConfigServer, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    server.drops?.carryOn();
    throw error;
  }
}

/** While its database stays where it is: a move would take along what the metadata no longer know to be sharded. */
function drop(server: ConfigServer, op: OperationContext, namespace: string): Promise<void> {
  const { catalog, locks } = server;
  const name = databaseOf(namespace);
  return locks.run(namespace, () =>
    locks.run(`${name}.`, async () => {
      const routing = await catalog.tryRouting(op, namespace);
      if (routing !== undefined) {
        await finishRenameOf(server, op, routing.entry.uuid);
        await forget(server, op, routing);
      }
      const drops = await pendingDrops(server, op, name);
      const pending = drops.filter((known) => known.namespace === namespace);
      for (const one of pending) await followCollection(server, op, one);
      if (pending.length === 0) await dropOnShards(server, op, { namespace });
    }),
  );
}

/** In the turn of its chunks: what a split or a migration makes of them meanwhile must not stay behind. */
function forget(
  { catalog, locks }: ConfigServer,
  op: OperationContext,
  { entry: { namespace, uuid } }: CollectionRouting,
): Promise<void> {
  return locks.run(`chunks of ${namespace}`, async () => {
    const key = { set: 'collections', id: stringValue(namespace) };
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const before = await catalog.topology.get(key);
      if (before === undefined) return;
      const puts = [{ key, value: undefined }, pendingCollection(namespace, uuid)];
      const tags = await catalog.read(op, 'config.tags', documentOf({ ns: namespace }));
      const chunks = await catalog.read(op, 'config.chunks', documentOf({ uuid: uuidValue(uuid) }));
      for (const [set, documents] of [
        ['tags', tags],
        ['chunks', chunks],
      ] as const) {
        for (const document of documents)
          puts.push({ key: keyOf(set, document), value: undefined });
      }
      const details = documentOf({ uuid: uuidValue(uuid) });
      const change = { expected: [{ key, value: before }], puts };
      if (await catalog.change(op, change, { what: 'dropCollection', namespace, details })) return;
    }
    // Its documents stay, as long as the metadata say that they are there.
    throw new CommandError(
      'ConflictingOperationInProgress',
      `${namespace} was changed by others again and again while it was being dropped`,
    );
  });
}

const ATTEMPTS = 10;

/** Every shard drops what it has of the collection; then nothing is left to do. Repeatable. */
async function followCollection(
  server: ConfigServer,
  op: OperationContext,
  pending: PendingDrop,
): Promise<void> {
  await dropOnShards(server, op, { namespace: pending.namespace, uuid: pending.id });
  await endDrop(server, op, pending);
}

async function dropOnShards(
  server: ConfigServer,
  op: OperationContext,
  { namespace, uuid }: { readonly namespace: string; readonly uuid?: RawValue },
): Promise<void> {
  await onEveryShard(await server.catalog.shards(op), (shard) =>
    server.askShard(op, shard, { _shardsvrDropCollectionParticipant: namespace, uuid }),
  );
}

/** The database goes from the metadata first: nobody finds it any more, and nobody makes it again before every shard has dropped it. */
async function dropWholeDatabase(
  server: ConfigServer,
  op: OperationContext,
  name: string,
): Promise<void> {
  const { catalog, locks } = server;
  const key = { set: 'databases', id: stringValue(name) };
  const isDropping = async (): Promise<boolean> => {
    const before = await catalog.topology.get(key);
    const puts: Expectation[] = [pendingDatabase(name)];
    if (before !== undefined) puts.push({ key, value: undefined });
    const entry = { what: 'dropDatabase', namespace: name, details: documentOf({}) };
    return catalog.change(op, { expected: [{ key, value: before }], puts }, entry);
  };
  await locks.run(`${name}.`, async () => {
    for (let attempt = 1; !(await isDropping()); attempt += 1) {
      if (attempt < ATTEMPTS) continue;
      throw new CommandError(
        'ConflictingOperationInProgress',
        `Database ${name} changed meanwhile`,
      );
    }
  });
  for (const pending of await pendingDrops(server, op, name)) {
    if (pending.isDatabase) await followDatabase(server, op, pending);
  }
}

/** Repeatable. */
async function followDatabase(
  server: ConfigServer,
  op: OperationContext,
  pending: PendingDrop,
): Promise<void> {
  const { catalog } = server;
  const name = pending.namespace;
  const shards = await catalog.shards(op);
  // Routers that still know it are refused from now on; what they have written until then goes, too.
  await onEveryShard(shards, (shard) =>
    server.askShard(op, shard, { _flushDatabaseCacheUpdates: name }),
  );
  for (const document of await catalog.read(op, 'config.collections')) {
    const namespace = keyOf('collections', document).id.asString();
    if (databaseOf(namespace) === name) await drop(server, op, namespace);
  }
  for (const one of await pendingDrops(server, op, name)) {
    if (!one.isDatabase) await carryOnDrop(server, op, one);
  }
  const command = documentOf({
    dropDatabase: 1,
    writeConcern: documentOf({ w: 1, j: true }),
    $db: name,
  });
  await onEveryShard(shards, ({ host }) => server.peers.ask(host, command, { interruption: op }));
  await endDrop(server, op, pending);
}

/** One that is not there keeps no other one from it. @throws what the first of them answers that does not do it */
async function onEveryShard(
  shards: readonly ShardEntry[],
  work: (shard: ShardEntry) => Promise<Buffer>,
): Promise<void> {
  const results = await Promise.allSettled(shards.map(work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

function keyOf(set: string, document: Buffer): TopologyKey {
  const id = getField(document, '_id');
  tassert(id !== undefined, 'the config database: a document without _id');
  return { set, id };
}
