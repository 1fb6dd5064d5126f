/**
 * explain of every command, as a driver and a shell see it.
 */
import assert from 'node:assert/strict';
import type { Document } from 'bson';
import type { Collection, Db } from 'mongodb';
import { serverForTests } from '../../support/test-server.ts';

describe('server/commands: explain', () => {
  const server = serverForTests();
  let database: Db;
  let collection: Collection<Document>;

  const explain = (command: Document, verbosity = 'executionStats'): Promise<Document> =>
    database.command({ explain: command, verbosity });
  /** Names of the stages, the top one first. */
  const stages = (node: Document): string[] => [
    node['stage'],
    ...[
      ...(node['inputStages'] ?? []),
      ...(node['inputStage'] ? [node['inputStage']] : []),
    ].flatMap(stages),
  ];
  const winning = async (command: Document): Promise<string[]> =>
    stages((await explain(command, 'queryPlanner'))['queryPlanner']['winningPlan']);

  before(async () => {
    database = server.freshDatabase();
    collection = database.collection('c');
    await collection.insertMany(
      Array.from({ length: 100 }, (_, i) => ({ _id: i as never, a: i % 10, b: i % 7, c: i })),
    );
    await collection.createIndexes([{ key: { a: 1, c: 1 } }, { key: { b: 1 } }]);
  });

  it('of a find shows the plan, its rivals and what all of them did', async () => {
    const reply = await explain(
      { find: 'c', filter: { a: 3, b: 3 }, sort: { c: 1 } },
      'allPlansExecution',
    );
    const { queryPlanner, executionStats } = reply;
    assert.equal(reply['explainVersion'], '1');
    assert.equal(queryPlanner['namespace'], `${database.databaseName}.c`);
    assert.match(queryPlanner['queryHash'], /^[0-9A-F]{8}$/);
    assert.equal(queryPlanner['planCacheShapeHash'], queryPlanner['queryHash']);
    assert.equal(queryPlanner['rejectedPlans'].length, 1);
    assert.equal(queryPlanner['winningPlan']['isCached'], false);
    assert.equal(executionStats['executionSuccess'], true);
    assert.equal(executionStats['nReturned'], 2);
    assert.equal(executionStats['allPlansExecution'].length, 2);
    const top = executionStats['executionStages'];
    for (const name of ['works', 'advanced', 'needTime', 'needYield', 'saveState', 'isEOF']) {
      assert.equal(typeof top[name], 'number', name);
    }
    assert.equal(reply['serverInfo']['version'], '8.0.16');
    assert.equal(reply['command']['$db'], database.databaseName);
    assert.equal(typeof reply['serverParameters'], 'object');
  });

  it('of two indexes shows their intersection, which is also what writes run', async () => {
    const admin = server.client.db('admin');
    const set = (name: string, value: boolean): Promise<Document> =>
      admin.command({ setParameter: 1, [name]: value });
    const filter = { a: { $gt: 5 }, b: { $lt: 3 } };
    const others = database.collection('others');
    await others.insertMany(await collection.find().toArray());
    await others.createIndexes([{ key: { a: 1, c: 1 } }, { key: { b: 1 } }]);
    const expected = await others.find(filter, { hint: { $natural: 1 } }).toArray();
    await set('internalQueryForceIntersectionPlans', true);
    try {
      const scans = ['FETCH', 'AND_HASH', 'IXSCAN', 'IXSCAN'];
      assert.deepEqual(await winning({ find: 'others', filter }), scans);
      assert.deepEqual(await winning({ count: 'others', query: filter }), [
        'COUNT',
        ...scans.slice(1),
      ]);
      const { executionStats } = await explain({ find: 'others', filter });
      assert.equal(executionStats['nReturned'], expected.length);
      assert.equal(executionStats['totalDocsExamined'], expected.length);
      const moved = await others.updateMany(filter, { $inc: { a: 1, b: -1 } });
      assert.equal(moved.modifiedCount, expected.length);
      assert.equal((await others.deleteMany(filter)).deletedCount, expected.length);
      assert.equal(await others.countDocuments({}), 100 - expected.length);
      await set('internalQueryPlannerEnableIndexIntersection', false);
      assert.ok(!(await winning({ find: 'others', filter })).includes('AND_HASH'));
    } finally {
      await set('internalQueryForceIntersectionPlans', false);
      await set('internalQueryPlannerEnableIndexIntersection', true);
    }
  });

  it('of a count shows entries that are counted without documents', async () => {
    const reply = await explain({ count: 'c', query: { a: { $gte: 3, $lt: 5 } } });
    const { executionStats } = reply;
    assert.deepEqual(stages(executionStats['executionStages']), ['COUNT', 'COUNT_SCAN']);
    assert.equal(executionStats['executionStages']['nCounted'], 20);
    assert.equal(executionStats['totalDocsExamined'], 0);
    assert.equal(executionStats['totalKeysExamined'], 20);
    assert.deepEqual(await winning({ count: 'c' }), ['COUNT', 'RECORD_STORE_FAST_COUNT']);
    assert.deepEqual(await winning({ count: 'c', query: { a: 1, b: 2 } }), [
      'COUNT',
      'FETCH',
      'IXSCAN',
    ]);
  });

  it('of writes shows what they would do, and does nothing', async () => {
    const update = async (u: object, more: object = {}): Promise<Document> =>
      (await explain({ update: 'c', updates: [{ q: { a: 3 }, u, ...more }] }))['executionStats'];
    const one = await update({ $set: { c: 3 } });
    assert.deepEqual(stages(one['executionStages']), ['UPDATE', 'FETCH', 'IXSCAN']);
    assert.equal(one['nReturned'], 0);
    assert.equal(one['executionStages']['nMatched'], 1);
    assert.equal(one['executionStages']['nWouldModify'], 0);
    assert.equal(one['totalDocsExamined'], 1);
    const many = await update({ $set: { d: 1 } }, { multi: true });
    assert.equal(many['executionStages']['nWouldModify'], 10);
    const upsert = await explain({
      update: 'c',
      updates: [{ q: { a: 300 }, u: { $set: { d: 1 } }, upsert: true }],
    });
    assert.equal(upsert['executionStats']['executionStages']['nWouldUpsert'], 1);
    const remove = await explain({ delete: 'c', deletes: [{ q: { a: 3 }, limit: 0 }] });
    const removal = remove['executionStats']['executionStages'];
    assert.equal(removal['stage'], 'BATCHED_DELETE');
    assert.equal(removal['nWouldDelete'], 10);
    assert.deepEqual(await winning({ delete: 'c', deletes: [{ q: { _id: 3 }, limit: 1 }] }), [
      'DELETE',
      'EXPRESS_IXSCAN',
    ]);
    assert.deepEqual(await winning({ findAndModify: 'c', query: { a: 1 }, remove: true }), [
      'DELETE',
      'FETCH',
      'IXSCAN',
    ]);
    const modify = await explain({
      findAndModify: 'c',
      query: { a: 1 },
      update: { $inc: { z: 1 } },
    });
    assert.equal(modify['executionStats']['executionStages']['nWouldModify'], 1);
    assert.equal(await collection.countDocuments({ $or: [{ d: 1 }, { z: 1 }] }), 0);
    assert.equal(await collection.countDocuments({}), 100);
  });

  it('tells what a $lookup read of the other collection', async () => {
    const other = server.client.db(collection.dbName).collection('other');
    await other.insertMany(Array.from({ length: 30 }, (_, n) => ({ k: n % 3, n })));
    const lookup = { $lookup: { from: 'other', localField: 'a', foreignField: 'k', as: 'j' } };
    const pipeline = [{ $match: { a: 1 } }, lookup, { $unwind: '$j' }];
    const statisticsOf = async (): Promise<Document> => {
      const reply = await explain({ aggregate: 'c', pipeline, cursor: {} });
      const stages = reply['stages'] as Document[];
      assert.equal('collectionScans' in stages[2]!, false);
      return stages[1]!;
    };
    const scanned = await statisticsOf();
    assert.equal(Number(scanned['collectionScans']), 1);
    assert.equal(Number(scanned['totalDocsExamined']), 30);
    assert.deepEqual(scanned['indexesUsed'], []);
    await other.createIndex({ k: 1, n: 1 });
    const found = await statisticsOf();
    assert.equal(Number(found['collectionScans']), 0);
    assert.equal(Number(found['totalDocsExamined']), 100);
    assert.equal(Number(found['totalKeysExamined']), 100);
    assert.deepEqual(found['indexesUsed'], ['k_1_n_1']);
    assert.equal(Number(found['nReturned']), 10);
  });

  it('names the collection that does not exist', async () => {
    for (const command of [
      { find: 'none', filter: { a: 1 } },
      { count: 'none', query: { a: 1 } },
      { distinct: 'none', key: 'a' },
      { delete: 'none', deletes: [{ q: { a: 1 }, limit: 0 }] },
      { update: 'none', updates: [{ q: { a: 1 }, u: { $set: { b: 1 } } }] },
      { findAndModify: 'none', query: { a: 1 }, remove: true },
    ]) {
      const reply = await explain(command);
      const { namespace, winningPlan } = reply['queryPlanner'];
      assert.match(namespace, /\.none$/, JSON.stringify(command));
      assert.equal(winningPlan['stage'], 'EOF');
    }
  });

  it('merges scans that are in order', async () => {
    const reply = await explain({
      find: 'c',
      filter: { a: { $in: [1, 4, 6] } },
      sort: { c: 1 },
      limit: 5,
    });
    const { executionStats } = reply;
    assert.deepEqual(stages(executionStats['executionStages']), [
      'LIMIT',
      'FETCH',
      'SORT_MERGE',
      'IXSCAN',
      'IXSCAN',
      'IXSCAN',
    ]);
    assert.equal(executionStats['totalDocsExamined'], 5);
    assert.ok(executionStats['totalKeysExamined'] <= 5 + 3);
  });

  it('is refused for other commands', async () => {
    await assert.rejects(explain({ ping: 1 }), { code: 20 });
    await assert.rejects(explain({ nonsense: 1 }), { code: 59 });
    await assert.rejects(
      explain({
        update: 'c',
        updates: [
          { q: {}, u: {} },
          { q: {}, u: {} },
        ],
      }),
      { code: 16 },
    );
  });
});
