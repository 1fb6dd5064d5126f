/**
 * The exhaustive mode: one story (open, write, checkpoint, crash, recover, write, close), told again and again, and each
 * time another of its device operations fails: the first, the second, ... until a story passes without being hit.
 *
 * What was promised must be there after each, and whatever failed must have been said.
 */
import assert from 'node:assert/strict';
import { documentOf, getField } from '../../bson/index.ts';
import { ManualClock } from '../../common/clock.ts';
import { CommandError, CorruptionError, DeviceError } from '../../common/errors.ts';
import { uninterruptible } from '../../common/interruption.ts';
import { SeededRandom } from '../../common/random.ts';
import { SimulatedVolume } from '../../storage/device/simulated-volume.ts';
import {
  filesOf,
  openEngine,
  type CollectionDescription,
  type ReadView,
  type StorageEngine,
} from '../../storage/index.ts';
import { idKey } from './documents.ts';
import { SimulatedIndexDisk } from './index-disk.ts';

/** What befalls the n-th operation. */
export const FAILURES = ['power cut', 'EIO', 'ENOSPC'] as const;
export type Failure = (typeof FAILURES)[number];

export interface Story {
  readonly failure: Failure;
  /** Which operation it befalls, from 1. */
  readonly step: number;
  /** Documents written between two checkpoints: how long the story is. */
  readonly documents: number;
}

const NAMESPACE = 'test.a';
const TEXT = 'x'.repeat(3000);
const INDEX = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a' });
const UNIQUE = documentOf({ v: 2, key: documentOf({ u: 1 }), name: 'u', unique: true });
const MOST_TURNS = 200_000;

/** @returns whether the fault befell anything: false when the story has fewer operations */
export async function runStory(story: Story): Promise<boolean> {
  const teller = new Storyteller(story);
  await teller.tell();
  const wasHit = teller.wasHit;
  await teller.check();
  return wasHit;
}

class Storyteller {
  private readonly story: Story;
  private readonly volume: SimulatedVolume;
  private readonly disk: SimulatedIndexDisk;
  private readonly clock = new ManualClock();
  /** Value of each document that was promised; undefined: its deletion was. */
  private readonly promised = new Map<number, number | undefined>();
  /** Values that were written since, and not promised. */
  private readonly written = new Map<number, (number | undefined)[]>();
  private failure: Error | undefined;
  private wasCut = false;
  /** Power cuts that belong to the story. */
  private ownCuts = 0;

  constructor(story: Story) {
    this.story = story;
    this.volume = new SimulatedVolume({ seed: story.step });
    this.disk = new SimulatedIndexDisk(this.volume);
    this.plan();
  }

  get wasHit(): boolean {
    const { readError, writeError, flushError, noSpace } = this.volume.faults;
    return this.wasCut || readError + writeError + flushError + noSpace > 0;
  }

  /** Two lives, a crash in between. A life that fails ends there; the story goes on with the next. */
  async tell(): Promise<void> {
    const { documents } = this.story;
    await this.live(async (engine) => {
      await this.create(engine);
      await this.write(engine, 1, documents);
      await this.settle(engine.checkpoint());
      await this.write(engine, 1, documents / 2);
      await this.settle(engine.buildIndexes(NAMESPACE, [INDEX, UNIQUE], uninterruptible));
      await this.erase(engine, 2);
      await this.settle(engine.checkpoint());
      await this.write(engine, documents / 2, documents + 2);
    });
    this.cutPower();
    if (!this.wasHit) this.plan();
    await this.live(async (engine) => {
      await this.write(engine, 1, documents);
      await this.settle(engine.checkpoint());
      await this.settle(engine.close());
    });
  }

  /** Opens without faults and compares everything with what was promised. */
  async check(): Promise<void> {
    this.cutPower();
    this.failure = undefined;
    const engine = await this.settle(this.open());
    assert.equal(this.failure, undefined);
    const view = engine.snapshot();
    const collection = view.collection(NAMESPACE);
    if (collection === undefined) assert.equal(this.promised.size, 0, 'the collection is gone');
    else await this.compare(view, collection);
    view.close();
    if (collection !== undefined) {
      const { errors } = await engine.validate(NAMESPACE, { full: true }, uninterruptible);
      assert.deepEqual(errors, []);
    }
    await this.settle(engine.close());
  }

