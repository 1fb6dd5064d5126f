import assert from 'node:assert/strict';
import fc from 'fast-check';
import { documentOf, int32Value } from '../../../bson/index.ts';
import {
  BELOW_ALL_KEYS,
  ABOVE_ALL_KEYS,
  ChunkMap,
  makeChunk,
  ShardKeyPattern,
  type Chunk,
} from '../../../server/cluster.ts';

const PATTERN = ShardKeyPattern.parse(documentOf({ a: 1 }));
const GENERATION = { epoch: '6512bd43d9caa6e02c990b0a', timestamp: 5n };

function boundAt(at: number): Buffer {
  if (at === -Infinity) return PATTERN.globalMin;
  return at === Infinity ? PATTERN.globalMax : documentOf({ a: int32Value(at) });
}

function chunk(min: number, max: number, shard: string, major = 1, minor = 0): Chunk {
  return makeChunk(PATTERN, { min: boundAt(min), max: boundAt(max), shard, major, minor });
}

function textOf(at: number): string {
  return PATTERN.textOf([int32Value(at)]);
}

/** Chunks between neighbouring bounds, on shards in turn. */
function chunksBetween(bounds: readonly number[], shards = 3): Chunk[] {
  const all = [-Infinity, ...bounds, Infinity];
  return all.slice(1).map((max, index) => chunk(all[index], max, `s${index % shards}`, 1, index));
}

