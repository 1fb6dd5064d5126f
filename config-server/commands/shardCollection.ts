/**
 * _configsvrShardCollection: a collection is spread over the shards from now on.
 *
 * The primary shard prepares it: it makes the collection and the index that the key needs, refuses what cannot be sharded, and lets
 * nobody write until it has heard how it ended, or has waited long enough. Then one compare-and-set makes the collection sharded.
 * Source: MongoDB's manual, "shardCollection".
 */
import {
  BsonType,
  dateValue,
  documentOf,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  inspect,
  isEmpty,
  objectIdValue,
  stringValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { type CommandBody, type Expectation } from '../../server/index.ts';
import {
  databaseFromDocument,
  defineCommand,
  shardFromDocument,
  ShardKeyPattern,
  uuidValue,
  type CollectionRouting,
  type Command,
  type OperationContext,
  type ShardEntry,
} from '../../server/cluster.ts';
import { chunkPut } from '../catalog/chunk-documents.ts';
import { refreshShards } from '../catalog/refresh-shards.ts';
import { ensureDatabase, shardAsItIs } from '../catalog/databases.ts';
import {
  checkPresplitZones,
  chunksOfZones,
  evenHashedChunks,
  oneChunk,
  type ChunkPlace,
} from '../catalog/initial-chunks.ts';
import { zoneRanges, zonesOf } from '../balancer/distribution.ts';
import type { ZoneRange } from '../balancer/policy.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, databaseOf, namespaceIn } from './arguments.ts';
import { settleDrops } from './dropCollection.ts';

interface ShardCollectionRequest {
  readonly namespace: string;
  readonly pattern: ShardKeyPattern;
  readonly isUnique: boolean;
  readonly chunkCount: number | undefined;
  readonly isPresplit: boolean;
  /** A unique key needs a unique index. */
  readonly checksUniqueness: boolean;
  /** The index of the key is made where there is none. */
  readonly makesIndex: boolean;
}

const MAX_INITIAL_CHUNKS = 8192;
/** Well below the time for which the primary shard holds writers back (server/sharding/preparations.ts). */
const PREPARED_MS = 10_000;

export function shardCollection(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrShardCollection', 'Shards a collection.', 'enableSharding'),
    parse: parseShardCollection,
    execute: async (request, op) => {
      await settleDrops(server(), op, databaseOf(request.namespace));
      return server().locks.run(request.namespace, () => shard(server(), op, request));
    },
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
  const isPresplit = body.safeBoolean('presplitHashedZones', false);
  const checksUniqueness = body.safeBoolean('enforceUniquenessCheck', true);
  const makesIndex = body.safeBoolean('implicitlyCreateIndex', true);
  body.refuse('timeseries');
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
  return {
    namespace,
    pattern,
    isUnique,
    chunkCount,
    isPresplit,
    checksUniqueness,
    makesIndex,
  };
}

async function shard(
  server: ConfigServer,
  op: OperationContext,
  request: ShardCollectionRequest,
): Promise<CollectionRouting> {
  const { namespace } = request;
  const known = await server.catalog.tryRouting(op, namespace);
  if (known !== undefined) return checkSame(known, request);
  await ensureDatabase(server, op, databaseOf(namespace));
  const zones = await zonesFor(server, op, request);
  const databaseKey = { set: 'databases', id: stringValue(databaseOf(namespace)) };
  const database = await server.catalog.topology.get(databaseKey);
  if (database === undefined) {
    throw new CommandError('NamespaceNotFound', `database ${databaseOf(namespace)} not found`);
  }
  const primary = await server.catalog.shard(op, databaseFromDocument(database).primary);
  const prepared = await server.askShard(op, primary, {
    _shardsvrPrepareShardCollection: namespace,
    key: request.pattern.pattern,
    unique: request.isUnique,
    enforceUniquenessCheck: request.checksUniqueness,
    implicitlyCreateIndex: request.makesIndex,
  });
  const untilMs = server.host.service.clock.monotonicMs() + PREPARED_MS;
  try {
    // While the collection is prepared its database must not get another primary shard.
    const relied = { key: databaseKey, value: database };
    await commit(server, op, request, { primary, prepared, untilMs, zones, relied });
  } finally {
    // Whatever happened: the primary shard reads what is true now, and lets writers go on.
    await refreshShards(server, [primary], namespace);
  }
  const routing = await server.catalog.routing(op, namespace);
  const holders = new Set(routing.chunks.shards());
  const others = (await server.catalog.shards(op)).filter(({ name }) => holders.has(name));
  await refreshShards(server, others, namespace);
  return routing;
}

/** The zones that were made for the collection before it is sharded. @throws CommandError InvalidOptions */
async function zonesFor(
  server: ConfigServer,
  op: OperationContext,
  { namespace, pattern }: ShardCollectionRequest,
): Promise<ZoneRange[]> {
  for (const tag of await server.catalog.read(op, 'config.tags', documentOf({ ns: namespace }))) {
    for (const name of ['min', 'max'] as const) {
      const bound = getField(tag, name)?.asDocument() ?? documentOf({});
      const fields = [...fieldsOf(bound)];
      const isOfKey =
        fields.length === pattern.fields.length &&
        fields.every(([field], at) => field === pattern.fields[at].path.text);
      uassert(
        isOfKey,
        'InvalidOptions',
        `the proposed shard key ${inspect(pattern.pattern)} does not match with the shard key of the existing zone ${inspect(tag)}`,
      );
      const hash = fields.find((_field, at) => pattern.fields[at].isHashed)?.[1].type;
      uassert(
        hash === undefined || HASH_BOUNDS.has(hash),
        'InvalidOptions',
        `cannot do hash sharding with the proposed key ${inspect(pattern.pattern)} because there exists a zone ${inspect(tag)} whose boundaries are not of type NumberLong, MinKey or MaxKey`,
      );
    }
  }
  return zoneRanges(server, op, { namespace, pattern });
}

const HASH_BOUNDS: ReadonlySet<number> = new Set([
  BsonType.int64,
  BsonType.minKey,
  BsonType.maxKey,
]);

interface Preparation {
  readonly primary: ShardEntry;
  readonly prepared: Buffer;
  readonly untilMs: number;
  readonly zones: readonly ZoneRange[];
  /** The database as it was when its primary shard was asked. */
  readonly relied: Expectation;
}

async function commit(
  server: ConfigServer,
  op: OperationContext,
  request: ShardCollectionRequest,
  { primary, prepared, untilMs, zones, relied }: Preparation,
): Promise<void> {
  const { namespace, pattern, isUnique } = request;
  const { catalog } = server;
  const uuid = getField(prepared, 'uuid')?.asBinary().bytes.toString('hex') ?? '';
  const hasDocuments = getField(prepared, 'isEmpty')?.asBoolean() !== true;
  const options = getField(prepared, 'options')?.asDocument();
  const indexes = getField(prepared, 'indexes');
  const documents = await catalog.read(op, 'config.shards', EMPTY_DOCUMENT, documentOf({ _id: 1 }));
  const shards = documents
    .map((document) => ({ ...shardFromDocument(document), zones: zonesOf(document) }))
    .filter(({ isDraining }) => !isDraining);
  const places = placesFor(request, { hasDocuments, primary, zones, shards });
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
  const expected: Expectation[] = [{ key, value: undefined }, relied];
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
  { pattern, chunkCount, isPresplit }: ShardCollectionRequest,
  {
    hasDocuments,
    primary,
    zones,
    shards,
  }: {
    readonly hasDocuments: boolean;
    readonly primary: ShardEntry;
    readonly zones: readonly ZoneRange[];
    readonly shards: readonly (ShardEntry & { readonly zones: readonly string[] })[];
  },
): ChunkPlace[] {
  if (isPresplit) checkPresplitZones(pattern, zones, hasDocuments);
  const isSpread = pattern.isHashed && !hasDocuments;
  uassert(
    isSpread || chunkCount === undefined || chunkCount === 0,
    'InvalidOptions',
    `numInitialChunks is not supported when the ${hasDocuments ? 'collection is not empty' : 'shard key is not hashed'}.`,
  );
  if (!hasDocuments && zones.length > 0) {
    return chunksOfZones({ pattern, zones, shards }, isPresplit);
  }
  if (!isSpread || !pattern.fields[0].isHashed) return oneChunk(pattern, primary.name);
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
