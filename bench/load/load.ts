/**
 * What a load generator is asked to do, and what it says afterwards: one JSON object in its arguments, one on its stdout.
 */

export type Operation = 'find' | 'insert' | 'insertJournaled' | 'insertMany' | 'scan';

export interface LoadOptions {
  readonly port: number;
  readonly operation: Operation;
  readonly collection: string;
  readonly connections: number;
  /** Operations in flight on each connection. */
  readonly depth: number;
  /** Unmeasured at first, seconds. */
  readonly warmupSeconds: number;
  /** Measured, seconds. */
  readonly seconds: number;
  /** End earlier, when about so many documents have been asked for or brought. */
  readonly stopAfterDocuments?: number;
  /** find and scan: ids are drawn below this. */
  readonly idsBelow: number;
  /** insert: ids from here upwards. */
  readonly firstId: number;
  /** insertMany: documents of one message. */
  readonly batch: number;
  /** Whose CPU time is read at the start and the end of the measured time; absent: nobody's. */
  readonly serverPid?: number;
}

export interface LoadResult {
  readonly operations: number;
  readonly documents: number;
  readonly seconds: number;
  readonly operationsPerSecond: number;
  readonly documentsPerSecond: number;
  /** CPU time of all of the server's threads, user and system, microseconds; NaN without serverPid. */
  readonly serverCpuUsPerOperation: number;
  readonly generatorCpuUsPerOperation: number;
  /** Of one core, 1 is all of it. */
  readonly generatorCpuShare: number;
  readonly latencyUs: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** First free id after inserts. */
  readonly nextId: number;
}
