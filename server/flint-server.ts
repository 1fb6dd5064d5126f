/**
 * One flintd without its program: registries, dispatch and listeners over an engine that somebody else opened.
 *
 * Owns: the service context and the order in which its parts start and stop. The engine is the caller's: it outlives the server.
 * Promises: after stop() resolves no operation, cursor, session or connection is left, and no timer of this server runs.
 */
import { hostname } from 'node:os';
import { EMPTY_DOCUMENT } from '../bson/index.ts';
import { sleep, type Clock } from '../common/clock.ts';
import type { FailPoints } from '../common/failpoints.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import { TimerWheel } from '../common/timer-wheel.ts';
import { createPlannerServices, type IntersectionRule, ScriptThreads } from '../query/index.ts';
import type { StorageEngine } from '../storage/index.ts';
import { BackupBarrier } from './backup/backup-barrier.ts';
import { BackupRegistry } from './backup/backup-registry.ts';
import { OpenBuckets } from './catalog/open-buckets.ts';
import { CappedCollections } from './catalog/capped-collections.ts';
import { createDocumentStamps } from './catalog/document-stamps.ts';
import { dropAllTemporary } from './catalog/temporary-collections.ts';
import type { CommandTable } from './command/command-table.ts';
import { Dispatcher } from './command/dispatch.ts';
import { CursorRegistry } from './cursors/cursor-registry.ts';
import type { GuardOptions } from './http/guard.ts';
import type { HttpServer } from './http/http-server.ts';
import { DiagnosticCollection } from './metrics/diagnostic-collection.ts';
import { RecentLog } from './metrics/recent-log.ts';
import { RecentOperations } from './metrics/recent-operations.ts';
import { ServerMetrics } from './metrics/server-metrics.ts';
import { ConnectionCounts, Listener, type ListenerOptions } from './network/listener.ts';
import { killed, shuttingDown } from './operation/interruptions.ts';
import { OperationRegistry } from './operation/operation-registry.ts';
import { OperationContext } from './operation/operation-context.ts';
import type { ServerIdentity, ServiceContext } from './operation/service-context.ts';
import { WorkMemory } from './operation/work-memory.ts';
import { WriteGate } from './operation/write-gate.ts';
import { ClusterParameters } from './options/cluster-parameters.ts';
import type { ParameterSet } from './options/parameters.ts';
import { CollectionUsage } from './profiling/collection-usage.ts';
import { ProfilerSettings } from './profiling/profiler-settings.ts';
import { ScrubMonitor } from './scrub/scrub-monitor.ts';
import { TtlMonitor } from './ttl/ttl-monitor.ts';
import type { Role, RunningRole } from './role.ts';
import { SessionRegistry } from './sessions/session-registry.ts';

export interface FlintServerOptions {
  readonly engine: StorageEngine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly failPoints: FailPoints;
  readonly parameters: ParameterSet;
  readonly commands: CommandTable;
  /** What it is in a cluster; its commands are in `commands` already. Absent: a server alone. */
  readonly role?: Role | undefined;
  readonly network: ListenerOptions;
  /** undefined: no HTTP. It listens on the same addresses. */
  readonly httpPort?: number | undefined;
  /** Absent: pages of no origin, and no names but localhost and addresses. */
  readonly httpGuard?: GuardOptions;
  readonly compressors: readonly string[];
  readonly slowOperationMs: number;
  /** Of databases for which nobody sets another one; absent: 0. */
  readonly profilingLevel?: 0 | 1 | 2;
  /** Absent: server-side JavaScript is on. */
  readonly hasScripts?: boolean;
  /** Directory of the data, for dbStats; empty when there is none. */
  readonly dbPath: string;
  readonly argv: readonly string[];
  readonly parsedOptions: Readonly<Record<string, unknown>>;
  readonly recentLog?: RecentLog;
  /** Reopens the log's file; absent when the log is no file, and there is nothing to rotate. */
  readonly rotateLog?: () => void | Promise<void>;
  /** A client asked the server to stop; the program decides how. */
  readonly onShutdownRequested: (why: string) => void;
}

/** How long running operations have to end themselves at shutdown, milliseconds. */
const GRACE_MS = 10_000;
const SESSION_SWEEP_MS = 60_000;
const POLL_MS = 2;

