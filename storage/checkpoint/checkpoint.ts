/**
 * A checkpoint: folds what the delta holds into the base, in four steps. STORAGE draws them; this file follows.
 *
 * Owns: the frozen generation while it is being folded, and the order of everything below.
 * Invariants:
 *  1. The previous base and the journal above it stay whole until the new base is durable in block store and index store:
 *     a crash at any instant finds one of the two, with a journal that replays over it.
 *  2. One checkpoint at a time. It waits for no snapshot; readers and writers go on all the while.
 *  3. A checkpoint that failed is taken again with the same frozen generation: nothing it held is lost from the delta.
 *  4. What fails again and again is given up: the store ends, rather than fill its memory behind writers that wait. A full disk
 *     is waited for.
 *  5. When nobody knows whether the index store has committed, the extents that the commit names are never given back:
 *     the store ends, and the next start asks the disk.
 */
import { invariant } from '../../common/assert.ts';
import type { Clock } from '../../common/clock.ts';
import { DeviceError } from '../../common/errors.ts';
import type { FailPoints } from '../../common/failpoints.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { Log } from '../../common/log.ts';
import type { BlockStore, CheckpointWriter, CleaningSummary } from '../blocks/contract.ts';
import { encodeStoreRecord, STORE_RECORD_KEY } from '../catalog/catalog-record.ts';
import type { CommitNumber, Ident } from '../contract.ts';
import type { Generation } from '../delta/generation.ts';
import type { Base } from '../format/base.ts';
import { ChangesMemory } from '../indexes/changes-memory.ts';
import { IndexChanges } from '../indexes/changes.ts';
import type { IndexStore } from '../indexes/contract.ts';
import type { Journal } from '../journal/contract.ts';
import { BaseEpoch } from '../views/base-epoch.ts';
import { latestVersion, type StoreState } from '../views/store-state.ts';
import { foldCatalog } from './catalog-fold.ts';
import { foldKeys, foldRecords, Slices, type FoldTarget } from './fold.ts';
import { freeze, type Frozen, type ScanningBuild } from './freeze.ts';
import { MovedRecords } from './moved-records.ts';
import { pauseAt, type CheckpointPoint } from './pause-points.ts';
import { Reaper } from './reaper.ts';

export interface CheckpointParts {
  readonly store: StoreState;
  readonly journal: Journal;
  readonly blocks: BlockStore;
  readonly indexes: IndexStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly failPoints: FailPoints;
  /** Index builds under way: what they have scanned goes into each checkpoint. */
  readonly builds: ReadonlySet<ScanningBuild>;
  /** Memory that generations may take which only old snapshots read, bytes; beyond it the oldest snapshots end. */
  readonly retainedBytes: number;
  /** Hears that the store cannot go on: what the disk holds is unknown, or nothing can be brought to it. */
  readonly onFailure: (error: Error) => void;
  /** Hears of checkpoints that found no space. */
  readonly onNoSpace: (error: Error) => void;
}

/** Checkpoints that fail in a row, full disks not counted, before the store ends. */
const MOST_FAILURES_IN_A_ROW = 5;

/** What one checkpoint of a compaction moves at most, bytes: its places are held in memory until it is through. */
const COMPACTION_ROUND_BYTES = 64 * 1024 * 1024;

/** Where a checkpoint stands; 'idle' between two. */
export type CheckpointStep = 'idle' | 'flush' | 'pages' | 'index' | 'publish';

export class Checkpointer {
  step: CheckpointStep = 'idle';
  checkpoints = 0;
  failures = 0;
  /** Since the last one that succeeded; full disks do not count. */
  failuresInARow = 0;
  lastDurationMs = 0;
  /** Snapshots that had to go because only they kept old versions. */
  snapshotsEnded = 0;
  /** When the checkpoint under way, or the last one, began to fold; by the clock's monotonic time. */
  beganMs = 0;
  /** False while recovery replays: the journal is being read then, and needs no flush. */
  journalIsOpen = false;
  readonly reaper = new Reaper();

