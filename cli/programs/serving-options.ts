/**
 * What the options of a server program say of its FlintServer, for a process of its own and for a server inside another.
 *
 * Owns: nothing. Never: opens, listens or reads anything.
 */
import type { FlintdOptions, FlintServerOptions } from '../../server/index.ts';

/** How the server is reached and what it records of operations. */
export type ServingOptions = Pick<
  FlintServerOptions,
  | 'network'
  | 'httpPort'
  | 'httpGuard'
  | 'compressors'
  | 'slowOperationMs'
  | 'profilingLevel'
  | 'hasScripts'
>;

export function servingOptions(options: FlintdOptions): ServingOptions {
  return {
    network: {
      addresses: options.bindAddresses,
      port: options.port,
      maxConnections: options.maxConnections,
    },
    httpPort: options.httpPort,
    httpGuard: options.httpGuard,
    compressors: options.compressors,
    slowOperationMs: options.slowOperationMs,
    profilingLevel: options.profilingLevel,
    hasScripts: options.hasScripts,
  };
}
