/**
 * Gives free extents back to the disk in the background, a run of neighbours at a time.
 *
 * Owns: the discards under way. Invariant: a run is held back from allocation until its discard has ended, for a discard
 * that comes late would wipe out what was written meanwhile.
 */
import { discardBio, sectorNumber } from '../device/bio.ts';
import type { RequestQueue } from '../device/request-queue.ts';
import type { AllocationMap } from './allocation-map.ts';
import type { StoreLayout } from './layout.ts';

/** Free extents that are always kept as they are. */
const LEAST_KEPT = 16;
/** One in so many extents is kept, when free: about what a checkpoint of a store in steady use takes. */
const KEPT_PART = 16;
/** Discards per start: each costs a process (hole-puncher). The next checkpoint goes on. */
const MOST_RUNS = 32;

export class Trimmer {
  private readonly queue: RequestQueue;
  private readonly layout: StoreLayout;
  private readonly allocation: AllocationMap;
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(queue: RequestQueue, layout: StoreLayout, allocation: AllocationMap) {
    this.queue = queue;
    this.layout = layout;
    this.allocation = allocation;
  }

  /** Begins unless it is under way. Never fails: what cannot be discarded is free all the same. */
  start(): void {
    if (this.stopped) return;
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  /** On a full disk: gives back all that is free, and is done when it is. */
  async giveBackAll(): Promise<void> {
    await this.running;
    if (this.stopped) return;
    this.running = this.run(0).finally(() => {
      this.running = undefined;
    });
    await this.running;
  }

  /** Ends after the discard under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  /** @param mostKept free extents that stay as they are, if there are so many */
  private async run(mostKept = Infinity): Promise<void> {
    const { layout } = this;
    for (let runs = 0; runs < MOST_RUNS && !this.stopped; runs += 1) {
      const keep = Math.max(LEAST_KEPT, Math.floor(this.allocation.extentCount / KEPT_PART));
      const run = this.allocation.beginDiscard(Math.min(keep, mostKept));
      if (run === undefined) return;
      const first = sectorNumber(layout.firstSectorOf(run.first));
      const discarding = this.queue.submit(discardBio(first, run.count * layout.extentSectors));
      await discarding.catch(() => {});
      this.allocation.endDiscard(run);
    }
  }
}
