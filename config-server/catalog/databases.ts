/**
 * Databases of the cluster: their entries, and which shard a new one gets.
 */
import { documentOf, getField, stringValue, timestampValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { type Expectation } from '../../server/index.ts';
import {
  DatabaseVersion,
  timestampOf,
  type DatabaseEntry,
  type OperationContext,
  type ShardEntry,
} from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';
import { checkNotBeingDropped } from './pending-drops.ts';
import { randomUuid } from './random-uuid.ts';

/** Kept by every server for itself. */
export const INTERNAL_DATABASES = new Set(['admin', 'config', 'local']);

/** The entry of a database that is new to the cluster. */
export function newDatabase(server: ConfigServer, name: string, primary: string): Expectation {
  const { stamps, random } = server.host.service;
  const { seconds, increment } = stamps.nextTimestamp();
  const timestamp = timestampOf(timestampValue(seconds, increment));
  const version = new DatabaseVersion(randomUuid(random).toString('hex'), timestamp, 1);
  const value = documentOf({ _id: name, primary, version: version.toValue() });
  return { key: { set: 'databases', id: stringValue(name) }, value };
}

/**
 * The database's entry, made when there is none.
 * @param wanted its primary shard; undefined leaves it to the cluster
 * @throws CommandError InvalidNamespace, ShardNotFound; NamespaceExists when another shard is its primary one;
 * DatabaseDropPending when shards have not dropped the earlier one yet
 */
export function ensureDatabase(
  server: ConfigServer,
  op: OperationContext,
  name: string,
  wanted?: string,
): Promise<DatabaseEntry> {
  if (INTERNAL_DATABASES.has(name)) {
    throw new CommandError('InvalidNamespace', `Cannot create or shard the database '${name}'`);
  }
  return server.locks.run(`${name}.`, async () => {
    const { catalog } = server;
    const shard = wanted === undefined ? undefined : await catalog.shard(op, wanted);
    const known = await catalog.tryDatabase(name);
    if (known !== undefined) return withPrimary(known, shard);
    await checkNotBeingDropped(server, name);
    await checkCase(server, op, name);
    const primary = shard ?? (await emptiestShard(server, op));
    const put = newDatabase(server, name, primary.name);
    const expected = [{ key: put.key, value: undefined }, await shardAsItIs(server, primary.name)];
    const details = documentOf({ primary: primary.name });
    const entry = { what: 'createDatabase', namespace: name, details };
    await catalog.change(op, { expected, puts: [put] }, entry);
    const made = await catalog.tryDatabase(name);
    if (made === undefined) {
      throw new CommandError('ShardNotFound', `Shard ${primary.name} has been removed meanwhile`);
    }
    return withPrimary(made, shard);
  });
}

/** The shard's document, to be expected by a change that relies on the shard. */
export async function shardAsItIs({ catalog }: ConfigServer, name: string): Promise<Expectation> {
  const key = { set: 'shards', id: stringValue(name) };
  return { key, value: await catalog.topology.get(key) };
}

function withPrimary(known: DatabaseEntry, shard: ShardEntry | undefined): DatabaseEntry {
  if (shard === undefined || shard.name === known.primary) return known;
  throw new CommandError(
    'NamespaceExists',
    `Database ${known.name} already exists with primary shard ${known.primary}, not ${shard.name}`,
  );
}

async function checkCase(server: ConfigServer, op: OperationContext, name: string): Promise<void> {
  for (const document of await server.catalog.read(op, 'config.databases')) {
    const existing = getField(document, '_id')?.asString() ?? '';
    if (existing.toLowerCase() !== name.toLowerCase()) continue;
    throw new CommandError(
      'DatabaseDifferCase',
      `db already exists with different case already have: [${existing}] trying to create [${name}]`,
    );
  }
}

/** The shard with the least data that is not being drained. */
async function emptiestShard(server: ConfigServer, op: OperationContext): Promise<ShardEntry> {
  const shards = (await server.catalog.shards(op)).filter((shard) => !shard.isDraining);
  const sizes = await Promise.all(
    shards.map(async (shard) => {
      try {
        const reply = await server.askShard(op, shard, { listDatabases: 1 }, { timeoutMs: 5000 });
        return getField(reply, 'totalSize')?.asNumber() ?? 0;
      } catch (error) {
        // Who does not answer gets nothing new.
        if (op.reason !== undefined) throw error;
        return Infinity;
      }
    }),
  );
  const least = sizes.indexOf(Math.min(...sizes));
  if (least >= 0) return shards[least];
  throw new CommandError('ShardNotFound', 'No shards found');
}
