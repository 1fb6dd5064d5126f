/**
 * serverStatus: counters of the server, in MongoDB's sections where the thing exists here. What is ours stands under `flintdb`.
 *
 * A section is left out with `<section>: 0`.
 * Source: MongoDB's manual, "serverStatus".
 */
import { memoryUsage, resourceUsage } from 'node:process';
import { getField } from '../../../bson/index.ts';
import { splitNamespace } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields, ReplyValue } from '../../command/reply.ts';
import type { HttpCounters, HttpRequests } from '../../metrics/http-requests.ts';
import type { ScrubMetrics } from '../../metrics/server-metrics.ts';
import { memoryParts, processMemoryBytes } from '../../metrics/memory-parts.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import type { StorageEngine } from '../../../storage/index.ts';
import type { ServiceContext } from '../../operation/service-context.ts';
import type { WorkMemory } from '../../operation/work-memory.ts';
import { MONGODB_VERSION } from '../../version.ts';

const MEGABYTE = 1024 * 1024;
/** Counters may pass 2^31 at any time: they are int64 from the start, as in MongoDB. */
const long = (count: number): bigint => BigInt(Math.round(count));

type Section = (service: ServiceContext, op: OperationContext) => ReplyValue;

const SECTIONS: Readonly<Record<string, Section>> = {
  asserts: ({ metrics }) => ({
    regular: metrics.asserts.internal,
    warning: 0,
    msg: 0,
    user: metrics.asserts.user,
    tripwire: 0,
    rollovers: 0,
  }),
  catalogStats: (_service, op) => catalogStatistics(op),
  connections: ({ connections }) => ({
    current: connections.current,
    available: connections.available,
    totalCreated: long(connections.totalCreated),
    rejected: long(connections.rejected),
    active: connections.active,
    threaded: 0,
  }),
  extra_info: () => {
    const usage = resourceUsage();
    return {
      note: 'fields vary by platform',
      user_time_us: long(usage.userCPUTime),
      system_time_us: long(usage.systemCPUTime),
      maximum_resident_set_kb: long(usage.maxRSS),
      page_faults: long(usage.majorPageFault),
    };
  },
  globalLock: ({ operations, connections, clock, identity }) => ({
    totalTime: long((clock.monotonicMs() - identity.startedMonotonicMs) * 1000),
    currentQueue: { total: 0, readers: 0, writers: 0 },
    activeClients: { total: connections.active, readers: operations.count, writers: 0 },
  }),
  // The engine orders writes without locks; exporters read the section all the same.
  locks: () => ({}),
  logicalSessionRecordCache: ({ sessions }) => ({ activeSessionsCount: sessions.count }),
  mem: () => {
    const usage = memoryUsage();
    return {
      bits: 64,
      resident: Math.round(usage.rss / MEGABYTE),
      virtual: Math.round((usage.rss + usage.external) / MEGABYTE),
      supported: true,
    };
  },
  metrics: (service) => metricsOf(service),
  network: ({ metrics }) => ({
    bytesIn: long(metrics.network.bytesIn),
    bytesOut: long(metrics.network.bytesOut),
    physicalBytesIn: long(metrics.network.bytesIn),
    physicalBytesOut: long(metrics.network.bytesOut),
    numSlowDNSOperations: 0n,
    numSlowSSLOperations: 0n,
    numRequests: long(metrics.network.numRequests),
    numMalformed: long(metrics.network.numMalformed),
    numTimedOut: long(metrics.network.numTimedOut),
    numSlowReaders: long(metrics.network.numSlowReaders),
  }),
  opLatencies: ({ metrics }) => ({
    reads: latency(metrics.latencies.reads),
    writes: latency(metrics.latencies.writes),
    commands: latency(metrics.latencies.commands),
  }),
  opcounters: ({ metrics }) => ({
    insert: long(metrics.operations.insert),
    query: long(metrics.operations.query),
    update: long(metrics.operations.update),
    delete: long(metrics.operations.delete),
    getmore: long(metrics.operations.getmore),
    command: long(metrics.operations.command),
  }),
  // Of writes that came from other members of a set, which there are none of.
  opcountersRepl: () => ({
    insert: 0n,
    query: 0n,
    update: 0n,
    delete: 0n,
    getmore: 0n,
    command: 0n,
  }),
  shardingStatistics: ({ sharding }) => {
    if (sharding?.identity === undefined) return undefined;
    const counted = Object.entries(sharding.statistics);
    return Object.fromEntries(counted.map(([name, value]) => [name, long(value)]));
  },
  storageEngine: () => ({
    name: 'flintdb',
    supportsCommittedReads: true,
    supportsSnapshotReadConcern: true,
    readOnly: false,
    persistent: true,
    backupCursorOpen: false,
  }),
  flintdb: ({ engine, operations, timers, connections, work, metrics }) => ({
    engine: engine.statistics(),
    connections: { bufferedBytes: long(connections.bufferedBytes) },
    operations: { running: operations.count },
    deadlines: { set: timers.size },
    http: httpFields(metrics.http),
    scrub: scrubFields(metrics.scrub),
    memory: memoryFields(engine, work, connections.receiving),
  }),
};

