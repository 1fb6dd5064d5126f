import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  ArrayBuilder,
  arrayValue,
  documentOf,
  encodeIndexKey,
  getField,
  int32Value,
  type RawValue,
} from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SeededRandom } from '../../../common/random.ts';
import {
  WriteConflictError,
  type CollectionDescription,
  type RecordId,
  type StorageEngine,
  type Transaction,
} from '../../../storage/index.ts';
import { A_INDEX, createCollection, insert } from '../engine/fixture.ts';
import { Machine } from './machine.ts';

const DOCUMENTS = 60;
const OPERATIONS = 250;
const VALUES = 12;
const REPAIR = { full: true, repair: { what: 'all', lostAndFound: () => 'local.lost' } } as const;

/** Writers, repairs, checkpoints and transactions that stay open for a while, in an order that a seed chooses. */
class Turmoil {
  /** By record id, what the document must be. */
  readonly model = new Map<RecordId, Buffer>();
  readonly machine = new Machine();
  private readonly random: SeededRandom;
  private readonly open: { transaction: Transaction; apply: () => void }[] = [];
  private nextId = DOCUMENTS;
  repairs = 0;
  mended = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  async makeDamagedStore(): Promise<CollectionDescription> {
    const engine = await this.machine.open();
    const collection = createCollection(engine, 'test.a', A_INDEX);
    for (let id = 0; id < DOCUMENTS; id += 1) {
      const document = this.documentOf(id);
      this.model.set(insert(engine, collection, document).recordId, document);
    }
    await engine.close();
    const { ident } = collection.indexes[1];
    await this.machine.plant((changes) => {
      for (const [recordId, document] of this.model) {
        const dice = this.random.below(4);
        const a = getField(document, 'a');
        if (dice === 0 && a?.isNumber === true) {
          changes.deleteIndexEntry(ident, keyOf(a.asNumber()), recordId);
        }
        if (dice === 1) {
          changes.putIndexEntry(ident, keyOf(VALUES + 5), recordId, Buffer.alloc(0));
        }
      }
      changes.putIndexEntry(ident, keyOf(3), 5000 as RecordId, Buffer.alloc(0));
    });
    return collection;
  }

  async work(engine: StorageEngine, collection: CollectionDescription): Promise<void> {
    const repairing: Promise<void>[] = [];
    for (let operation = 0; operation < OPERATIONS; operation += 1) {
      const dice = this.random.below(20);
      if (dice === 0) repairing.push(this.repair(engine));
      else if (dice === 1) repairing.push(engine.checkpoint());
      else if (dice === 2) this.endOne();
      else await this.write(engine, collection);
      if (this.random.below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    while (this.open.length > 0) this.endOne();
    await Promise.all(repairing);
    await this.repair(engine);
  }

  private async repair(engine: StorageEngine): Promise<void> {
    const { repairs } = await engine.validate('test.a', REPAIR, uninterruptible);
    this.repairs += 1;
    this.mended += (repairs?.insertedEntries ?? 0) + (repairs?.removedEntries ?? 0);
  }

  private async write(engine: StorageEngine, collection: CollectionDescription): Promise<void> {
    const transaction = engine.begin();
    try {
      const apply = await this.writeOne(transaction, collection);
      if (this.random.below(6) === 0) {
        this.open.push({ transaction, apply });
        return;
      }
      transaction.commit();
      apply();
    } catch (error) {
      if (!(error instanceof WriteConflictError)) throw error;
      transaction.close();
    }
  }

  private async writeOne(
    transaction: Transaction,
    collection: CollectionDescription,
  ): Promise<() => void> {
    const ids = [...this.model.keys()];
    const recordId = ids[this.random.below(ids.length)];
    const dice = this.random.below(5);
    if (dice === 0 || ids.length < 10) {
      const document = this.documentOf(this.nextId);
      this.nextId += 1;
      const inserted = transaction.insert(collection, document);
      return () => this.model.set(inserted, document);
    }
    const before = await transaction.record(collection, recordId);
    assert.ok(before !== undefined);
    if (dice === 1) {
      transaction.delete(collection, recordId, before);
      return () => this.model.delete(recordId);
    }
    const after = this.documentOf(getField(before, '_id')?.asNumber() ?? 0);
    transaction.update(collection, recordId, before, after);
    return () => this.model.set(recordId, after);
  }

  private endOne(): void {
    const ended = this.open.shift();
    if (ended === undefined) return;
    if (this.random.below(3) === 0) {
      ended.transaction.abort();
      return;
    }
    ended.transaction.commit();
    ended.apply();
  }

  /** Now and then with an array, so that what the index knows of arrays comes and goes. */
  private documentOf(id: number): Buffer {
    const a = this.random.below(VALUES);
    return documentOf({ _id: id, a: this.random.below(15) === 0 ? arrayOf(a, a + 1) : a });
  }
}

describe('validate with repair beside writes', () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    it(`leaves what the writers wrote, and indexes that agree with it, also after a crash: seed ${seed}`, async () => {
      const turmoil = new Turmoil(seed);
      const collection = await turmoil.makeDamagedStore();
      const engine = await turmoil.machine.open();
      await turmoil.work(engine, collection);
      assert.ok(turmoil.repairs > 1);
      assert.ok(turmoil.mended > 10);
      await assertHolds(engine, turmoil.model);
      const view = engine.snapshot();
      const { commitNumber } = view;
      view.close();
      await engine.flushed(commitNumber);
      await turmoil.machine.crash(engine);
      const again = await turmoil.machine.open();
      await assertHolds(again, turmoil.model);
      await again.close();
    });
  }
});

async function assertHolds(
  engine: StorageEngine,
  model: ReadonlyMap<RecordId, Buffer>,
): Promise<void> {
  const report = await engine.validate('test.a', { full: true }, uninterruptible);
  assert.deepEqual(report.errors, []);
  assert.equal(report.recordCount, model.size);
  const view = engine.snapshot();
  const collection = view.collection('test.a')!;
  for (const [recordId, document] of model) {
    assert.ok((await view.record(collection, recordId))?.equals(document));
  }
  view.close();
}

function keyOf(value: number): Buffer {
  return encodeIndexKey([int32Value(value)], [1]).key;
}

function arrayOf(...numbers: readonly number[]): RawValue {
  const array = new ArrayBuilder();
  for (const number of numbers) array.push(int32Value(number));
  return arrayValue(array.finish());
}
