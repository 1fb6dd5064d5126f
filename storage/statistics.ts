/**
 * The engine's counters as plain nested objects, for serverStatus and /metrics.
 */
import type { Admission } from './checkpoint/admission.ts';
import { retainedMemory, type Checkpointer } from './checkpoint/checkpoint.ts';
import type { EngineStatistics } from './contract.ts';
import type { Parts } from './recovery/open-parts.ts';
import { alignedMemoryStatistics } from './device/aligned-memory.ts';
import type { StoreState } from './views/store-state.ts';

export function storageStatistics(
  store: StoreState,
  parts: Parts,
  checkpointer: Checkpointer,
  admission: Admission,
): EngineStatistics {
  return {
    memory: memoryStatistics(store, parts, checkpointer, admission),
    delta: {
      bytes: admission.deltaBytes,
      generations: store.epoch.generations.length,
      delayedWrites: admission.delayed,
      delayedWriteMillis: Math.round(admission.delayedMs),
    },
    transactions: {
      openSnapshots: store.snapshots.count,
      openWriters: store.writers.size,
      lastCommitNumber: store.lastCommitNumber,
    },
    checkpoint: {
      count: checkpointer.checkpoints,
      failures: checkpointer.failures,
      step: checkpointer.step,
      lastDurationMillis: Math.round(checkpointer.lastDurationMs),
      baseCommitNumber: store.epoch.base.commitNumber,
      baseCheckpoint: store.epoch.base.checkpoint,
    },
    journal: plain(parts.journal.statistics()),
    blocks: plain(parts.blocks.statistics()),
    indexes: plain(parts.indexes.statistics()),
  };
}

/** What the engine may hold, and what it holds, by owner. */
function memoryStatistics(
  store: StoreState,
  parts: Parts,
  checkpointer: Checkpointer,
  admission: Admission,
): EngineStatistics {
  const { cache } = parts.blocks.statistics();
  return {
    budgetBytes: cache.limitBytes + admission.budgetBytes,
    cacheLimitBytes: cache.limitBytes,
    cacheBytes: cache.bytes,
    freePageBytes: cache.freeBytes,
    deltaLimitBytes: admission.budgetBytes,
    deltaBytes: admission.deltaBytes,
    // Generations that only old snapshots read: beyond the delta's limit the oldest snapshots end.
    oldVersionBytes: retainedMemory(store),
    snapshotsEnded: checkpointer.snapshotsEnded,
    openTransactionBytes: store.openTransactionBytes,
    freeSlabBytes: store.slabPool.freeBytes,
    journalPendingBytes: parts.journal.pendingBytes,
    deviceBufferBytes: alignedMemoryStatistics().usedBytes,
    deviceBufferReservedBytes: alignedMemoryStatistics().reservedBytes,
    indexChangesBytes: checkpointer.changesMemory.freeBytes,
    indexWriterBytes: parts.indexes.statistics().writerBytes,
  };
}

/** Copies counters, whatever else the object may hold. */
function plain(value: object): EngineStatistics {
  const copied: Record<string, EngineStatistics | number | string | boolean> = {};
  for (const [name, entry] of Object.entries(value)) {
    if (typeof entry === 'object' && entry !== null) copied[name] = plain(entry);
    else if (isScalar(entry)) copied[name] = entry;
  }
  return copied;
}

function isScalar(entry: unknown): entry is number | string | boolean {
  return typeof entry === 'number' || typeof entry === 'string' || typeof entry === 'boolean';
}
