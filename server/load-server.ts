/**
 * Loads the server's modules, all commands among them, when a program really serves.
 */
import type { CommandTable } from './command/command-table.ts';
import type { KeyGeneratorSource, VersionedKeys } from '../storage/index.ts';
import type { Role } from './role.ts';
import type { FlintServer, FlintServerOptions } from './flint-server.ts';

export interface LoadedServer {
  readonly createServer: (
    options: Omit<FlintServerOptions, 'commands'>,
    /** Absent: flintd's. */
    commands?: CommandTable,
  ) => FlintServer;
  /** What the engine needs to keep indexes of all kinds. */
  readonly indexKeyGenerator: KeyGeneratorSource;
  readonly versionedKeys: VersionedKeys;
  /** The names and traits of all commands. */
  readonly createCommandTable: () => CommandTable;
  /** What a shard of a cluster does besides. */
  readonly createShardRole: () => Promise<Role>;
}

/** Takes a tenth of a second of CPU: start it before waiting for something else. */
export async function loadServer(): Promise<LoadedServer> {
  // One after the other: Node 20 leaves the names of a CommonJS package (snappy's) undefined in a module that two imports
  // reach at the same time.
  const { FlintServer } = await import('./flint-server.ts');
  const { indexKeyGenerator, VERSIONED_KEYS } = await import('../query/index.ts');
  const { createCommandTable } = await import('./commands/index.ts');
  return {
    createServer: (options, commands = createCommandTable(options.role?.commands)) =>
      new FlintServer({ ...options, commands }),
    createCommandTable,
    createShardRole: async () => (await import('./sharding/shard-role.ts')).createShardRole(),
    indexKeyGenerator,
    versionedKeys: VERSIONED_KEYS,
  };
}
