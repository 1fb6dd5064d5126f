/**
 * _configsvrRenameCollection: a sharded collection gets another name within its database.
 *
 * One compare-and-set moves the collection's document, with the UUID that its chunks and documents go by; the shards follow afterwards. A
 * document of config.pendingRenames, part of that change, stays until all of them have, so that a restart goes on. Meanwhile a shard that
 * has not followed refuses whoever comes by the new names (server/sharding/sharding-state.ts): its own collection has the old one.
 * Source: MongoDB's manual, "renameCollection"; its README_ddl_operations.
 */
import {
  dateValue,
  documentOf,
  EMPTY_DOCUMENT,
  FieldCursor,
  getField,
  objectIdValue,
  setField,
  stringValue,
} from '../../bson/index.ts';
import { tassert, uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CommandBody, Expectation } from '../../server/index.ts';
import {
  defineCommand,
  untilDone,
  uuidValue,
  type CollectionRouting,
  type Command,
  type OperationContext,
} from '../../server/cluster.ts';
import { idOf } from '../catalog/chunk-documents.ts';
import {
  followRename,
  pendingRename,
  pendingRenames,
  renamedNames,
  type RenamedNames,
} from '../catalog/pending-renames.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, databaseOf, namespaceIn } from './arguments.ts';
import { settleDrops } from './dropCollection.ts';
import { checkUserWrites } from './setUserWriteBlockMode.ts';

interface RenameRequest extends RenamedNames {
  readonly dropsTarget: boolean;
}

const MAX_NAMESPACE_BYTES = 255;
/** Migrations that are under way have so long to end. */
const DRAIN_TIMEOUT_MS = 60_000;
const ATTEMPTS = 5;

export function renameCollection(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrRenameCollection',
      'Renames a sharded collection.',
      'renameCollection',
    ),
    parse: parseRename,
    execute: async (request, op) => {
      await checkUserWrites(server());
      await settleDrops(server(), op, databaseOf(request.to));
      await inTurn(server(), request, () => rename(server(), op, request));
    },
    reply: () => ({}),
  });
}

/** Goes on with what an earlier run of this server has left. Never throws. */
export function finishRenames(server: ConfigServer): Promise<void> {
  return untilDone(server.host, 'finishRenames', async (op) => {
    for (const document of await pendingRenames(server, op)) {
      await inTurn(server, renamedNames(document), () => followRename(server, op, document));
    }
    return false;
  });
}

function parseRename(body: CommandBody): RenameRequest {
  const from = namespaceIn(body);
  const to = body.string('to');
  const dropsTarget = body.safeBoolean('dropTarget', false);
  uassert(
    databaseOf(to) === databaseOf(from),
    'CommandFailed',
    'Source and destination collections must be on the same database.',
  );
  uassert(to !== from, 'IllegalOperation', "Can't rename a collection to itself");
  uassert(
    Buffer.byteLength(to) <= MAX_NAMESPACE_BYTES && to.length > databaseOf(to).length + 1,
    'InvalidNamespace',
    `Invalid namespace specified '${to}'`,
  );
  return { from, to, dropsTarget };
}

/** Both names are nobody else's meanwhile. In one order for everybody. */
function inTurn<Result>(
  { locks }: ConfigServer,
  { from, to }: RenamedNames,
  work: () => Promise<Result>,
): Promise<Result> {
  const [first, second] = [from, to].sort();
  return locks.run(first, () => locks.run(second, work));
}

async function rename(
  server: ConfigServer,
  op: OperationContext,
  request: RenameRequest,
): Promise<void> {
  const { from, to } = request;
  await checkTarget(server, op, request);
  server.renaming.add(from).add(to);
  let pending: Expectation | undefined;
  try {
    for (let attempt = 0; pending === undefined; attempt += 1) {
      uassert(attempt < ATTEMPTS, 'ConflictingOperationInProgress', `${from} is being changed`);
      const routing = await server.catalog.routing(op, from);
      await drain(server, op, [routing, await server.catalog.tryRouting(op, to)]);
      pending = await server.locks.run(`chunks of ${from}`, () =>
        commit(server, op, request, routing),
      );
    }
  } finally {
    server.renaming.delete(from);
    server.renaming.delete(to);
  }
  const document = pending.value;
  tassert(document !== undefined, 'a rename without its document');
  try {
    await followRename(server, op, document);
  } catch (error) {
    // It has happened; the shards that have not heard of it are told until they have.
    void finishRenames(server);
    throw error;
  }
}

