import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  ArrayBuilder,
  arrayValue,
  documentOf,
  doubleValue,
  encodeIndexKey,
  int32Value,
  type RawValue,
} from '../../../bson/index.ts';
import { uninterruptible, type Interruption } from '../../../common/interruption.ts';
import {
  repairStore,
  filesOf,
  type CollectionDescription,
  type RecordId,
  type StorageEngine,
  type ValidationReport,
} from '../../../storage/index.ts';
import { ManualClock } from '../../../common/clock.ts';
import { SeededRandom } from '../../../common/random.ts';
import {
  A_INDEX,
  createCollection,
  describe as describeCollection,
  findByIndex,
  insert,
  remove,
  update,
} from '../engine/fixture.ts';
import { indexEntryValue } from '../../../storage/format/tree-key.ts';
import { readAll } from '../repair/store-image.ts';
import { Machine } from './machine.ts';

const NOTHING = Buffer.alloc(0);
const UNIQUE_A = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a_1', unique: true });
const LOST_AND_FOUND = 'local.lost';

function keyOf(value: number): Buffer {
  return encodeIndexKey([int32Value(value)], [1]).key;
}

function arrayOf(numbers: readonly number[]): RawValue {
  const array = new ArrayBuilder();
  for (const number of numbers) array.push(int32Value(number));
  return arrayValue(array.finish());
}

function validate(engine: StorageEngine): Promise<ValidationReport> {
  return engine.validate('test.a', { full: true }, uninterruptible);
}

function repair(
  engine: StorageEngine,
  what: 'multikey' | 'all' = 'all',
): Promise<ValidationReport> {
  const options = { full: true, repair: { what, lostAndFound: () => LOST_AND_FOUND } };
  return engine.validate('test.a', options, uninterruptible);
}

/** A hundred documents of which `a` is the `_id`, in a store that was closed. */
async function makeStore(index = A_INDEX): Promise<{
  machine: Machine;
  collection: CollectionDescription;
}> {
  const machine = new Machine();
  const engine = await machine.open();
  const collection = createCollection(engine, 'test.a', index);
  for (let id = 1; id <= 100; id += 1) insert(engine, collection, documentOf({ _id: id, a: id }));
  await engine.close();
  return { machine, collection };
}

/** The same, of which a_1 lacks the entries of records 7 and 50, and has two of no document. */
async function makeDamagedStore(index = A_INDEX): ReturnType<typeof makeStore> {
  const store = await makeStore(index);
  const { ident } = store.collection.indexes[1];
  await store.machine.plant((changes) => {
    changes.deleteIndexEntry(ident, keyOf(7), 7 as RecordId);
    changes.deleteIndexEntry(ident, keyOf(50), 50 as RecordId);
    changes.putIndexEntry(ident, keyOf(1234), 9 as RecordId, NOTHING);
    changes.putIndexEntry(ident, keyOf(50), 999 as RecordId, NOTHING);
  });
  return store;
}

async function assertMended(engine: StorageEngine): Promise<void> {
  const report = await validate(engine);
  assert.deepEqual(report.errors, []);
  assert.deepEqual(report.keysPerIndex, { _id_: 100, a_1: 100 });
  const view = engine.snapshot();
  const collection = describeCollection(engine, 'test.a');
  assert.deepEqual(await findByIndex(view, collection, 'a_1', 7, '_id'), [7]);
  assert.deepEqual(await findByIndex(view, collection, 'a_1', 50, '_id'), [50]);
  assert.deepEqual(await findByIndex(view, collection, 'a_1', 1234, '_id'), []);
  view.close();
}

class Killable implements Interruption {
  reason: Error | undefined;
  private stop: ((reason: Error) => void) | undefined;

  kill(): void {
    this.reason = new Error('killed');
    this.stop?.(this.reason);
  }

  throwIfInterrupted(): void {
    if (this.reason !== undefined) throw this.reason;
  }

  onInterrupt(stop: (reason: Error) => void): () => void {
    this.stop = stop;
    return () => {
      this.stop = undefined;
    };
  }
}

