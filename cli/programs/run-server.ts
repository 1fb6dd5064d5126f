/**
 * A running server program: log, engine, server, the line that says "ready", and the way back. What flintd and flints share.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { onInvariantFailure } from '../../common/assert.ts';
import { systemClock } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import { FailPoints } from '../../common/failpoints.ts';
import type { Log, LogLine } from '../../common/log.ts';
import { systemRandom } from '../../common/random.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import {
  ParameterSet,
  RecentLog,
  UsageError,
  type FlintServer,
  type FlintServerOptions,
  type FlintdOptions,
} from '../../server/index.ts';
import type { StorageEngine } from '../../storage/index.ts';
import { CrashReporter } from './crash-report.ts';
import { EXIT } from './exit-codes.ts';
import { openLog, openSink, type Sink } from './flintd-log.ts';
import { firstStepsText } from './first-steps.ts';
import { tellServiceManager } from './service-manager.ts';
import { servingOptions } from './serving-options.ts';

/** How the program was called, for getCmdLineOpts. */
export interface Invocation {
  readonly argv: readonly string[];
  readonly parsedOptions: Readonly<Record<string, unknown>>;
}

/** What ends the program with a sentence and an exit code. */
export class EndError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What an engine is opened among. */
export interface Surroundings {
  readonly log: Log;
  readonly recentLog: RecentLog;
  readonly failPoints: FailPoints;
  readonly stop: StopSignal;
}

/** What makes a program more than a log and a port. */
export interface ServerProgram {
  /** As messages on standard error begin. */
  readonly name: string;
  openEngine(surroundings: Surroundings): Promise<StorageEngine>;
  createServer(options: Omit<FlintServerOptions, 'commands'>): Promise<FlintServer>;
  /** Ends what createServer began besides the server; after it has stopped. */
  close?(): Promise<void>;
}

/** Runs until it is told to stop. @returns the exit code. */
export async function runServer(
  program: ServerProgram,
  options: FlintdOptions,
  invocation: Invocation,
): Promise<number> {
  const recentLog = new RecentLog();
  const sink = openSink(options);
  const log = openLog(options, sink, recentLog);
  const crashReporter = new CrashReporter({
    dbPath: options.inMemory ? tmpdir() : options.dbPath,
    argv: invocation.argv,
    recentLog,
  });
  endAtBugs(log, crashReporter);
  try {
    await serve(program, { options, invocation, log, recentLog, crashReporter, sink });
    return EXIT.clean;
  } catch (error) {
    if (!(error instanceof EndError)) throw error;
    process.stderr.write(`${program.name}: ${error.message}\n`);
    return error.exitCode;
  } finally {
    sink.close();
  }
}

interface Run {
  readonly options: FlintdOptions;
  readonly invocation: Invocation;
  readonly log: Log;
  readonly recentLog: RecentLog;
  readonly crashReporter: CrashReporter;
  readonly sink: Sink;
}

async function serve(
  program: ServerProgram,
  { options, invocation, log, recentLog, crashReporter, sink }: Run,
): Promise<void> {
  const parameters = parametersFrom(options);
  const failPoints = new FailPoints(systemRandom);
  warnAtStartup(log, recentLog);
  const stop = waitForStop();
  if (options.ephemeral) endWithInput(options);
  rotateAtSignal(sink, log);
  const engine = await program.openEngine({ log, recentLog, failPoints, stop });
  try {
    const server = await program.createServer({
      engine,
      clock: systemClock,
      random: systemRandom,
      log,
      failPoints,
      parameters,
      ...servingOptions(options),
      dbPath: options.inMemory ? '' : resolve(options.dbPath),
      argv: invocation.argv,
      parsedOptions: invocation.parsedOptions,
      recentLog,
      rotateLog: () => rotateLog(sink, log),
      onShutdownRequested: (why) => stop.request(why),
    });
    crashReporter.watch(server);
    await startListening(server, options);
    const releasePidFile = await writePidFile(server, options, log);
    announce(server, options);
    tellServiceManager('--ready');
    const why = await stop.requested;
    tellServiceManager('--stopping');
    log.write({
      severity: 'I',
      component: 'CONTROL',
      id: 2_300_001,
      message: 'Stopping',
      attributes: { why },
    });
    await server.stop();
    releasePidFile();
  } finally {
    await program.close?.();
    await engine.close();
  }
  if (stop.failure !== undefined) {
    throw new EndError(EXIT.abrupt, `the store failed: ${stop.failure.message}`);
  }
  log.write({ severity: 'I', component: 'CONTROL', id: 2_300_002, message: 'Stopped cleanly' });
}

