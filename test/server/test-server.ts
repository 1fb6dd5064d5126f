/**
 * A server in this process, over the empty engine, with a few commands that only tests need.
 */
import type { TlsOptions } from 'node:tls';
import { FailPoints } from '../../common/failpoints.ts';
import { silentLog, type Log } from '../../common/log.ts';
import { SeededRandom } from '../../common/random.ts';
import { systemClock } from '../../common/clock.ts';
import { CommandTable } from '../../server/command/command-table.ts';
import { defineCommand, type Command } from '../../server/command/define-command.ts';
import { createCommandTable } from '../../server/commands/index.ts';
import { FlintServer } from '../../server/flint-server.ts';
import { ParameterSet } from '../../server/options/parameters.ts';
import { RecentLog } from '../../server/metrics/recent-log.ts';
import type { StorageEngine } from '../../storage/index.ts';
import { EmptyEngine } from './empty-engine.ts';

const TEST_TRAITS = {
  help: 'For tests.',
  kind: 'read',
  access: { action: 'none', on: 'anything' },
  route: 'never',
} as const;

/** Runs until it is interrupted, in slices, with a snapshot pinned. */
const spin = defineCommand({
  ...TEST_TRAITS,
  name: 'spin',
  parse: (body) => body.integer('afterMs', 0),
  async execute(_afterMs, op) {
    op.view();
    for (;;) await op.yield();
  },
  reply: () => ({}),
});

/** Answers with `bytes` bytes. */
const large = defineCommand({
  ...TEST_TRAITS,
  name: 'large',
  parse: (body) => body.integer('bytes', 1024, 0),
  execute: (bytes) => 'x'.repeat(bytes),
  reply: (text) => ({ text }),
});

/** Answers after a while, with what it was given. */
const slowEcho = defineCommand({
  ...TEST_TRAITS,
  name: 'slowEcho',
  parse: (body) => ({ ms: body.integer('ms', 0), value: body.string('value', '') }),
  async execute({ ms, value }, op) {
    await op.sleep(ms);
    return value;
  },
  reply: (value) => ({ value }),
});

/** A command on a collection. */
const touch = defineCommand({
  ...TEST_TRAITS,
  name: 'touch',
  takesWriteConcern: true,
  access: { action: 'find', on: 'collection' },
  parse: (body) => body.collection(),
  execute: (namespace) => namespace,
  reply: (namespace, op) => ({ namespace, same: op.namespace === namespace }),
});

const fail = defineCommand({
  ...TEST_TRAITS,
  name: 'fail',
  parse: () => undefined,
  execute: () => {
    throw new TypeError('a bug');
  },
  reply: () => ({}),
});

export interface TestServerOptions {
  /** Absent: one without data. */
  readonly engine?: StorageEngine;
  readonly tls?: TlsOptions;
  readonly log?: Log;
  readonly slowOperationMs?: number;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly maxConnections?: number;
  readonly commands?: readonly Command[];
  readonly httpPort?: number;
}

export interface TestServer {
  readonly server: FlintServer;
  readonly engine: EmptyEngine;
  readonly port: number;
  readonly uri: string;
  readonly shutdowns: readonly string[];
  stop(): Promise<void>;
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const engine = new EmptyEngine();
  const parameters = new ParameterSet();
  parameters.set('enableTestCommands', true, 'startup');
  for (const [name, value] of Object.entries(options.parameters ?? {})) {
    parameters.set(name, value, 'startup');
  }
  const random = new SeededRandom(1);
  const shutdowns: string[] = [];
  const commands = [spin, large, slowEcho, touch, fail, ...(options.commands ?? [])];
  const table = createCommandTable();
  const server = new FlintServer({
    engine: options.engine ?? engine,
    clock: systemClock,
    random,
    log: options.log ?? silentLog,
    failPoints: new FailPoints(random),
    parameters,
    commands: new CommandTable([...table.all(), ...commands], [...table.unsupportedNames()]),
    network: {
      addresses: ['127.0.0.1'],
      port: 0,
      maxConnections: options.maxConnections ?? 1000,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    },
    httpPort: options.httpPort,
    compressors: ['snappy', 'zstd', 'zlib'],
    slowOperationMs: options.slowOperationMs ?? 100,
    dbPath: '',
    argv: ['flintd', '--port', '0'],
    parsedOptions: { net: { port: 0 } },
    recentLog: new RecentLog(),
    onShutdownRequested: (why) => shutdowns.push(why),
  });
  await server.start();
  return {
    server,
    engine,
    port: server.port,
    uri: `mongodb://127.0.0.1:${server.port}/?directConnection=true`,
    shutdowns,
    stop: () => server.stop(),
  };
}
