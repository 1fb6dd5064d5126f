/**
 * _configsvrDropCollection and _configsvrDropDatabase: what is sharded goes from the metadata, and then from the shards.
 *
 * The metadata first: from then on every shard refuses who routes by them, and the name is free only when the shards are done.
 * Doing it again finishes what was interrupted.
 */
import { documentOf, getField, stringValue } from '../../bson/index.ts';
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
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn, textIn } from './arguments.ts';
import { checkUserWrites } from './setUserWriteBlockMode.ts';

export function dropCollection(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrDropCollection', 'Drops a collection of the cluster.', 'internal'),
    parse: (body) => namespaceIn(body),
    execute: async (namespace, op) => {
      await checkUserWrites(server());
      await server().locks.run(namespace, () => drop(server(), op, namespace));
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
      return dropWholeDatabase(server(), op, name);
    },
    reply: (name) => ({ dropped: name }),
  });
}

async function drop(server: ConfigServer, op: OperationContext, namespace: string): Promise<void> {
  const { catalog } = server;
  const routing = await catalog.tryRouting(op, namespace);
  if (routing !== undefined) await forget(server, op, routing);
  await dropOnShards(server, op, namespace);
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
      const puts: Expectation[] = [{ key, value: undefined }];
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

/** A shard that is not there fails it: doing it again goes on. */
async function dropOnShards(
  server: ConfigServer,
  op: OperationContext,
  namespace: string,
): Promise<void> {
  for (const shard of await server.catalog.shards(op)) {
    await server.askShard(op, shard, { _shardsvrDropCollectionParticipant: namespace });
  }
}

async function dropWholeDatabase(
  server: ConfigServer,
  op: OperationContext,
  name: string,
): Promise<string> {
  const { catalog } = server;
  for (const document of await catalog.read(op, 'config.collections')) {
    const namespace = keyOf('collections', document).id.asString();
    if (!namespace.startsWith(`${name}.`)) continue;
    await server.locks.run(namespace, () => drop(server, op, namespace));
  }
  await server.locks.run(`${name}.`, async () => {
    const shards = await catalog.shards(op);
    await dropOnAll(server, op, name, shards);
    const key = { set: 'databases', id: stringValue(name) };
    for (let attempt = 0; ; attempt += 1) {
      const before = await catalog.topology.get(key);
      if (before === undefined) break;
      const change = { expected: [{ key, value: before }], puts: [{ key, value: undefined }] };
      const entry = { what: 'dropDatabase', namespace: name, details: documentOf({}) };
      if (await catalog.change(op, change, entry)) break;
      if (attempt < ATTEMPTS) continue;
      throw new CommandError(
        'ConflictingOperationInProgress',
        `Database ${name} changed meanwhile`,
      );
    }
    // Routers that still know it are refused from now on; what they have written until then goes, too.
    for (const shard of shards) {
      await server.askShard(op, shard, { _flushDatabaseCacheUpdates: name });
    }
    await dropOnAll(server, op, name, shards);
  });
  return name;
}

async function dropOnAll(
  server: ConfigServer,
  op: OperationContext,
  name: string,
  shards: readonly ShardEntry[],
): Promise<void> {
  for (const shard of shards) {
    const drop = documentOf({ dropDatabase: 1, $db: name });
    await server.peers.ask(shard.host, drop, { interruption: op });
  }
}

function keyOf(set: string, document: Buffer): TopologyKey {
  const id = getField(document, '_id');
  tassert(id !== undefined, 'the config database: a document without _id');
  return { set, id };
}