  private readonly parts: CheckpointParts;
  readonly changesMemory = new ChangesMemory();
  private frozen: Frozen | undefined;
  private running: Promise<void> | undefined;
  /** Bases that readers may still pin, the current one included. */
  private readonly bases = new Set<BaseEpoch>();
  /** Backups under way: see holdExtents. */
  private readonly extentHolds = new Set<{ readonly checkpoint: number }>();
  /** Durable in the index store, and not yet in the superblock. */
  private unrecorded: Base | undefined;
  /** Generations frozen, and generations folded into a base, since the start. */
  private freezes = 0;
  private folded = 0;
  private previousCommitNumber: CommitNumber;
  /** The last attempt failed at an extent that the next one does not meet. */
  private metBadExtent = false;
  /** What the last checkpoint cleaned. */
  private cleaned: CleaningSummary = { extents: 0, movedRecords: 0, movedBytes: 0 };

  constructor(parts: CheckpointParts) {
    this.parts = parts;
    this.previousCommitNumber = parts.store.epoch.base.commitNumber;
    this.bases.add(parts.store.epoch.base);
    this.reaper.load(parts.store.epoch.base);
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** Whether there is anything that the base does not have. */
  get hasWork(): boolean {
    const { store } = this.parts;
    return (
      this.frozen !== undefined ||
      this.unrecorded !== undefined ||
      store.lastCommitNumber > store.epoch.base.commitNumber ||
      store.changedCollections.size > 0 ||
      this.parts.builds.size > 0
    );
  }

  /** Makes everything committed (and scanned by index builds) before the call durable in the base. */
  async take(): Promise<void> {
    // One under way may have frozen before this call, and so may one that failed: only a later freeze holds it all.
    const needed = this.freezes + 1;
    while (this.running !== undefined) await this.running.catch(() => undefined);
    while (this.folded < needed && this.hasWork) {
      try {
        await this.start();
      } catch (error) {
        if (!this.metBadExtent) throw error;
      }
    }
  }

  /**
   * Freezes in the caller's step what the next checkpoint folds, for who must not be overtaken: a checkpoint that is started freezes a little
   * later. What an earlier one froze, and could not fold, comes first.
   */
  freeze(): void {
    if (this.frozen !== undefined) return;
    this.frozen = freeze(this.parts.store, this.parts.builds);
    this.freezes += 1;
  }

  /** Folds what is frozen; once more when it met a bad extent, which the next attempt does not. */
  async foldFrozen(): Promise<void> {
    while (this.frozen !== undefined) {
      try {
        await this.start();
      } catch (error) {
        if (!this.metBadExtent) throw error;
      }
    }
  }

  /** Starts a checkpoint unless one is running. */
  start(): Promise<void> {
    this.running ??= this.run();
    return this.running;
  }

  /**
   * Takes checkpoints that empty mostly dead extents, for as long as that makes extents free.
   * @returns the bytes of the extents that became free.
   * @throws the interruption's reason, between two checkpoints: what they freed stays free.
   */
  async compact(interruption: Interruption): Promise<number> {
    const { blocks } = this.parts;
    let freedBytes = 0;
    for (;;) {
      interruption.throwIfInterrupted();
      while (this.running !== undefined) await this.running.catch(() => undefined);
      const before = blocks.statistics();
      this.running = this.run(COMPACTION_ROUND_BYTES);
      await this.running;
      // What is moved fills extents of its own: the last of them, half empty, would be moved for ever.
      const freed = before.extents.used - blocks.statistics().extents.used;
      if (this.cleaned.extents === 0 || freed <= 0) return freedBytes;
      freedBytes += freed * before.extentBytes;
    }
  }

  /** Resolves when no checkpoint is running. */
  async idle(): Promise<void> {
    await this.running?.catch(() => undefined);
  }

  /** Hears from a base that its last reader is gone. */
  readonly forgetBase = (base: BaseEpoch): void => {
    this.bases.delete(base);
  };

  private run(cleaningBytes?: number): Promise<void> {
    return this.runOnce(cleaningBytes).finally(() => {
      this.running = undefined;
      this.step = 'idle';
    });
  }

  /** @param cleaningBytes what the cleaner moves at most; given, the checkpoint is taken also when nothing was written. */
  private async runOnce(cleaningBytes: number | undefined): Promise<void> {
    const { store, clock } = this.parts;
    this.metBadExtent = false;
    if (store.failure !== undefined) throw store.failure;
    if (cleaningBytes === undefined && !this.hasWork && !this.reaper.hasWork) return;
    const startMs = clock.monotonicMs();
    this.beganMs = startMs;
    try {
      await this.recordUnrecorded();
      this.freeze();
      invariant(this.frozen !== undefined, 'checkpoint: nothing is frozen');
      await this.pause('checkpointAfterFreeze');
      await this.fold(this.frozen, cleaningBytes);
      this.checkpoints += 1;
      this.failuresInARow = 0;
      this.lastDurationMs = clock.monotonicMs() - startMs;
    } catch (error) {
      this.noteFailure(error);
      throw error;
    }
  }

  private noteFailure(error: unknown): void {
    this.failures += 1;
    if (error instanceof DeviceError && error.errno === 'ENOSPC') {
      this.parts.onNoSpace(error);
      return;
    }
    this.failuresInARow += 1;
    if (this.failuresInARow < MOST_FAILURES_IN_A_ROW) return;
    this.parts.onFailure(error instanceof Error ? error : new Error(String(error)));
  }

  private async fold(frozen: Frozen, cleaningBytes: number | undefined): Promise<void> {
    const { store, journal, blocks, indexes } = this.parts;

    // Step 1: the journal must not end before the base does.
    this.step = 'flush';
    if (this.journalIsOpen) await journal.flushed(frozen.commitNumber);
    await this.pause('checkpointAfterJournalFlush');

    // Step 2: documents and manifest.
    this.step = 'pages';
    const changes = new IndexChanges(this.changesMemory);
    const writer = await blocks.beginCheckpoint(frozen.commitNumber, {
      compressionOf: (collection) =>
        latestVersion(store, collection)?.compression ?? store.compression,
      placed: (collection, recordId, place) => changes.setRecord(collection, recordId, place),
    });
    const moved = new MovedRecords(store.epoch.base, frozen.generation);
    let base: Base;
    try {
      await this.foldGeneration(frozen, { writer, changes, moved });
      this.cleaned = await writer.clean(moved, cleaningBytes);
      await this.pause('checkpointInPages');
      base = await writer.finish();
      await this.pause('checkpointAfterPages');

      // Step 3: one transaction. Its durable commit is the moment the checkpoint happens.
      this.step = 'index';
      changes.put(
        STORE_RECORD_KEY,
        encodeStoreRecord({
          base,
          identHighWater: frozen.identHighWater,
          keyVersion: frozen.keyVersion,
        }),
      );
      const committing = indexes.commit(changes, {
        checkpoint: base.checkpoint,
        applied: frozen.commitNumber,
      });
      const [result] = await Promise.all([committing, this.pause('checkpointInIndexCommit')]);
      this.reaper.noteCommitted(result);
      changes.recycle();
    } catch (error) {
      if (this.step === 'index' && error instanceof DeviceError && this.isInDoubt(error)) {
        this.parts.onFailure(error);
      } else {
        await writer.abort();
        this.metBadExtent = writer.metBadExtent;
      }
      throw error;
    }
    await this.pause('checkpointAfterIndexCommit');

    // Step 4: the new epoch, at once; then what was only needed by the base before.
    this.step = 'publish';
    this.publish(frozen, moved);
    this.unrecorded = base;
    await this.pause('checkpointAfterPublish');
    await this.recordUnrecorded();
    await this.pause('checkpointAfterSuperblock');
    store.catalog.forgetDropped(store.snapshots);
    // Two checkpoints back: should this base turn out damaged, the one before it can still be replayed over.
    if (this.journalIsOpen) journal.release(this.previousCommitNumber);
    this.previousCommitNumber = frozen.commitNumber;
    blocks.reclaim(this.oldestPinned());
  }

  /**
   * Whether a commit that failed may be durable all the same. On a full disk it is not, unless it shows: what commits is
   * written over a page that is there already.
   */
  private isInDoubt(error: DeviceError): boolean {
    if (error.errno !== 'ENOSPC') return true;
    const { indexes, store } = this.parts;
    const snapshot = indexes.beginRead();
    const { checkpoint } = snapshot.stamp;
    snapshot.release();
    return checkpoint !== store.epoch.base.checkpoint;
  }

  private async foldGeneration(
    frozen: Frozen,
    { writer, changes, moved }: CheckpointOutput,
  ): Promise<void> {
    const { store, clock } = this.parts;
    const { base } = store.epoch;
    const target: FoldTarget = { writer, changes, base, slices: new Slices(clock) };
    const { generation } = frozen;
    const dropped = await foldCatalog(target, frozen, moved);
    const liveIndexes = new Set<number>();
    for (const collection of frozen.collections) {
      if (target.slices.isOver) await target.slices.turn();
      if (collection.version === undefined) {
        writer.dropCollection(collection.ident);
        continue;
      }
      for (const { ident } of collection.version.indexes) liveIndexes.add(ident);
      writer.noteRecordId(collection.ident, collection.recordIdHighWater);
      const table = generation.records.get(collection.ident);
      if (table !== undefined) await foldRecords(target, collection.ident, generation, table);
    }
    for (const load of frozen.bulkLoads) await load.addTo(changes, target.slices);
    for (const ident of [...generation.keys.keys()].sort((a, b) => a - b)) {
      if (liveIndexes.has(ident)) await foldKeys(target, ident as Ident, generation);
    }
    await this.reaper.addSlice(target, dropped);
  }

  /** One synchronous step: the frozen generation is in the base now. Views that it shows the same move on. */
  private publish(frozen: Frozen, moved: MovedRecords): void {
    const { store, blocks, indexes } = this.parts;
    const before = store.epoch;
    const [active, folded] = before.generations;
    invariant(folded === frozen.generation, 'checkpoint: folded another generation');
    const base = new BaseEpoch(indexes.beginRead(), blocks, this.forgetBase);
    invariant(
      base.commitNumber === frozen.commitNumber,
      'checkpoint: the index store stands elsewhere',
    );
    this.bases.add(base);
    base.inherit(before.base, frozen.generation, moved.blocks);
    store.epoch = { base, generations: [active] };
    this.frozen = undefined;
    this.folded += 1;
    for (const view of store.views) {
      if (view.commitNumber >= frozen.commitNumber) view.moveTo(store.epoch);
    }
    before.base.unpin();
    this.snapshotsEnded += endOldestViews(store, this.parts.retainedBytes);
    if (!isRead(store, folded)) folded.recycle();
  }

  private async recordUnrecorded(): Promise<void> {
    if (this.unrecorded === undefined) return;
    await this.parts.blocks.recordCheckpoint(this.unrecorded);
    this.unrecorded = undefined;
  }

  /**
   * Keeps the extents of a base as they are, also when nobody reads the base itself any more.
   * @returns lets them go; idempotent
   */
  holdExtents(checkpoint: number): () => void {
    const hold = { checkpoint };
    this.extentHolds.add(hold);
    return () => this.extentHolds.delete(hold);
  }

  private oldestPinned(): number {
    let oldest = Infinity;
    for (const { checkpoint } of this.bases) oldest = Math.min(oldest, checkpoint);
    for (const { checkpoint } of this.extentHolds) oldest = Math.min(oldest, checkpoint);
    return oldest;
  }

  private pause(name: CheckpointPoint): Promise<void> {
    return pauseAt(name, this.parts.failPoints, this.parts.clock);
  }
}

/** Where a checkpoint's changes go. */
interface CheckpointOutput {
  readonly writer: CheckpointWriter;
  readonly changes: IndexChanges;
  readonly moved: MovedRecords;
}

function isRead(store: StoreState, generation: Generation): boolean {
  for (const view of store.views) if (view.layers.includes(generation)) return true;
  return false;
}

/** Ends the oldest snapshots while the generations that only they read take too much memory. @returns how many */
function endOldestViews(store: StoreState, retainedBytes: number): number {
  let ended = 0;
  const retained = [...store.views].filter((view) => view.pinsOtherThan(store.epoch));
  retained.sort((a, b) => a.commitNumber - b.commitNumber);
  for (const view of retained) {
    if (retainedMemory(store) <= retainedBytes) break;
    view.endAsTooOld();
    ended += 1;
  }
  return ended;
}

/** Memory of the generations that only old snapshots read, bytes. */
export function retainedMemory(store: StoreState): number {
  const generations = new Set<Generation>();
  for (const view of store.views) for (const generation of view.layers) generations.add(generation);
  for (const generation of store.epoch.generations) generations.delete(generation);
  let bytes = 0;
  for (const generation of generations) bytes += generation.memoryBytes;
  return bytes;
}
