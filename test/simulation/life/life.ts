/**
 * One life of an engine: random writes, reads, catalog changes, index builds and checkpoints, judged by the model.
 */
import assert from 'node:assert/strict';
import { uninterruptible } from '../../../common/interruption.ts';
import type { SpillFile, StorageEngine } from '../../../storage/index.ts';
import type { Model } from '../model.ts';
import type { World } from '../world.ts';
import { CatalogChanges } from './catalog-changes.ts';
import { LifeContext, type LifeCounts } from './context.ts';
import { Cursors } from './cursors.ts';
import { Readers } from './readers.ts';
import { Writers } from './writes.ts';

/** What is left of a disk that somebody fills, bytes. */
const MOST_LEFT_BYTES = 3 * 1024 * 1024;
const MOST_TURNS_TO_RESUME = 5000;

export class Life {
  private readonly context: LifeContext;
  private readonly writers: Writers;
  private readonly readers: Readers;
  private readonly cursors: Cursors;
  private readonly catalog: CatalogChanges;

  constructor(world: World, engine: StorageEngine, model: Model) {
    this.context = new LifeContext(world, engine, model);
    this.writers = new Writers(this.context);
    this.readers = new Readers(this.context);
    this.cursors = new Cursors(this.context);
    this.catalog = new CatalogChanges(this.context);
  }

  get counts(): LifeCounts {
    return this.context.counts;
  }

  /** Runs operations until there were `count`, or the machine goes dark. */
  async run(count: number): Promise<void> {
    const { context } = this;
    const { counts, random, world } = context;
    for (let done = 0; done < count && !world.isDark; done += 1) {
      counts.operations += 1;
      try {
        await this.operate();
      } catch (error) {
        // A read that the device refused, or a damaged page, is an error with a name: the operation fails, nothing else.
        if (!context.isEnd(error) && !context.isNamed(error)) throw error;
      }
      if (random.below(3) === 0) await world.run(1 + random.below(3));
    }
  }

  /** Ends what is open, so that a clean close finds nothing. */
  async finish(): Promise<void> {
    this.writers.abortAll();
    this.readers.closeAll();
    this.cursors.closeAll();
    await this.context.backgroundEnds();
  }

  private async operate(): Promise<void> {
    const { context, writers, readers, cursors, catalog } = this;
    const dice = context.random.below(100);
    if (context.model.state.size === 0 || dice < 3) return catalog.createCollection();
    if (dice < 34) return writers.writeAlone();
    if (dice < 41) return writers.beginTransaction();
    if (dice < 56) return writers.writeInTransaction();
    if (dice < 62) return writers.endTransaction();
    if (dice < 66) return readers.holdSnapshot();
    if (dice < 71) return readers.readSnapshot();
    if (dice < 73) return readers.walkRange();
    if (dice < 74) return writers.walkRange();
    if (dice < 81) return cursors.operate();
    if (dice < 84) return this.flush();
    if (dice < 89) return this.checkpoint();
    if (dice < 92) return catalog.buildIndex();
    if (dice < 94) return catalog.dropIndex();
    if (dice < 95) return catalog.renameCollection();
    if (dice < 96) return catalog.dropCollection();
    if (dice < 97) return catalog.modifyCollection();
    if (dice < 98) return writers.churn();
    if (dice < 99) return this.seldom();
    return readers.readLatest();
  }

  private seldom(): Promise<void> {
    const dice = this.context.random.below(6);
    if (dice === 0) return this.compact();
    if (dice === 1) return this.runOnFullDisk();
    if (dice === 2) return this.readers.scrub();
    return dice === 3 ? this.spill() : this.readers.validate();
  }

  /** A file of an operation gives back what was written to it, and its space. */
  private async spill(): Promise<void> {
    const { counts, engine, random, world } = this.context;
    const written: Buffer[] = [];
    let file: SpillFile | undefined;
    try {
      file = engine.spill.create();
      for (let pieces = 1 + random.below(4); pieces > 0 && !world.isDark; pieces -= 1) {
        const piece = Buffer.alloc(1 + random.below(5000), random.below(256));
        file.append(piece);
        written.push(piece);
        await world.run(random.below(3));
      }
    } catch (error) {
      if (!this.context.isShortage(error)) throw error;
    }
    if (file === undefined) return;
    const all = Buffer.concat(written);
    const read = Buffer.alloc(all.length + 1);
    assert.equal(file.size, all.length);
    assert.equal(file.read(read, 0), all.length);
    assert.ok(all.equals(read.subarray(0, all.length)), 'a spill file gives other bytes');
    file.close();
    counts.spilledBytes += all.length;
    const { spill } = engine.statistics();
    assert.ok(typeof spill === 'object' && spill.files === 0 && spill.bytes === 0);
  }

  /** Somebody fills the disk for a while. Whatever is refused meanwhile, writing resumes by itself. */
  private async runOnFullDisk(): Promise<void> {
    const { counts, engine, random, world } = this.context;
    counts.fullDisks += 1;
    await world.fillDisk(random.below(3) === 0 ? 0 : random.below(MOST_LEFT_BYTES));
    for (let round = 0; round < 8 && !world.isDark; round += 1) {
      await this.writers.writeAlone();
      if (random.below(3) === 0) await this.checkpoint();
      await world.run(random.below(40));
    }
    world.freeDisk();
    for (let turn = 0; turn < MOST_TURNS_TO_RESUME && !world.isDark; turn += 1) {
      const { space } = engine.statistics();
      if (typeof space !== 'object' || space.isShort === false) return;
      await world.run(1);
    }
    assert.ok(world.isDark, 'there is space, and writes are still refused');
  }

  private async flush(): Promise<void> {
    const view = this.context.engine.snapshot();
    const { commitNumber } = view;
    view.close();
    await this.context.flush(commitNumber);
  }

  private async checkpoint(): Promise<void> {
    const { counts, engine, random } = this.context;
    counts.checkpoints += 1;
    const taken = engine.checkpoint();
    const who = 'the checkpoint failed, and is taken again';
    if (random.below(2) === 0) await this.context.settleQuietly(taken, who);
    else this.context.inBackground(taken, who);
  }

  private async compact(): Promise<void> {
    const { counts, engine } = this.context;
    counts.compactions += 1;
    await this.context.settleQuietly(engine.compact(uninterruptible), 'compact failed');
  }
}
