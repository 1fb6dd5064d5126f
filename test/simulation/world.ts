/**
 * One simulated machine: a disk that fails by a seed, an index store that crashes with it, and a clock that the
 * simulation moves. It outlives the engines that run on it.
 */
import assert from 'node:assert/strict';
import { ManualClock } from '../../common/clock.ts';
import { FailPoints } from '../../common/failpoints.ts';
import type { Log, LogLine } from '../../common/log.ts';
import { SeededRandom, type Random } from '../../common/random.ts';
import { DEFAULT_BLOCK_STORE_NAME } from '../../storage/blocks/block-store.ts';
import type { Volume } from '../../storage/device/contract.ts';
import type { FaultChances } from '../../storage/device/faults.ts';
import { SimulatedVolume } from '../../storage/device/simulated-volume.ts';
import {
  filesOf,
  openEngine,
  PAGE_COMPRESSIONS,
  repairStore,
  type StoreFiles,
  type PageCompression,
  type StorageEngine,
} from '../../storage/index.ts';
import { decodeSuperblock, superblockSector } from '../../storage/format/superblock.ts';
import { FaultBook } from './fault-book.ts';
import { SimulatedIndexDisk } from './index-disk.ts';
import { troubleOf, type Trouble } from './trouble.ts';

/** An engine that does not come to an end within so many turns hangs. */
const MOST_TURNS = 100_000;
const LARGE_DISK_BYTES = 2 ** 40;

const STALLS: FaultChances = { stall: 0.02 };
const ERRORS: FaultChances = {
  readError: 0.02,
  writeError: 0.015,
  flushError: 0.05,
  noSpace: 0.02,
};
const PAGE_DAMAGE: FaultChances = { lostWrite: 0.01, misdirectedWrite: 0.01, bitRot: 0.01 };
const JOURNAL_DAMAGE: FaultChances = { lostWrite: 0.004, misdirectedWrite: 0.004 };

