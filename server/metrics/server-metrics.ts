/**
 * Counters of one server, for serverStatus and /metrics. Plain numbers that their owners add to: no locks, no allocation.
 */
import { emptyHistogram } from './duration-histogram.ts';
import { HttpRequests } from './http-requests.ts';

/** MongoDB's opcounters: what clients ask for, by kind. */
export interface OperationCounters {
  insert: number;
  query: number;
  update: number;
  delete: number;
  getmore: number;
  command: number;
}

export interface CommandCounters {
  total: number;
  failed: number;
}

/** What the scrub did since the start. */
export interface ScrubMetrics {
  running: boolean;
  /** Passes that came to their end. */
  passes: number;
  /** Findings of all passes. */
  errors: number;
  lastPassErrors: number;
  lastPassMillis: number;
  /** Wall clock; 0 before the first. */
  lastPassEndedMs: number;
  /** Of the pass under way, or the last one. */
  pages: number;
  bytes: number;
}

/** Number and summed duration of operations, as serverStatus.opLatencies shows them. */
export interface LatencyCounters {
  ops: number;
  latencyMicros: number;
}

export class ServerMetrics {
  readonly operations: OperationCounters = {
    insert: 0,
    query: 0,
    update: 0,
    delete: 0,
    getmore: 0,
    command: 0,
  };
  readonly network = {
    bytesIn: 0,
    bytesOut: 0,
    numRequests: 0,
    numSlowReaders: 0,
    numMalformed: 0,
    numTimedOut: 0,
  };
  readonly documents = { inserted: 0, returned: 0, updated: 0, deleted: 0 };
  readonly asserts = { user: 0, internal: 0 };
  readonly latencies: Record<'reads' | 'writes' | 'commands', LatencyCounters> = {
    reads: { ops: 0, latencyMicros: 0 },
    writes: { ops: 0, latencyMicros: 0 },
    commands: { ops: 0, latencyMicros: 0 },
  };
  /** Operations by kind and duration. */
  readonly latencyHistograms: Readonly<Record<'reads' | 'writes' | 'commands', number[]>> = {
    reads: emptyHistogram(),
    writes: emptyHistogram(),
    commands: emptyHistogram(),
  };
  /** What plans looked at. */
  readonly queryExecutor = { scanned: 0, scannedObjects: 0, collectionScans: 0, sorts: 0 };
  readonly writeConflicts = { count: 0 };
  /** Of the TTL monitor. */
  readonly scrub: ScrubMetrics = {
    running: false,
    passes: 0,
    errors: 0,
    lastPassErrors: 0,
    lastPassMillis: 0,
    lastPassEndedMs: 0,
    pages: 0,
    bytes: 0,
  };
  readonly ttl = { deletedDocuments: 0, invalidTTLIndexSkips: 0, passes: 0, subPasses: 0 };
  /** Of the HTTP port: none where there is none. */
  readonly http = new HttpRequests();
  private readonly commands = new Map<string, CommandCounters>();

  /** The counters of one command: taken once per command definition, then added to. */
  command(name: string): CommandCounters {
    const known = this.commands.get(name);
    if (known !== undefined) return known;
    const counters = { total: 0, failed: 0 };
    this.commands.set(name, counters);
    return counters;
  }

  allCommands(): ReadonlyMap<string, CommandCounters> {
    return this.commands;
  }
}