export class FlintServer {
  readonly service: ServiceContext;
  private readonly options: FlintServerOptions;
  private readonly listener: Listener;
  private readonly dispatcher: Dispatcher;
  private readonly counts: ConnectionCounts;
  private http: HttpServer | undefined;
  private diagnostics: DiagnosticCollection | undefined;
  private readonly ttlMonitor: TtlMonitor;
  private readonly scrubMonitor: ScrubMonitor;
  private stopping: Promise<void> | undefined;
  private role: RunningRole | undefined;

  constructor(options: FlintServerOptions) {
    this.options = options;
    const counts = new ConnectionCounts({
      all: () => this.listener.all(),
      activeCount: () => this.listener.activeCount,
      bufferedBytes: () => this.listener.bufferedBytes,
      receiving: () => this.listener.receiving,
    });
    this.counts = counts;
    this.service = createService(options, counts);
    this.ttlMonitor = new TtlMonitor(this.service);
    this.scrubMonitor = new ScrubMonitor(this.service, (line) =>
      options.recentLog?.addWarning(options.clock, line),
    );
    this.dispatcher = new Dispatcher(this.service, options.commands);
    this.listener = new Listener(this.service, this.dispatcher, counts, options.network);
  }

  /** The port that clients connect to: known after start(). */
  get port(): number {
    return this.listener.port;
  }

  /** The port of HTTP, if it was asked for. */
  get httpPort(): number | undefined {
    return this.http?.port;
  }

  /** Listens. @throws the system's error, such as EADDRINUSE. */
  async start(): Promise<void> {
    dropAllTemporary(this.service.engine);
    await this.loadClusterParameters();
    this.sweepSessions();
    this.ttlMonitor.start();
    this.scrubMonitor.start();
    this.role = await this.options.role?.start({
      service: this.service,
      background: (name, work) => this.inBackground(name, work),
    });
    await this.listener.listen();
    this.service.identity.port = this.listener.port;
    // A store in memory has no place for files.
    if (this.options.dbPath !== '') this.diagnostics = new DiagnosticCollection(this.service);
    if (this.options.httpPort !== undefined) await this.startHttp(this.options.httpPort);
  }

  /** Stops accepting, interrupts what runs, lets replies out, closes what is left. Idempotent. */
  stop(): Promise<void> {
    this.stopping ??= this.stopOnce();
    return this.stopping;
  }

  private async inBackground<Result>(
    name: string,
    work: (op: OperationContext) => Promise<Result>,
  ): Promise<Result> {
    const op = new OperationContext(this.service, {
      commandName: name,
      database: 'admin',
      commandBody: EMPTY_DOCUMENT,
      connection: undefined,
      session: undefined,
    });
    try {
      return await work(op);
    } finally {
      op.finish();
    }
  }

  private async startHttp(port: number): Promise<void> {
    // Only who asks for HTTP pays for loading it.
    const { startHttpServer } = await import('./http/http-server.ts');
    const { dispatcherRunner } = await import('./http/dispatcher-runner.ts');
    this.http = await startHttpServer(this.service, {
      addresses: this.options.network.addresses,
      port,
      guard: this.options.httpGuard ?? { allowedOrigins: [], allowedHosts: [] },
      tally: this.counts,
      runner: dispatcherRunner(this.dispatcher),
      isReady: () => !this.service.isStopping,
    });
  }

  private async stopOnce(): Promise<void> {
    const { operations, cursors, sessions, timers } = this.service;
    this.service.isStopping = true;
    const listeningEnded = this.listener.stopListening();
    operations.interruptAll(shuttingDown);
    this.service.backupBarrier.releaseAll();
    await this.ttlMonitor.stop();
    await this.scrubMonitor.stop();
    await this.role?.stop();
    await this.waitUntil(() => operations.count === 0);
    // Up to here it says that it stops, to who asks whether it is ready.
    await this.http?.close();
    this.listener.endConnections();
    await this.waitUntil(() => this.listener.count === 0, GRACE_MS / 20);
    this.listener.destroyConnections();
    await listeningEnded;
    cursors.killWhere(() => true);
    await this.service.backups.closeAll();
    sessions.endAll();
    await this.diagnostics?.stop();
    await this.service.scripts?.close();
    timers.close();
  }

  private async waitUntil(done: () => boolean, limitMs = GRACE_MS): Promise<void> {
    const endMs = this.options.clock.monotonicMs() + limitMs;
    while (!done() && this.options.clock.monotonicMs() < endMs) {
      await sleep(this.options.clock, POLL_MS);
    }
  }