/** undefined before the first request. */
function httpFields(http: HttpRequests): ReplyFields | undefined {
  const counted = [...http.all()];
  if (counted.length === 0) return undefined;
  const sum = (of: (counters: HttpCounters) => number): bigint =>
    long(counted.reduce((before, [, counters]) => before + of(counters), 0));
  return {
    requests: sum(({ requests }) => requests),
    latency: sum(({ micros }) => micros),
    actions: Object.fromEntries(
      counted.map(([name, { requests, micros, statuses }]) => [
        name,
        {
          requests: long(requests),
          latency: long(micros),
          statuses: Object.fromEntries(
            [...statuses].map(([status, count]) => [String(status), long(count)]),
          ),
        },
      ]),
    ),
  };
}

function scrubFields(scrub: ScrubMetrics): ReplyFields {
  const { lastPassEndedMs, running, ...counts } = scrub;
  return {
    running,
    ...Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, long(count)])),
    lastPassEnded: lastPassEndedMs === 0 ? undefined : new Date(lastPassEndedMs),
  };
}

export const serverStatus = defineCommand({
  name: 'serverStatus',
  help: 'Shows counters of the server.',
  kind: 'admin',
  access: { action: 'serverStatus', on: 'cluster' },
  route: 'router',
  parse: (body): ReadonlySet<string> =>
    new Set(
      body
        .fields()
        .filter((field) => !field.value.isTruthy())
        .map((field) => field.name),
    ),
  execute: (leftOut) => leftOut,
  reply: (leftOut, op) => serverStatusFields(op, leftOut),
});

/** @param leftOut names of sections. */
export function serverStatusFields(
  op: OperationContext,
  leftOut: ReadonlySet<string> = new Set(),
): ReplyFields {
  const status: Record<string, ReplyValue> = { ...instanceOf(op.service) };
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (!leftOut.has(name)) status[name] = section(op.service, op);
  }
  return status;
}

function instanceOf({ identity, clock }: ServiceContext): ReplyFields {
  const uptimeMs = clock.monotonicMs() - identity.startedMonotonicMs;
  return {
    host: `${identity.host}:${identity.port}`,
    version: MONGODB_VERSION,
    process: 'mongod',
    pid: long(identity.processId),
    uptime: uptimeMs / 1000,
    uptimeMillis: long(uptimeMs),
    uptimeEstimate: long(uptimeMs / 1000),
    localTime: new Date(clock.wallMs()),
  };
}

const INTERNAL_DATABASES = new Set(['admin', 'config', 'local']);

