/**
 * The door of storage/: what the floors above see of the engine.
 */
export * from './contract.ts';
export { openEngine, type EngineOptions } from './engine.ts';
export { EmptyEngine } from './empty-engine.ts';
export type { KeyGenerator, KeyGeneratorSource, VersionedKeys } from './catalog/index-keys.ts';
export { LARGEST_COPIED_BYTES } from './lent-memory.ts';
export { CHECKPOINT_POINTS, type CheckpointPoint } from './checkpoint/pause-points.ts';
export { ELEVATOR_NAMES, isElevatorName, type ElevatorName } from './device/elevators/elevators.ts';
export { verifyStore, type VerifyOptions, type VerifyReport } from './repair/verify.ts';
export { repairStore, type RepairOptions, type RepairReport } from './repair/repair.ts';
export type { Finding, Progress } from './repair/contract.ts';
export { filesOf, type StoreFiles } from './recovery/store-files.ts';
export { SpillArea, type SpillStatistics } from './spill/spill-area.ts';
export { CUT_INDEX_KEY_PREFIX_BYTES } from './format/tree-key.ts';
export { RestoredStore, type RestoreOptions } from './backup/restored-store.ts';
export {
  BACKUP_FRAME,
  decodeClusterPoint,
  decodeFrameHeader,
  decodeJournalFrame,
  decodeSectors,
  encodeClusterPoint,
  encodeFrameHeader,
  encodeJournalFrame,
  encodeSectors,
  type ClusterPoint,
  type FrameCodec,
  type FrameHeader,
  type FrameKind,
  type JournalSpan,
} from './format/backup-frame.ts';
export { journalEntryLength, journalEntryStamp } from './format/journal-entry.ts';
export { forEachStoreEntry } from './format/store-entries.ts';
export { compareTimestamps, type Timestamp } from './format/timestamp.ts';
