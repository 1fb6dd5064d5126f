/**
 * The HTTP port: the Data API, liveness, readiness and metrics. Loaded only when --httpPort is given.
 *
 * Owns: one HTTP server per address, and the limits of its connections.
 */
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { ObjectIdGenerator } from '../../bson/index.ts';
import type { ServiceContext } from '../operation/service-context.ts';
import type { CommandRunner, ConnectionTally } from './command-runner.ts';
import { ACTIONS } from './actions/actions.ts';
import { mountDataApi } from './data-api.ts';
import type { GuardOptions } from './guard.ts';
import { metricsText } from './prometheus.ts';

export interface HttpOptions {
  readonly addresses: readonly string[];
  /** 0: any free one. */
  readonly port: number;
  readonly guard: GuardOptions;
  readonly runner: CommandRunner;
  readonly tally: ConnectionTally;
  /** False from the moment the server stops. */
  readonly isReady: () => boolean;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 1024;
/** A request's headers, and a whole request, arrive within so many milliseconds. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 60_000;
/** How often Node looks for those that did not; its default is half a minute. */
const CHECK_MS = 1_000;
/** A connection without a request stays for so long. */
const IDLE_MS = 60_000;

/** @throws the system's error, such as EADDRINUSE. */
export async function startHttpServer(
  service: ServiceContext,
  options: HttpOptions,
): Promise<HttpServer> {
  const numbers = new WeakMap<Socket, number>();
  const app = createApp(service, options, numbers);
  const servers: Server[] = [];
  let port = options.port;
  for (const address of options.addresses) {
    const server = createAdaptorServer({
      fetch: app.fetch,
      serverOptions: { connectionsCheckingInterval: CHECK_MS },
    }) as Server;
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket) => {
      numbers.set(socket, options.tally.opened());
      socket.once('close', () => options.tally.closed());
    });
    server.headersTimeout = HEADERS_MS;
    server.requestTimeout = REQUEST_MS;
    server.keepAliveTimeout = IDLE_MS;
    port = await listen(server, address, port);
    servers.push(server);
  }
  return { port, close: () => closeAll(servers) };
}

/** The routes, without a server around them. */
export function createApp(
  service: ServiceContext,
  { isReady, guard, runner }: HttpOptions,
  numbers: WeakMap<Socket, number>,
): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  const { clock, log, random, metrics } = service;
  app.use('*', async (context, next) => {
    const startedMs = clock.monotonicMs();
    await next();
    const micros = (clock.monotonicMs() - startedMs) * 1000;
    metrics.http.note(nameOf(context.req.path), context.res.status, micros);
  });
  // Alive means that the event loop answers; ready means that clients may be sent here.
  app.get('/healthz', (context) => context.text('ok\n'));
  app.get('/readyz', (context) =>
    isReady() ? context.text('ready\n') : context.text('stopping\n', 503),
  );
  const ids = new ObjectIdGenerator(clock, random);
  // Health checks come by any name; everything else is behind the guard.
  mountDataApi(app, {
    runner,
    guard,
    clock,
    log,
    newObjectId: () => ids.next(),
    connectionIdOf: (socket) => numbers.get(socket) ?? 0,
  });
  app.get('/metrics', (context) =>
    context.text(metricsText(service), 200, {
      'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  );
  return app;
}

const ROUTES = new Set(['command', 'healthz', 'readyz', 'metrics', 'openapi.json']);

/** What counters are kept by: an action, a route, or `other`, whatever clients ask for. */
function nameOf(path: string): string {
  const [, first = '', action = ''] = path.split('/');
  if (first === 'action' && ACTIONS.some(({ name }) => name === action)) return action;
  return ROUTES.has(first) && action === '' ? first : 'other';
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
