import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf, encodeIndexKey, int32Value, stringValue } from '../../../bson/index.ts';
import { SeededRandom, type Random } from '../../../common/random.ts';
import type { IndexCursor, IndexDescription, KeyRange, ReadView } from '../../../storage/index.ts';
import { createCollection, insert, openMemoryEngine } from '../engine/fixture.ts';

const AB_INDEX = documentOf({ v: 2, key: documentOf({ a: 1, b: 1 }), name: 'ab' });
const RECORDS = 120;

/** Around the lengths at which keys are cut (1024), and of what is kept of those (992). */
function randomText(random: Random): string {
  const length = random.below(4) === 0 ? 1000 + random.below(400) : 980 + random.below(50);
  const last = String.fromCharCode('w'.charCodeAt(0) + random.below(3));
  return 'x'.repeat(length - 1) + last;
}

function randomKey(random: Random): Buffer {
  const values = [stringValue(randomText(random))];
  if (random.below(2) === 0) values.push(int32Value(random.below(3)));
  return encodeIndexKey(values, [1, 1]).key;
}

/** Records in the base, above it, and in the view's own writes, with their whole keys by record id. */
async function fill(random: Random) {
  const engine = await openMemoryEngine();
  const collection = createCollection(engine, 'test.a', AB_INDEX);
  const keys = new Map<number, Buffer>();
  const draw = (id: number) => {
    const a = randomText(random);
    const b = random.below(3);
    keys.set(id, encodeIndexKey([stringValue(a), int32Value(b)], [1, 1]).key);
    return documentOf({ _id: id, a, b });
  };
  for (let id = 1; id <= RECORDS; id += 1) {
    if (id === RECORDS / 3) await engine.checkpoint();
    if (id <= (RECORDS * 2) / 3) insert(engine, collection, draw(id));
  }
  const view = engine.begin();
  for (let id = 1 + (RECORDS * 2) / 3; id <= RECORDS; id += 1) view.insert(collection, draw(id));
  return { engine, view, keys, index: collection.indexes[1] };
}

function holds({ lower, upper, lowerInclusive, upperInclusive }: KeyRange, key: Buffer): boolean {
  const low = lower === undefined ? 1 : key.compare(lower);
  const high = upper === undefined ? -1 : key.compare(upper);
  const isAbove = low > 0 || (low === 0 && lowerInclusive !== false);
  return isAbove && (high < 0 || (high === 0 && upperInclusive !== false));
}

function randomRange(random: Random): KeyRange {
  const [lower, upper] = [randomKey(random), randomKey(random)].sort((a, b) => a.compare(b));
  return {
    ...(random.below(3) === 0 ? {} : { lower }),
    ...(random.below(3) === 0 ? {} : { upper }),
    lowerInclusive: random.below(2) === 0,
    upperInclusive: random.below(2) === 0,
  };
}

/** Walks on, and lets go of the view now and then. */
function take(cursor: IndexCursor, view: ReadView, random: Random): boolean {
  if (random.below(8) === 0) {
    cursor.detach();
    cursor.attach(view);
  }
  return cursor.next();
}

describe('A walk with a bound that is longer than what is kept of a cut key', () => {
  it('gives every record inside once, and from outside none whose key is whole', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const random = new SeededRandom(seed);
      const { engine, view, keys, index } = await fill(random);
      for (let turn = 0; turn < 60; turn += 1) {
        const range = randomRange(random);
        const cursor = view.scanIndex(index, range, random.below(2) === 0 ? 1 : -1);
        const given = new Set<number>();
        while (take(cursor, view, random)) {
          const { recordId } = cursor;
          assert.ok(!given.has(recordId), 'given once');
          given.add(recordId);
          if (cursor.keyIsWhole) assert.ok(holds(range, keys.get(recordId)!), 'inside');
        }
        for (const [recordId, key] of keys) {
          if (holds(range, key)) assert.ok(given.has(recordId), `record ${recordId} is inside`);
        }
      }
      view.abort();
      await engine.close();
    }
  });

  it('goes on behind a key that is sought, and gives no record twice', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const random = new SeededRandom(seed);
      const { engine, view, keys, index } = await fill(random);
      for (let turn = 0; turn < 60; turn += 1) {
        const sought = Array.from({ length: 4 }, () => randomKey(random)).sort((a, b) =>
          a.compare(b),
        );
        seekEach(view, index, keys, sought, random);
      }
      view.abort();
      await engine.close();
    }
  });
});

/** Seeks rising keys, each after a few steps, unless those led beyond it. */
function seekEach(
  view: ReadView,
  index: IndexDescription,
  keys: ReadonlyMap<number, Buffer>,
  sought: readonly Buffer[],
  random: Random,
): void {
  const cursor = view.scanIndex(index, {}, 1);
  const given = new Set<number>();
  let least: Buffer = Buffer.alloc(0);
  let place: Buffer = Buffer.alloc(0);
  for (const key of sought) {
    for (let step = random.below(4); step > 0 && take(cursor, view, random); step -= 1) {
      note(cursor);
    }
    if (key.compare(place) <= 0) continue;
    cursor.seek(key);
    least = key;
  }
  while (take(cursor, view, random)) note(cursor);
  for (const [recordId, key] of keys) {
    if (key.compare(least) >= 0) assert.ok(given.has(recordId), `record ${recordId} lies behind`);
  }

  function note({ recordId, key, keyIsWhole }: IndexCursor): void {
    place = key;
    assert.ok(!given.has(recordId), 'given once');
    given.add(recordId);
    if (keyIsWhole) assert.ok(keys.get(recordId)!.compare(least) >= 0, 'behind what was sought');
  }
}
