/**
 * The HTTP port: liveness, readiness and metrics. Loaded only when --httpPort is given.
 *
 * Owns: one HTTP server per address. Never: reads or writes documents (the data API comes with a later version).
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import type { ServiceContext } from '../operation/service-context.ts';
import { metricsText } from './prometheus.ts';

export interface HttpOptions {
  readonly addresses: readonly string[];
  /** 0: any free one. */
  readonly port: number;
  /** False from the moment the server stops. */
  readonly isReady: () => boolean;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Health checks and scrapers are few. */
const MAX_CONNECTIONS = 256;

/** @throws the system's error, such as EADDRINUSE. */
export async function startHttpServer(
  service: ServiceContext,
  options: HttpOptions,
): Promise<HttpServer> {
  const app = createApp(service, options.isReady);
  const servers: Server[] = [];
  let port = options.port;
  for (const address of options.addresses) {
    const server = createAdaptorServer({ fetch: app.fetch }) as Server;
    server.maxConnections = MAX_CONNECTIONS;
    port = await listen(server, address, port);
    servers.push(server);
  }
  return { port, close: () => closeAll(servers) };
}

function createApp(service: ServiceContext, isReady: () => boolean): Hono {
  const app = new Hono();
  // Alive means that the event loop answers; ready means that clients may be sent here.
  app.get('/healthz', (context) => context.text('ok\n'));
  app.get('/readyz', (context) =>
    isReady() ? context.text('ready\n') : context.text('stopping\n', 503),
  );
  app.get('/metrics', (context) =>
    context.text(metricsText(service), 200, {
      'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  );
  return app;
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      const address: AddressInfo | string | null = server.address();
      resolve(address === null || typeof address === 'string' ? port : address.port);
    });
  });
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    ),
  );
}
