/**
 * What all operations of one server share: the engine, the registries, the seams. Made once by the program, passed down.
 */
import type { Clock } from '../../common/clock.ts';
import type { FailPoints } from '../../common/failpoints.ts';
import type { Log } from '../../common/log.ts';
import type { Random } from '../../common/random.ts';
import type { TimerWheel } from '../../common/timer-wheel.ts';
import type { PlannerServices, ScriptThreads } from '../../query/index.ts';
import type { StorageEngine } from '../../storage/index.ts';
import type { BackupBarrier } from '../backup/backup-barrier.ts';
import type { BackupRegistry } from '../backup/backup-registry.ts';
import type { CappedCollections } from '../catalog/capped-collections.ts';
import type { OpenBuckets } from '../catalog/open-buckets.ts';
import type { DocumentStamps } from '../catalog/stored-document.ts';
import type { CursorRegistry } from '../cursors/cursor-registry.ts';
import type { RecentOperations } from '../metrics/recent-operations.ts';
import type { ServerMetrics } from '../metrics/server-metrics.ts';
import type { ClusterParameters } from '../options/cluster-parameters.ts';
import type { ParameterSet } from '../options/parameters.ts';
import type { ShardingState } from '../sharding/sharding-state.ts';
import type { CollectionUsage } from '../profiling/collection-usage.ts';
import type { ProfilerSettings } from '../profiling/profiler-settings.ts';
import type { SessionRegistry } from '../sessions/session-registry.ts';
import type { OperationRegistry } from './operation-registry.ts';
import type { ClientConnection } from './client-connection.ts';
import type { WorkMemory } from './work-memory.ts';
import type { WriteGate } from './write-gate.ts';

/** One line of the command table, for listCommands and for metrics. */
export interface CommandSummary {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly help: string;
  readonly kind: 'read' | 'write' | 'admin';
  readonly adminOnly: boolean;
  readonly apiVersions: readonly string[];
  readonly beforeAuth: boolean;
  /** There only with enableTestCommands. */
  readonly testOnly: boolean;
}

/** Who and where this server is, for hello, hostInfo, serverStatus, getCmdLineOpts. */
export interface ServerIdentity {
  readonly host: string;
  /** The port it really listens on: known once it listens. */
  port: number;
  readonly processId: number;
  readonly startedWallMs: number;
  readonly startedMonotonicMs: number;
  /** Random for every start; part of hello's topologyVersion. 12 bytes. */
  readonly processObjectId: Buffer;
  /** Directory of the data; empty when there is none. */
  readonly dbPath: string;
  readonly argv: readonly string[];
  /** Options as a YAML file would nest them, as getCmdLineOpts shows them: plain values. */
  readonly parsedOptions: Readonly<Record<string, unknown>>;
}

export interface ServiceContext {
  readonly engine: StorageEngine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly failPoints: FailPoints;
  readonly timers: TimerWheel;
  readonly operations: OperationRegistry;
  readonly sessions: SessionRegistry;
  readonly cursors: CursorRegistry;
  /** Backups under way. */
  readonly backups: BackupRegistry;
  /** Up while a cluster's backup fixes its point. */
  readonly backupBarrier: BackupBarrier;
  /** Closed by fsync with `lock: true`. */
  readonly writeGate: WriteGate;
  /** What operations may hold in memory, in sum. */
  readonly work: WorkMemory;
  readonly cappedCollections: CappedCollections;
  readonly openBuckets: OpenBuckets;
  /** Object ids and timestamps for new documents (createDocumentStamps). */
  readonly stamps: DocumentStamps;
  /** undefined: server-side JavaScript is switched off. */
  readonly scripts: ScriptThreads | undefined;
  readonly parameters: ParameterSet;
  readonly clusterParameters: ClusterParameters;
  readonly metrics: ServerMetrics;
  readonly identity: ServerIdentity;
  /** Lines for getLog: the newest last. */
  readonly recentLog: {
    readonly lines: readonly string[];
    readonly total: number;
    readonly startupWarnings: readonly string[];
  };
  /** For a crash report. */
  readonly recentOperations: RecentOperations;
  /** Names of the compressors that this server agrees to, in its order of preference. */
  readonly offeredCompressors: readonly string[];
  /** Plan caches, index filters, usage of indexes. */
  readonly planner: PlannerServices;
  /** What is logged as slow, and what is profiled. */
  readonly profiler: ProfilerSettings;
  /** For the command top. */
  readonly collectionUsage: CollectionUsage;
  readonly commands: { all(): Iterable<CommandSummary> };
  /** What a shard of a cluster knows of it; undefined on every other server. Set by the role. */
  sharding: ShardingState | undefined;
  /** A cluster's config server: a read is answered only when what it saw is on the device, because others act on it. Set by the role. */
  isConfigServer: boolean;
  /** Connections as serverStatus counts them. */
  readonly connections: {
    /** Those that are open. */
    all(): Iterable<ClientConnection>;
    readonly current: number;
    readonly available: number;
    readonly totalCreated: number;
    readonly rejected: number;
    readonly active: number;
    /** Bytes held for clients: unfinished or waiting requests, replies not taken. */
    readonly bufferedBytes: number;
    /** Of them, of messages that are not whole; and connections that are not read from for lack of room. */
    readonly receiving: { readonly bytes: number; readonly heldBack: number };
  };
  /** True from the moment the server stops: no further command is run. */
  isStopping: boolean;
  /** Closes the log's file and goes on in a new one. @throws CommandError when it cannot. */
  rotateLog(): void | Promise<void>;
  /** Asks the program to stop cleanly; returns at once. */
  requestShutdown(why: string): void;
}
