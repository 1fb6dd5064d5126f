/**
 * _configsvrSetUserWriteBlockMode: whether clients may write to the cluster.
 *
 * Blocking is written down before the first shard hears of it, and lifting it after the last has: a shard that is added meanwhile, or an
 * attempt that ends half way, leaves too much blocked rather than too little, and doing it again finishes it.
 * Source: MongoDB's manual, "setUserWriteBlockMode".
 */
import { documentOf, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { defineCommand, type Command, type OperationContext } from '../../server/cluster.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits } from './arguments.ts';

const KEY = { set: 'user_writes_critical_sections', id: stringValue('') };
const BLOCKED = documentOf({ _id: stringValue(''), active: true, blockUserWrites: true });

export function setUserWriteBlockMode(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrSetUserWriteBlockMode',
      'Blocks the writes of clients, or lets them go.',
      'setUserWriteBlockMode',
    ),
    parse: (body) => body.boolean('global'),
    // The lock of addShard: a shard that is added has heard what holds.
    execute: (isBlocked, op) => server().locks.run('', () => set(server(), op, isBlocked)),
    reply: () => ({}),
  });
}

async function set(server: ConfigServer, op: OperationContext, isBlocked: boolean): Promise<void> {
  if (isBlocked) await write(server, op, BLOCKED);
  for (const shard of await server.catalog.shards(op)) {
    await server.askShard(op, shard, { _shardsvrSetUserWriteBlockMode: 1, global: isBlocked });
  }
  if (!isBlocked) await write(server, op, undefined);
}

async function write(
  { catalog }: ConfigServer,
  op: OperationContext,
  value: Buffer | undefined,
): Promise<void> {
  const before = await catalog.topology.get(KEY);
  if ((before === undefined) === (value === undefined)) return;
  const change = { expected: [{ key: KEY, value: before }], puts: [{ key: KEY, value }] };
  const details = documentOf({ global: value !== undefined });
  await catalog.change(op, change, { what: 'setUserWriteBlockMode', namespace: '', details });
}

export async function userWritesAreBlocked({ catalog }: ConfigServer): Promise<boolean> {
  return (await catalog.topology.get(KEY)) !== undefined;
}

/** For what the config server changes on behalf of a client. @throws CommandError UserWritesBlocked */
export async function checkUserWrites(server: ConfigServer): Promise<void> {
  if (!(await userWritesAreBlocked(server))) return;
  throw new CommandError('UserWritesBlocked', 'User writes blocked');
}
