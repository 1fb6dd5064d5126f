/**
 * What the memory of this process is made of, by name: as far as its owners know, and an estimate where nobody does.
 *
 * Together they should come near to what the system says (RssAnon and RssShmem; what is mapped from files is the system's): what is
 * left is the room between blocks in the C library's heap.
 */
import { readFileSync } from 'node:fs';
import { memoryUsage } from 'node:process';
import { runningJobs } from '../../common/workers/start-job.ts';
import type { EngineStatistics, StorageEngine } from '../../storage/index.ts';
import type { WorkMemory } from '../operation/work-memory.ts';

const MEGABYTE = 1024 * 1024;
/** V8's heap, and what Node keeps beside it, of a thread that does one thing. Measured: docs/operations.md. */
const THREAD_BYTES = 12 * MEGABYTE;
/** Node and its libraries, without heaps and buffers. */
const RUNTIME_BYTES = 12 * MEGABYTE;
/** Of buffers that libraries take when they are loaded, and hardly ever touch: bson's and lmdb's. */
const UNTOUCHED_BYTES = 17 * MEGABYTE + 16 * MEGABYTE;

/** Bytes by name. */
export function memoryParts(
  engine: StorageEngine,
  work: WorkMemory,
  receivedBytes: number,
): Readonly<Record<string, number>> {
  const { heapTotal, arrayBuffers } = memoryUsage();
  const held = engineParts(engine.statistics()['memory']);
  const buffers = {
    pageCache: held('cacheBytes') + held('freePageBytes'),
    delta: held('deltaBytes') + held('oldVersionBytes') + held('openTransactionBytes'),
    freeSlabs: held('freeSlabBytes'),
    deviceBuffers: held('deviceBufferBytes'),
    indexChanges: held('indexChangesBytes'),
    messages: receivedBytes + work.waitingBytes + work.messageBytes,
    replies: work.replyBytes,
  };
  const untouched = UNTOUCHED_BYTES + held('deviceBufferReservedBytes') - held('deviceBufferBytes');
  const known = Object.values(buffers).reduce((sum, bytes) => sum + bytes, 0);
  return {
    runtime: RUNTIME_BYTES,
    heap: heapTotal,
    threads: runningJobs() * THREAD_BYTES,
    ...buffers,
    // Let go of, and not collected yet, for the most part.
    otherBuffers: Math.max(0, arrayBuffers - known - untouched),
    indexWriter: held('indexWriterBytes'),
  };
}

function engineParts(memory: EngineStatistics[string] | undefined): (name: string) => number {
  return (name) => {
    const bytes = typeof memory === 'object' ? memory[name] : 0;
    return typeof bytes === 'number' ? bytes : 0;
  };
}

/** RssAnon and RssShmem; undefined where the system does not say. Source: proc(5). */
export function processMemoryBytes(): number | undefined {
  try {
    const status = readFileSync('/proc/self/status', 'latin1');
    const kibibytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
    const bytes = (kibibytes('RssAnon') + kibibytes('RssShmem')) * 1024;
    return Number.isFinite(bytes) ? bytes : undefined;
  } catch {
    return undefined;
  }
}