  private async compare(view: ReadView, collection: CollectionDescription): Promise<void> {
    for (const [id, value] of this.promised) {
      const recordId = view.uniqueRecordId(collection.indexes[0], idKey(String(id)));
      const document = recordId === undefined ? undefined : await view.record(collection, recordId);
      const found = document === undefined ? undefined : getField(document, 'a')?.asNumber();
      const allowed = [value, ...(this.written.get(id) ?? [])];
      assert.ok(
        allowed.includes(found),
        `document ${id} is ${found}, not one of ${allowed.join()}`,
      );
    }
  }

  private async live(act: (engine: StorageEngine) => Promise<void>): Promise<void> {
    this.failure = undefined;
    let engine: StorageEngine | undefined;
    try {
      engine = await this.settle(this.open());
      await act(engine);
    } catch (error) {
      if (!isNamed(error) && error !== this.failure) throw error;
    }
    if (this.volume.faults.powerCut > this.ownCuts) {
      this.wasCut = true;
      this.cutPower();
      return;
    }
    await engine?.close().catch(() => undefined);
  }

  /** A power cut forgets what was planned. */
  private plan(): void {
    const { failure, step } = this.story;
    const atStep = step - this.volume.steps;
    if (failure === 'power cut') this.volume.plan({ kind: 'powerCut', atStep });
    else this.volume.plan({ kind: 'error', atStep, errno: failure });
  }

  private cutPower(): void {
    this.volume.powerCut();
    this.disk.powerCut(this.volume.random);
    this.ownCuts = this.volume.faults.powerCut;
  }

  private open(): Promise<StorageEngine> {
    return openEngine({
      files: filesOf(this.volume, this.disk),
      clock: this.clock,
      random: new SeededRandom(this.story.step),
      checkpointIntervalMs: 0,
      extentBytes: 64 * 1024,
      onFailure: (error) => {
        this.failure = error;
      },
    });
  }

  private async create(engine: StorageEngine): Promise<void> {
    const transaction = engine.begin();
    transaction.createCollection(NAMESPACE);
    await this.settle(engine.flushed(transaction.commit()));
  }

  private async write(engine: StorageEngine, from: number, to: number): Promise<void> {
    for (let id = Math.floor(from); id < to; id += 1) {
      const before = this.promised.get(id);
      const value = (before ?? 0) + 1;
      await this.change(engine, id, value);
    }
  }

  private async erase(engine: StorageEngine, id: number): Promise<void> {
    await this.change(engine, id, undefined);
  }

  private async change(engine: StorageEngine, id: number, value: number | undefined) {
    const transaction = engine.begin();
    const collection = transaction.collection(NAMESPACE);
    if (collection === undefined) throw new CommandError('NamespaceNotFound', 'never created');
    try {
      const recordId = transaction.uniqueRecordId(collection.indexes[0], idKey(String(id)));
      const after = documentOf({ _id: id, a: value ?? 0, u: id, text: TEXT });
      if (recordId === undefined) {
        if (value !== undefined) transaction.insert(collection, after);
      } else {
        const before = await transaction.record(collection, recordId);
        if (before === undefined) throw new Error('an entry without a record');
        if (value === undefined) transaction.delete(collection, recordId, before);
        else transaction.update(collection, recordId, before, after);
      }
      const maybe = this.written.get(id) ?? [];
      this.written.set(id, [...maybe, value]);
      await this.settle(engine.flushed(transaction.commit()));
      this.promised.set(id, value);
      this.written.delete(id);
    } finally {
      transaction.close();
    }
  }

  /** Waits while time passes. @throws its error, or why the engine ended */
  private async settle<T>(promise: Promise<T>): Promise<T> {
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
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(2);
      if (outcome === undefined) {
        if (this.failure !== undefined && turn > 100) throw this.failure;
        continue;
      }
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    }
    throw new Error('the engine hangs: a promise did not settle');
  }
}

/** Whatever was hit says so by a name. A superblock that the device cannot read is damaged, for this reason. */
function isNamed(error: unknown): boolean {
  if (error instanceof CorruptionError) return error.cause instanceof DeviceError;
  return error instanceof DeviceError || error instanceof CommandError;
}