describe('validate with repair', () => {
  it('puts missing entries in, takes extra ones away, and a crash right behind it undoes none of that', async () => {
    const { machine } = await makeDamagedStore();
    const engine = await machine.open();
    const report = await repair(engine);
    assert.equal(report.valid, true);
    assert.deepEqual(report.errors, []);
    assert.deepEqual(report.invalidIndexes, []);
    assert.deepEqual(report.keysPerIndex, { _id_: 100, a_1: 100 });
    assert.deepEqual(report.warnings, [
      'Removed 2 extra index entries.',
      'Inserted 2 missing index entries.',
    ]);
    assert.deepEqual(report.repairs, {
      repaired: true,
      removedEntries: 2,
      insertedEntries: 2,
      movedDocuments: 0,
      outdatedEntries: 0,
    });
    await assertMended(engine);
    await machine.crash(engine);
    const again = await machine.open();
    await assertMended(again);
    const sound = await repair(again);
    assert.equal(sound.repairs?.repaired, false);
    assert.deepEqual(sound.warnings, []);
    await again.close();
  });

  it('changes nothing of a sound collection, and takes no checkpoint for it', async () => {
    const { machine } = await makeStore();
    const engine = await machine.open();
    const before = engine.snapshot();
    const { commitNumber } = before;
    before.close();
    const report = await repair(engine);
    assert.equal(report.valid, true);
    assert.equal(report.repairs?.repaired, false);
    const after = engine.snapshot();
    assert.equal(after.commitNumber, commitNumber);
    after.close();
    await engine.close();
  });

  it('has mended all or nothing when power goes within it, whatever the step', async () => {
    const outcomes = { asBefore: 0, mended: 0 };
    for (let step = 1; ; step += 1) {
      const { machine } = await makeDamagedStore();
      const engine = await machine.open();
      machine.volume.plan({ kind: 'powerCut', atStep: step });
      const cuts = machine.volume.faults.powerCut;
      const answered = await repair(engine).then(
        () => true,
        () => false,
      );
      const wasCut = machine.volume.faults.powerCut > cuts;
      await machine.crash(engine);
      const again = await machine.open();
      const { errors, missingIndexEntries, extraIndexEntries } = await validate(again);
      if (errors.length === 0) {
        outcomes.mended += 1;
      } else {
        assert.ok(!answered, 'what was answered is durable');
        assert.equal(missingIndexEntries.length, 2);
        assert.equal(extraIndexEntries.length, 2);
        outcomes.asBefore += 1;
      }
      await repair(again);
      await assertMended(again);
      await again.close();
      if (!wasCut) break;
    }
    assert.ok(outcomes.asBefore > 3, JSON.stringify(outcomes));
    assert.ok(outcomes.mended > 1, JSON.stringify(outcomes));
  });

  it('keeps what is written meanwhile and afterwards: the indexes agree, before and after a restart', async () => {
    const { machine, collection } = await makeDamagedStore();
    const engine = await machine.open();
    const repairing = repair(engine);
    await update(engine, collection, 7 as RecordId, documentOf({ _id: 7, a: 70 }));
    await update(engine, collection, 9 as RecordId, documentOf({ _id: 9, a: 1234 }));
    await new Promise((resolve) => setImmediate(resolve));
    await update(engine, collection, 9 as RecordId, documentOf({ _id: 9, a: 9 }));
    await remove(engine, collection, 50 as RecordId);
    assert.deepEqual((await repairing).errors, []);
    for (const id of [7, 9, 51]) {
      await update(engine, collection, id as RecordId, documentOf({ _id: id, a: id + 1000 }));
      await update(engine, collection, id as RecordId, documentOf({ _id: id, a: id }));
    }
    await remove(engine, collection, 51 as RecordId);
    assert.deepEqual((await validate(engine)).errors, []);
    await engine.checkpoint();
    assert.deepEqual((await validate(engine)).errors, []);
    await machine.crash(engine);
    const again = await machine.open();
    assert.deepEqual((await validate(again)).errors, []);
    await again.close();
  });

  it('lets a mended entry go for good when its document is deleted before the next checkpoint', async () => {
    const { machine, collection } = await makeDamagedStore();
    const engine = await machine.open();
    await repair(engine);
    for (const id of [7, 50]) await remove(engine, collection, id as RecordId);
    await engine.checkpoint();
    const report = await validate(engine);
    assert.deepEqual(report.errors, []);
    assert.deepEqual(report.keysPerIndex, { _id_: 98, a_1: 98 });
    await engine.close();
  });

  it('finds and mends an entry that shows its value as one of another type', async () => {
    const { machine, collection } = await makeStore();
    const { ident } = collection.indexes[1];
    const { key, typeBits } = encodeIndexKey([doubleValue(7)], [1]);
    assert.ok(key.equals(keyOf(7)));
    assert.ok(typeBits.length > 0);
    await machine.plant((changes) =>
      changes.putIndexEntry(ident, key, 7 as RecordId, indexEntryValue(typeBits, true)),
    );
    const engine = await machine.open();
    const found = await validate(engine);
    assert.deepEqual(found.invalidIndexes, ['a_1']);
    assert.match(found.errors.join('\n'), /of record 7 that it should not have: .*, type bits/);
    const report = await repair(engine);
    assert.deepEqual(report.errors, []);
    assert.equal(report.repairs?.insertedEntries, 1);
    await remove(engine, collection, 7 as RecordId);
    await engine.checkpoint();
    assert.deepEqual((await validate(engine)).errors, []);
    await engine.close();
  });

  it('waits for a transaction that has written the record', async () => {
    const { machine, collection } = await makeDamagedStore();
    const engine = await machine.open();
    const transaction = engine.begin();
    const before = await transaction.record(collection, 7 as RecordId);
    transaction.update(collection, 7 as RecordId, before!, documentOf({ _id: 7, a: 7, b: 1 }));
    let ended = false;
    const repairing = repair(engine).then((report) => {
      ended = true;
      return report;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(ended, false);
    transaction.commit();
    assert.deepEqual((await repairing).errors, []);
    await assertMended(engine);
    await engine.close();
  });

  it('ends when it is interrupted, also while it waits', async () => {
    const { machine, collection } = await makeDamagedStore();
    const engine = await machine.open();
    const transaction = engine.begin();
    const before = await transaction.record(collection, 7 as RecordId);
    transaction.update(collection, 7 as RecordId, before!, documentOf({ _id: 7, a: 7, b: 1 }));
    const kill = new Killable();
    const options = {
      full: false,
      repair: { what: 'all', lostAndFound: () => LOST_AND_FOUND },
    } as const;
    const repairing = engine.validate('test.a', options, kill);
    await new Promise((resolve) => setTimeout(resolve, 20));
    kill.kill();
    await assert.rejects(repairing, /killed/);
    transaction.abort();
    await engine.close();
  });

  it('moves the older of two documents with one unique key to the lost and found', async () => {
    const { machine, collection } = await makeStore(UNIQUE_A);
    const { ident } = collection.indexes[1];
    await machine.plant((changes) => changes.deleteIndexEntry(ident, keyOf(7), 7 as RecordId));
    const engine = await machine.open();
    // Nothing refuses it any more.
    insert(engine, collection, documentOf({ _id: 'second', a: 7 }));
    assert.equal((await validate(engine)).valid, false);
    const report = await repair(engine);
    assert.deepEqual(report.errors, []);
    assert.deepEqual(report.repairs, {
      repaired: true,
      removedEntries: 0,
      insertedEntries: 0,
      movedDocuments: 1,
      outdatedEntries: 0,
    });
    assert.match(
      report.warnings.join(),
      /Removed 1 duplicate documents to resolve 1 missing index entries\. .* 'local\.lost'/,
    );
    assert.equal(report.recordCount, 100);
    assert.deepEqual(await readAll(engine, LOST_AND_FOUND), new Map([[7, 7]]));
    await machine.crash(engine);
    const again = await machine.open();
    assert.deepEqual((await validate(again)).errors, []);
    assert.deepEqual(await readAll(again, LOST_AND_FOUND), new Map([[7, 7]]));
    await again.close();
  });

  it('puts the entry of the newer one in when the older one had it', async () => {
    const { machine, collection } = await makeStore(UNIQUE_A);
    const { ident } = collection.indexes[1];
    await machine.plant((changes) => changes.deleteIndexEntry(ident, keyOf(7), 7 as RecordId));
    const engine = await machine.open();
    insert(engine, collection, documentOf({ _id: 101, a: 7 }));
    await engine.close();
    await machine.plant((changes) => {
      changes.deleteIndexEntry(ident, keyOf(7), 101 as RecordId);
      changes.putIndexEntry(ident, keyOf(7), 7 as RecordId, NOTHING);
    });
    const again = await machine.open();
    const report = await repair(again);
    assert.deepEqual(report.errors, []);
    assert.equal(report.repairs?.movedDocuments, 1);
    assert.equal(report.repairs?.insertedEntries, 1);
    const view = again.snapshot();
    const found = await findByIndex(view, describeCollection(again, 'test.a'), 'a_1', 7, '_id');
    view.close();
    assert.deepEqual(found, [101]);
    await again.close();
  });

  it('learns where arrays are, and forgets those that are no more', async () => {
    const { machine, collection } = await makeStore();
    await machine.plantInCatalog(collection.ident, (record) => ({
      ...record,
      description: {
        ...record.description,
        indexes: record.description.indexes.map((index) => ({
          ...index,
          multikey: true,
          multikeyPaths: [[0]],
        })),
      },
    }));
    const engine = await machine.open();
    assert.deepEqual((await validate(engine)).errors, []);
    const unset = await repair(engine, 'multikey');
    assert.deepEqual(unset.warnings, [
      'Unset index multikey metadata: _id_',
      'Unset index multikey metadata: a_1',
    ]);
    assert.equal(describeCollection(engine, 'test.a').indexes[1].multikey, false);
    await update(engine, collection, 3 as RecordId, documentOf({ _id: 3, a: arrayOf([1, 2]) }));
    assert.equal(describeCollection(engine, 'test.a').indexes[1].multikey, true);
    await engine.close();

    await machine.plantInCatalog(collection.ident, (record) => ({
      ...record,
      description: {
        ...record.description,
        indexes: record.description.indexes.map((index) => ({
          ...index,
          multikey: false,
          multikeyPaths: [[]],
        })),
      },
    }));
    const again = await machine.open();
    const wrong = await validate(again);
    assert.match(wrong.errors.join(), /a_1: record 3 has an array on a path/);
    const set = await repair(again, 'multikey');
    assert.deepEqual(set.errors, []);
    assert.deepEqual(set.warnings, ['Index a_1 set to multikey.']);
    await machine.crash(again);
    const last = await machine.open();
    assert.equal(describeCollection(last, 'test.a').indexes[1].multikey, true);
    assert.deepEqual((await validate(last)).errors, []);
    await last.close();
  });

  it('forgets no array while somebody writes one', async () => {
    const { machine, collection } = await makeStore();
    await machine.plantInCatalog(collection.ident, (record) => ({
      ...record,
      description: {
        ...record.description,
        indexes: record.description.indexes.map((index) => ({
          ...index,
          multikey: true,
          multikeyPaths: [[0]],
        })),
      },
    }));
    const engine = await machine.open();
    const transaction = engine.begin();
    transaction.insert(collection, documentOf({ _id: 1000, a: arrayOf([1, 2]) }));
    await repair(engine);
    transaction.commit();
    assert.deepEqual((await validate(engine)).errors, []);
    await engine.close();
  });

  it('mends entries only when it is asked for arrays alone not to', async () => {
    const { machine } = await makeDamagedStore();
    const engine = await machine.open();
    const report = await repair(engine, 'multikey');
    assert.equal(report.valid, false);
    assert.equal(report.missingIndexEntries.length, 2);
    assert.equal(report.repairs?.repaired, false);
    await engine.close();
  });

  it('gives up no record that the catalog counts and nobody finds: flint repair brings it back', async () => {
    const { machine, collection } = await makeStore();
    const { ident } = collection;
    await machine.plant((changes) => changes.removeRecord(ident, 20 as RecordId));
    const engine = await machine.open();
    const report = await repair(engine);
    assert.equal(report.valid, false);
    assert.match(report.errors.join(), /the catalog counts 100 records, there are 99/);
    assert.equal(report.extraIndexEntries.length, 2);
    assert.equal(report.repairs?.repaired, false);
    await engine.close();
    const { lost } = await repairStore({
      files: filesOf(machine.volume, machine.disk),
      clock: new ManualClock(),
      random: new SeededRandom(6),
      keyGenerators: () => undefined,
    });
    assert.deepEqual(lost, []);
    const again = await machine.open();
    assert.equal((await readAll(again, 'test.a')).get(20), 20);
    assert.deepEqual((await validate(again)).errors, []);
    await again.close();
  });

  it('puts the counts right when more is there than was counted', async () => {
    const { machine, collection } = await makeStore();
    await machine.plantInCatalog(collection.ident, (record) => ({
      ...record,
      size: { records: 90, bytes: 1 },
    }));
    const engine = await machine.open();
    const report = await repair(engine);
    assert.deepEqual(report.errors, []);
    await machine.crash(engine);
    const again = await machine.open();
    const view = again.snapshot();
    assert.equal(view.recordCount(describeCollection(again, 'test.a')), 100);
    view.close();
    assert.deepEqual((await validate(again)).errors, []);
    await again.close();
  });

  it('makes an index anew that has lost more entries than are worth listing', async () => {
    const { machine, collection } = await makeStore();
    const engine = await machine.open();
    const values = Array.from({ length: 250 }, (_, value) => value);
    for (let id = 1; id <= 100; id += 1) {
      const a = values.map((value) => value + id * 2000);
      await update(engine, collection, id as RecordId, documentOf({ _id: id, a: arrayOf(a) }));
    }
    await engine.close();
    const { ident } = collection.indexes[1];
    await machine.plant((changes) => {
      for (let id = 1; id <= 100; id += 1) {
        for (const value of values) {
          changes.deleteIndexEntry(ident, keyOf(value + id * 2000), id as RecordId);
        }
      }
    });
    const damaged = await machine.open();
    const report = await repair(damaged);
    assert.deepEqual(report.errors, []);
    assert.deepEqual(report.warnings, ['Index a_1 was built anew.']);
    assert.deepEqual(report.keysPerIndex, { _id_: 100, a_1: 25_000 });
    await machine.crash(damaged);
    const again = await machine.open();
    assert.deepEqual((await validate(again)).errors, []);
    assert.equal(describeCollection(again, 'test.a').indexes.length, 2);
    await again.close();
  });
});
