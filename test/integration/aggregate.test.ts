/**
 * Aggregation pipelines through the official driver.
 */
import assert from 'node:assert/strict';
import type { Collection, Document } from 'mongodb';
import { serverForTests } from '../support/test-server.ts';

interface Sale extends Document {
  _id: number;
  shop: string;
  items: readonly string[];
  price: number;
}

const SALES: readonly Sale[] = [
  { _id: 1, shop: 'north', items: ['pen', 'ink'], price: 10 },
  { _id: 2, shop: 'north', items: ['pen'], price: 5.5 },
  { _id: 3, shop: 'south', items: [], price: 7 },
  { _id: 4, shop: 'south', items: ['ink', 'ink'], price: 3 },
  { _id: 5, shop: 'west', items: ['pad'], price: 20 },
];

describe('aggregate', () => {
  const server = serverForTests();
  let sales: Collection<Sale>;

  before(async () => {
    sales = server.freshDatabase().collection<Sale>('sales');
    await sales.insertMany([...SALES]);
  });

  it('groups with accumulators', async () => {
    const groups = await sales
      .aggregate([
        {
          $group: {
            _id: '$shop',
            count: { $sum: 1 },
            total: { $sum: '$price' },
            mean: { $avg: '$price' },
            dearest: { $max: '$price' },
            first: { $first: '$_id' },
          },
        },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    assert.deepEqual(groups, [
      { _id: 'north', count: 2, total: 15.5, mean: 7.75, dearest: 10, first: 1 },
      { _id: 'south', count: 2, total: 10, mean: 5, dearest: 7, first: 3 },
      { _id: 'west', count: 1, total: 20, mean: 20, dearest: 20, first: 5 },
    ]);
  });

  it('unwinds, counts and sorts', async () => {
    const items = await sales
      .aggregate([
        { $unwind: '$items' },
        { $group: { _id: '$items', sold: { $sum: 1 } } },
        { $sort: { sold: -1, _id: 1 } },
      ])
      .toArray();
    assert.deepEqual(items, [
      { _id: 'ink', sold: 3 },
      { _id: 'pen', sold: 2 },
      { _id: 'pad', sold: 1 },
    ]);
    const kept = await sales
      .aggregate([
        { $unwind: { path: '$items', preserveNullAndEmptyArrays: true } },
        { $count: 'n' },
      ])
      .toArray();
    assert.deepEqual(kept, [{ n: 7 }]);
  });

  it('matches, sets, unsets, projects, skips and limits', async () => {
    const found = await sales
      .aggregate([
        { $match: { price: { $gte: 5 } } },
        { $set: { twice: { $multiply: ['$price', 2] }, next: { $add: ['$_id', 1] } } },
        { $unset: 'items' },
        { $sort: { _id: 1 } },
        { $skip: 1 },
        { $limit: 2 },
        { $project: { _id: 1, twice: 1, next: 1 } },
      ])
      .toArray();
    assert.deepEqual(found, [
      { _id: 2, twice: 11, next: 3 },
      { _id: 3, twice: 14, next: 4 },
    ]);
  });

  it('gives nothing for a collection that does not exist', async () => {
    const none = server.freshDatabase().collection('none');
    assert.deepEqual(await none.aggregate([{ $match: {} }]).toArray(), []);
    assert.deepEqual(await none.aggregate([{ $count: 'n' }]).toArray(), []);
  });

  it('uses an index for a leading $match', async () => {
    await sales.createIndex({ shop: 1 });
    const plan = await sales.aggregate([{ $match: { shop: 'north' } }]).explain();
    assert.match(JSON.stringify(plan), /"IXSCAN"/);
    assert.equal((await sales.aggregate([{ $match: { shop: 'north' } }]).toArray()).length, 2);
  });

  it('refuses a stage that does not exist, by name', async () => {
    await assert.rejects(sales.aggregate([{ $noSuchStage: {} }]).toArray(), {
      code: 40324,
      message: /Unrecognized pipeline stage name: '\$noSuchStage'/,
    });
  });

  it('refuses a stage with two names', async () => {
    await assert.rejects(sales.aggregate([{ $match: {}, $limit: 1 }]).toArray(), {
      code: 40323,
      message: /exactly one field/,
    });
  });
});
