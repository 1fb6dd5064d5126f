/**
 * The storage engine: opens and closes, and is where the parts meet.
 *
 * Owns: the running store (catalog, epochs, open views), its checkpoints, and the parts below: journal, block store, index
 * store. One path opens a store that was closed and one that crashed: compare the parts, load the catalog, replay.
 * Invariants:
 *  1. What commit() published is in the journal before anybody reads it.
 *  2. After a failed journal flush, an index commit of unknown outcome, or checkpoints that failed again and again, nothing is
 *     read or written any more.
 * Never: knows about sessions, commands or queries.
 */
import { systemClock, type Clock } from '../common/clock.ts';
import { documentOf } from '../bson/index.ts';
import { CommandError } from '../common/errors.ts';
import { FailPoints } from '../common/failpoints.ts';
import { uninterruptible, type Interruption } from '../common/interruption.ts';
import { silentLog, type Log, type LogLine } from '../common/log.ts';
import { systemRandom, type Random } from '../common/random.ts';
import { ReaderTail } from './backup/journal-tail.ts';
import { openOnlineBackup } from './backup/online-backup.ts';
import { Catalog } from './catalog/catalog.ts';
import { IndexBuilds } from './index-builds/index-builds.ts';
import { rebuildStale } from './index-builds/stale-indexes.ts';
import type { KeyGeneratorSource, VersionedKeys } from './catalog/index-keys.ts';
import { Admission } from './checkpoint/admission.ts';
import { Checkpointer } from './checkpoint/checkpoint.ts';
import {
  DEFAULT_PAGE_COMPRESSION,
  type CollectionDescription,
  type CommitNumber,
  type EngineStatistics,
  type JournalTail,
  type MaybePromise,
  type PageCompression,
  type ReadView,
  type ScrubOptions,
  type ScrubResult,
  type StorageEngine,
  type StoreBackup,
  type Transaction,
  type TransactionOptions,
  type ValidateOptions,
  type ValidationReport,
} from './contract.ts';
import { Generation } from './delta/generation.ts';
import { SlabPool } from './delta/slab-pool.ts';
import { OpenSnapshots } from './delta/open-snapshots.ts';
import { JOURNAL_OPERATIONS } from './format/journal-entry.ts';
import type { Salvage } from './journal/contract.ts';
import { loadCatalog } from './recovery/load-catalog.ts';
import type { ElevatorName } from './device/elevators/elevators.ts';
import { openParts, type Parts } from './recovery/open-parts.ts';
import { Replay } from './recovery/replay.ts';
import { ReplayFolds } from './recovery/replay-folds.ts';
import { ReplayProgressLog } from './recovery/replay-progress.ts';
import { memoryFiles, openDirectory, type StoreFiles } from './recovery/store-files.ts';
import { DiskSpace } from './space/disk-space.ts';
import { SpillArea } from './spill/spill-area.ts';
import { storageStatistics } from './statistics.ts';
import { EngineTransaction } from './transactions/transaction.ts';
import { mendCollection } from './verify/mend.ts';
import { scrub } from './verify/scrub.ts';
import { validateCollection } from './verify/validate.ts';
import { BaseEpoch } from './views/base-epoch.ts';
import { OpenList } from './open-list.ts';
import { SnapshotView } from './views/snapshot-view.ts';
import { requireWorking, type StoreState } from './views/store-state.ts';

const MEBIBYTE = 1024 * 1024;
const DEFAULT_CACHE_BYTES = 256 * MEBIBYTE;
const LEAST_DELTA_BYTES = 32 * MEBIBYTE;
/** A larger delta would make for a longer replay after a crash. */
const MOST_DELTA_BYTES = 256 * MEBIBYTE;
const DEFAULT_CHECKPOINT_INTERVAL_MS = 60_000;
const TICK_MS = 1000;
/** A replay that left this much in the delta is followed by a checkpoint. */
const REPLAY_TO_FOLD_BYTES = 4 * 1024 * 1024;
const DEFAULT_JOURNAL_COMMIT_INTERVAL_MS = 100;