/** @throws CommandError; the log goes on where it was then. */
function rotateLog(sink: Sink, log: Log): void {
  log.write({
    severity: 'I',
    component: 'CONTROL',
    id: 23_166,
    message: 'Log rotation initiated',
  });
  sink.rotate();
  log.write({
    severity: 'I',
    component: 'CONTROL',
    id: 2_300_003,
    message: 'Log rotated',
    attributes: { version: FLINTDB_VERSION, pid: process.pid },
  });
}

/** SIGUSR1 is how log tools ask for it; also Node's signal for its inspector, which a listener keeps away. */
function rotateAtSignal(sink: Sink, log: Log): void {
  process.on('SIGUSR1', () => {
    try {
      rotateLog(sink, log);
    } catch (error) {
      log.write({
        severity: 'E',
        component: 'CONTROL',
        id: 2_300_004,
        message: 'The log could not be rotated',
        attributes: { error: messageOf(error) },
      });
    }
  });
}

function parametersFrom(options: FlintdOptions): ParameterSet {
  const parameters = new ParameterSet();
  for (const [name, value] of options.parameters) {
    try {
      parameters.set(name, value, 'startup');
    } catch (error) {
      throw new UsageError(`--setParameter ${name}: ${messageOf(error)}`);
    }
  }
  return parameters;
}

/** What shells show when they connect: as lines of JSON, which is how they read them. */
function warnAtStartup(log: Log, recentLog: RecentLog): void {
  const line: LogLine = {
    severity: 'W',
    component: 'CONTROL',
    id: 22_120,
    message:
      'Access control is not enabled for the database. Read and write access to data and configuration is unrestricted',
  };
  log.write(line);
  recentLog.addWarning(systemClock, line);
}

async function startListening(server: FlintServer, options: FlintdOptions): Promise<void> {
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    if (isSystemError(error) && error.syscall === 'listen') throw cannotListen(error, options);
    throw error;
  }
}

/** The port may be that of HTTP, too. */
function cannotListen(error: NodeJS.ErrnoException, options: FlintdOptions): EndError {
  const refused: unknown = Reflect.get(error, 'port');
  const { httpPort, port, bindAddresses } = options;
  const isHttp = refused === httpPort && httpPort !== port;
  const where = `${bindAddresses.join(', ')} port ${isHttp ? httpPort : port}`;
  const why =
    error.code === 'EADDRINUSE'
      ? `the port is taken by another program. Give another one with ${isHttp ? '--httpPort' : '--port'}.`
      : messageOf(error);
  return new EndError(EXIT.netError, `cannot listen on ${where}: ${why}`);
}

