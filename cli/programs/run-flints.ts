/**
 * A running flints: a server program that keeps nothing, over the shards of a cluster.
 */
import { loadRouter, type FlintsOptions } from '../../router/index.ts';
import { EmptyEngine } from '../../storage/index.ts';
import { runServer, type Invocation } from './run-server.ts';

/** Runs until it is told to stop. @returns the exit code. */
export function runFlints(
  { configHost, server: options }: FlintsOptions,
  invocation: Invocation,
): Promise<number> {
  let close = (): void => {};
  return runServer(
    {
      name: 'flints',
      openEngine: () => Promise.resolve(new EmptyEngine()),
      createServer: async (serverOptions) => {
        const { createServer } = await loadRouter();
        const running = createServer(configHost, serverOptions);
        close = () => running.close();
        return running.server;
      },
      close: () => Promise.resolve(close()),
    },
    options,
    invocation,
  );
}
