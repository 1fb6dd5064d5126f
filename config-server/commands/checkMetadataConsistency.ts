/**
 * _configsvrCheckMetadataConsistency: compares the cluster's metadata with themselves and with what the shards have.
 *
 * Says what it finds in MongoDB's words for it, and changes nothing. What is made or dropped while it looks may seem wrong.
 * Source: MongoDB's manual, "checkMetadataConsistency", "Inconsistency Types".
 */
import {
  ArrayBuilder,
  arrayValue,
  documentOf,
  EMPTY_DOCUMENT,
  FieldCursor,
  getField,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import {
  chunkFromDocument,
  collectionFromDocument,
  databaseFromDocument,
  defineCommand,
  uuidValue,
  type Chunk,
  type CollectionEntry,
  type Command,
  type OperationContext,
  type ShardEntry,
} from '../../server/cluster.ts';
import { findInconsistencies, type Inconsistency } from '../catalog/inconsistencies.ts';
import { zoneRanges } from '../balancer/distribution.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits } from './arguments.ts';

/** Each server's own. */
const OWN_DATABASES = new Set(['admin', 'config', 'local']);
const MANY = 1_000_000;

export function checkMetadataConsistency(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrCheckMetadataConsistency',
      'Compares metadata of the cluster with each other.',
      'checkMetadataConsistency',
    ),
    parse: (body) => {
      body.refuse('checkIndexes');
      body.ignore('cursor');
    },
    execute: (_none, op) => check(server(), op),
    reply: (found) => {
      const batch = new ArrayBuilder();
      for (const { type, description, details } of found) {
        batch.pushDocument(documentOf({ type, description, details: documentOf(details) }));
      }
      return {
        cursor: documentOf({
          firstBatch: arrayValue(batch.finish()),
          id: 0n,
          ns: 'admin.$cmd.aggregate',
        }),
      };
    },
  });
}

async function check(server: ConfigServer, op: OperationContext): Promise<Inconsistency[]> {
  const { catalog } = server;
  const collections = new Map<string, CollectionEntry>();
  const found: Inconsistency[] = [];
  for (const document of await catalog.read(op, 'config.collections')) {
    const entry = collectionFromDocument(document);
    collections.set(entry.namespace, entry);
    found.push(...(await ofRouting(server, op, entry)));
  }
  const primaries = new Map<string, string>();
  for (const document of await catalog.read(op, 'config.databases')) {
    const { name, primary } = databaseFromDocument(document);
    primaries.set(name, primary);
  }
  for (const shard of await catalog.shards(op)) {
    for (const { namespace, uuid } of await collectionsOn(server, op, shard)) {
      const entry = collections.get(namespace);
      const primary = primaries.get(namespace.slice(0, namespace.indexOf('.')));
      if (entry !== undefined && entry.uuid !== uuid) {
        found.push({
          type: 'CollectionUUIDMismatch',
          description: 'Found collection with an UUID that does not match the sharding catalog',
          details: {
            namespace,
            shard: shard.name,
            localUUID: uuidValue(uuid),
            UUID: uuidValue(entry.uuid),
          },
        });
      }
      if (entry === undefined && primary !== undefined && primary !== shard.name) {
        found.push({
          type: 'MisplacedCollection',
          description:
            'Unsharded collection found on a shard other than the primary shard of its database',
          details: { namespace, shard: shard.name, localUUID: uuidValue(uuid) },
        });
      }
    }
  }
  return found;
}

async function ofRouting(
  server: ConfigServer,
  op: OperationContext,
  entry: CollectionEntry,
): Promise<Inconsistency[]> {
  const { catalog } = server;
  const filter = documentOf({ uuid: uuidValue(entry.uuid) });
  const documents = await catalog.read(op, 'config.chunks', filter);
  const chunks: Chunk[] = [];
  const corrupted: Inconsistency[] = [];
  for (const document of documents) {
    try {
      chunks.push(chunkFromDocument(document, entry.pattern));
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      corrupted.push({
        type: 'CorruptedChunkShardKey',
        description: 'Found a chunk whose bounds are none of the shard key',
        details: { namespace: entry.namespace, chunk: document },
      });
    }
  }
  const known = new Set((await catalog.shards(op)).map(({ name }) => name));
  const zones = await zoneRanges(server, op, entry);
  return [...corrupted, ...findInconsistencies({ entry, chunks, zones, shards: known })];
}

async function collectionsOn(
  { peers }: ConfigServer,
  op: OperationContext,
  { host }: ShardEntry,
): Promise<{ readonly namespace: string; readonly uuid: string }[]> {
  const ask = { interruption: op };
  const found = [];
  const databases = await peers.ask(
    host,
    documentOf({ listDatabases: 1, nameOnly: true, $db: 'admin' }),
    ask,
  );
  for (const database of documentsIn(databases, 'databases')) {
    const $db = getField(database, 'name')?.asString() ?? '';
    if (OWN_DATABASES.has($db)) continue;
    const cursor = documentOf({ batchSize: MANY });
    const reply = await peers.ask(host, documentOf({ listCollections: 1, cursor, $db }), ask);
    const batch = getField(reply, 'cursor')?.asDocument() ?? EMPTY_DOCUMENT;
    for (const collection of documentsIn(batch, 'firstBatch')) {
      const info = getField(collection, 'info')?.asDocument() ?? EMPTY_DOCUMENT;
      const uuid = getField(info, 'uuid');
      // A view has none.
      if (uuid === undefined) continue;
      const namespace = `${$db}.${getField(collection, 'name')?.asString() ?? ''}`;
      found.push({ namespace, uuid: uuid.asBinary().bytes.toString('hex') });
    }
  }
  return found;
}

function documentsIn(document: Buffer, name: string): Buffer[] {
  const found: Buffer[] = [];
  const cursor = new FieldCursor(getField(document, name)?.asDocument() ?? EMPTY_DOCUMENT);
  while (cursor.next()) found.push(cursor.value().asDocument());
  return found;
}
