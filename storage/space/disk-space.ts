/**
 * Free space on the disk, and what is done when it runs short.
 *
 * While there is little, what makes the store larger is refused (OutOfDiskSpace); reads, deletes, drops and checkpoints go on,
 * and what they free is given back at once. Writing resumes by itself. For who meets a full disk all the same (other programs
 * fill it, too) a ballast file is kept, whose space a checkpoint, the index store and two journal segments can have.
 *
 * Owns: the ballast file, and whether writers are let in. Invariants:
 *  1. Writers are let in only while the reserve is free beyond what folding the delta will take.
 *  2. The ballast goes only when somebody met a full disk, and is back before writers are let in again.
 * Tests: test/storage/space/.
 */
import type { Clock, TimerHandle } from '../../common/clock.ts';
import { CommandError, DeviceError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import type { Volume } from '../device/contract.ts';
import { Ballast } from './ballast.ts';

const MEBIBYTE = 1024 * 1024;
/** The reserve, unless it is told: a part of the disk, within bounds. */
const RESERVE_PART = 20;
const LEAST_RESERVE_BYTES = 4 * MEBIBYTE;
const MOST_RESERVE_BYTES = 256 * MEBIBYTE;
/** So much more than the reserve must be free before writers are let in again: else they would be turned away at once. */
const RESUME_FACTOR = 1.25;
/** What lies in memory takes so much more in pages that are not filled, and in the index store. */
const FOLDING_FACTOR = 1.25;
/** Below so many times of what may be needed at most the disk is watched closely. */
const TIGHT_FACTOR = 4;
/** Below so many reserves, not counting what is still to be folded, it is folded early. */
const EARLY_FACTOR = 3;
/** How often the disk is asked, milliseconds: always, and while space is short or nearly so. */
const LOOK_MS = 1000;
const LOOK_CLOSELY_MS = 100;
/** Attempts to free space follow each other after so long at least, milliseconds. */
const RELIEF_MS = 500;

export interface DiskSpaceOptions {
  /** Where block store, index store and ballast are, and where the journal is: perhaps one disk, perhaps two. */
  readonly volume: Volume;
  readonly journalVolume: Volume;
  readonly clock: Clock;
  readonly log: Log;
  /** Kept free, bytes. Default a twentieth of the disk, 4 to 256 MiB. */
  readonly reserveBytes?: number;
  /** Whether a file is kept as ballast: not for a store that ends with the process. */
  readonly keepsBallast: boolean;
  /** What the next checkpoint will write, about, bytes; and what it may grow to. */
  readonly unfoldedBytes: () => number;
  readonly mostUnfoldedBytes: number;
  /** Size of the store's files, about, bytes: the ballast follows it. */
  readonly storeBytes: () => number;
  /** Folds what is in memory; while space is short, frees what can be freed, too. Rejects when even that finds no space. */
  readonly relieve: (isShort: boolean) => Promise<void>;
  /** There may be more space than before: who waits for it tries again. */
  readonly onSpace: () => void;
}

export interface DiskSpaceStatistics {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly reserveBytes: number;
  readonly ballastBytes: number;
  readonly isShort: boolean;
  /** How often space ran short, and writes refused since the start. */
  readonly shortages: number;
  readonly refusedWrites: number;
}

export class DiskSpace {
  private readonly options: DiskSpaceOptions;
  private readonly ballast: Ballast;
  private freeBytes = Infinity;
  private totalBytes = Infinity;
  private isShort = false;
  /** Space is short, or could be within a second or so: only then anybody is asked to prove that there is room. */
  isTight = false;
  /** Somebody met a full disk, and no relief has succeeded since. */
  private metFullDisk = false;
  private shortages = 0;
  private refusedWrites = 0;
  private relievedAtMs = -Infinity;
  private timer: TimerHandle | undefined;
  private looking: Promise<void> | undefined;
  private closed = false;

  constructor(options: DiskSpaceOptions) {
    this.options = options;
    this.ballast = new Ballast(options.volume);
  }

  /** Before anything is replayed: a disk that is full already gets its ballast back at once. */
  async start(): Promise<void> {
    await this.ask();
    if (this.options.keepsBallast) await this.ballast.find();
    if (this.ballast.bytes > 0 && this.freeBytes < this.ballast.bytes) await this.dropBallast();
  }

  /** From here on it looks by itself. */
  watch(): void {
    const delayMs = this.isTight ? LOOK_CLOSELY_MS : LOOK_MS;
    this.timer = this.options.clock.after(delayMs, () => {
      this.looking = this.look().finally(() => {
        this.looking = undefined;
        if (!this.closed) this.watch();
      });
    });
  }

  /** For what makes the store larger. @throws CommandError OutOfDiskSpace */
  refuseGrowth(): void {
    if (!this.isShort) {
      if (!this.isTight || this.hasRoom(1)) return;
      this.becomeShort();
    }
    this.refusedWrites += 1;
    throw new CommandError(
      'OutOfDiskSpace',
      `No space is left to store more: of ${mebibytes(this.freeBytes)} MiB free on the disk ${mebibytes(this.foldingBytes)} MiB are for what was written last, ${mebibytes(this.reserveBytes)} MiB are kept in reserve`,
    );
  }

  /** Somebody met a full disk. */
  readonly report = (error: Error): void => {
    this.metFullDisk = true;
    this.freeBytes = 0;
    this.isTight = true;
    if (!this.isShort) this.becomeShort(error);
    if (this.ballast.bytes > 0 && !this.closed) void this.dropBallast();
  };

  get statistics(): DiskSpaceStatistics {
    const { shortages, refusedWrites, isShort, reserveBytes } = this;
    return {
      freeBytes: this.freeBytes,
      totalBytes: this.totalBytes,
      reserveBytes,
      ballastBytes: this.ballast.bytes,
      isShort,
      shortages,
      refusedWrites,
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    await this.looking;
    await this.ballast.idle();
  }

  private get reserveBytes(): number {
    const { reserveBytes } = this.options;
    if (reserveBytes !== undefined) return reserveBytes;
    const part = this.totalBytes / RESERVE_PART;
    return Math.min(MOST_RESERVE_BYTES, Math.max(LEAST_RESERVE_BYTES, part));
  }

  private hasRoom(factor: number): boolean {
    return this.freeBytes - this.foldingBytes >= this.reserveBytes * factor;
  }

  /** What the next checkpoint will take. */
  private get foldingBytes(): number {
    return this.options.unfoldedBytes() * FOLDING_FACTOR;
  }

  private async look(): Promise<void> {
    await this.ask();
    if (!this.isShort) {
      if (!this.hasRoom(1)) this.becomeShort();
      // What is folded early needs no second place in the journal, and nobody has to be refused for it.
      else if (!this.hasRoom(EARLY_FACTOR)) await this.tryRelief();
      else if (this.options.keepsBallast) await this.ballast.keep(this.wantedBallast());
      return;
    }
    this.options.onSpace();
    await this.tryRelief();
    if (!this.metFullDisk && this.hasRoom(RESUME_FACTOR)) await this.resume();
  }

  private async tryRelief(): Promise<void> {
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - this.relievedAtMs < RELIEF_MS || this.closed) return;
    this.relievedAtMs = nowMs;
    try {
      await this.options.relieve(this.isShort);
      this.metFullDisk = false;
    } catch {
      // Still no space, or the store has failed: whoever was concerned has been told.
    }
    await this.ask();
  }

  private async resume(): Promise<void> {
    const wanted = this.wantedBallast();
    if (this.options.keepsBallast) {
      await this.ballast.keep(wanted);
      await this.ask();
      if (this.ballast.bytes < wanted || !this.hasRoom(1)) return;
    }
    this.isShort = false;
    this.options.log.write({
      severity: 'I',
      component: 'STORAGE',
      id: 5100401,
      message: 'There is space on the disk again: writes are taken',
      attributes: { freeBytes: this.freeBytes, reserveBytes: this.reserveBytes },
    });
  }

  private becomeShort(error?: Error): void {
    this.isShort = true;
    this.shortages += 1;
    this.options.log.write({
      severity: 'W',
      component: 'STORAGE',
      id: 5100400,
      message: 'Space on the disk runs short: inserts and updates are refused, deletes go on',
      attributes: {
        freeBytes: this.freeBytes,
        reserveBytes: this.reserveBytes,
        ...(error === undefined ? {} : { error: error.message }),
      },
    });
  }

  private async dropBallast(): Promise<void> {
    await this.ballast.drop();
    this.options.onSpace();
  }

  /** Two journal segments at least, more in a large store. */
  private wantedBallast(): number {
    return Ballast.bytesFor(this.options.storeBytes());
  }

  /** A disk that does not answer is taken to be as it was. */
  private async ask(): Promise<void> {
    try {
      const spaces = [await this.options.volume.space(), await this.options.journalVolume.space()];
      this.freeBytes = Math.min(...spaces.map(({ freeBytes }) => freeBytes));
      this.totalBytes = Math.min(...spaces.map(({ totalBytes }) => totalBytes));
      const most = this.reserveBytes + this.options.mostUnfoldedBytes;
      this.isTight = this.isShort || this.freeBytes < TIGHT_FACTOR * most;
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
    }
  }
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(0);
}
