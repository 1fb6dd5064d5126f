import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf, encodeIndexKey, int32Value } from '../../../bson/index.ts';
import { SeededRandom, type Random } from '../../../common/random.ts';
import type {
  IndexDescription,
  KeyRange,
  ReadView,
  StorageEngine,
  Transaction,
} from '../../../storage/index.ts';
import { createCollection, insert, openMemoryEngine, update } from '../engine/fixture.ts';

const AB_INDEX = documentOf({ v: 2, key: documentOf({ a: 1, b: 1 }), name: 'ab' });
const VALUES = 12;

interface Entry {
  readonly key: Buffer;
  readonly recordId: number;
}

/** Documents in the base, in the delta above it, and in an open transaction. */
async function layers(
  random: Random,
): Promise<{ engine: StorageEngine; view: Transaction; index: IndexDescription }> {
  const engine = await openMemoryEngine();
  const collection = createCollection(engine, 'test.a', AB_INDEX);
  const document = (id: number): Buffer =>
    documentOf({ _id: id, a: random.below(VALUES), b: random.below(VALUES) });
  for (let id = 1; id <= 60; id += 1) insert(engine, collection, document(id));
  await engine.checkpoint();
  for (let id = 61; id <= 90; id += 1) insert(engine, collection, document(id));
  for (let id = 1; id <= 60; id += 4) await update(engine, collection, id as never, document(id));
  const view = engine.begin();
  for (let id = 91; id <= 100; id += 1) view.insert(collection, document(id));
  for (let id = 2; id <= 90; id += 8) {
    const before = await view.record(collection, id as never);
    if (before === undefined) continue;
    if (random.below(2) === 0) view.delete(collection, id as never, before);
    else view.update(collection, id as never, before, document(id));
  }
  return { engine, view, index: collection.indexes[1] };
}

function entriesOf(
  view: ReadView,
  index: IndexDescription,
  range: KeyRange,
  direction: 1 | -1,
): Entry[] {
  const cursor = view.scanIndex(index, range, direction);
  const entries: Entry[] = [];
  while (cursor.next()) entries.push({ key: cursor.key, recordId: cursor.recordId });
  return entries;
}

/** A whole key, or a prefix of keys. */
function randomBound(random: Random): Buffer {
  const values = [int32Value(random.below(VALUES + 2) - 1)];
  if (random.below(2) === 0) values.push(int32Value(random.below(VALUES)));
  return encodeIndexKey(values, [1, 1]).key;
}

function randomRange(random: Random): KeyRange {
  const lower = random.below(4) === 0 ? undefined : randomBound(random);
  const upper = random.below(4) === 0 ? undefined : randomBound(random);
  return {
    ...(lower === undefined ? {} : { lower, lowerInclusive: random.below(2) === 0 }),
    ...(upper === undefined ? {} : { upper, upperInclusive: random.below(2) === 0 }),
  };
}

function isInside(
  key: Buffer,
  { lower, lowerInclusive, upper, upperInclusive }: KeyRange,
): boolean {
  if (lower !== undefined && key.compare(lower) < (lowerInclusive === false ? 1 : 0)) return false;
  return upper === undefined || key.compare(upper) <= (upperInclusive === false ? -1 : 0);
}

describe('An index cursor', () => {
  it('gives exactly the entries of its range, in both directions, with whole keys and prefixes as bounds', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const random = new SeededRandom(seed);
      const { engine, view, index } = await layers(random);
      const all = entriesOf(view, index, {}, 1);
      assert.deepEqual(entriesOf(view, index, {}, -1), [...all].reverse());
      for (let round = 0; round < 200; round += 1) {
        const range = randomRange(random);
        const expected = all.filter(({ key }) => isInside(key, range));
        assert.deepEqual(entriesOf(view, index, range, 1), expected);
        assert.deepEqual(entriesOf(view, index, range, -1), expected.reverse());
      }
      view.abort();
      await engine.close();
    }
  });

  it('goes on after a seek from the first entry at or behind the key, and never leaves its range', async () => {
    for (let seed = 11; seed <= 14; seed += 1) {
      const random = new SeededRandom(seed);
      const { engine, view, index } = await layers(random);
      const all = entriesOf(view, index, {}, 1);
      for (let round = 0; round < 200; round += 1) {
        const direction = random.below(2) === 0 ? 1 : -1;
        const range = randomRange(random);
        const target = randomBound(random);
        const cursor = view.scanIndex(index, range, direction);
        if (random.below(2) === 0) cursor.next();
        cursor.seek(target);
        const expected = all.filter(
          ({ key }) => isInside(key, range) && key.compare(target) * direction >= 0,
        );
        if (direction === -1) expected.reverse();
        const found: Entry[] = [];
        while (cursor.next()) found.push({ key: cursor.key, recordId: cursor.recordId });
        assert.deepEqual(found, expected);
      }
      view.abort();
      await engine.close();
    }
  });

  it('keeps its place while it is detached, whatever is written and folded meanwhile', async () => {
    const random = new SeededRandom(21);
    const { engine, view: transaction, index } = await layers(random);
    transaction.abort();
    for (const direction of [1, -1] as const) {
      const view = engine.snapshot();
      const expected = entriesOf(view, index, {}, direction);
      const cursor = view.scanIndex(index, {}, direction);
      const found: Entry[] = [];
      while (cursor.next()) {
        found.push({ key: cursor.key, recordId: cursor.recordId });
        if (found.length % 7 !== 0) continue;
        cursor.detach();
        const collection = view.collection('test.a');
        assert.ok(collection !== undefined);
        const id = 1000 * (direction + 2) + found.length;
        insert(engine, collection, documentOf({ _id: id, a: random.below(VALUES), b: 0 }));
        if (found.length % 28 === 0) await engine.checkpoint();
        cursor.attach(view);
      }
      assert.deepEqual(found, expected);
      view.close();
    }
    await engine.close();
  });
});
