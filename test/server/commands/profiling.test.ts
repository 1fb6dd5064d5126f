/**
 * What operators see of queries: the profiler, top, the plan cache, usage of indexes, currentOp.
 */
import assert from 'node:assert/strict';
import type { Document } from 'bson';
import type { Collection, Db } from 'mongodb';
import { serverForTests } from '../../support/test-server.ts';

describe('server/commands: queries as operators see them', () => {
  const server = serverForTests();
  let database: Db;
  let collection: Collection<Document>;

  const run = (command: Document): Promise<Document> => database.command(command);
  const refused = (command: Document, code: number): Promise<void> =>
    assert.rejects(database.command(command), { code });
  const plan = async (filter: Document): Promise<Document> =>
    (await collection.find(filter).explain('queryPlanner'))['queryPlanner'] as Document;

  beforeEach(async () => {
    database = server.freshDatabase();
    collection = database.collection('c');
    await collection.insertMany(
      Array.from({ length: 200 }, (_, i) => ({ a: i % 20, b: i % 3, c: i })),
    );
    await collection.createIndexes([{ key: { a: 1 } }, { key: { b: 1 } }]);
  });

  it('profile writes operations of a database into its system.profile', async () => {
    assert.equal((await run({ profile: -1 }))['was'], 0);
    assert.deepEqual(await run({ profile: 2, slowms: 50, sampleRate: 1 }), {
      was: 0,
      slowms: 100,
      sampleRate: 1,
      ok: 1,
    });
    await collection.find({ a: 3, b: 0 }, { comment: 'look' }).sort({ c: -1 }).toArray();
    await collection.updateOne({ a: 3 }, { $set: { d: 1 } });
    await collection.deleteOne({ a: 4 });
    await collection.find({}, { batchSize: 150 }).toArray();
    assert.equal((await run({ profile: 0, slowms: 100 }))['was'], 2);
    const entries = await database.collection('system.profile').find().toArray();
    const find = entries.find((entry) => entry['command']['comment'] === 'look')!;
    assert.equal(find['op'], 'query');
    assert.equal(find['ns'], `${database.databaseName}.c`);
    assert.equal(find['planSummary'], 'IXSCAN { a: 1 }');
    assert.equal(find['docsExamined'], 10);
    assert.equal(find['nreturned'], 4);
    assert.equal(find['hasSortStage'], true);
    assert.equal(find['fromMultiPlanner'], true);
    assert.ok(find['ts'] instanceof Date);
    assert.equal(find['execStats']['stage'], 'SORT');
    assert.equal(find['execStats']['nReturned'], 4);
    assert.equal(find['execStats']['inputStage']['inputStage']['keysExamined'], 10);
    const update = entries.find((entry) => entry['op'] === 'update')!;
    assert.deepEqual([update['nMatched'], update['nModified']], [1, 1]);
    assert.equal(entries.find((entry) => entry['op'] === 'remove')!['ndeleted'], 1);
    const more = entries.find((entry) => entry['op'] === 'getmore')!;
    assert.equal(more['originatingCommand']['find'], 'c');
    assert.equal(more['docsExamined'], 49);
    const [options] = await database.listCollections({ name: 'system.profile' }).toArray();
    assert.equal((options as Document)['options']['capped'], true);
  });

  it('profile at level 1 writes what its filter matches', async () => {
    await run({ profile: 1, filter: { docsExamined: { $gte: 100 } } });
    await collection.find({ c: 7 }).toArray();
    await collection.find({ a: 3 }).toArray();
    const reply = await run({ profile: 0, filter: 'unset' });
    assert.deepEqual(reply['filter'], { docsExamined: { $gte: 100 } });
    const entries = await database.collection('system.profile').find().toArray();
    assert.deepEqual(
      entries.map((entry) => entry['command']['filter']),
      [{ c: 7 }],
    );
    await refused({ profile: 1, filter: 5 }, 2);
    await refused({ profile: 1, sampleRate: 2 }, 2);
    await refused({ profile: 'x' }, 14);
  });

  it('profile changes nothing when a part of it is wrong', async () => {
    await refused({ profile: 1, slowms: 7, filter: { $nothing: 1 } }, 2);
    await refused({ profile: 1, slowms: 7, sampleRate: 2 }, 2);
    const { was, slowms } = await run({ profile: -1 });
    assert.deepEqual([was, slowms], [0, 100]);
  });

  it('system.profile can be dropped and created with another size while nothing is profiled', async () => {
    await run({ profile: 2 });
    await collection.find({ a: 3 }).toArray();
    await refused({ drop: 'system.profile' }, 20);
    await run({ profile: 0 });
    await run({ drop: 'system.profile' });
    await run({ create: 'system.profile', capped: true, size: 4_000_000 });
    await run({ profile: 2 });
    await collection.find({ a: 3 }).toArray();
    await run({ profile: 0 });
    const { maxSize, count } = await run({ collStats: 'system.profile' });
    assert.equal(maxSize, 4_000_000);
    assert.ok(count > 0);
    await refused({ insert: 'system.profile', documents: [{}] }, 73);
  });

  it('profiles nothing while fsync holds its lock: reads would wait in memory to be written', async () => {
    await run({ profile: 2 });
    const admin = server.client.db('admin');
    await admin.command({ fsync: 1, lock: true });
    const countOperations = async (): Promise<number> =>
      ((await admin.command({ currentOp: 1 })) as { inprog: Document[] }).inprog.length;
    const before = await countOperations();
    for (let i = 0; i < 10; i += 1) await collection.findOne({ a: 3 }, { comment: 'locked' });
    const during = await countOperations();
    await admin.command({ fsyncUnlock: 1 });
    await run({ profile: 0 });
    assert.ok(during < before + 5, `${before} operations before, ${during} under the lock`);
    const entries = await database.collection('system.profile').find().toArray();
    assert.ok(entries.every((entry) => entry['command']['comment'] !== 'locked'));
  });

  it('profile ends with its database', async () => {
    await run({ profile: 2 });
    await run({ dropDatabase: 1 });
    assert.equal((await run({ profile: -1 }))['was'], 0);
    assert.deepEqual(await database.listCollections().toArray(), []);
  });

  it('top forgets collections that are gone', async () => {
    const namesOf = async (): Promise<string[]> => {
      const { totals } = (await server.client.db('admin').command({ top: 1 })) as Document;
      return Object.keys(totals as Document).filter((name) =>
        name.startsWith(`${database.databaseName}.`),
      );
    };
    await database.collection('d').insertOne({});
    await database.collection('d').rename('e');
    await database.collection('f').insertOne({});
    await database.collection('f').drop();
    await database.createCollection('v', { viewOn: 'c' });
    await database.collection('v').findOne();
    await database.collection('v').drop();
    const ofDatabase = await namesOf();
    assert.ok(ofDatabase.includes(collection.namespace));
    assert.ok(!ofDatabase.includes(`${database.databaseName}.d`));
    assert.ok(!ofDatabase.includes(`${database.databaseName}.f`));
    assert.ok(!ofDatabase.includes(`${database.databaseName}.v`));
    await database.dropDatabase();
    assert.deepEqual(await namesOf(), []);
  });

  it('top counts the time spent on each collection', async () => {
    await collection.find({ a: 1 }).toArray();
    const { totals } = (await server.client.db('admin').command({ top: 1 })) as Document;
    const usage = totals[`${database.databaseName}.c`];
    assert.equal(usage['queries']['count'], 1);
    assert.ok(usage['total']['time'] > 0);
    assert.equal(usage['insert']['count'], 1);
  });

  it('keeps the winner of a trial once it has won twice, and forgets it on request', async () => {
    const filter = { a: 3, b: 0 };
    const cached = (): Promise<Document[]> =>
      collection.aggregate([{ $planCacheStats: {} }]).toArray();
    assert.deepEqual(await cached(), []);
    await collection.find(filter).toArray();
    assert.equal((await cached())[0]?.['isActive'], false);
    await collection.find({ a: 5, b: 1 }).toArray();
    const [entry] = await cached();
    assert.equal(entry?.['isActive'], true);
    assert.deepEqual(entry?.['createdFromQuery'], {
      query: { a: 5, b: 1 },
      sort: {},
      projection: {},
    });
    const planner = await plan(filter);
    assert.equal(planner['winningPlan']['isCached'], true);
    assert.equal(entry?.['planCacheShapeHash'], planner['planCacheShapeHash']);
    assert.equal(entry?.['planCacheKey'], planner['planCacheKey']);
    await run({ planCacheClear: 'c', query: { c: 1 } });
    assert.equal((await cached()).length, 1);
    await run({ planCacheClear: 'c', query: { a: 0, b: 0 } });
    assert.deepEqual(await cached(), []);
    await collection.find(filter).toArray();
    await collection.createIndex({ c: 1 });
    assert.deepEqual(await cached(), []);
    await refused({ planCacheClear: 'c', sort: { a: 1 } }, 2);
    assert.equal((await run({ planCacheClear: 'none' }))['ok'], 1);
  });

  it('tells with a cached plan how the candidates stood', async () => {
    await collection.find({ a: 3, b: 0 }).toArray();
    const [entry] = await collection.aggregate([{ $planCacheStats: {} }]).toArray();
    const trials = entry?.['creationExecStats'] as Document[];
    assert.equal(trials.length, entry?.['candidatePlanScores'].length);
    const names = trials.map((trial) => trial['executionStages']['inputStage']['indexName']);
    assert.deepEqual(
      names.toSorted((x, y) => (x < y ? -1 : 1)),
      ['a_1', 'b_1'],
    );
    const best = trials.find(
      (trial) => trial['executionStages']['inputStage']['indexName'] === 'a_1',
    );
    assert.equal(best?.['nReturned'], 4);
    assert.equal(best?.['totalKeysExamined'], 10);
    assert.equal(best?.['totalDocsExamined'], 10);
  });

  it('counts how often a plan gave up its turn', async () => {
    await collection.insertMany(Array.from({ length: 20_000 }, () => ({ a: 100, c: 1 })));
    const explained = await database.command({
      explain: { find: 'c', filter: { c: 2, a: { $mod: [3, 1] } }, hint: { $natural: 1 } },
      verbosity: 'executionStats',
    });
    const stages = explained['executionStats']['executionStages'];
    assert.ok(stages['saveState'] >= 1, `${stages['saveState']}`);
    assert.equal(stages['restoreState'], stages['saveState']);
    await run({ profile: 2 });
    await collection.find({ c: -1 }).hint({ $natural: 1 }).toArray();
    await run({ profile: 0 });
    const [entry] = await database.collection('system.profile').find({ op: 'query' }).toArray();
    assert.ok(entry?.['numYields'] >= 1);
  });

  it('gives a cached plan up when other values make it much slower', async () => {
    await collection.insertMany(Array.from({ length: 3000 }, () => ({ a: 100, b: 50, c: 1 })));
    await collection.insertOne({ a: 100, b: 77 });
    for (let time = 0; time < 3; time += 1) await collection.find({ a: 3, b: 50 }).toArray();
    await run({ profile: 2 });
    assert.equal((await collection.find({ a: 100, b: 77 }).toArray()).length, 1);
    await run({ profile: 0 });
    const [entry] = await database.collection('system.profile').find({ op: 'query' }).toArray();
    assert.equal(entry?.['replanned'], true);
    assert.equal(entry?.['planSummary'], 'IXSCAN { b: 1 }');
  });

  it('planCacheSetFilter leaves a shape of query only the named indexes', async () => {
    assert.equal(
      (await run({ planCacheSetFilter: 'c', query: { a: 1 }, indexes: ['b_1'] }))['ok'],
      1,
    );
    const planner = await plan({ a: 9 });
    assert.equal(planner['indexFilterSet'], true);
    assert.equal(planner['winningPlan']['stage'], 'COLLSCAN');
    assert.equal((await plan({ a: { $gt: 9 } }))['indexFilterSet'], false);
    assert.deepEqual((await run({ planCacheListFilters: 'c' }))['filters'], [
      { query: { a: 1 }, sort: {}, projection: {}, indexes: ['b_1'] },
    ]);
    await run({ planCacheSetFilter: 'c', query: { a: 5 }, indexes: [{ a: 1 }] });
    assert.equal((await plan({ a: 9 }))['winningPlan']['stage'], 'FETCH');
    await run({ planCacheClearFilters: 'c', query: { a: 1 } });
    assert.equal((await plan({ a: 9 }))['indexFilterSet'], false);
    await refused({ planCacheSetFilter: 'none', query: {}, indexes: ['a_1'] }, 2);
    await refused({ planCacheSetFilter: 'c', query: {}, indexes: [] }, 2);
    await refused({ planCacheSetFilter: 'c', indexes: ['a_1'] }, 2);
  });

  it('$indexStats counts the operations that use each index', async () => {
    await collection.find({ a: 1 }).toArray();
    await collection.countDocuments({ a: 2 });
    await collection.updateOne({ b: 2 }, { $set: { z: 1 } });
    const statistics = await collection.aggregate([{ $indexStats: {} }]).toArray();
    const operations = Object.fromEntries(
      statistics.map(({ name, accesses }) => [name, Number(accesses.ops)]),
    );
    assert.deepEqual(operations, { _id_: 0, a_1: 2, b_1: 1 });
    assert.ok(statistics[0]?.['accesses'].since instanceof Date);
    const before = statistics[0]?.['accesses'].since as Date;
    await new Promise((resolve) => setTimeout(resolve, 5));
    await collection.createIndex({ late: 1 });
    const later = await collection.aggregate([{ $indexStats: {} }]).toArray();
    const late = later.find(({ name }) => name === 'late_1');
    assert.ok(late?.['accesses'].since > before);
    assert.deepEqual(statistics[1]?.['spec'], { v: 2, key: { a: 1 }, name: 'a_1' });
    await assert.rejects(collection.aggregate([{ $indexStats: { x: 1 } }]).toArray(), {
      code: 28_803,
    });
  });

  it('$indexStats counts the index on _id since its collection is there', async () => {
    const database = server.freshDatabase();
    const startMs = Date.now();
    await database.collection('implicit').insertOne({ a: 1 });
    await database.createCollection('explicit');
    for (const name of ['implicit', 'explicit']) {
      const [id] = await database
        .collection(name)
        .aggregate([{ $indexStats: {} }])
        .toArray();
      const sinceMs = Number(id?.['accesses'].since);
      assert.ok(sinceMs >= startMs && sinceMs <= Date.now(), name);
    }
  });

  it('notablescan refuses what no index serves', async () => {
    const admin = server.client.db('admin');
    await admin.command({ setParameter: 1, notablescan: true });
    try {
      await assert.rejects(collection.find({ c: 1 }).toArray(), { code: 291 });
      await assert.rejects(collection.countDocuments({ c: 1 }), { code: 291 });
      assert.equal((await collection.find({ a: 1 }).toArray()).length, 10);
    } finally {
      await admin.command({ setParameter: 1, notablescan: false });
    }
  });

  it('serverStatus counts what plans look at', async () => {
    const metrics = async (): Promise<Document> =>
      (await server.client.db('admin').command({ serverStatus: 1 }))['metrics'] as Document;
    const before = await metrics();
    await collection.find({ a: 1 }).sort({ c: 1 }).toArray();
    await collection.find({ c: 1 }).toArray();
    const after = await metrics();
    const grown = (group: string, name: string): number =>
      Number(after[group][name]) - Number(before[group][name]);
    assert.equal(grown('queryExecutor', 'scanned'), 10);
    assert.equal(grown('queryExecutor', 'scannedObjects'), 210);
    assert.equal(grown('operation', 'scanAndOrder'), 1);
    assert.equal(grown('document', 'returned'), 11);
  });
});