function catalogStatistics(op: OperationContext): ReplyFields {
  const counts = { collections: 0, capped: 0, clustered: 0, timeseries: 0, views: 0 };
  const internal = { internalCollections: 0, internalViews: 0 };
  for (const { namespace, kind, options } of op.view().collections()) {
    const isInternal = INTERNAL_DATABASES.has(splitNamespace(namespace).database);
    if (isInternal) internal[kind === 'view' ? 'internalViews' : 'internalCollections'] += 1;
    else if (kind === 'view') counts.views += 1;
    else if (kind === 'timeseries') counts.timeseries += 1;
    else {
      counts.collections += 1;
      if (getField(options, 'capped')?.isTruthy() === true) counts.capped += 1;
      if (getField(options, 'clusteredIndex') !== undefined) counts.clustered += 1;
    }
  }
  return { ...counts, ...internal };
}

function metricsOf({ metrics, cursors }: ServiceContext): ReplyFields {
  const cursor = cursors.statistics();
  const commands: Record<string, ReplyValue> = {};
  for (const [name, counters] of metrics.allCommands()) {
    commands[name] = { failed: long(counters.failed), total: long(counters.total) };
  }
  return {
    commands,
    cursor: {
      timedOut: long(cursor.timedOut),
      totalOpened: long(cursor.opened),
      open: {
        noTimeout: long(cursor.noTimeout),
        pinned: long(cursor.pinned),
        total: long(cursor.total),
      },
    },
    document: {
      deleted: long(metrics.documents.deleted),
      inserted: long(metrics.documents.inserted),
      returned: long(metrics.documents.returned),
      updated: long(metrics.documents.updated),
    },
    operation: {
      scanAndOrder: long(metrics.queryExecutor.sorts),
      writeConflicts: long(metrics.writeConflicts.count),
    },
    queryExecutor: {
      scanned: long(metrics.queryExecutor.scanned),
      scannedObjects: long(metrics.queryExecutor.scannedObjects),
      collectionScans: {
        nonTailable: long(metrics.queryExecutor.collectionScans),
        total: long(metrics.queryExecutor.collectionScans),
      },
    },
    ttl: {
      deletedDocuments: long(metrics.ttl.deletedDocuments),
      invalidTTLIndexSkips: long(metrics.ttl.invalidTTLIndexSkips),
      passes: long(metrics.ttl.passes),
      subPasses: long(metrics.ttl.subPasses),
    },
  };
}

/** What this process may hold, and holds; what the engine's part is made of stands in its own section. */
function memoryFields(
  engine: StorageEngine,
  work: WorkMemory,
  receiving: { readonly bytes: number; readonly heldBack: number },
): ReplyFields {
  const { heapUsed, heapTotal, external, arrayBuffers } = memoryUsage();
  const { memory } = engine.statistics();
  const engineBytes = typeof memory === 'object' ? Number(memory['budgetBytes']) : 0;
  const parts = memoryParts(engine, work, receiving.bytes);
  return {
    // The rest of the process, V8's heap among it, comes on top: docs/operations.md.
    budgetBytes: long(engineBytes + work.limitBytes),
    engineBudgetBytes: long(engineBytes),
    workBudgetBytes: long(work.limitBytes),
    workShareBytes: long(work.memoryBytes),
    messageBytes: long(work.messageBytes),
    waitingMessages: work.waitingMessages,
    waitingMessageBytes: long(work.waitingBytes),
    receivedBytes: long(receiving.bytes),
    heldBackConnections: receiving.heldBack,
    replyBytes: long(work.replyBytes),
    heapUsedBytes: long(heapUsed),
    heapTotalBytes: long(heapTotal),
    externalBytes: long(external),
    arrayBufferBytes: long(arrayBuffers),
    processBytes: longOrAbsent(processMemoryBytes()),
    parts: Object.fromEntries(Object.entries(parts).map(([name, bytes]) => [name, long(bytes)])),
  };
}

function longOrAbsent(count: number | undefined): bigint | undefined {
  return count === undefined ? undefined : long(count);
}

function latency(counters: { readonly ops: number; readonly latencyMicros: number }): ReplyFields {
  return { latency: long(counters.latencyMicros), ops: long(counters.ops) };
}
