/**
 * One simulated machine: a disk that fails by a seed, an index store that crashes with it, and a clock that the
 * simulation moves. It outlives the engines that run on it.
 */
import { ManualClock } from '../../common/clock.ts';
import { SeededRandom, type Random } from '../../common/random.ts';
import { DEFAULT_BLOCK_STORE_NAME } from '../../storage/blocks/block-store.ts';
import { SimulatedVolume } from '../../storage/device/simulated-volume.ts';
import { MemoryIndexDisk } from '../../storage/indexes/memory-store.ts';
import { filesOf, openEngine, type StorageEngine } from '../../storage/index.ts';

/** An engine that does not come to an end within so many turns hangs. */
const MOST_TURNS = 100_000;

const STALLS = { stall: 0.02 };
const ERRORS = { readError: 0.02, writeError: 0.015, flushError: 0.05, noSpace: 0.02 };

const DAMAGE = { lostWrite: 0.01, misdirectedWrite: 0.01, bitRot: 0.01 };

export class World {
  readonly random: Random;
  readonly volume: SimulatedVolume;
  readonly disk = new MemoryIndexDisk();
  readonly deltaBytes: number;
  readonly smallBuildRecords: number;
  readonly cacheBytes: number;
  clock = new ManualClock();
  /** The disk damages pages silently: documents may be unreadable, and never wrong. */
  readonly damages: boolean;
  private readonly hasErrors: boolean;
  /**
   * Faults of the device that happen by chance while an engine runs: errors that it reports. While it starts there are
   * none but those that are planned.
   */
  setErrors(happen: boolean): void {
    const chances = this.damages ? DAMAGE : this.hasErrors ? ERRORS : {};
    this.volume.setFaults(happen ? { ...STALLS, ...chances } : STALLS);
  }

  /** Why the engine of this life ended, if it did. */
  failure: Error | undefined;
  private cutsSeen = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.volume = new SimulatedVolume({
      seed: seed * 7 + 1,
      faults: STALLS,
      // The journal's and the superblock's ways with damage have tests of their own; here pages are damaged.
      faulty: (device) => device === DEFAULT_BLOCK_STORE_NAME || !this.damages,
    });
    this.damages = seed % 5 === 0;
    this.hasErrors = this.random.below(3) === 0;
    this.deltaBytes = this.random.below(2) === 0 ? 512 * 1024 : 16 * 1024 * 1024;
    this.cacheBytes = this.random.below(2) === 0 ? 32 * 1024 : 1024 * 1024;
    this.smallBuildRecords = this.random.below(2) === 0 ? 5000 : 10;
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
    return openEngine({
      files: filesOf(this.volume, this.disk),
      clock: this.clock,
      random: new SeededRandom(this.random.below(2 ** 31)),
      deltaBytes: this.deltaBytes,
      cacheBytes: this.cacheBytes,
      extentBytes: 128 * 1024,
      checkpointIntervalMs: 3000,
      smallBuildRecords: this.smallBuildRecords,
      onFailure: (error) => {
        this.failure ??= error;
      },
    });
  }

  /** Power goes now. What was not durable is gone, torn or there, by the seed. */
  cutPower(): void {
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
}