export interface EngineOptions {
  /** An existing directory. Absent, and without `files`: memory that ends with the process. */
  readonly dbpath?: string;
  /** Other places for the parts, such as a simulated disk. */
  readonly files?: StoreFiles;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  readonly failPoints?: FailPoints;
  /** Bound of the page cache, bytes. Default 256 MiB. */
  readonly cacheBytes?: number;
  /** Memory for versions that are not in the base yet, bytes. Default as much as the cache, 32 to 256 MiB. */
  readonly deltaBytes?: number;
  /** Default 60 s; 0 for none but when the delta is full, on demand and at close. */
  readonly checkpointIntervalMs?: number;
  /** Longest time that a write nobody waits for stays unflushed. Default 100 ms. */
  readonly journalCommitIntervalMs?: number;
  /** Of journal beyond what recovery needs: at least so many bytes, and for so long. Default: none. */
  readonly journalRetention?: { readonly bytes: number; readonly ms: number };
  /** Reads every page back, past the system's cache, before its checkpoint counts. Default false. */
  readonly verifyWrites?: boolean;
  /** Hears what an administrator should know from the start on; absent: the log has it alone. */
  readonly startupWarning?: (line: LogLine) => void;
  /** Kept free on the disk, bytes: below it inserts and updates are refused. Default a twentieth of it, 4 to 256 MiB. */
  readonly freeSpaceReserveBytes?: number;
  /** Of collections that are created without a word about it; default snappy. */
  readonly compression?: PageCompression;
  /** Order of requests to the block store's device: noop (default) for flash, deadline for disks that seek. */
  readonly elevator?: ElevatorName;
  /** Size of the block store's extents in a new store, bytes. */
  readonly extentBytes?: number;
  /** Collections of up to so many records get an index in one step; larger ones beside writes. Default 5000. */
  readonly smallBuildRecords?: number;
  /** Kinds of indexes beyond ordered fields; awaited before anything is replayed, so that it may load meanwhile. */
  readonly keyGenerators?: KeyGeneratorSource | Promise<KeyGeneratorSource>;
  /** What keys of some indexes depend on; awaited as the generators are. */
  readonly versionedKeys?: VersionedKeys | Promise<VersionedKeys>;
  /** For repair: hears of what the journal has lost, which is passed over; a repair under way keeps nobody out then. */
  readonly salvage?: Salvage;
  /** Hears, once, why the store cannot go on: the program should end. */
  readonly onFailure?: (error: Error) => void;
}

/**
 * Opens a store, or makes a new one in an empty directory.
 * @throws CommandError DBPathInUse; CorruptionError that names the part which is missing, older, foreign or damaged
 */
