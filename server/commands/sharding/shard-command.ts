/**
 * What the commands of shards have in common: their traits, the state they work on, and whole namespaces as arguments.
 */
import { BsonType } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { wholeNamespace } from '../../catalog/namespace.ts';
import type { CommandBody } from '../../command/command-body.ts';
import type { CommandTraits } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import type { ShardingState } from '../../sharding/sharding-state.ts';

/** Of a command that the config server or another shard sends. */
export function shardTraits(name: string, help: string): CommandTraits {
  return {
    name,
    help,
    kind: 'admin',
    access: { action: 'internal', on: 'cluster' },
    route: 'never',
    adminOnly: true,
    takesWriteConcern: true,
  };
}

/** @throws CommandError ShardingStateNotInitialized on a server that is no shard (yet) */
export function shardingOf(op: OperationContext): ShardingState {
  const { sharding } = op.service;
  if (sharding !== undefined) return sharding;
  throw new CommandError('ShardingStateNotInitialized', 'This server is no shard');
}

/** What the command's first field names. @throws CommandError TypeMismatch */
export function textIn({ command, target }: CommandBody): string {
  if (target.type === BsonType.string) return target.asString();
  throw new CommandError(
    'TypeMismatch',
    `BSON field '${command}' is the wrong type '${target.typeName}', expected type 'string'`,
  );
}

/** "database.collection" there. @throws CommandError InvalidNamespace, TypeMismatch */
export function namespaceIn(body: CommandBody): string {
  return wholeNamespace(textIn(body));
}
