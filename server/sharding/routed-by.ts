/**
 * What a router says of its knowledge with a command: the version of the collection on this shard, the version of the database.
 */
import type { RawValue } from '../../bson/index.ts';
import type { Ownership } from '../../query/index.ts';
import { DatabaseVersion } from './database-version.ts';
import { ShardVersion } from './shard-version.ts';

export interface RoutedBy {
  readonly shardVersion: ShardVersion | undefined;
  readonly databaseVersion: DatabaseVersion | undefined;
}

/** Knowledge of a collection that somebody goes by. */
export interface Held {
  /** @returns ends that */
  use(): () => void;
}

/** An operation as the versions concern it. */
export interface RoutedOperation {
  readonly routedBy: RoutedBy | undefined;
  ownership: Ownership | undefined;
  /** What it reads: held from when it was let in, and by its cursor after it. */
  readonly reads: Held[];
  /** What a collection was known as that it writes to besides its own: that has to stay so. */
  writes: ReadonlyMap<string, Held> | undefined;
  onRelease(release: () => void): void;
  waitFor<Value>(promise: Promise<Value>): Promise<Value>;
}

/** @throws CommandError TypeMismatch, IDLFailedToParse */
export function parseRoutedBy(
  shardVersion: RawValue | undefined,
  databaseVersion: RawValue | undefined,
): RoutedBy {
  return {
    shardVersion: shardVersion && ShardVersion.parse(shardVersion),
    databaseVersion: databaseVersion && DatabaseVersion.parse(databaseVersion),
  };
}
