/**
 * What the parts of one life of an engine share: the engine, the judge, the dice, and which errors are no failures.
 */
import { AssertionError } from 'node:assert/strict';
import { CommandError, CorruptionError, DeviceError } from '../../../common/errors.ts';
import type { Random } from '../../../common/random.ts';
import {
  WriteConflictError,
  type CommitNumber,
  type StorageEngine,
  type Transaction,
} from '../../../storage/index.ts';
import type { Model } from '../model.ts';
import type { World } from '../world.ts';

export interface LifeCounts {
  operations: number;
  commits: number;
  conflicts: number;
  duplicates: number;
  refusedForSpace: number;
  fullDisks: number;
  checkpoints: number;
  compactions: number;
  builds: number;
  catalogChanges: number;
  snapshotReads: number;
  /** Cursors walked to their end, though catalog, base and documents changed between their steps. */
  heldCursors: number;
  liveCursors: number;
  /** Parts of indexes walked to their end, between bounds or with a jump. */
  rangesWalked: number;
  /** Passes of the scrub to their end, and pages that they read. */
  scrubs: number;
  scrubbedPages: number;
  /** Bytes written to files of operations and read again. */
  spilledBytes: number;
  corruptions: number;
}

export function noCounts(): LifeCounts {
  return {
    operations: 0,
    commits: 0,
    conflicts: 0,
    duplicates: 0,
    refusedForSpace: 0,
    fullDisks: 0,
    checkpoints: 0,
    compactions: 0,
    builds: 0,
    catalogChanges: 0,
    snapshotReads: 0,
    heldCursors: 0,
    liveCursors: 0,
    rangesWalked: 0,
    scrubs: 0,
    scrubbedPages: 0,
    spilledBytes: 0,
    corruptions: 0,
  };
}

/** Memory, space or a snapshot ran out, or a collection went: the operation fails, the store does not. */
const SHORTAGES = new Set([
  'TransactionTooLargeForCache',
  'SnapshotTooOld',
  'OutOfDiskSpace',
  'NamespaceNotFound',
]);

export class LifeContext {
  readonly counts = noCounts();
  readonly world: World;
  readonly engine: StorageEngine;
  readonly model: Model;
  readonly random: Random;
  private readonly background: Promise<unknown>[] = [];

  constructor(world: World, engine: StorageEngine, model: Model) {
    this.world = world;
    this.engine = engine;
    this.model = model;
    this.random = world.random;
  }

  /** Ends a transaction that failed, or throws when it should not have. */
  survives(error: unknown, transaction: Transaction): void {
    if (error instanceof WriteConflictError) this.counts.conflicts += 1;
    else if (error instanceof CommandError && error.code === 11000) this.counts.duplicates += 1;
    else if (!this.isShortage(error) && !this.isNamed(error)) throw error;
    transaction.abort();
  }

  isShortage(error: unknown): boolean {
    if (!(error instanceof CommandError) || !SHORTAGES.has(error.codeName)) return false;
    this.world.faults.note(error, 'OutOfDiskSpace for a writer');
    if (error.codeName === 'OutOfDiskSpace') this.counts.refusedForSpace += 1;
    return true;
  }

  /** An error of the disk, by its name: the operation fails, nothing else. */
  isNamed(error: unknown, who = 'the operation failed'): boolean {
    this.world.faults.note(error, who);
    if (error instanceof CorruptionError && this.world.isLying) {
      this.counts.corruptions += 1;
      this.world.damageMet = true;
      return true;
    }
    return error instanceof DeviceError;
  }

  /** Whether the end of this life explains it. It explains no wrong answer. */
  isEnd(error: unknown): boolean {
    return this.world.isDark && !(error instanceof AssertionError);
  }

  async settleQuietly(promise: Promise<unknown>, who: string): Promise<void> {
    try {
      await this.world.settle(promise);
    } catch (error) {
      if (!this.isNamed(error, who) && !this.isShortage(error)) throw error;
    }
  }

  /** Goes on beside what follows. */
  inBackground(promise: Promise<unknown>, who: string): void {
    this.background.push(
      promise.catch((error: unknown) => {
        const isExpected = this.world.isDark || this.isNamed(error, who);
        if (!isExpected && !(error instanceof CommandError)) throw error;
      }),
    );
  }

  async backgroundEnds(): Promise<void> {
    await this.world.settle(Promise.allSettled(this.background));
  }

  /** Waits for the flush of everything, and takes it as a promise. */
  async flush(commitNumber: CommitNumber): Promise<void> {
    await this.world.settle(this.engine.flushed(commitNumber));
    if (!this.world.isDark) this.model.acknowledge(commitNumber);
  }

  anyOf<T>(choices: readonly T[]): T | undefined {
    return choices[this.random.below(choices.length)];
  }
}
