/**
 * _configsvrDropCollection and _configsvrDropDatabase: what is sharded goes from the metadata, and then from the shards.
 *
 * The metadata first: from then on every shard refuses who routes by them, and the name is free only when the shards are done.
 * Doing it again finishes what was interrupted.
 */
import { documentOf, getField, stringValue } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { type Expectation, type TopologyKey } from '../../server/index.ts';
import {
  defineCommand,
  type CollectionRouting,
  type Command,
  type OperationContext,
  uuidValue,
} from '../../server/cluster.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn, textIn } from './arguments.ts';

export function dropCollection(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrDropCollection', 'Drops a collection of the cluster.', 'internal'),
    parse: (body) => namespaceIn(body),
    execute: (namespace, op) => server().locks.run(namespace, () => drop(server(), op, namespace)),
    reply: () => ({}),
  });
}

export function dropDatabase(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrDropDatabase', 'Drops a database of the cluster.', 'internal'),
    parse: (body) => textIn(body),
    execute: (name, op) => dropWholeDatabase(server(), op, name),
    reply: (name) => ({ dropped: name }),
  });
}

async function drop(server: ConfigServer, op: OperationContext, namespace: string): Promise<void> {
  const { catalog } = server;
  const routing = await catalog.tryRouting(op, namespace);
  if (routing !== undefined) await forget(server, op, routing);
  await dropOnShards(server, op, namespace);
}

async function forget(
  { catalog }: ConfigServer,
  op: OperationContext,
  { entry: { namespace, uuid } }: CollectionRouting,
): Promise<void> {
  const key = { set: 'collections', id: stringValue(namespace) };
  const before = await catalog.topology.get(key);
  const puts: Expectation[] = [{ key, value: undefined }];
  const tags = await catalog.read(op, 'config.tags', documentOf({ ns: namespace }));
  const chunks = await catalog.read(op, 'config.chunks', documentOf({ uuid: uuidValue(uuid) }));
  for (const [set, documents] of [
    ['tags', tags],
    ['chunks', chunks],
  ] as const) {
    for (const document of documents) puts.push({ key: keyOf(set, document), value: undefined });
  }
  const details = documentOf({ uuid: uuidValue(uuid) });
  const change = { expected: [{ key, value: before }], puts };
  await catalog.change(op, change, { what: 'dropCollection', namespace, details });
}

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
    for (const shard of await catalog.shards(op)) {
      await server.peers.ask(shard.host, documentOf({ dropDatabase: 1, $db: name }), {
        interruption: op,
      });
    }
    const key = { set: 'databases', id: stringValue(name) };
    const before = await catalog.topology.get(key);
    if (before === undefined) return;
    const change = { expected: [{ key, value: before }], puts: [{ key, value: undefined }] };
    const entry = { what: 'dropDatabase', namespace: name, details: documentOf({}) };
    await catalog.change(op, change, entry);
  });
  return name;
}

function keyOf(set: string, document: Buffer): TopologyKey {
  const id = getField(document, '_id');
  tassert(id !== undefined, 'the config database: a document without _id');
  return { set, id };
}
