/**
 * What the soak's load generator is asked to do, and what it says of each second: JSON in its arguments, JSON lines on its stdout.
 */

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** Loaded first, and kept at about so many. */
  readonly documents: number;
  /** Of the mix, after the load. */
  readonly seconds: number;
  /** How often each operation comes, by its name; absent: the soak's own mix. */
  readonly mix?: Readonly<Record<string, number>>;
}

export interface Latencies {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly mostUs: number;
}

export interface Interval {
  readonly phase: 'load' | 'mix';
  readonly seconds: number;
  /** By name of the operation; a load counts messages of many documents. */
  readonly operations: Readonly<Record<string, number>>;
  /** Bytes of the documents in them. */
  readonly writtenBytes: number;
  readonly reads: Latencies;
  readonly writes: Latencies;
  /** Longest time without any answer. */
  readonly longestGapMs: number;
}