export class World {
  readonly random: Random;
  /** Of what repairs find rotten: the workload of a seed does not depend on it. */
  private readonly rotRandom: SeededRandom;
  readonly volume: SimulatedVolume;
  readonly disk: SimulatedIndexDisk;
  readonly trouble: Trouble;
  readonly faults: FaultBook;
  clock = new ManualClock();
  failPoints: FailPoints;
  /** Why the engine of this life ended, if it did. */
  failure: Error | undefined;
  /** Where the journal ended when the engine was opened last. */
  journalTail = '';
  /** Some damage was met: index entries of records that nobody can read may be stale from here on. */
  damageMet = false;
  /** The index store is lost, and no repair has ended since. */
  needsRepair = false;
  /** Record ids (of whichever collection) whose index entries may be wrong: a start met them on a damaged page. */
  readonly taintedRecords = new Set<number>();
  /** Collections have a compression of their own each. */
  readonly mixesCompressions: boolean;
  private readonly sizes: {
    readonly deltaBytes: number;
    readonly smallBuildRecords: number;
    readonly cacheBytes: number;
    readonly verifyWrites: boolean;
    readonly compression: PageCompression;
    readonly freeSpaceReserveBytes?: number;
  };
  private cutsSeen = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.rotRandom = new SeededRandom(seed * 11 + 5);
    this.trouble = troubleOf(seed);
    const sectorBytes = this.random.below(8) === 0 ? 8192 : 4096;
    this.faults = new FaultBook(sectorBytes);
    this.volume = new SimulatedVolume({
      seed: seed * 7 + 1,
      faults: STALLS,
      sectorBytes,
      // A disk of 512-byte blocks tears what is larger.
      atomicBytes: this.random.below(3) === 0 ? 512 : sectorBytes,
      faulty: (device) => this.isFaulty(device),
      onFault: this.faults.add,
    });
    this.disk = new SimulatedIndexDisk(this.volume);
    this.failPoints = new FailPoints(this.random);
    this.mixesCompressions = this.random.below(this.trouble === 'pages' ? 4 : 2) === 0;
    this.sizes = {
      deltaBytes: this.random.below(2) === 0 ? 512 * 1024 : 16 * 1024 * 1024,
      cacheBytes: this.random.below(2) === 0 ? 32 * 1024 : 1024 * 1024,
      smallBuildRecords: this.random.below(2) === 0 ? 5000 : 10,
      verifyWrites: this.trouble === 'pages' && this.random.below(2) === 0,
      // A flipped bit in a compressed page mostly spoils it for the decoder: what only a checksum notices is plain.
      compression: this.mixesCompressions ? anyCompression(this.random) : 'none',
      // Without a reserve a full disk is met at every place that grows a file.
      ...(this.random.below(2) === 0 ? { freeSpaceReserveBytes: 0 } : {}),
    };
  }

  /** The disk gives other bytes than were written, and says nothing. */
  get isLying(): boolean {
    return this.trouble === 'pages' || this.trouble === 'journal';
  }

  /**
   * Faults of the device that happen by chance while an engine runs. While it starts there are none but those that are
   * planned.
   */
  setErrors(happen: boolean): void {
    const chances = {
      none: {},
      errors: ERRORS,
      pages: PAGE_DAMAGE,
      journal: JOURNAL_DAMAGE,
    }[this.trouble];
    this.volume.setFaults(happen ? { ...STALLS, ...chances } : STALLS);
  }

  /** Somebody takes all but so much of the disk. Until freeDisk(). */
  async fillDisk(leftBytes: number): Promise<void> {
    const { freeBytes, totalBytes } = await this.volume.space();
    this.volume.setCapacity(totalBytes - freeBytes + leftBytes);
  }

  freeDisk(): void {
    this.volume.setCapacity(LARGE_DISK_BYTES);
  }

  /** While the machine is off: bits of what a lying disk holds may flip. */
  rot(): void {
    if (!this.isLying || this.random.below(3) > 0) return;
    this.volume.rotSomewhere((device) => this.isFaulty(device));
  }

  /** Whether power was lost since this life began. */
  get isDark(): boolean {
    if (this.volume.faults.powerCut > this.cutsSeen) this.loseIndexStore();
    return this.failure !== undefined;
  }

  async open(): Promise<StorageEngine> {
    this.failure = undefined;
    this.cutsSeen = this.volume.faults.powerCut;
    this.clock = new ManualClock(this.clock.wallMs() + this.random.below(10_000) - 2000);
    this.failPoints = new FailPoints(this.random);
    return openEngine({
      files: filesOf(this.volume, this.disk),
      clock: this.clock,
      random: new SeededRandom(this.random.below(2 ** 31)),
      log: this.log,
      failPoints: this.failPoints,
      extentBytes: 128 * 1024,
      checkpointIntervalMs: 3000,
      ...this.sizes,
      onFailure: (error) => {
        this.faults.note(error, 'the engine ended, the next start recovered');
        this.failure ??= error;
      },
    });
  }

  /**
   * Loses the index store, and has it made anew from pages and journal. On a disk that keeps what was written nothing may be missing.
   * Only between two lives.
   */
  async repair(): Promise<void> {
    this.failure = undefined;
    this.cutsSeen = this.volume.faults.powerCut;
    if (!this.needsRepair && this.rotRandom.below(3) === 0) this.rotLastManifest();
    this.needsRepair = true;
    this.disk.lose();
    const { lost } = await repairStore({
      files: this.filesForRepair(),
      clock: this.clock,
      random: new SeededRandom(this.random.below(2 ** 31)),
      log: this.log,
      keyGenerators: () => undefined,
    });
    assert.deepEqual(lost, [], 'repair could not bring everything back');
    this.needsRepair = false;
  }

  /** The base before the last one is kept whole, and the journal above it, for this. */
  private rotLastManifest(): void {
    const { sectorBytes } = this.volume;
    const copies = [0, 1].flatMap((copy) => {
      try {
        const sector = superblockSector(copy, sectorBytes);
        return decodeSuperblock(this.volume.peek(DEFAULT_BLOCK_STORE_NAME, sector), copy);
      } catch {
        return [];
      }
    });
    const last = copies.sort((a, b) => b.sequence - a.sequence)[0];
    if (last === undefined || last.checkpoint < 2) return;
    const bit = this.rotRandom.below(last.manifestSectors * sectorBytes * 8);
    const sector = last.manifestAddress + Math.floor(bit / (sectorBytes * 8));
    this.volume.rot(DEFAULT_BLOCK_STORE_NAME, sector, bit % (sectorBytes * 8));
  }

  /** What the repair of a process that lost its power still did would reach into the next life. */
  private filesForRepair(): StoreFiles {
    const { volume, disk } = this;
    const files = filesOf(volume, disk);
    const { repair } = files;
    const cuts = this.cutsSeen;
    const whileLit = <T>(act: () => Promise<T>): Promise<T> =>
      volume.faults.powerCut === cuts ? act() : Promise.reject(new Error('power was cut'));
    // A repair passes over what cannot be read, and would open its devices again.
    const volumeWhileLit: Volume = {
      sectorBytes: volume.sectorBytes,
      list: () => whileLit(() => volume.list()),
      open: (name, options) => whileLit(() => volume.open(name, options)),
      remove: (name) => whileLit(() => volume.remove(name)),
      space: () => whileLit(() => volume.space()),
      close: () => volume.close(),
    };
    return {
      ...files,
      blockVolume: volumeWhileLit,
      journalVolume: volumeWhileLit,
      repair: {
        ...repair,
        begin: () => whileLit(() => repair.begin()),
        replaceIndexStore: () => whileLit(() => repair.replaceIndexStore()),
        end: () => whileLit(() => repair.end()),
      },
    };
  }

  /** Power goes now. What was not durable is gone, torn or there, by the seed. */
  cutPower(): void {
    this.freeDisk();
    this.volume.powerCut();
    this.loseIndexStore();
  }

  private loseIndexStore(): void {
    this.cutsSeen = this.volume.faults.powerCut;
    this.failure ??= new Error('power was cut');
    this.disk.powerCut(this.random);
  }

  /** Lets the engine work: a few turns of the event loop and some milliseconds. */
  async run(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(1 + this.random.below(4));
    }
  }

  /**
   * Waits for a promise while turns and time pass.
   * @returns its value; undefined when the machine went dark first @throws its error, unless the machine is dark
   */
  async settle<T>(promise: Promise<T>): Promise<T | undefined> {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
    promise.then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    for (let turn = 0; turn < MOST_TURNS; turn += 1) {
      await this.run(1);
      if (this.isDark) return undefined;
      if (outcome === undefined) continue;
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    }
    throw new Error('the engine hangs: a promise did not settle');
  }

  private isFaulty(device: string): boolean {
    const isBlocks = device === DEFAULT_BLOCK_STORE_NAME;
    if (this.trouble === 'pages') return isBlocks;
    if (this.trouble === 'journal') return device.startsWith('journal/');
    return true;
  }

  /** Reads in the log what the engine made of faults that it keeps from its callers. */
  private readonly log: Log = {
    write: ({ attributes = {}, message }: LogLine) => {
      if (message === 'Store is open') this.journalTail = String(attributes['journalTail']);
      if (message.startsWith('Replay met a damaged record')) {
        this.taintedRecords.add(Number(attributes['recordId']));
      }
      const text = JSON.stringify(attributes);
      this.faults.noteText(text, `log: ${message}`);
      if (!DAMAGE.test(text)) return;
      this.damageMet = true;
      this.faults.notePlace(text, `log: ${message}`);
    },
    withContext: () => this.log,
  };
}

function anyCompression(random: Random): PageCompression {
  return PAGE_COMPRESSIONS[random.below(PAGE_COMPRESSIONS.length)] ?? 'none';
}

/** How the engine names damage. */
export const DAMAGE = /\((checksum|lostWrite|misdirectedWrite|malformed|older|missing)\)/;
