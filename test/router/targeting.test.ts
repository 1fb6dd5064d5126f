/**
 * From filters to shards: complete, and as narrow as the filter allows.
 */
import assert from 'node:assert/strict';
import { serialize, type Document, MaxKey, MinKey } from 'bson';
import { ChunkMap, chunkFromDocument, ShardKeyPattern } from '../../server/cluster.ts';
import { Timestamp } from 'bson';
import type { ShardedCollection } from '../../router/routing/routing-cache.ts';
import { shardNamesOf } from '../../router/targeting/targets.ts';

const bytes = (document: Document): Buffer => Buffer.from(serialize(document));

function sharded(
  key: Document,
  splits: readonly Document[],
  collation?: Document,
): ShardedCollection {
  const pattern = ShardKeyPattern.parse(bytes(key));
  const ends = (value: unknown): Document =>
    Object.fromEntries(Object.keys(key).map((name) => [name, value]));
  const bounds = [ends(new MinKey()), ...splits, ends(new MaxKey())];
  const chunks = bounds.slice(1).map((max, index) =>
    chunkFromDocument(
      bytes({
        min: bounds[index],
        max,
        shard: `s${index}`,
        lastmod: new Timestamp({ t: 1, i: index }),
      }),
      pattern,
    ),
  );
  const generation = { epoch: '0'.repeat(23) + '1', timestamp: 1n };
  return {
    entry: {
      namespace: 'a.b',
      uuid: '0'.repeat(32),
      pattern,
      isUnique: false,
      generation,
      defaultCollation: collation === undefined ? undefined : bytes(collation),
    },
    chunks: ChunkMap.of(generation, chunks),
  };
}

const names = (collection: ShardedCollection, filter: Document, collation?: Document): string =>
  shardNamesOf(collection, bytes(filter), collation && bytes(collation)).names.join(' ');

describe('targeting', () => {
  const simple = sharded({ a: 1 }, [{ a: 0 }, { a: 10 }, { a: 'm' }]);

  for (const [filter, expected] of [
    [{}, 's0 s1 s2 s3'],
    [{ b: 1 }, 's0 s1 s2 s3'],
    [{ a: 5 }, 's1'],
    [{ a: { $eq: 10 } }, 's2'],
    [{ a: -0.5 }, 's0'],
    [{ a: null }, 's0'],
    [{ a: { $in: [5, 'z'] } }, 's1 s3'],
    [{ a: { $in: [5, /z/] } }, 's0 s1 s2 s3'],
    [{ a: { $gt: 3, $lt: 8 } }, 's1'],
    [{ a: { $gte: 10 } }, 's2 s3'],
    [{ a: { $gt: 10 } }, 's2 s3'],
    [{ a: { $lt: 10 } }, 's0 s1'],
    [{ a: { $lte: 10 } }, 's0 s1 s2'],
    [{ a: { $ne: 5 } }, 's0 s1 s2 s3'],
    [{ a: [5] }, 's0 s1 s2 s3'],
    [{ a: /x/ }, 's0 s1 s2 s3'],
    [{ a: { $not: { $gt: 5 } } }, 's0 s1 s2 s3'],
    [{ $and: [{ a: { $gt: 3 } }, { a: { $lt: 8 } }] }, 's1'],
    [{ $or: [{ a: 5 }, { a: 'z', b: 1 }] }, 's1 s3'],
    [{ $or: [{ a: 5 }, { b: 1 }] }, 's0 s1 s2 s3'],
    [{ b: 1, $or: [{ a: 5 }] }, 's1'],
    [{ $and: [{ $or: [{ a: 5 }, { a: 6 }] }, { b: 1 }] }, 's1'],
    [{ a: { $gt: 8, $lt: 3 } }, 's0'],
  ] as const) {
    it(`sends ${JSON.stringify(filter)} to ${expected}`, () => {
      assert.equal(names(simple, filter), expected);
    });
  }

  it('looks at the fields of a compound key from the left', () => {
    const compound = sharded({ a: 1, b: 1 }, [
      { a: 1, b: 5 },
      { a: 2, b: 0 },
    ]);
    assert.equal(names(compound, { a: 1 }), 's0 s1');
    assert.equal(names(compound, { a: 1, b: 3 }), 's0');
    assert.equal(names(compound, { a: 1, b: { $gte: 5 } }), 's1');
    assert.equal(names(compound, { b: 3 }), 's0 s1 s2');
    assert.equal(names(compound, { a: { $in: [0, 3] }, b: 1 }), 's0 s2');
    assert.equal(names(compound, { a: { $gt: 1 }, b: 1 }), 's1 s2');
  });

  it('knows of hashes single values only', () => {
    const hashed = sharded({ a: 'hashed' }, [{ a: 0n }]);
    const places = new Set(Array.from({ length: 20 }, (_, a) => names(hashed, { a })));
    assert.deepEqual([...places].sort(), ['s0', 's1']);
    assert.equal(names(hashed, { a: { $gt: 5 } }), 's0 s1');
    assert.equal(names(hashed, { a: 2 ** 60 }), 's0 s1');
  });

  it('trusts no order of strings under a collation', () => {
    assert.equal(names(simple, { a: 'z' }), 's3');
    assert.equal(names(simple, { a: 'z' }, { locale: 'en', strength: 2 }), 's0 s1 s2 s3');
    assert.equal(names(simple, { a: 5 }, { locale: 'en', strength: 2 }), 's1');
    assert.equal(names(simple, { a: 'z' }, { locale: 'simple' }), 's3');
    const german = sharded({ a: 1 }, [{ a: 'm' }], { locale: 'de' });
    assert.equal(names(german, { a: 'z' }), 's0 s1');
    assert.equal(names(german, { a: 'z' }, { locale: 'simple' }), 's1');
  });

  it('says when a filter names one key', () => {
    const compound = sharded({ a: 1, b: 1 }, []);
    const key = (filter: Document): unknown =>
      shardNamesOf(compound, bytes(filter), undefined).key?.map((value) => value.asNumber());
    assert.deepEqual(key({ a: 1, b: 2 }), [1, 2]);
    assert.equal(key({ a: 1 }), undefined);
    assert.equal(key({ a: 1, b: { $in: [1, 2] } }), undefined);
    assert.equal(key({ a: 1, b: { $gt: 2 } }), undefined);
  });
});
