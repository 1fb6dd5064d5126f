/**
 * The server as the soak sees it from outside: memory and disk writes from /proc, file sizes, and its own counters.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Db } from 'mongodb';
import { processCpuUs } from '../../bench/load/process-cpu.ts';
import { diskBytesWritten } from '../../bench/load/process-io.ts';
import { processMemoryBytes } from '../../bench/load/process-memory.ts';
import type { Interval } from './interval.ts';

const BLOCK_BYTES = 512;

export interface ServerSample {
  readonly memoryBytes: number;
  /** Since the server's start. */
  readonly diskBytesWritten: number;
  /** What the block store's file occupies: holes do not count. */
  readonly blocksBytes: number;
  readonly indexBytes: number;
  readonly liveBytes: number;
  readonly deltaBytes: number;
  /** What the server says its memory is made of, by name, and what the system said at that moment. */
  readonly parts: Readonly<Record<string, number>>;
  readonly processBytes: number;
  /** Processor time since the server's start. */
  readonly processorUs: number;
  /** Of the memory that the server is to keep to. */
  readonly budgetBytes: number;
  readonly delayedWrites: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
}

/** One second of the soak. */
export interface Sample {
  readonly interval: Interval;
  readonly operationsPerSecond: number;
  readonly server: ServerSample;
  readonly peakMemoryBytes: number;
  /** Bytes that reached disks per byte of documents written, in this second. */
  readonly writeAmplification: number;
  /** Processor time of the server per operation: what throughput depends on when nobody else works on this machine. */
  readonly operationUs: number;
  /** Pages that had to be read, per operation: what it depends on where they come from a disk. */
  readonly cacheMisses: number;
}

export async function takeSample(
  server: { readonly pid: number; readonly dbpath: string },
  admin: Db,
): Promise<ServerSample> {
  const status: unknown = await admin.command({ serverStatus: 1, catalogStats: 0 });
  const number = (...path: string[]): number => Number(path.reduce(fieldOf, status));
  return {
    memoryBytes: processMemoryBytes(server.pid),
    diskBytesWritten: diskBytesWritten(server.pid),
    blocksBytes: occupied(join(server.dbpath, 'blocks.flint')),
    indexBytes: occupied(join(server.dbpath, 'index.lmdb')),
    liveBytes: number('flintdb', 'engine', 'blocks', 'liveBytes'),
    deltaBytes: number('flintdb', 'engine', 'delta', 'bytes'),
    parts: numbersOf(fieldOf(fieldOf(fieldOf(status, 'flintdb'), 'memory'), 'parts')),
    processBytes: number('flintdb', 'memory', 'processBytes'),
    processorUs: processCpuUs(server.pid),
    budgetBytes: number('flintdb', 'memory', 'budgetBytes'),
    delayedWrites: number('flintdb', 'engine', 'delta', 'delayedWrites'),
    cacheHits: number('flintdb', 'engine', 'blocks', 'cache', 'hits'),
    cacheMisses: number('flintdb', 'engine', 'blocks', 'cache', 'misses'),
  };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function numbersOf(fields: unknown): Record<string, number> {
  if (typeof fields !== 'object' || fields === null) return {};
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, Number(value)]));
}

function occupied(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * BLOCK_BYTES;
}
