/**
 * _configsvrRemoveShard: drains a shard, and takes it out of the cluster once nothing of the cluster is on it. Called again and again:
 * each answer says how far it is.
 * Source: MongoDB's manual, "removeShard".
 */
import { booleanValue, documentOf, setField, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import {
  defineCommand,
  databaseFromDocument,
  type Command,
  type OperationContext,
  type ReplyFields,
} from '../../server/cluster.ts';
import { isJumbo } from '../catalog/jumbo-chunks.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, textIn } from './arguments.ts';

const MOVE_NOTE = 'you need to drop or movePrimary these databases';

export function removeShard(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrRemoveShard', 'Drains and removes a shard.', 'removeShard'),
    parse: (body) => textIn(body),
    execute: async (name, op) => {
      const progress = await server().locks.run('', () => remove(server(), op, name));
      server().balancer?.wake();
      return progress;
    },
    reply: (progress) => progress,
  });
}

async function remove(
  { catalog }: ConfigServer,
  op: OperationContext,
  name: string,
): Promise<ReplyFields> {
  const shard = await catalog.shard(op, name);
  const key = { set: 'shards', id: stringValue(shard.name) };
  const document = await catalog.topology.get(key);
  if (document === undefined) throw new CommandError('ShardNotFound', `Shard ${name} not found`);
  const chunks = await catalog.read(op, 'config.chunks', documentOf({ shard: shard.name }));
  const databases = (
    await catalog.read(op, 'config.databases', documentOf({ primary: shard.name }))
  ).map((found) => databaseFromDocument(found).name);
  const dbsToMove = { note: MOVE_NOTE, dbsToMove: databases };
  if (!shard.isDraining) {
    const others = (await catalog.shards(op)).filter(
      (other) => other.name !== shard.name && !other.isDraining,
    );
    if (others.length === 0) {
      throw new CommandError(
        'IllegalOperation',
        'Operation not allowed because it would remove the last shard',
      );
    }
    const value = setField(document, 'draining', booleanValue(true));
    const change = { expected: [{ key, value: document }], puts: [{ key, value }] };
    const entry = entryOf('removeShard.start', shard.name);
    if (!(await catalog.change(op, change, entry))) throw changed(name);
    return {
      msg: 'draining started successfully',
      state: 'started',
      shard: shard.name,
      ...dbsToMove,
    };
  }
  if (chunks.length > 0 || databases.length > 0) {
    return {
      msg: 'draining ongoing',
      state: 'ongoing',
      remaining: {
        chunks: BigInt(chunks.length),
        dbs: BigInt(databases.length),
        jumboChunks: BigInt(chunks.filter(isJumbo).length),
      },
      ...dbsToMove,
    };
  }
  // Whoever gives the shard something new expects its document as it was.
  const change = { expected: [{ key, value: document }], puts: [{ key, value: undefined }] };
  if (!(await catalog.change(op, change, entryOf('removeShard', shard.name)))) throw changed(name);
  return { msg: 'removeshard completed successfully', state: 'completed', shard: shard.name };
}

function entryOf(what: string, shard: string) {
  return { what, namespace: '', details: documentOf({ shard }) };
}

function changed(name: string): CommandError {
  return new CommandError('ConflictingOperationInProgress', `Shard ${name} changed meanwhile`);
}
