/**
 * _configsvrMovePrimary: a database's unsharded collections and its views go to another shard, which is its primary one from then on.
 *
 * The shard that has them does it, and asks for the one step that counts: _configsvrCommitMovePrimary. When it does not know how that
 * ended it asks _configsvrResolveMovePrimary, which says so once and for all: a database that is still where it was gets another version,
 * so that a commit which is still on its way is refused.
 * It goes on while the writes of clients are blocked, as migrations of chunks do.
 * Source: MongoDB's manual, "movePrimary"; jstests/sharding/set_user_write_block_mode.js.
 */
import { documentOf, documentValue, setField, stringValue } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CommandBody, TopologyKey } from '../../server/index.ts';
import {
  databaseFromDocument,
  DatabaseVersion,
  defineCommand,
  type Command,
  type DatabaseEntry,
  type OperationContext,
} from '../../server/cluster.ts';
import { INTERNAL_DATABASES, shardAsItIs } from '../catalog/databases.ts';
import { pendingDrops } from '../catalog/pending-drops.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, textIn } from './arguments.ts';
import { settleDrops } from './dropCollection.ts';

/** Cloning takes as long as it takes. */
const MOVE_TIMEOUT_MS = 6 * 3_600_000;

export function movePrimary(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrMovePrimary', "Moves a database's own collections.", 'moveChunk'),
    parse: (body) => {
      const name = textIn(body);
      const to = body.string('to');
      uassert(
        /^[^\s."$/\\\0]{1,63}$/.test(name),
        'InvalidNamespace',
        `invalid db name specified: ${name}`,
      );
      uassert(
        !INTERNAL_DATABASES.has(name),
        'InvalidOptions',
        `Can't move primary for ${name} database`,
      );
      uassert(to !== '', 'InvalidOptions', 'you have to specify where you want to move it');
      return { name, to };
    },
    execute: async ({ name, to }, op) => {
      await settleDrops(server(), op, name);
      await server().locks.run(`${name}.`, () => move(server(), op, { name, to }));
    },
    reply: () => ({}),
  });
}

async function move(
  server: ConfigServer,
  op: OperationContext,
  { name, to }: { readonly name: string; readonly to: string },
): Promise<void> {
  const { catalog } = server;
  // What has been dropped would be taken along where a shard still has it.
  uassert(
    (await pendingDrops(server, op, name)).length === 0,
    'ConflictingOperationInProgress',
    `A collection of the database ${name} is being dropped`,
  );
  const database = await catalog.tryDatabase(name);
  if (database === undefined) {
    throw new CommandError('NamespaceNotFound', `database ${name} not found`);
  }
  const recipient = await catalog.shard(op, to);
  if (recipient.name === database.primary) return;
  uassert(
    !recipient.isDraining,
    'ShardNotFound',
    `Requested primary shard ${recipient.name} is draining`,
  );
  const donor = await catalog.shard(op, database.primary);
  await server.askShard(
    op,
    donor,
    {
      _shardsvrMovePrimary: name,
      toShard: recipient.name,
      toHost: recipient.host,
      expectedDatabaseVersion: database.version.toValue(),
    },
    { timeoutMs: MOVE_TIMEOUT_MS },
  );
}

interface CommitRequest {
  readonly name: string;
  readonly to: string;
  /** Of the database as the donor knew it. */
  readonly version: DatabaseVersion;
}

export function commitMovePrimary(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrCommitMovePrimary',
      'Gives a database to another primary shard.',
      'internal',
    ),
    parse: parseCommit,
    execute: (request, op) => commit(server(), op, request),
    reply: () => ({}),
  });
}

export function resolveMovePrimary(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrResolveMovePrimary', 'Says how a movePrimary ended.', 'internal'),
    parse: parseCommit,
    execute: (request, op) => resolve(server(), op, request),
    reply: (committed) => ({ committed }),
  });
}

function parseCommit(body: CommandBody): CommitRequest {
  const version = body.value('expectedDatabaseVersion');
  if (version === undefined) throw body.missing('expectedDatabaseVersion');
  return {
    name: textIn(body),
    to: body.string('to'),
    version: DatabaseVersion.parse(version, 'expectedDatabaseVersion'),
  };
}

async function commit(
  server: ConfigServer,
  op: OperationContext,
  request: CommitRequest,
): Promise<void> {
  const { key, document, entry } = await read(server, request.name);
  if (isCommitted(entry, request)) return;
  const recipient = await shardAsItIs(server, request.to);
  const isThere = recipient.value !== undefined;
  if (isThere && entry?.version.equals(request.version) === true && document !== undefined) {
    const value = withPrimary(document, request.to, entry.version);
    const details = documentOf({ from: entry.primary, to: request.to });
    const change = { expected: [{ key, value: document }, recipient], puts: [{ key, value }] };
    const log = { what: 'movePrimary.commit', namespace: request.name, details };
    if (await server.catalog.change(op, change, log)) return;
  }
  throw new CommandError(
    'ConflictingOperationInProgress',
    `The database ${request.name} or the shard ${request.to} changed since the movePrimary began`,
  );
}

/** @returns whether it was committed; if not it never will be */
async function resolve(
  server: ConfigServer,
  op: OperationContext,
  request: CommitRequest,
): Promise<boolean> {
  for (;;) {
    const { key, document, entry } = await read(server, request.name);
    if (isCommitted(entry, request)) return true;
    const mayStillCome = entry?.version.equals(request.version) === true;
    if (!mayStillCome || document === undefined) return false;
    const value = withPrimary(document, entry.primary, entry.version);
    const change = { expected: [{ key, value: document }], puts: [{ key, value }] };
    const details = documentOf({ from: entry.primary, to: request.to });
    const log = { what: 'movePrimary.error', namespace: request.name, details };
    if (await server.catalog.change(op, change, log)) return false;
  }
}

async function read(
  { catalog }: ConfigServer,
  name: string,
): Promise<{
  readonly key: TopologyKey;
  readonly document: Buffer | undefined;
  readonly entry: DatabaseEntry | undefined;
}> {
  const key = { set: 'databases', id: stringValue(name) };
  const document = await catalog.topology.get(key);
  const entry = document === undefined ? undefined : databaseFromDocument(document);
  return { key, document, entry };
}

/**
 * A database whose commit is resolved has the next version and the old primary shard; one that was given over has the next version or a
 * later one, and its first primary shard after that version is the recipient: nobody moves it on before the donor has finished.
 */
function isCommitted(entry: DatabaseEntry | undefined, { version, to }: CommitRequest): boolean {
  if (entry === undefined || entry.primary !== to) return false;
  return entry.version.equals(version.next());
}

function withPrimary(document: Buffer, primary: string, version: DatabaseVersion): Buffer {
  const moved = setField(document, 'primary', stringValue(primary));
  return setField(moved, 'version', documentValue(version.next().toValue()));
}
