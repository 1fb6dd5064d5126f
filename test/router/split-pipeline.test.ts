/**
 * Which part of a pipeline is the shards'.
 */
import assert from 'node:assert/strict';
import { deserialize, serialize, type Document } from 'bson';
import { splitPipeline } from '../../router/merge/split-pipeline.ts';

const bytes = (document: Document): Buffer => Buffer.from(serialize(document));

function split(pipeline: readonly Document[]): { shards: string; router: string; order: unknown } {
  const { shardPart, mergePart, order } = splitPipeline(pipeline.map(bytes));
  const shown = (stages: readonly Buffer[]): string =>
    stages.map((stage) => Object.keys(deserialize(stage)).join()).join(' ');
  return { shards: shown(shardPart), router: shown(mergePart), order: order && deserialize(order) };
}

describe('splitting a pipeline', () => {
  for (const [pipeline, shards, router] of [
    [[], '', ''],
    [[{ $match: {} }, { $set: { x: 1 } }, { $unwind: '$y' }], '$match $set $unwind', ''],
    [[{ $sort: { a: 1 } }], '$sort', ''],
    [[{ $sort: { a: 1 } }, { $limit: 5 }, { $match: {} }], '$sort $limit', '$limit $match'],
    [[{ $limit: 5 }, { $match: {} }], '$limit', '$limit $match'],
    [[{ $skip: 5 }, { $match: {} }], '', '$skip $match'],
    [[{ $group: { _id: 1, n: { $sum: 1 } } }, { $match: {} }], '$group', '$group $match'],
    [
      [{ $group: { _id: 1, n: { $median: { input: '$a', method: 'approximate' } } } }],
      '',
      '$group',
    ],
    [[{ $count: 'n' }], '$group', '$group $project'],
    [[{ $sample: { size: 3 } }], '$addFields $sort $limit', '$limit $unset'],
    [[{ $lookup: {} }, { $match: {} }], '', '$lookup $match'],
    [[{ $match: {} }, { $facet: {} }], '$match', '$facet'],
    [[{ $sort: { x: { $meta: 'textScore' } } }], '$addFields', '$sort'],
    [
      [{ $sort: { x: { $meta: 'textScore' } } }, { $limit: 5 }],
      '$sort $limit $addFields',
      '$sort $limit',
    ],
    [[{ $group: { _id: { $meta: 'textScore' }, n: { $sum: 1 } } }], '$group', '$group'],
  ] as const) {
    it(`gives the shards "${shards}" of ${JSON.stringify(pipeline)}`, () => {
      const parts = split(pipeline);
      assert.deepEqual([parts.shards, parts.router], [shards, router]);
    });
  }

  it('asks each shard for what is skipped as well', () => {
    const { shardPart } = splitPipeline(
      [{ $sort: { a: 1 } }, { $skip: 7 }, { $limit: 5 }].map(bytes),
    );
    assert.equal(Number(deserialize(shardPart[1])['$limit']), 12);
  });

  it('merges nearest documents by their distance', () => {
    const near = { $geoNear: { near: [0, 0], distanceField: 'far.away' } };
    assert.deepEqual(split([near, { $match: {} }]), {
      shards: '$geoNear',
      router: '$match',
      order: { 'far.away': 1 },
    });
  });
});
