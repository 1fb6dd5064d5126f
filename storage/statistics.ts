/**
 * The engine's counters as plain nested objects, for serverStatus and /metrics.
 */
import type { Admission } from './checkpoint/admission.ts';
import type { Checkpointer } from './checkpoint/checkpoint.ts';
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
    memory: {
      budgetBytes: admission.budgetBytes + parts.blocks.statistics().cache.limitBytes,
      alignedReservedBytes: alignedMemoryStatistics().reservedBytes,
    },
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