/** @throws CommandError NamespaceExists, CommandFailed */
async function checkTarget(
  { catalog, peers }: ConfigServer,
  op: OperationContext,
  { to, dropsTarget }: RenameRequest,
): Promise<void> {
  const $db = databaseOf(to);
  const database = await catalog.tryDatabase($db);
  if (database === undefined) {
    throw new CommandError('NamespaceNotFound', `database ${$db} not found`);
  }
  const { host } = await catalog.shard(op, database.primary);
  const filter = documentOf({ name: to.slice($db.length + 1) });
  const command = documentOf({ listCollections: 1, filter, $db });
  const reply = await peers.ask(host, command, { interruption: op });
  const cursor = getField(reply, 'cursor')?.asDocument() ?? EMPTY_DOCUMENT;
  const batch = new FieldCursor(getField(cursor, 'firstBatch')?.asDocument() ?? EMPTY_DOCUMENT);
  const existing = batch.next() ? batch.value().asDocument() : undefined;
  uassert(
    existing === undefined || getField(existing, 'type')?.asString() === 'collection',
    'NamespaceExists',
    `a view already exists with that name: ${to}`,
  );
  const isSharded = (await catalog.tryRouting(op, to)) !== undefined;
  uassert(
    dropsTarget || (existing === undefined && !isSharded),
    'NamespaceExists',
    'target namespace exists',
  );
  uassert(
    (await catalog.read(op, 'config.tags', documentOf({ ns: to }))).length === 0,
    'CommandFailed',
    `Can't rename to target collection ${to} because it must not have associated tags`,
  );
}

/** A migration that has been committed is finished by its name: it has to be through. */
async function drain(
  server: ConfigServer,
  op: OperationContext,
  routings: readonly (CollectionRouting | undefined)[],
): Promise<void> {
  for (const routing of routings) {
    if (routing === undefined) continue;
    for (const shard of await server.catalog.shards(op)) {
      await server.askShard(
        op,
        shard,
        { _shardsvrDrainMigrations: 1, uuid: uuidValue(routing.entry.uuid) },
        { timeoutMs: DRAIN_TIMEOUT_MS },
      );
    }
  }
}

/** @returns what the shards have to hear; undefined when the collection has changed since migrations had ended */
async function commit(
  { catalog, host }: ConfigServer,
  op: OperationContext,
  { from, to }: RenameRequest,
  before: CollectionRouting,
): Promise<Expectation | undefined> {
  const routing = await catalog.routing(op, from);
  if (!routing.chunks.version.equals(before.chunks.version)) return undefined;
  const key = { set: 'collections', id: stringValue(from) };
  const toKey = { set: 'collections', id: stringValue(to) };
  const [document, target] = [await catalog.topology.get(key), await catalog.topology.get(toKey)];
  if (document === undefined) return undefined;
  const { stamps, clock } = host.service;
  let value = setField(document, '_id', stringValue(to));
  value = setField(value, 'lastmodEpoch', objectIdValue(stamps.objectIds.next()));
  value = setField(value, 'lastmod', dateValue(clock.wallMs()));
  value = setField(value, 'timestamp', catalog.newTimestamp());
  const uuid = uuidValue(routing.entry.uuid);
  const pending = pendingRename(routing.entry.uuid, { from, to });
  const puts: Expectation[] = [{ key, value: undefined }, { key: toKey, value }, pending];
  for (const tag of await catalog.read(op, 'config.tags', documentOf({ ns: from }))) {
    const renamed = setField(tag, 'ns', stringValue(to));
    puts.push({ key: { set: 'tags', id: idOf(tag) }, value: renamed });
  }
  const targetUuid = target === undefined ? undefined : getField(target, 'uuid');
  if (targetUuid !== undefined) {
    const filter = documentOf({ uuid: targetUuid });
    for (const chunk of await catalog.read(op, 'config.chunks', filter)) {
      puts.push({ key: { set: 'chunks', id: idOf(chunk) }, value: undefined });
    }
  }
  const expected = [
    { key, value: document },
    { key: toKey, value: target },
  ];
  const entry = { what: 'renameCollection', namespace: from, details: documentOf({ to, uuid }) };
  return (await catalog.change(op, { expected, puts }, entry)) ? pending : undefined;
}