/** The one line on standard output that says "ready", for programs; and for people what to do now. */
function announce(server: FlintServer, options: FlintdOptions): void {
  const ready = {
    ready: true,
    port: server.port,
    pid: process.pid,
    ...(server.httpPort === undefined ? {} : { httpPort: server.httpPort }),
    version: FLINTDB_VERSION,
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  if (!options.firstSteps) return;
  const dbPath = resolve(options.dbPath);
  process.stdout.write(firstStepsText({ version: FLINTDB_VERSION, port: server.port, dbPath }));
}

/** @returns takes the file away again. @throws EndError, when the server has stopped */
async function writePidFile(
  server: FlintServer,
  { pidFilePath }: FlintdOptions,
  log: Log,
): Promise<() => void> {
  if (pidFilePath === undefined) return () => {};
  // Whole or not there: somebody may read it at any time.
  const prepared = `${pidFilePath}.${process.pid}`;
  try {
    writeFileSync(prepared, `${process.pid}\n`);
    renameSync(prepared, pidFilePath);
  } catch (error) {
    rmSync(prepared, { force: true });
    await server.stop();
    throw new EndError(EXIT.badOptions, `cannot write ${pidFilePath}: ${messageOf(error)}`);
  }
  return () => {
    try {
      rmSync(pidFilePath, { force: true });
    } catch (error) {
      log.write({
        severity: 'W',
        component: 'CONTROL',
        id: 2_300_006,
        message: 'The file with the process id could not be removed',
        attributes: { path: pidFilePath, error: messageOf(error) },
      });
    }
  };
}

export interface StopSignal {
  /** Resolves with the reason, once. */
  readonly requested: Promise<string>;
  request(why: string): void;
  /** The store cannot go on: as a request, but the end is no clean one. */
  fail(error: Error): void;
  readonly failure: Error | undefined;
}

/** Ctrl-C under npm comes twice at the same moment: only a signal that much later means "at once", milliseconds. */
const IMPATIENCE_MS = 1_000;

/** SIGTERM, SIGINT, SIGHUP, the command shutdown, or a store that failed. A later second signal ends the process at once. */
function waitForStop(): StopSignal {
  let resolveRequested = (_why: string): void => {};
  const requested = new Promise<string>((resolve_) => {
    resolveRequested = resolve_;
  });
  const signal: StopSignal & { failure: Error | undefined } = {
    requested,
    failure: undefined,
    request: resolveRequested,
    fail(error) {
      signal.failure = error;
      resolveRequested('the store failed');
    },
  };
  let firstMs = Infinity;
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(name, () => {
      const nowMs = systemClock.monotonicMs();
      if (nowMs > firstMs + IMPATIENCE_MS) process.exit(EXIT.abrupt);
      firstMs = Math.min(firstMs, nowMs);
      resolveRequested(name);
    });
  }
  return signal;
}

/**
 * Whoever started this server holds the other end of its input: when that end is gone, killed or not, nobody will ever come
 * for the data. So nothing is closed in order.
 */
function endWithInput({ dbPath, inMemory }: FlintdOptions): void {
  const end = (): void => {
    if (!inMemory) rmSync(dbPath, { recursive: true, force: true, maxRetries: 3 });
    process.exit(EXIT.clean);
  };
  process.stdin.once('end', end).once('close', end).once('error', end).resume();
}

/** A bug ends the process: the next start recovers, whereas going on could write what is wrong. */
function endAtBugs(log: Log, crashReporter: CrashReporter): void {
  const end = (message: string, error: unknown): void => {
    const report = crashReporter.write(message, error);
    log.write({
      severity: 'F',
      component: 'CONTROL',
      id: 2_300_010,
      message,
      attributes: {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        ...(report === undefined ? {} : { report }),
      },
    });
    process.exit(EXIT.abrupt);
  };
  onInvariantFailure((error) => end('Invariant failed', error));
  process.on('uncaughtException', (error) => end('Uncaught exception', error));
  process.on('unhandledRejection', (error) => {
    // Somebody stopped listening to an operation that a client made fail: no reason to stop serving the others.
    if (error instanceof CommandError) log.write(ignored(error));
    else end('Unhandled rejection', error);
  });
  // Whoever read the output has gone.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
}

function ignored(error: CommandError): LogLine {
  return {
    severity: 'E',
    component: 'CONTROL',
    id: 2_300_011,
    message: 'An error reached nobody',
    attributes: { code: error.code, error: error.stack ?? error.message },
  };
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
