/**
 * _configsvrAddShard: a server becomes a shard, and its databases become the cluster's.
 *
 * The shard is told who it is before the cluster knows of it: what fails in between is repaired by doing it again.
 * Source: MongoDB's manual, "addShard".
 */
import {
  BsonType,
  documentOf,
  EMPTY_DOCUMENT,
  FieldCursor,
  getField,
  objectIdValue,
  stringValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { type Expectation } from '../../server/index.ts';
import {
  defineCommand,
  parseHost,
  type Command,
  type OperationContext,
  type ShardEntry,
} from '../../server/cluster.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { newDatabase } from '../catalog/databases.ts';
import { configTraits, textIn } from './arguments.ts';
import { userWritesAreBlocked } from './setUserWriteBlockMode.ts';

interface AddShardRequest {
  readonly host: string;
  readonly name: string | undefined;
}

const ASK_TIMEOUT_MS = 10_000;
/** Not the cluster's: each server has its own. */
const OWN_DATABASES = new Set(['admin', 'config', 'local']);

export function addShard(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrAddShard', 'Adds a shard to the cluster.', 'addShard'),
    parse: (body): AddShardRequest => {
      const host = textIn(body);
      const name = body.string('name', undefined);
      for (const member of membersOf(host)) parseHost(member);
      if (name === '') throw new CommandError('BadValue', 'shard name cannot be empty');
      if (name === 'config') {
        throw new CommandError('BadValue', "'config' is not a valid name for a shard");
      }
      return { host, name };
    },
    execute: (request, op) => server().locks.run('', () => add(server(), op, request)),
    reply: (name) => ({ shardAdded: name }),
  });
}

/** Of "host:port", or of "set/host:port,host:port". */
function membersOf(host: string): string[] {
  return host.slice(host.indexOf('/') + 1).split(',');
}

async function add(
  server: ConfigServer,
  op: OperationContext,
  { host, name }: AddShardRequest,
): Promise<string> {
  const { catalog } = server;
  if (host.includes('/')) {
    const [member] = membersOf(host);
    await checkServer(server, op, member);
    throw new CommandError(
      'NotImplemented',
      `'${host}' is a replica set: those as shards are not supported by this version of FlintDB`,
    );
  }
  const shards = await catalog.shards(op);
  const same = shards.find((shard) => shard.host === host);
  if (same !== undefined) {
    if (name === undefined || name === same.name) return same.name;
    throw new CommandError(
      'IllegalOperation',
      `A shard already exists containing the host '${host}', its name is '${same.name}'`,
    );
  }
  await checkServer(server, op, host);
  const chosen = await nameFor(server, op, { host, name }, shards);
  if (shards.some((shard) => shard.name === chosen)) {
    throw new CommandError('IllegalOperation', `A shard named '${chosen}' already exists`);
  }
  const databases = await databasesOf(server, op, host);
  await checkDatabases(server, databases, chosen);
  const joining = { name: chosen, host, isDraining: false };
  await join(server, op, joining);
  await server.askShard(op, joining, {
    _shardsvrSetUserWriteBlockMode: 1,
    global: await userWritesAreBlocked(server),
  });
  const shardKey = { set: 'shards', id: stringValue(chosen) };
  const shard = documentOf({
    _id: chosen,
    host,
    state: 1,
    topologyTime: catalog.newTimestamp(),
  });
  const puts: Expectation[] = [
    { key: shardKey, value: shard },
    ...databases.map((database) => newDatabase(server, database, chosen)),
  ];
  const expected = puts.map(({ key }) => ({ key, value: undefined }));
  const entry = {
    what: 'addShard',
    namespace: '',
    details: documentOf({ name: chosen, host }),
  };
  if (await catalog.change(op, { expected, puts }, entry)) return chosen;
  throw new CommandError(
    'ConflictingOperationInProgress',
    `The shard '${chosen}' or one of its databases has been added by somebody else`,
  );
}

/** @throws CommandError OperationFailed, IllegalOperation for a server that cannot be a shard */
async function checkServer(
  server: ConfigServer,
  op: OperationContext,
  host: string,
): Promise<void> {
  const ask = { interruption: op, timeoutMs: ASK_TIMEOUT_MS };
  const hello = await server.peers.ask(host, documentOf({ hello: 1, $db: 'admin' }), ask);
  if (getField(hello, 'msg')?.asString() === 'isdbgrid') {
    throw new CommandError('IllegalOperation', `${host} is a router: it cannot be a shard`);
  }
  if (host === server.address || getField(hello, 'configsvr') !== undefined) {
    throw new CommandError(
      'OperationFailed',
      `Cannot add ${host} as a shard since it is a config server`,
    );
  }
}

/** A shard that was told its name already, by an attempt that ended half way, keeps it. */
async function nameFor(
  server: ConfigServer,
  op: OperationContext,
  { host, name }: AddShardRequest,
  shards: readonly ShardEntry[],
): Promise<string> {
  const filter = documentOf({ _id: 'shardIdentity' });
  const [identity] = await server.peers.find(host, 'admin.system.version', filter, {
    interruption: op,
    timeoutMs: ASK_TIMEOUT_MS,
  });
  const known = identity === undefined ? undefined : getField(identity, 'shardName')?.asString();
  if (name !== undefined || known !== undefined) return name ?? known ?? '';
  for (let number = 0; ; number += 1) {
    const candidate = `shard${String(number).padStart(4, '0')}`;
    if (!shards.some((shard) => shard.name === candidate)) return candidate;
  }
}

async function databasesOf(
  server: ConfigServer,
  op: OperationContext,
  host: string,
): Promise<string[]> {
  const command = documentOf({ listDatabases: 1, nameOnly: true, $db: 'admin' });
  const reply = await server.peers.ask(host, command, { interruption: op });
  const names: string[] = [];
  const cursor = new FieldCursor(getField(reply, 'databases')?.asDocument() ?? EMPTY_DOCUMENT);
  while (cursor.next()) {
    const name = getField(cursor.value().asDocument(), 'name');
    if (name?.type === BsonType.string && !OWN_DATABASES.has(name.asString())) {
      names.push(name.asString());
    }
  }
  return names;
}

async function checkDatabases(
  { catalog }: ConfigServer,
  databases: readonly string[],
  shard: string,
): Promise<void> {
  for (const database of databases) {
    const existing = await catalog.tryDatabase(database);
    if (existing === undefined) continue;
    throw new CommandError(
      'OperationFailed',
      `can't add shard '${shard}' because a local database '${database}' exists in another ${existing.primary}`,
    );
  }
}

/** Tells the server which shard of which cluster it is from now on. */
async function join(server: ConfigServer, op: OperationContext, shard: ShardEntry): Promise<void> {
  const shardIdentity = documentOf({
    shardName: shard.name,
    clusterId: objectIdValue(server.catalog.clusterId),
    configsvrConnectionString: server.address,
  });
  try {
    await server.askShard(op, shard, { _addShard: 1, shardIdentity });
  } catch (error) {
    if (!(error instanceof CommandError) || error.codeName !== 'CommandNotFound') throw error;
    throw new CommandError(
      'OperationFailed',
      `Cannot add ${shard.host} as a shard since it was not started with --shardsvr`,
    );
  }
}
