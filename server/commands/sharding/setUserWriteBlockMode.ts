/**
 * _shardsvrSetUserWriteBlockMode: the config server says whether clients may write to this shard.
 */
import { defineCommand } from '../../command/define-command.ts';
import { setUserWrites } from '../../sharding/stored-user-writes.ts';
import { shardingOf, shardTraits } from './shard-command.ts';

export const setUserWriteBlockMode = defineCommand({
  ...shardTraits(
    '_shardsvrSetUserWriteBlockMode',
    'Blocks the writes of clients, or lets them go.',
  ),
  parse: (body) => body.boolean('global'),
  execute: (isBlocked, op) => setUserWrites(op, shardingOf(op).userWrites, isBlocked),
  reply: () => ({}),
});
