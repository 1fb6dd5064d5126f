/**
 * Loads the router's modules, flintd's commands among them, when a program really serves.
 */
import { loadServer, type FlintServer, type FlintServerOptions } from '../server/index.ts';

export interface LoadedRouter {
  /** A server whose commands go to the shards. @param configHost host:port of the config server */
  readonly createServer: (
    configHost: string,
    options: Omit<FlintServerOptions, 'commands'>,
  ) => RunningRouter;
}

export interface RunningRouter {
  readonly server: FlintServer;
  /** Ends the connections to the other servers, after the server has stopped. */
  close(): void;
}

export async function loadRouter(): Promise<LoadedRouter> {
  const { createServer, createCommandTable } = await loadServer();
  const { Router } = await import('./router.ts');
  const { settingsRole } = await import('./settings-role.ts');
  const { createRouterCommands } = await import('./commands/table.ts');
  return {
    createServer: (configHost, options) => {
      const router = new Router(configHost, options.clock);
      const commands = createRouterCommands(createCommandTable(), router);
      const role = settingsRole(router);
      return {
        server: createServer({ ...options, role }, commands),
        close: () => router.close(),
      };
    },
  };
}