  private async loadClusterParameters(): Promise<void> {
    const view = this.service.engine.snapshot();
    try {
      await this.service.clusterParameters.load(view);
    } finally {
      view.close();
    }
  }

  private sweepSessions(): void {
    this.service.timers.after(SESSION_SWEEP_MS, () => {
      this.service.sessions.sweep();
      this.sweepSessions();
    });
  }
}

function createService(options: FlintServerOptions, connections: ConnectionCounts): ServiceContext {
  const { clock, random, log, parameters } = options;
  const timers = new TimerWheel(clock, (error) =>
    log.write({
      severity: 'E',
      component: 'CONTROL',
      id: 2_200_001,
      message: 'A deadline failed',
      attributes: {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      },
    }),
  );
  const operations = new OperationRegistry();
  const cursors = new CursorRegistry({
    timers,
    random,
    timeoutMs: () => parameters.get('cursorTimeoutMillis'),
  });
  const sessions = new SessionRegistry({
    clock,
    random,
    timeoutMinutes: parameters.get('localLogicalSessionTimeoutMinutes'),
    maxSessions: parameters.get('maxSessions'),
  });
  sessions.onEnd((key) => {
    cursors.killWhere((cursor) => cursor.session === key);
    operations.interruptWhere((operation) => operation.sessionKey === key, killed);
  });
  return {
    engine: options.engine,
    clock,
    random,
    log,
    failPoints: options.failPoints,
    timers,
    operations,
    sessions,
    cursors,
    backups: new BackupRegistry({
      timers,
      random,
      timeoutMs: () => parameters.get('backupIdleTimeoutMillis'),
    }),
    backupBarrier: new BackupBarrier({ clock, timers, random }),
    writeGate: new WriteGate(),
    work: new WorkMemory({
      spill: options.engine.spill,
      engineBytes: engineMemoryBytes(options.engine),
      holders: () => operations.count + cursors.statistics().total,
    }),
    clusterParameters: new ClusterParameters(),
    cappedCollections: new CappedCollections(),
    openBuckets: new OpenBuckets(),
    scripts: options.hasScripts === false ? undefined : scriptThreads(clock, parameters),
    parameters,
    stamps: createDocumentStamps(clock, random),
    metrics: new ServerMetrics(),
    identity: createIdentity(options),
    recentLog: options.recentLog ?? new RecentLog(),
    recentOperations: new RecentOperations(),
    offeredCompressors: options.compressors,
    planner: createPlannerServices(clock, {
      refusesTableScans: () => parameters.get('notablescan'),
      intersections: () => intersectionRule(parameters),
    }),
    profiler: new ProfilerSettings(random, options.slowOperationMs, options.profilingLevel),
    collectionUsage: new CollectionUsage(),
    commands: { all: () => options.commands.summaries() },
    sharding: undefined,
    isConfigServer: false,
    connections,
    isStopping: false,
    rotateLog: options.rotateLog ?? (() => {}),
    requestShutdown: options.onShutdownRequested,
  };
}

/** As MongoDB, where forcing needs them enabled as well. */
function intersectionRule(parameters: ParameterSet): IntersectionRule {
  if (!parameters.get('internalQueryPlannerEnableIndexIntersection')) return 'off';
  return parameters.get('internalQueryForceIntersectionPlans') ? 'forced' : 'wherePays';
}

/** What the engine may take, by its own account. */
function engineMemoryBytes(engine: StorageEngine): number {
  const { memory } = engine.statistics();
  return typeof memory === 'object' ? Number(memory['budgetBytes']) : 0;
}

/** No thread starts before the first script. */
function scriptThreads(clock: Clock, parameters: ParameterSet): ScriptThreads {
  return new ScriptThreads(clock, {
    heapBytes: () => parameters.get('jsHeapLimitMB') * 1024 * 1024,
    callLimitMs: () => parameters.get('internalQueryJavaScriptFnTimeoutMillis'),
  });
}

function createIdentity(options: FlintServerOptions): ServerIdentity {
  return {
    host: hostname(),
    port: options.network.port,
    processId: process.pid,
    startedWallMs: options.clock.wallMs(),
    startedMonotonicMs: options.clock.monotonicMs(),
    processObjectId: options.random.bytes(12),
    dbPath: options.dbPath,
    argv: options.argv,
    parsedOptions: options.parsedOptions,
  };
}
