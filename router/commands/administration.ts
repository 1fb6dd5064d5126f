/**
 * Commands by which operators change the cluster: the config server does them under a name of its own, with the same fields.
 *
 * What the router answers itself is what it knows itself: who the shards are, what its cache holds.
 */
import {
  DocumentBuilder,
  documentOf,
  EMPTY_DOCUMENT,
  fieldsOf,
  objectIdValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import {
  defineCommand,
  DocumentListProducer,
  firstBatch,
  isGenericArgument,
  nestedBody,
  placementValue,
  timestampOfBigInt,
  type Command,
  type ReplyBody,
} from '../../server/cluster.ts';
import { databaseOf, readCursor } from '../network/read-all.ts';
import type { Router } from '../router.ts';
import type { Call } from './routed-command.ts';
import { passedOn } from './shard-reply.ts';
import { appendLimits } from './shard-request.ts';

interface Administration {
  readonly name: string;
  readonly help: string;
  /** What its first field names: a namespace or a database whose route may be another one afterwards. */
  readonly concerns?: 'collection' | 'database';
}

const FORWARDED: readonly Administration[] = [
  { name: 'abortReshardCollection', help: 'Gives a resharding up.' },
  { name: 'addShard', help: 'Adds a shard to the cluster.' },
  { name: 'addShardToZone', help: 'Makes a shard take the data of a zone.' },
  { name: 'balancerCollectionStatus', help: 'Says whether a collection is balanced.' },
  { name: 'balancerStart', help: 'Starts the balancer.' },
  { name: 'balancerStatus', help: 'Says what the balancer does.' },
  { name: 'balancerStop', help: 'Stops the balancer.' },
  { name: 'cleanupReshardCollection', help: 'Removes what a resharding left.' },
  { name: 'clearJumboFlag', help: 'Lets a chunk be moved again.', concerns: 'collection' },
  { name: 'commitReshardCollection', help: 'Ends a resharding at once.' },
  {
    name: 'configureCollectionBalancing',
    help: "Changes how a collection's chunks are balanced.",
    concerns: 'collection',
  },
  { name: 'enableSharding', help: 'Makes a database known.', concerns: 'database' },
  { name: 'listShards', help: 'Lists the shards.' },
  { name: 'mergeAllChunksOnShard', help: 'Merges what can be merged.', concerns: 'collection' },
  { name: 'mergeChunks', help: 'Makes one chunk of neighbours.', concerns: 'collection' },
  { name: 'moveChunk', help: 'Moves a chunk to another shard.', concerns: 'collection' },
  { name: 'movePrimary', help: "Moves a database's collections.", concerns: 'database' },
  { name: 'moveRange', help: 'Moves a range of keys to another shard.', concerns: 'collection' },
  {
    name: 'refineCollectionShardKey',
    help: 'Adds fields to a shard key.',
    concerns: 'collection',
  },
  { name: 'removeShard', help: 'Drains a shard, and takes it out of the cluster.' },
  { name: 'removeShardFromZone', help: 'Makes a shard leave a zone.' },
  { name: 'setAllowMigrations', help: 'Lets chunks of a collection move.', concerns: 'collection' },
  { name: 'setUserWriteBlockMode', help: 'Blocks the writes of clients, or lets them go.' },
  {
    name: 'shardCollection',
    help: 'Spreads a collection over the shards.',
    concerns: 'collection',
  },
  { name: 'split', help: 'Makes two chunks of one.', concerns: 'collection' },
  { name: 'updateZoneKeyRange', help: 'Gives a range of keys to a zone.', concerns: 'collection' },
];

export function administrationCommands(router: Router): Command[] {
  return [
    ...FORWARDED.map((each) => forwarded(router, each)),
    checkMetadataConsistency(router),
    flushRouterConfig(router),
    getShardMap(router),
    getShardVersion(router),
    isdbgrid,
  ];
}

function traits(name: string, help: string) {
  return {
    name,
    help,
    kind: 'admin',
    access: { action: name, on: 'cluster' },
    route: 'configServer',
    adminOnly: true,
    takesWriteConcern: true,
    takesReadConcern: true,
    lenient: true,
  } as const;
}

function forwarded(router: Router, { name, help, concerns }: Administration): Command {
  return {
    ...traits(name, help),
    run: async (body, op): Promise<ReplyBody> => {
      const reply = await forward({ router, op, body }, name);
      const about = body.target.typeName === 'string' ? body.target.asString() : undefined;
      if (about !== undefined && concerns === 'collection') router.routing.collectionIsStale(about);
      if (about !== undefined && concerns !== undefined) {
        router.routing.databaseIsStale(databaseOf(about));
      }
      return passedOn(reply);
    },
  };
}

async function forward(
  { router, op, body }: Omit<Call, 'original'>,
  name: string,
): Promise<Buffer> {
  const out = new DocumentBuilder(body.bytes.length + 64);
  const internal = `_configsvr${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  let isFirst = true;
  for (const [field, value] of fieldsOf(body.bytes)) {
    if (isFirst) out.append(internal, value);
    else if (!isGenericArgument(field) || field === 'comment') out.append(field, value);
    isFirst = false;
  }
  out.appendString('$db', 'admin');
  appendLimits(out, op);
  try {
    return await router.shards.config.command(out.finish(), op);
  } catch (error) {
    const isMissing = error instanceof CommandError && error.codeName === 'CommandNotFound';
    if (!isMissing) throw error;
    throw new CommandError(
      'CommandNotFound',
      `no such command: '${name}' (the config server does not support it yet)`,
    );
  }
}

/** Sent to admin it looks at the cluster, to another database at that one or at the collection that it names. */
function checkMetadataConsistency(router: Router): Command {
  return {
    ...traits('checkMetadataConsistency', 'Compares metadata of the cluster with each other.'),
    adminOnly: false,
    run: async (body, op) => {
      const { database, target } = body;
      const isCollection = target.typeName === 'string';
      if (!isCollection && !target.isNumber) {
        throw body.wrongType(body.command, target, "expected types '[string, int, long, double]'");
      }
      const isCluster = database === 'admin' && !isCollection;
      const namespace = isCollection ? body.collection() : database;
      const checkIndexes = body.safeBoolean('checkIndexes', false);
      const options = body.document('cursor', EMPTY_DOCUMENT);
      const batchSize = nestedBody('cursor', options, body).limit('batchSize');
      body.rejectUnknownFields();
      const documents = await readCursor(
        router.shards.config,
        op,
        documentOf({
          _configsvrCheckMetadataConsistency: isCluster ? 1 : namespace,
          checkIndexes,
          $db: 'admin',
        }),
      );
      return firstBatch(op, {
        namespace: isCollection ? namespace : `${database}.$cmd.aggregate`,
        producer: new DocumentListProducer(documents),
        batchSize,
      });
    },
  };
}

function flushRouterConfig(router: Router): Command {
  return defineCommand({
    ...traits('flushRouterConfig', 'Forgets what is known of places of data.'),
    parse: (body) => (body.target.typeName === 'string' ? body.target.asString() : undefined),
    execute: (what) => router.routing.forget(what),
    reply: () => ({ flushed: true }),
  });
}

function getShardMap(router: Router): Command {
  return defineCommand({
    ...traits('getShardMap', 'Shows the shards and their addresses.'),
    parse: () => undefined,
    execute: async (_none, op) => router.shards.all(op),
    reply: (shards) => {
      const { config } = router.shards;
      const all = [config, ...shards];
      return {
        map: Object.fromEntries(all.map(({ name, host }) => [name, host])),
        hosts: Object.fromEntries(all.map(({ name, host }) => [host, name])),
        connStrings: Object.fromEntries(all.map(({ name, host }) => [host, name])),
      };
    },
  });
}

function getShardVersion(router: Router): Command {
  return defineCommand({
    ...traits('getShardVersion', 'Shows which version of a collection the router knows.'),
    parse: (body) => (body.target.typeName === 'string' ? body.target.asString() : ''),
    execute: async (namespace, op) => router.routing.collection(namespace, op),
    reply: (sharded) => {
      if (sharded === undefined) {
        throw new CommandError('NamespaceNotSharded', 'Collection is not sharded.');
      }
      const { version } = sharded.chunks;
      return {
        version: placementValue(version),
        versionEpoch: objectIdValue(Buffer.from(version.epoch, 'hex')),
        versionTimestamp: timestampOfBigInt(version.timestamp),
      };
    },
  });
}

/** How old clients find out that they talk to a router. */
const isdbgrid = defineCommand({
  ...traits('isdbgrid', 'Says that this is a router.'),
  adminOnly: false,
  parse: () => undefined,
  execute: () => undefined,
  reply: (_none, op) => ({ isdbgrid: 1, hostname: op.service.identity.host }),
});
