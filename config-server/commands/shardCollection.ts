/**
 * _configsvrShardCollection: a collection is spread over the shards from now on.
 *
 * The primary shard prepares it: it makes the collection and the index that the key needs, refuses what cannot be sharded, and lets
 * nobody write until it has heard how it ended, or has waited long enough. Then one compare-and-set makes the collection sharded.
 * Source: MongoDB's manual, "shardCollection".
 */
import {
  dateValue,
  documentOf,
  fieldsOf,
  getField,
  isEmpty,
  objectIdValue,
  stringValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { type CommandBody, type Expectation } from '../../server/index.ts';
import {
  defineCommand,
  ShardKeyPattern,
  uuidValue,
  type CollectionRouting,
  type Command,
  type OperationContext,
  type ShardEntry,
} from '../../server/cluster.ts';
import { chunkPut } from '../catalog/chunk-documents.ts';
import { ensureDatabase, shardAsItIs } from '../catalog/databases.ts';
import { evenHashedChunks, oneChunk, type ChunkPlace } from '../catalog/initial-chunks.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, databaseOf, namespaceIn } from './arguments.ts';

interface ShardCollectionRequest {
  readonly namespace: string;
  readonly pattern: ShardKeyPattern;
  readonly isUnique: boolean;
  readonly chunkCount: number | undefined;
}

const MAX_INITIAL_CHUNKS = 8192;
/** Well below the time for which the primary shard holds writers back (server/sharding/preparations.ts). */
const PREPARED_MS = 10_000;

export function shardCollection(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrShardCollection', 'Shards a collection.', 'enableSharding'),
    parse: parseShardCollection,
    execute: (request, op) =>
      server().locks.run(request.namespace, () => shard(server(), op, request)),
    reply: ({ entry }) => ({
      collectionsharded: entry.namespace,
      collectionUUID: uuidValue(entry.uuid),
    }),
  });
}

function parseShardCollection(body: CommandBody): ShardCollectionRequest {
  const namespace = namespaceIn(body);
  const pattern = ShardKeyPattern.parse(body.document('key'));
  const isUnique = body.safeBoolean('unique', false);
  const chunkCount = body.integer('numInitialChunks', undefined, 0);
  const collation = body.document('collation', undefined);
  body.refuse('timeseries', 'presplitHashedZones');
  body.ignore('implicitlyCreateIndex', 'enforceUniquenessCheck');
  const locale = collation === undefined ? undefined : getField(collation, 'locale')?.asString();
  uassert(
    collation === undefined || (locale === 'simple' && [...fieldsOf(collation)].length === 1),
    'BadValue',
    "The collation for shardCollection must be {locale: 'simple'}, but found a different one",
  );
  uassert(
    !(isUnique && pattern.isHashed),
    'InvalidOptions',
    "Hashed shard keys cannot be declared unique. It's possible to ensure uniqueness on the hashed field by declaring an additional (non-hashed) unique index on the field.",
  );
  uassert(
    chunkCount === undefined || chunkCount <= MAX_INITIAL_CHUNKS,
    'InvalidOptions',
    `numInitialChunks cannot be more than ${MAX_INITIAL_CHUNKS}`,
  );
  return { namespace, pattern, isUnique, chunkCount };
}

async function shard(
  server: ConfigServer,
  op: OperationContext,
  request: ShardCollectionRequest,
): Promise<CollectionRouting> {
  const { namespace } = request;
  const known = await server.catalog.tryRouting(op, namespace);
  if (known !== undefined) return checkSame(known, request);
  const database = await ensureDatabase(server, op, databaseOf(namespace));
  const primary = await server.catalog.shard(op, database.primary);
  const prepared = await server.askShard(op, primary, {
    _shardsvrPrepareShardCollection: namespace,
    key: request.pattern.pattern,
    unique: request.isUnique,
  });
  const untilMs = server.host.service.clock.monotonicMs() + PREPARED_MS;
  try {
    await commit(server, op, request, { primary, prepared, untilMs });
  } finally {
    // Whatever happened: the primary shard reads what is true now, and lets writers go on.
    await refresh(server, [primary], namespace);
  }
  const routing = await server.catalog.routing(op, namespace);
  const holders = new Set(routing.chunks.shards());
  const others = (await server.catalog.shards(op)).filter(({ name }) => holders.has(name));
  await refresh(server, others, namespace);
  return routing;
}

