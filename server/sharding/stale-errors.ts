/**
 * What a shard answers to a router whose knowledge is old, and how the router reads it.
 *
 * The fields stand in the error reply itself, or in the entry of writeErrors: ns, vReceived, vWanted, shardId for StaleConfig, db,
 * vReceived, vWanted for StaleDbVersion. Without vWanted the shard does not know its own version, and the router must ask again.
 */
import { CommandError } from '../../common/errors.ts';
import type { DatabaseVersion } from './database-version.ts';
import type { ShardVersion } from './shard-version.ts';

export interface StaleConfig {
  readonly namespace: string;
  readonly received: ShardVersion;
  /** The shard's own; undefined when it does not know it (yet), or a migration is about to change it. */
  readonly wanted: ShardVersion | undefined;
  readonly shardId: string;
  /** What is wrong, in a few words. */
  readonly because: string;
}

export function staleConfigError(stale: StaleConfig): CommandError {
  const { namespace, received, wanted, shardId, because } = stale;
  return new CommandError('StaleConfig', `${because} ${namespace}`, {
    fields: {
      ns: namespace,
      vReceived: received.toValue(),
      ...(wanted === undefined ? {} : { vWanted: wanted.toValue() }),
      shardId,
    },
  });
}

export function staleDbVersionError(
  database: string,
  received: DatabaseVersion,
  wanted: DatabaseVersion | undefined,
): CommandError {
  const because =
    wanted === undefined ? 'sharding state unknown' : 'databaseVersion mismatch with the one known';
  return new CommandError('StaleDbVersion', `${because} for database ${database}`, {
    fields: {
      db: database,
      vReceived: received.toValue(),
      ...(wanted === undefined ? {} : { vWanted: wanted.toValue() }),
    },
  });
}