describe('chunk map', () => {
  it('finds the chunk of a key, bounds belonging to the upper one', () => {
    const map = ChunkMap.of(GENERATION, chunksBetween([0, 10]));
    assert.equal(map.chunkOf(textOf(-5)).shard, 's0');
    assert.equal(map.chunkOf(textOf(0)).shard, 's1');
    assert.equal(map.chunkOf(textOf(9)).shard, 's1');
    assert.equal(map.chunkOf(textOf(10)).shard, 's2');
    assert.equal(map.chunkOf(BELOW_ALL_KEYS).shard, 's0');
  });

  it('gives the chunks of a range, its end not in it', () => {
    const map = ChunkMap.of(GENERATION, chunksBetween([0, 10, 20]));
    const shards = (min: string, max: string): string[] =>
      [...map.overlapping({ min, max })].map((found) => found.shard);
    assert.deepEqual(shards(textOf(0), textOf(10)), ['s1']);
    assert.deepEqual(shards(textOf(5), textOf(11)), ['s1', 's2']);
    assert.deepEqual(shards(BELOW_ALL_KEYS, ABOVE_ALL_KEYS), ['s0', 's1', 's2', 's0']);
  });

  it('knows the shards of a range as its chunks tell them', () => {
    const count = 5_000;
    const bounds = Array.from({ length: count }, (_, index) => index);
    const all = [-Infinity, ...bounds, Infinity];
    // Long stretches of one shard, so that most ranges lack some.
    const chunks = all
      .slice(1)
      .map((max, index) => chunk(all[index], max, `s${Math.floor(index / 700)}`, 1, index));
    const map = ChunkMap.of(GENERATION, chunks);
    const texts = [BELOW_ALL_KEYS, ...bounds.map(textOf), ABOVE_ALL_KEYS];
    const place = fc.integer({ min: 0, max: texts.length - 1 });
    fc.assert(
      fc.property(place, place, (a, b) => {
        const range = { min: texts[Math.min(a, b)], max: texts[Math.max(a, b)] };
        const expected = new Set([...map.overlapping(range)].map(({ shard }) => shard));
        assert.deepEqual([...map.shardsOf(range)].sort(), [...expected].sort());
      }),
      { numRuns: 300 },
    );
  });

  it('knows the version of each shard and of the collection', () => {
    const map = ChunkMap.of(GENERATION, [
      chunk(-Infinity, 0, 'a', 2, 5),
      chunk(0, 10, 'b', 3, 1),
      chunk(10, Infinity, 'a', 2, 9),
    ]);
    assert.equal(map.versionOf('a').minor, 9);
    assert.equal(map.versionOf('b').major, 3);
    assert.equal(map.versionOf('c').major, 0);
    assert.equal(map.version.major, 3);
    assert.ok(map.versionOf('c').isSameGeneration(GENERATION));
  });

  it('refuses chunks that leave a gap', () => {
    const gaps = [
      [chunk(-Infinity, 0, 'a'), chunk(1, Infinity, 'a')],
      [chunk(-Infinity, 0, 'a')],
      [chunk(0, Infinity, 'a')],
    ];
    for (const chunks of gaps) {
      assert.throws(() => ChunkMap.of(GENERATION, chunks), { code: 117 });
    }
  });

  it('takes splits, moves and merges, and stays as it was itself', () => {
    const before = ChunkMap.of(GENERATION, chunksBetween([0, 10]));
    const split = before.updated([chunk(0, 5, 's1', 1, 3), chunk(5, 10, 's1', 1, 4)]);
    const moved = split.updated([chunk(5, 10, 's0', 2, 0), chunk(0, 5, 's1', 2, 1)]);
    const whole = moved.updated([chunk(-Infinity, Infinity, 's2', 3, 0)]);
    assert.deepEqual(
      [before, split, moved, whole].map((map) => map.count),
      [3, 4, 4, 1],
    );
    assert.equal(moved.chunkOf(textOf(7)).shard, 's0');
    assert.equal(split.chunkOf(textOf(7)).shard, 's1');
    assert.deepEqual(whole.shards(), ['s2']);
  });

  it('keeps the newer of two news that overlap', () => {
    const map = ChunkMap.of(GENERATION, chunksBetween([]));
    const updated = map.updated([
      chunk(0, 10, 'old', 2, 0),
      chunk(-Infinity, 0, 'x', 2, 1),
      chunk(0, 5, 'new', 2, 2),
      chunk(5, 10, 'new', 2, 3),
      chunk(10, Infinity, 'x', 2, 4),
    ]);
    assert.deepEqual(
      [...updated].map((found) => found.shard),
      ['x', 'new', 'new', 'x'],
    );
  });

  it('agrees with a plain list whatever is split, moved and merged', () => {
    const step = fc.record({
      at: fc.nat(2000),
      span: fc.integer({ min: 1, max: 1500 }),
      shard: fc.nat(4),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.nat(1500), (steps, count) => {
        const bounds = Array.from({ length: count }, (_, index) => index * 2);
        let list = chunksBetween(bounds);
        let map = ChunkMap.of(GENERATION, list);
        for (const [index, { at, span, shard }] of steps.entries()) {
          const first = at % list.length;
          const last = Math.min(list.length - 1, first + span);
          const { min, minText } = list[first];
          const { max, maxText } = list[last];
          const shardName = `s${shard}`;
          const news: Chunk = {
            min,
            max,
            minText,
            maxText,
            shard: shardName,
            major: index + 2,
            minor: 0,
          };
          list = [...list.slice(0, first), news, ...list.slice(last + 1)];
          map = map.updated([news]);
          assert.deepEqual([...map], list);
          assert.equal(map.count, list.length);
        }
        for (const key of [-1, 0, 1, 777, 2999, 3001]) {
          const expected = list.find(({ maxText }) => maxText > textOf(key));
          assert.equal(map.chunkOf(textOf(key)), expected);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('shares what a change does not touch, in a map of a hundred thousand chunks', () => {
    const bounds = Array.from({ length: 99_999 }, (_, index) => index);
    const map = ChunkMap.of(GENERATION, chunksBetween(bounds));
    // Of this process alone: beside a busy machine's other work a wall clock says nothing.
    const before = process.cpuUsage();
    let latest = map;
    for (let index = 0; index < 100; index += 1) {
      latest = latest.updated([chunk(index * 900, index * 900 + 1, 'other', 2, index)]);
    }
    const { user, system } = process.cpuUsage(before);
    const eachMs = (user + system) / 1000 / 100;
    assert.equal(latest.count, 100_000);
    assert.ok(eachMs < 20, `${eachMs} ms for one change`);
  });
});