export async function openEngine(options: EngineOptions = {}): Promise<StorageEngine> {
  const clock = options.clock ?? systemClock;
  const files =
    options.files ??
    (options.dbpath === undefined ? memoryFiles() : await openDirectory(options.dbpath, clock));
  try {
    return await openWith(files, clock, options);
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function openWith(
  files: StoreFiles,
  clock: Clock,
  options: EngineOptions,
): Promise<StorageEngine> {
  const log = options.log ?? silentLog;
  const random = options.random ?? systemRandom;
  let fail = (_error: Error): void => {};
  let reportNoSpace = (_error: Error): void => {};
  const parts = await openParts({
    files,
    clock,
    random,
    log,
    cacheBytes: options.cacheBytes ?? DEFAULT_CACHE_BYTES,
    verifyWrites: options.verifyWrites ?? false,
    ...(options.elevator === undefined ? {} : { elevator: options.elevator }),
    journalCommitIntervalMs: options.journalCommitIntervalMs ?? DEFAULT_JOURNAL_COMMIT_INTERVAL_MS,
    ...(options.journalRetention === undefined
      ? {}
      : { journalRetention: options.journalRetention }),
    ...(options.extentBytes === undefined ? {} : { extentBytes: options.extentBytes }),
    ...(options.salvage === undefined ? {} : { salvage: options.salvage }),
    onJournalFailure: (error) => fail(error),
    onNoSpace: (error) => reportNoSpace(error),
  });
  try {
    const keyGenerators = await (options.keyGenerators ?? (() => undefined));
    const versionedKeys = await options.versionedKeys;
    const engine = new Engine(files, parts, {
      ...options,
      clock,
      random,
      log,
      keyGenerators,
      versionedKeys,
      compression: options.compression ?? DEFAULT_PAGE_COMPRESSION,
    });
    fail = (error) => engine.fail(error);
    reportNoSpace = engine.space.report;
    await engine.recover();
    return engine;
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

type OpenOptions = Omit<EngineOptions, 'versionedKeys'> & {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly keyGenerators: KeyGeneratorSource;
  readonly compression: PageCompression;
  readonly versionedKeys: VersionedKeys | undefined;
};

class Engine implements StorageEngine {
  private readonly files: StoreFiles;
  private readonly parts: Parts;
  private readonly options: OpenOptions;
  private readonly store: StoreState;
  private readonly checkpointer: Checkpointer;
  private readonly admission: Admission;
  private readonly builds: IndexBuilds;
  readonly space: DiskSpace;
  readonly spill: SpillArea;
  /** The last commit when everything that could be freed had been. */
  private relievedUpTo: CommitNumber | undefined;
  private timer: { cancel(): void } | undefined;
  private closing: Promise<void> | undefined;

  constructor(files: StoreFiles, parts: Parts, options: OpenOptions) {
    this.files = files;
    this.parts = parts;
    this.options = options;
    const { journal, blocks, indexes } = parts;
    const budgetBytes = options.deltaBytes ?? defaultDeltaBytes(options);
    const base = new BaseEpoch(indexes.beginRead(), blocks, (unpinned) =>
      this.checkpointer.forgetBase(unpinned),
    );
    const slabPool = new SlabPool(budgetBytes / 2);
    this.space = new DiskSpace({
      volume: files.blockVolume,
      journalVolume: files.journalVolume,
      clock: options.clock,
      log: options.log,
      keepsBallast: files.keepsBallast,
      ...(options.freeSpaceReserveBytes === undefined
        ? {}
        : { reserveBytes: options.freeSpaceReserveBytes }),
      unfoldedBytes: () => this.admission.deltaBytes,
      mostUnfoldedBytes: budgetBytes,
      storeBytes: () => blocks.statistics().usedBytes,
      relieve: (isShort) => this.relieve(isShort),
      onSpace: () => journal.tryAgain(),
    });
    this.spill = new SpillArea({
      ...(files.spillDirectory === undefined ? {} : { directory: files.spillDirectory }),
      refuseGrowth: () => this.space.refuseGrowth(),
    });
    this.store = {
      space: this.space,
      catalog: new Catalog(),
      snapshots: new OpenSnapshots(),
      views: new OpenList(),
      writers: new OpenList(),
      journal,
      random: options.random,
      keyGenerators: options.keyGenerators,
      compression: options.compression,
      transactionBytes: budgetBytes / 4,
      openTransactionBytes: 0,
      slabPool,
      epoch: { base, generations: [new Generation({ pool: slabPool })] },
      lastCommitNumber: base.commitNumber,
      frozenUpTo: base.commitNumber,
      failure: undefined,
      changedCollections: new Set(),
      watchedKeys: new Map(),
      keyVersion: undefined,
    };
    this.builds = new IndexBuilds(
      this.store,
      () => this.checkpointer.take(),
      options.smallBuildRecords,
    );
    this.checkpointer = new Checkpointer({
      store: this.store,
      journal,
      blocks,
      indexes,
      clock: options.clock,
      log: options.log,
      failPoints: options.failPoints ?? new FailPoints(options.random),
      builds: this.builds.scanning,
      retainedBytes: budgetBytes,
      onFailure: (error) => this.fail(error),
      onNoSpace: this.space.report,
    });
    this.admission = new Admission({
      store: this.store,
      checkpointer: this.checkpointer,
      clock: options.clock,
      budgetBytes,
      onError: (error) => this.reportCheckpointFailure(error),
    });
  }

  /** Brings the store to where it was: base, journal over it, and what was under way put away. */
  async recover(): Promise<void> {
    const { log, clock } = this.options;
    const startMs = clock.monotonicMs();
    await this.space.start();
    loadCatalog(this.store);
    const { salvage } = this.options;
    const replay = new Replay(this.store, log, salvage);
    const folds = new ReplayFolds({
      checkpointer: this.checkpointer,
      isDue: () => this.admission.isCheckpointDue,
      onNoSpace: (error) => this.reportCheckpointFailure(error),
    });
    const progress = new ReplayProgressLog(clock, log);
    const replayStartMs = clock.monotonicMs();
    const beginFold = (): MaybePromise<void> => (folds.areDue ? folds.begin() : undefined);
    const replayed = this.parts.journal.replay(
      this.store.lastCommitNumber,
      (group) => {
        const applied = replay.apply(group);
        return applied === undefined ? beginFold() : applied.then(beginFold);
      },
      {
        onBatch: (groups) => replay.fetchAhead(groups),
        onProgress: (done) => progress.note(done),
      },
    );
    const summary = await folds.beside(replayed);
    const replayMillis = Math.round(clock.monotonicMs() - replayStartMs);
    this.checkpointer.journalIsOpen = true;
    // The checkpoint behind it lies in segments of which the next start needs nothing that was damaged.
    if (salvage !== undefined) noteRepair(this.store);
    this.builds.abandonUnfinished();
    const { versionedKeys } = this.options;
    if (versionedKeys !== undefined) {
      await rebuildStale(this.store, this.builds, versionedKeys, log);
    }
    await this.files.noteIndexStoreWorks();
    this.warnOfUnverifiableWrites();
    log.write({
      severity: 'I',
      component: 'RECOVERY',
      id: 5100100,
      message: 'Store is open',
      attributes: {
        baseCommitNumber: this.store.epoch.base.commitNumber,
        replayedGroups: summary.groups,
        replayedEntries: summary.entries,
        replayedBytes: summary.bytes,
        replayMillis,
        journalTail: summary.tail,
        damagedRecords: replay.damagedRecords,
        durationMillis: Math.round(clock.monotonicMs() - startMs),
      },
    });
    // What was replayed now would be replayed again after the next crash: starts stay short, however often it crashes.
    if (this.store.epoch.generations[0].memoryBytes >= REPLAY_TO_FOLD_BYTES) {
      this.admission.startCheckpoint();
    }
    this.armTimer();
    this.space.watch();
  }

  private warnOfUnverifiableWrites(): void {
    const { verifyWrites, log, startupWarning } = this.options;
    if (verifyWrites !== true || this.files.readsFromDisk) return;
    const line: LogLine = {
      severity: 'W',
      component: 'STORAGE',
      id: 5100111,
      message:
        'Writes are verified by reading them back, but the file system of the data directory knows no direct I/O: what is read comes from the cache of the system, not from the disk',
    };
    log.write(line);
    startupWarning?.(line);
  }

  snapshot(): ReadView {
    this.requireOpen();
    return new SnapshotView(this.store);
  }

  begin(options?: TransactionOptions): Transaction {
    this.requireOpen();
    return new EngineTransaction(this.store, options);
  }

  flushed(commitNumber: CommitNumber): Promise<void> {
    return this.parts.journal.flushed(commitNumber);
  }

  admitWrite(interruption: Interruption): MaybePromise<void> {
    this.requireOpen();
    return this.admission.admit(interruption);
  }

  buildIndexes(
    namespace: string,
    specs: readonly Buffer[],
    interruption: Interruption,
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    this.requireOpen();
    return this.builds.build(namespace, specs, interruption, onProgress);
  }

  validate(
    namespace: string,
    { full, repair }: ValidateOptions,
    interruption: Interruption,
  ): Promise<ValidationReport> {
    this.requireOpen();
    const { store, builds } = this;
    if (repair === undefined) {
      return validateCollection(() => new SnapshotView(store), namespace, { full, interruption });
    }
    const parts = {
      store,
      builds,
      admit: (waiting: Interruption) => this.admitWrite(waiting),
      takeCheckpoint: () => this.checkpoint(),
    };
    return mendCollection(parts, namespace, { full, repair, interruption });
  }

  scrub(options: ScrubOptions): Promise<ScrubResult> {
    this.requireOpen();
    const { clock, keyGenerators } = this.options;
    const { blocks } = this.parts;
    const currentBase = (): BaseEpoch => {
      this.requireOpen();
      return this.store.epoch.base;
    };
    return scrub({ blocks, clock, keyGenerators, currentBase }, options);
  }

  async checkpoint(): Promise<void> {
    this.requireOpen();
    await this.checkpointer.take();
  }

  async openBackup(): Promise<StoreBackup> {
    this.requireOpen();
    await this.checkpointer.take();
    this.requireOpen();
    const { blocks, indexes, journal } = this.parts;
    const { base } = this.store.epoch;
    // In one step with the checkpoint's end: the next one may free what this base names.
    base.pin();
    const letExtentsGo = this.checkpointer.holdExtents(base.checkpoint);
    try {
      const { timestamp, reader } = await journal.readFrom(base.commitNumber);
      await reader.close();
      const entryBytes = indexes.statistics().fileBytes;
      return await openOnlineBackup({ base, blocks, timestamp, entryBytes, letExtentsGo });
    } catch (error) {
      letExtentsGo();
      base.unpin();
      throw error;
    }
  }

  async openJournalTail(after: CommitNumber, storeId?: string): Promise<JournalTail> {
    this.requireOpen();
    const { journal, blocks } = this.parts;
    const own = blocks.superblock.storeId;
    if (storeId !== undefined && storeId !== own) {
      throw new CommandError(
        'InvalidOptions',
        `this is store ${own}, and the backup is of store ${storeId}: its journal does not go on here`,
      );
    }
    // What somebody was told of before he asked is in it.
    await this.flushed(journal.lastCommitNumber);
    if (after > journal.flushedCommitNumber) {
      throw new CommandError(
        'CappedPositionLost',
        `the journal ends at commit ${journal.flushedCommitNumber}, before commit ${after}`,
      );
    }
    const { timestamp, reader } = await journal.readFrom(after);
    return new ReaderTail({ commitNumber: after, timestamp }, reader, journal);
  }

  compact(interruption: Interruption): Promise<number> {
    this.requireOpen();
    return this.checkpointer.compact(interruption);
  }

  statistics(): EngineStatistics {
    return {
      ...storageStatistics(this.store, this.parts, this.checkpointer, this.admission),
      space: { ...this.space.statistics },
      spill: { ...this.spill.statistics },
    };
  }

  storageBytes(collection: CollectionDescription): {
    data: number;
    free: number;
    indexes: Record<string, number>;
  } {
    const { base } = this.store.epoch;
    const indexes: Record<string, number> = {};
    const records = this.store.catalog.stateByIdent(collection.ident)?.sizes.latest?.records ?? 0;
    for (const index of collection.indexes) {
      indexes[index.name] = records * base.entryBytes(index.ident);
    }
    const { blocks } = this.parts;
    const free = blocks.deadBytes(collection.ident);
    const living = blocks.collectionSpace(collection.ident)?.storedBytes ?? 0;
    return { data: living + free, free, indexes };
  }

  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  /**
   * Journal or index store failed, and what they hold is unknown, or no checkpoint succeeds: nobody may rely on anything
   * from here on.
   */
  fail(error: Error): void {
    if (this.store.failure !== undefined) return;
    this.store.failure = error;
    this.options.onFailure?.(error);
  }

  private async closeNow(): Promise<void> {
    this.timer?.cancel();
    this.parts.journal.endSpaceWaits();
    this.admission.close();
    await this.space.close();
    await this.builds.stop();
    for (const view of this.store.views) view.close();
    try {
      if (this.store.failure === undefined) await this.checkpointer.take();
    } catch (error) {
      // The journal holds everything: the next start replays it.
      this.reportCheckpointFailure(error);
    } finally {
      await this.checkpointer.idle();
      this.store.epoch.base.unpin();
      await closeParts(this.parts);
      await this.files.close();
    }
  }

  /**
   * On a full disk: a checkpoint that gives back what was deleted. What one checkpoint frees may be used once the next one is
   * durable.
   */
  private async relieve(isShort: boolean): Promise<void> {
    const { store, parts } = this;
    if (store.failure !== undefined || this.closing !== undefined) return;
    // A checkpoint that begins by itself would cut a group in two that is being replayed.
    if (!this.checkpointer.journalIsOpen) return;
    if (!isShort) {
      await this.checkpointer.take();
      return;
    }
    const { pendingFree } = parts.blocks.statistics().extents;
    if (this.relievedUpTo === store.lastCommitNumber && pendingFree === 0) return;
    const { lastCommitNumber } = store;
    await this.checkpointer.compact(uninterruptible);
    await parts.blocks.giveBack();
    await parts.journal.giveBack();
    this.relievedUpTo = lastCommitNumber;
  }

  private requireOpen(): void {
    requireWorking(this.store);
    if (this.closing !== undefined) {
      throw new CommandError('InterruptedAtShutdown', 'interrupted at shutdown');
    }
  }

  /** Looks every second: a checkpoint is due after its interval, or while dropped trees wait to be reaped. */
  private armTimer(dueMs = this.nextDueMs()): void {
    if (dueMs === Infinity) return;
    const { clock } = this.options;
    const delayMs = Math.max(0, Math.min(TICK_MS, dueMs - clock.monotonicMs()));
    this.timer = clock.after(delayMs, () => {
      if (this.closing !== undefined) return;
      const isDue = clock.monotonicMs() >= dueMs;
      if ((isDue || this.checkpointer.reaper.hasWork) && !this.checkpointer.isRunning) {
        this.admission.startCheckpoint();
      }
      this.armTimer(isDue ? this.nextDueMs() : dueMs);
    });
  }

  private nextDueMs(): number {
    const intervalMs = this.options.checkpointIntervalMs ?? DEFAULT_CHECKPOINT_INTERVAL_MS;
    return intervalMs <= 0 ? Infinity : this.options.clock.monotonicMs() + intervalMs;
  }

  private reportCheckpointFailure(error: unknown): void {
    this.options.log.write({
      severity: 'E',
      component: 'STORAGE',
      id: 5100200,
      message: 'Checkpoint failed; it will be tried again',
      attributes: { error: String(error) },
    });
  }
}

/** A commit that says that the store was repaired. */
function noteRepair(store: StoreState): void {
  const message = documentOf({ msg: 'the store was repaired' });
  store.lastCommitNumber = store.journal.append([{ op: JOURNAL_OPERATIONS.noop, o: message }]);
}

function defaultDeltaBytes({ cacheBytes = DEFAULT_CACHE_BYTES }: EngineOptions): number {
  return Math.min(MOST_DELTA_BYTES, Math.max(LEAST_DELTA_BYTES, cacheBytes));
}

async function closeParts(parts: Parts): Promise<void> {
  await parts.journal.close();
  await parts.blocks.close();
  await parts.indexes.close();
}
