/**
 * The readers of a life: snapshots that stay open over commits, checkpoints and drops, and are read again and again.
 */
import assert from 'node:assert/strict';
import { CommandError } from '../../../common/errors.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import type { ReadView } from '../../../storage/index.ts';
import { idOf } from '../documents.ts';
import { differenceOf, sameState, type ModelDocuments, type ModelState } from '../model.ts';
import { checkCollection } from '../reading.ts';
import type { LifeContext } from './context.ts';
import { walkRange } from './ranges.ts';

const MOST_HELD = 3;
/** More than a turn reads: the simulation's clock pays it off at once. */
const SCRUB_BYTES_PER_SECOND = 1e9;

interface HeldSnapshot {
  readonly view: ReadView;
  readonly sees: ModelState;
}

export class Readers {
  private readonly context: LifeContext;
  private readonly held: HeldSnapshot[] = [];

  constructor(context: LifeContext) {
    this.context = context;
  }

  holdSnapshot(): void {
    const { engine, model } = this.context;
    if (this.held.length < MOST_HELD) {
      this.held.push({ view: engine.snapshot(), sees: model.copy() });
    }
  }

  async readSnapshot(): Promise<void> {
    const { counts, random } = this.context;
    const index = random.below(this.held.length);
    const held = this.held[index];
    if (held === undefined) return;
    try {
      await this.checkView(held.view, held.sees);
      counts.snapshotReads += 1;
    } catch (error) {
      if (!(error instanceof CommandError) || error.codeName !== 'SnapshotTooOld') throw error;
      this.held.splice(index, 1);
      return;
    }
    if (random.below(3) > 0) return;
    held.view.close();
    this.held.splice(index, 1);
  }

  /** Part of an index, of a snapshot that is held or of the latest. */
  async walkRange(): Promise<void> {
    const { engine, model, random } = this.context;
    const held = random.below(2) === 0 ? this.context.anyOf(this.held) : undefined;
    if (held !== undefined) {
      await this.walkRangeOf(held);
      return;
    }
    const view = engine.snapshot();
    try {
      await this.walkRangeOf({ view, sees: model.copy() });
    } finally {
      view.close();
    }
  }

  private async walkRangeOf({ view, sees }: HeldSnapshot): Promise<void> {
    try {
      const collection = this.context.anyOf(view.collections());
      const documents = sees.get(collection?.namespace ?? '')?.documents;
      // Entries of what nobody could read may be stale (reading.ts).
      if (collection === undefined || documents === undefined || this.context.world.damageMet) {
        return;
      }
      await walkRange(this.context, view, collection, documents);
    } catch (error) {
      if (!(error instanceof CommandError) || error.codeName !== 'SnapshotTooOld') throw error;
    }
  }

  /** All pages and entries of the base, as they lie on the disk: while nothing is damaged there is nothing to find. */
  async scrub(): Promise<void> {
    const { counts, engine, world } = this.context;
    const findings: string[] = [];
    const isSpoiled = world.damageMet;
    const pass = engine.scrub({
      bytesPerSecond: () => SCRUB_BYTES_PER_SECOND,
      interruption: uninterruptible,
      onFinding: ({ part, message }) => findings.push(`${part}: ${message}`),
      onProgress: () => {},
    });
    const result = await world.settle(pass);
    if (result === undefined) return;
    counts.scrubs += 1;
    counts.scrubbedPages += result.pages;
    assert.equal(result.errors, findings.length);
    if (world.isLying && findings.length > 0) {
      world.damageMet = true;
      for (const finding of findings) world.faults.notePlace(finding, 'scrub');
      return;
    }
    if (!isSpoiled) assert.deepEqual(world.faults.unexplained(findings), [], 'scrub');
  }

  async readLatest(): Promise<void> {
    const { engine, model } = this.context;
    const view = engine.snapshot();
    try {
      await this.checkView(view, model.copy());
    } finally {
      view.close();
    }
  }

  /** validate in the midst of everything: while nothing is damaged it has nothing to say. */
  async validate(): Promise<void> {
    const { engine, model, world } = this.context;
    const namespace = this.context.anyOf([...model.state.keys()]);
    if (namespace === undefined || world.damageMet) return;
    const report = await world.settle(engine.validate(namespace, { full: true }, uninterruptible));
    if (report === undefined) return;
    if (world.isLying && report.errors.length > 0) {
      world.damageMet = true;
      for (const error of report.errors) world.faults.notePlace(error, 'validate');
      return;
    }
    assert.deepEqual(world.faults.unexplained(report.errors), [], `${namespace}: validate`);
  }

  closeAll(): void {
    for (const { view } of this.held.splice(0)) view.close();
  }

  /** Reads everything while the engine works on in between. */
  private async checkView(view: ReadView, expected: ModelState): Promise<void> {
    const { random, world } = this.context;
    const actual: ModelState = new Map();
    for (const collection of view.collections()) {
      const documents: ModelDocuments = new Map();
      const cursor = view.scanRecords(collection, { direction: random.below(2) === 0 ? 1 : -1 });
      while (await cursor.next()) {
        documents.set(idOf(cursor.document), cursor.document);
        if (random.below(8) > 0) continue;
        cursor.detach();
        await world.run(1);
        if (world.isDark) return;
        cursor.attach(view);
      }
      const { namespace, options } = collection;
      actual.set(namespace, { options, documents, indexes: new Map() });
      const wanted = expected.get(namespace)?.documents ?? new Map();
      // Entries of what nobody could read may be stale (reading.ts).
      if (!world.damageMet) await checkCollection(view, collection, wanted);
    }
    assert.ok(sameState(expected, actual), `a snapshot differs: ${differenceOf(expected, actual)}`);
  }
}
