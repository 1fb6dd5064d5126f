/**
 * _configsvrCheckMetadataConsistency: compares the cluster's metadata with themselves and with what the shards have.
 *
 * Says what it finds in MongoDB's words for it, and changes nothing: of the whole cluster, of a database (its name as the command's
 * value), or of a collection (its namespace). What is made or dropped while it looks may seem wrong.
 * Source: MongoDB's manual, "checkMetadataConsistency", "Inconsistency Types".
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  documentOf,
  EMPTY_DOCUMENT,
  FieldCursor,
  getField,
  stringValue,
  type RawValue,
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
    parse: (body): Scope => {
      // The router makes the cursor.
      body.ignore('cursor');
      const checksIndexes = body.safeBoolean('checkIndexes', false);
      if (body.target.type !== BsonType.string) return { name: undefined, checksIndexes };
      return { name: body.target.asString(), checksIndexes };
    },
    execute: (scope, op) => check(server(), op, scope),
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

/** What is looked at. */
interface Scope {
  /** A database, a namespace, or (undefined) everything. */
  readonly name: string | undefined;
  /** Whether the shards of a collection have the same indexes. */
  readonly checksIndexes: boolean;
}

function isWithin({ name }: Scope, namespace: string): boolean {
  return name === undefined || name === namespace || namespace.startsWith(`${name}.`);
}

async function check(
  server: ConfigServer,
  op: OperationContext,
  scope: Scope,
): Promise<Inconsistency[]> {
  const { catalog } = server;
  const database = scope.name?.split('.', 1)[0];
  if (database !== undefined && (await catalog.tryDatabase(database)) === undefined) {
    throw new CommandError('NamespaceNotFound', `database ${database} not found`);
  }
  const collections = new Map<string, CollectionEntry>();
  const found: Inconsistency[] = [];
  for (const document of await catalog.read(op, 'config.collections')) {
    const entry = collectionFromDocument(document);
    if (!isWithin(scope, entry.namespace)) continue;
    collections.set(entry.namespace, entry);
    found.push(...(await ofRouting(server, op, entry)));
    if (scope.checksIndexes) found.push(...(await ofIndexes(server, op, entry)));
  }
  const primaries = new Map<string, string>();
  for (const document of await catalog.read(op, 'config.databases')) {
    const { name, primary } = databaseFromDocument(document);
    primaries.set(name, primary);
  }
  for (const shard of await catalog.shards(op)) {
    for (const { namespace, uuid } of await collectionsOn(server, op, shard)) {
      if (!isWithin(scope, namespace)) continue;
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

/** Of the shards that have chunks: what one has and another lacks, or has otherwise. */
async function ofIndexes(
  server: ConfigServer,
  op: OperationContext,
  { namespace, uuid }: CollectionEntry,
): Promise<Inconsistency[]> {
  const { catalog } = server;
  const filter = documentOf({ uuid: uuidValue(uuid) });
  const chunks = await catalog.read(op, 'config.chunks', filter);
  const names = new Set(chunks.map((chunk) => getField(chunk, 'shard')?.asString() ?? ''));
  const byIndex = new Map<string, Map<string, Buffer>>();
  for (const shard of await catalog.shards(op)) {
    if (!names.has(shard.name)) continue;
    for (const spec of await indexesOn(server, op, shard, namespace)) {
      const name = getField(spec, 'name')?.asString() ?? '';
      byIndex.set(name, (byIndex.get(name) ?? new Map<string, Buffer>()).set(shard.name, spec));
    }
  }
  const found: Inconsistency[] = [];
  for (const [indexName, specs] of byIndex) {
    const missing = [...names].filter((name) => !specs.has(name));
    const [first, ...others] = specs.values();
    const isSame = others.every((spec) => spec.equals(first));
    if (missing.length === 0 && isSame) continue;
    found.push({
      type: 'InconsistentIndex',
      description:
        'Found an index of a sharded collection that is inconsistent between different shards',
      details: {
        namespace,
        info: documentOf({
          indexName,
          shards: textArray([...specs.keys()]),
          missingFromShards: textArray(missing),
          inconsistentProperties: textArray(isSame ? [] : ['spec']),
        }),
      },
    });
  }
  return found;
}

async function indexesOn(
  { peers }: ConfigServer,
  op: OperationContext,
  { host }: ShardEntry,
  namespace: string,
): Promise<Buffer[]> {
  const dot = namespace.indexOf('.');
  const command = documentOf({
    listIndexes: namespace.slice(dot + 1),
    cursor: documentOf({ batchSize: MANY }),
    $db: namespace.slice(0, dot),
  });
  try {
    const reply = await peers.ask(host, command, { interruption: op });
    return documentsIn(getField(reply, 'cursor')?.asDocument() ?? EMPTY_DOCUMENT, 'firstBatch');
  } catch (error) {
    if (error instanceof CommandError && error.codeName === 'NamespaceNotFound') return [];
    throw error;
  }
}

function textArray(texts: readonly string[]): RawValue {
  const array = new ArrayBuilder();
  for (const text of texts) array.push(stringValue(text));
  return arrayValue(array.finish());
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
