import assert from 'node:assert/strict';
import { documentOf, MAX_KEY, MIN_KEY } from '../../../bson/index.ts';
import {
  chooseMoves,
  zoneSplits,
  type ShardLoad,
  type ZoneRange,
} from '../../../config-server/balancer/policy.ts';
import { runsOf } from '../../../config-server/balancer/merge-shard.ts';
import { isWithin } from '../../../config-server/balancer/settings.ts';
import { makeChunk, ShardKeyPattern, type Chunk } from '../../../server/cluster.ts';

const pattern = ShardKeyPattern.parse(documentOf({ a: 1 }));
const RANGE = 100;

/** Chunks between the keys 0, 10, 20, ... on these shards, one by one. */
function chunksOn(...shards: readonly string[]): Chunk[] {
  return shards.map((shard, index) =>
    makeChunk(pattern, {
      min: documentOf({ a: index === 0 ? MIN_KEY : index * 10 }),
      max: documentOf({ a: index === shards.length - 1 ? MAX_KEY : (index + 1) * 10 }),
      shard,
      major: 1,
      minor: index,
    }),
  );
}

function zone(name: string, from: number, to: number): ZoneRange {
  const [min, max] = [documentOf({ a: from }), documentOf({ a: to })];
  return { zone: name, min, max, minText: pattern.boundText(min), maxText: pattern.boundText(max) };
}

function load(name: string, dataBytes: number, more: Partial<ShardLoad> = {}): ShardLoad {
  return { name, dataBytes, isDraining: false, zones: [], ...more };
}

function moves(
  shards: readonly ShardLoad[],
  chunks: readonly Chunk[],
  zones: readonly ZoneRange[] = [],
) {
  return chooseMoves({ shards, chunks, zones, rangeBytes: RANGE }).map(
    ({ from, to, reason }) => `${from}>${to} ${reason}`,
  );
}

describe('policy of the balancer', () => {
  it('leaves shards alone that differ by less than three ranges', () => {
    assert.deepEqual(moves([load('a', 299), load('b', 0)], chunksOn('a', 'a')), []);
    assert.deepEqual(moves([load('a', 300), load('b', 0)], chunksOn('a', 'a')), [
      'a>b chunksImbalance',
    ]);
  });

  it('moves from the fullest to the emptiest, pair by pair', () => {
    const shards = [load('a', 1000), load('b', 10), load('c', 900), load('d', 0)];
    assert.deepEqual(moves(shards, chunksOn('a', 'b', 'c', 'd')), [
      'a>d chunksImbalance',
      'c>b chunksImbalance',
    ]);
  });

  it('ends: what it moves makes the shards more alike', () => {
    const bytes = new Map([
      ['a', 5000],
      ['b', 0],
      ['c', 300],
    ]);
    let rounds = 0;
    for (; rounds < 200; rounds += 1) {
      const shards = Array.from(bytes, ([name, dataBytes]) => load(name, dataBytes));
      const chosen = chooseMoves({
        shards,
        chunks: chunksOn('a', 'b', 'c'),
        zones: [],
        rangeBytes: RANGE,
      });
      if (chosen.length === 0) break;
      for (const { from, to } of chosen) {
        bytes.set(from, (bytes.get(from) ?? 0) - RANGE);
        bytes.set(to, (bytes.get(to) ?? 0) + RANGE);
      }
    }
    assert.ok(rounds < 60, `${rounds} rounds`);
    assert.ok(Math.max(...bytes.values()) - Math.min(...bytes.values()) < 3 * RANGE);
  });

  it('empties a shard that is drained, whatever the sizes are, and gives it nothing', () => {
    const shards = [load('a', 0, { isDraining: true }), load('b', 500), load('c', 100)];
    assert.deepEqual(moves(shards, chunksOn('a', 'b')), ['a>c draining']);
    assert.deepEqual(
      moves([load('a', 0, { isDraining: true }), load('b', 900)], chunksOn('b')),
      [],
    );
  });

  it('moves what is outside of its zone into it, before it looks at sizes', () => {
    const shards = [load('a', 900), load('b', 0), load('c', 50, { zones: ['east'] })];
    const zones = [zone('east', 10, 20)];
    assert.deepEqual(moves(shards, chunksOn('a', 'a', 'a'), zones), ['a>c zoneViolation']);
    assert.deepEqual(moves(shards, chunksOn('a', 'c', 'a'), zones), ['a>b chunksImbalance']);
  });

  it('evens a zone among its own shards only', () => {
    const shards = [
      load('a', 900, { zones: ['east'] }),
      load('b', 0),
      load('c', 500, { zones: ['east'] }),
    ];
    assert.deepEqual(moves(shards, chunksOn('b', 'a', 'b'), [zone('east', 10, 20)]), [
      'a>c chunksImbalance',
    ]);
  });

  it('takes nobody into two migrations, nor who is busy', () => {
    const shards = [load('a', 0, { isDraining: true }), load('b', 0), load('c', 1000)];
    assert.deepEqual(moves(shards, chunksOn('a', 'a', 'c')), ['a>b draining']);
    const distribution = { shards, chunks: chunksOn('a', 'c'), zones: [], rangeBytes: RANGE };
    assert.deepEqual(chooseMoves(distribution, new Set(['a', 'b', 'c'])), []);
  });

  it('does not send to and fro what is too large to even anything', () => {
    const shards = [load('a', 1000), load('b', 0)];
    const chunks = chunksOn('a', 'b');
    const isTooLarge = (chunk: Chunk): boolean => chunk.shard === 'a';
    assert.deepEqual(chooseMoves({ shards, chunks, zones: [], rangeBytes: RANGE, isTooLarge }), []);
  });

  it('splits chunks where zones begin and end', () => {
    const zones = [zone('east', 5, 10), zone('west', 10, 25)];
    const splits = zoneSplits(chunksOn('a', 'a', 'a'), zones);
    assert.deepEqual(
      splits.map(({ keys }) => keys.map((key) => pattern.boundText(key))),
      [[zones[0].minText], [zones[1].maxText]],
    );
  });

  it('merges neighbours of one shard and one zone', () => {
    const runs = runsOf(chunksOn('a', 'a', 'b', 'a', 'a', 'a'), 'a', [zone('east', 50, 60)]);
    assert.deepEqual(
      runs.map((run) => run.length),
      [2, 2],
    );
  });

  it('knows a window over midnight', () => {
    const at = (hours: number): number => new Date(2026, 1, 1, hours).getTime();
    const night = { start: 23 * 60, stop: 6 * 60 };
    assert.deepEqual(
      [22, 23, 3, 7].map((hours) => isWithin(night, at(hours))),
      [false, true, true, false],
    );
    const day = { start: 8 * 60, stop: 18 * 60 };
    assert.deepEqual(
      [7, 12, 19].map((hours) => isWithin(day, at(hours))),
      [false, true, false],
    );
  });
});