async function commit(
  server: ConfigServer,
  op: OperationContext,
  { namespace, pattern, isUnique, chunkCount }: ShardCollectionRequest,
  {
    primary,
    prepared,
    untilMs,
  }: { readonly primary: ShardEntry; readonly prepared: Buffer; readonly untilMs: number },
): Promise<void> {
  const { catalog } = server;
  const uuid = getField(prepared, 'uuid')?.asBinary().bytes.toString('hex') ?? '';
  const hasDocuments = getField(prepared, 'isEmpty')?.asBoolean() !== true;
  const options = getField(prepared, 'options')?.asDocument();
  const indexes = getField(prepared, 'indexes');
  const shards = (await catalog.shards(op)).filter(({ isDraining }) => !isDraining);
  const places = placesFor({ pattern, chunkCount, hasDocuments }, primary, shards);
  const holders = new Set(places.map((place) => place.shard));
  for (const other of shards) {
    if (other.name === primary.name || !holders.has(other.name)) continue;
    await server.askShard(op, other, {
      _shardsvrCreateCollectionParticipant: namespace,
      uuid: uuidValue(uuid),
      options,
      indexes,
    });
  }
  const { stamps, clock } = server.host.service;
  const timestamp = catalog.newTimestamp();
  const collation = options === undefined ? undefined : getField(options, 'collation');
  const key = { set: 'collections', id: stringValue(namespace) };
  const value = documentOf({
    _id: namespace,
    lastmodEpoch: objectIdValue(stamps.objectIds.next()),
    lastmod: dateValue(clock.wallMs()),
    timestamp,
    uuid: uuidValue(uuid),
    key: pattern.pattern,
    ...(collation === undefined || isEmpty(collation.asDocument())
      ? {}
      : { defaultCollation: collation }),
    unique: isUnique,
    noBalance: false,
  });
  const chunks = places.map((place, minor) =>
    chunkPut(catalog.newObjectId(), { ...place, uuid, major: 1, minor, since: timestamp }),
  );
  const expected: Expectation[] = [{ key, value: undefined }];
  for (const name of holders) expected.push(await shardAsItIs(server, name));
  const details = documentOf({
    shardKey: pattern.pattern,
    primary: primary.name,
    numChunks: places.length,
  });
  const entry = { what: 'shardCollection.end', namespace, details };
  if (clock.monotonicMs() > untilMs) {
    throw new CommandError(
      'ExceededTimeLimit',
      `The shards were too slow: ${primary.name} may let writers to ${namespace} go on before it is sharded`,
    );
  }
  if (await catalog.change(op, { expected, puts: [{ key, value }, ...chunks] }, entry)) return;
  throw new CommandError(
    'ConflictingOperationInProgress',
    `The shards of the cluster changed while ${namespace} was being sharded`,
  );
}

function placesFor(
  {
    pattern,
    chunkCount,
    hasDocuments,
  }: {
    readonly pattern: ShardKeyPattern;
    readonly chunkCount: number | undefined;
    readonly hasDocuments: boolean;
  },
  primary: ShardEntry,
  shards: readonly ShardEntry[],
): ChunkPlace[] {
  const isSpread = pattern.fields[0].isHashed && !hasDocuments;
  if (!isSpread) return oneChunk(pattern, primary.name);
  const names = shards.map(({ name }) => name);
  const count = chunkCount === undefined || chunkCount === 0 ? names.length : chunkCount;
  return evenHashedChunks(pattern, Math.max(count, 1), names);
}

function checkSame(known: CollectionRouting, request: ShardCollectionRequest): CollectionRouting {
  const { entry } = known;
  if (
    entry.pattern.pattern.equals(request.pattern.pattern) &&
    entry.isUnique === request.isUnique
  ) {
    return known;
  }
  throw new CommandError(
    'AlreadyInitialized',
    `sharding already enabled for collection ${request.namespace}`,
  );
}

/** Tells shards to read a collection's metadata again. One that does not answer reads it when it is asked the next time. */
async function refresh(
  server: ConfigServer,
  shards: readonly ShardEntry[],
  namespace: string,
): Promise<void> {
  await server.host.background('refreshShards', async (op) => {
    await Promise.allSettled(
      shards.map((shard) =>
        server.askShard(
          op,
          shard,
          { _flushRoutingTableCacheUpdates: namespace, syncFromConfig: true },
          { timeoutMs: REFRESH_TIMEOUT_MS },
        ),
      ),
    );
  });
}

const REFRESH_TIMEOUT_MS = 10_000;
