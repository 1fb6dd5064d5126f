/**
 * Commands of operators and tools, sent as documents.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { Binary, Double, Int32, Long, ObjectId, type Document } from 'bson';
import { MongoClient, type Db } from 'mongodb';
import { RawClient } from '../raw-client.ts';
import { serverForTests } from '../../support/test-server.ts';

const ok = new Double(1);

describe('server/commands: administration', () => {
  const server = serverForTests();
  let database: Db;

  const run = (command: Document): Promise<Document> =>
    database.command(command, { promoteValues: false });
  const admin = (command: Document): Promise<Document> =>
    server.client.db('admin').command(command, { promoteValues: false });
  const refused = (command: Document, code: number, message?: RegExp): Promise<void> =>
    assert.rejects(database.command(command), {
      code,
      ...(message === undefined ? {} : { message }),
    });
  const adminRefused = (command: Document, code: number, message?: RegExp): Promise<void> =>
    assert.rejects(server.client.db('admin').command(command), {
      code,
      ...(message === undefined ? {} : { message }),
    });

  beforeEach(async () => {
    database = server.freshDatabase();
    await database
      .collection<{ _id: number; a: number }>('c')
      .insertMany([1, 2, 3].map((_id) => ({ _id, a: _id })));
  });

  it('compact frees what is dead, and refuses what is no collection', async () => {
    const reply = await run({ compact: 'c', force: true });
    assert.ok(reply['bytesFreed'] instanceof Long);
    assert.ok((await run({ compact: 'c', dryRun: true }))['estimatedBytesFreed'] instanceof Long);
    await refused({ compact: 'none' }, 26);
    await refused({ compact: 'c', nope: 1 }, 40_415);
    await refused({ compact: 'c', freeSpaceTargetMB: 0 }, 51_024);
  });

  it('autoCompact takes true or false, on admin', async () => {
    assert.deepEqual(await admin({ autoCompact: true, freeSpaceTargetMB: 10, runOnce: true }), {
      ok,
    });
    assert.deepEqual(await admin({ autoCompact: false }), { ok });
    await adminRefused({ autoCompact: 1 }, 14);
    await refused({ autoCompact: true }, 13);
  });

  it('dbHash is the same for the same documents, in whatever order they came', async () => {
    for (const [name, ids] of [
      ['d', [3, 1, 2]],
      ['e', [1, 2, 4]],
    ] as const) {
      const documents = ids.map((_id) => ({ _id, a: _id }));
      await database.collection<{ _id: number; a: number }>(name).insertMany(documents);
    }
    const reply = await run({ dbHash: 1 });
    const { collections } = reply;
    assert.match(reply['md5'], /^[0-9a-f]{32}$/);
    assert.equal(collections.c, collections.d);
    assert.notEqual(collections.c, collections.e);
    assert.equal(reply['uuids'].c.sub_type, Binary.SUBTYPE_UUID);
    assert.deepEqual(Object.keys((await run({ dbHash: 1, collections: ['c'] }))['collections']), [
      'c',
    ]);
    await refused({ dbHash: 1, collections: [1] }, 125);
  });

  it('filemd5 hashes the chunks of a file in order', async () => {
    const data = (text: string): Binary => new Binary(Buffer.from(text));
    await database.collection('fs.chunks').insertMany([
      { files_id: 5, n: 1, data: data('c') },
      { files_id: 5, n: 0, data: data('ab') },
      { files_id: 6, n: 1, data: data('x') },
      { files_id: 7, n: 0, data: 'text' },
    ]);
    assert.deepEqual(await run({ filemd5: 5, root: 'fs' }), {
      numChunks: new Int32(2),
      md5: '900150983cd24fb0d6963f7d28e17f72',
      ok,
    });
    await refused({ filemd5: 6 }, 10_040);
    await refused({ filemd5: 7 }, 50_849);
    await refused({ filemd5: 5, root: 1 }, 73);
  });

  it('setFeatureCompatibilityVersion confirms 8.0 and nothing else', async () => {
    assert.deepEqual(await admin({ setFeatureCompatibilityVersion: '8.0', confirm: true }), { ok });
    await adminRefused({ setFeatureCompatibilityVersion: '8.0' }, 7_369_100);
    await adminRefused({ setFeatureCompatibilityVersion: '7.0', confirm: true }, 20);
    await adminRefused({ setFeatureCompatibilityVersion: '3.0', confirm: true }, 4_926_900);
    await adminRefused({ setFeatureCompatibilityVersion: 8, confirm: true }, 14);
  });

  it('fsync with lock holds writes back until the last fsyncUnlock, and lets reads through', async () => {
    assert.deepEqual((await admin({ fsync: 1 }))['numFiles'], new Int32(1));
    assert.deepEqual((await admin({ fsync: 1, lock: true }))['lockCount'], Long.fromNumber(1));
    assert.deepEqual((await admin({ fsync: 1, lock: true }))['lockCount'], Long.fromNumber(2));
    let written = false;
    const write = database
      .collection('c')
      .insertOne({ a: 9 })
      .then(() => (written = true));
    const index = database.collection('c').createIndex({ a: 1 });
    assert.equal(await database.collection('c').countDocuments(), 3);
    const { inprog, fsyncLock } = await admin({ currentOp: 1 });
    assert.equal(fsyncLock, true);
    assert.ok(inprog.length > 0);
    assert.equal((await admin({ lockInfo: 1 }))['lockInfo'].length, 1);
    await assert.rejects(database.collection('c').insertOne({ a: 8 }, { maxTimeMS: 20 }), {
      code: 50,
    });
    assert.deepEqual((await admin({ fsyncUnlock: 1 }))['lockCount'], Long.fromNumber(1));
    assert.equal(written, false);
    assert.deepEqual((await admin({ fsyncUnlock: 1 }))['lockCount'], Long.fromNumber(0));
    await Promise.all([write, index]);
    assert.deepEqual((await admin({ lockInfo: 1 }))['lockInfo'], []);
    assert.equal(await database.collection('c').countDocuments(), 4);
    await adminRefused({ fsyncUnlock: 1 }, 20);
  });

  it('fsyncUnlock gives back no lock that another client still waits for', async () => {
    const slow = database.command({
      update: 'c',
      updates: [{ q: { $where: 'while (true) {}' }, u: { $set: { b: 1 } } }],
      maxTimeMS: 1_500,
    });
    const ended = assert.rejects(slow, { code: 50 });
    await pause(150);
    const locked = adminRefused(
      { fsync: 1, lock: true, fsyncLockAcquisitionTimeoutMillis: 300 },
      24,
      /Fsync lock timed out/,
    );
    await pause(100);
    await adminRefused({ fsyncUnlock: 1 }, 20);
    await locked;
    await ended;
    await database.collection('c').insertOne({ a: 5 });
  });

  it('shows no connections to other servers, and drops none', async () => {
    assert.deepEqual((await admin({ connPoolStats: 1 }))['hosts'], {});
    assert.deepEqual(await admin({ connPoolSync: 1 }), { ok });
    assert.deepEqual(
      await admin({ dropConnections: 1, hostAndPort: ['127.0.0.1:1', '[::1]:2', 'a'] }),
      { ok },
    );
    await adminRefused({ dropConnections: 1 }, 40_414);
    await adminRefused({ dropConnections: 1, hostAndPort: [1] }, 14);
    await adminRefused({ dropConnections: 1, hostAndPort: [':1'] }, 9);
    await adminRefused({ dropConnections: 1, hostAndPort: ['a:99999'] }, 9);
  });

  it('logRotate takes 1 or "server"', async () => {
    assert.deepEqual(await admin({ logRotate: 1, comment: 'weekly' }), { ok });
    assert.deepEqual(await admin({ logRotate: 'server' }), { ok });
    await adminRefused({ logRotate: 'nope' }, 4);
  });

  it('validateDBMetadata names indexes outside of the stable API', async () => {
    await database.collection('c').createIndex({ a: 1 }, { sparse: true });
    const apiParameters = { version: '1', strict: true };
    const reply = await run({ validateDBMetadata: 1, db: database.databaseName, apiParameters });
    assert.deepEqual(reply['apiVersionErrors'], [
      {
        ns: `${database.databaseName}.c`,
        code: new Int32(323),
        codeName: 'APIStrictError',
        errmsg: 'The index with name a_1 is not allowed in API version 1.',
      },
    ]);
    const lax = await run({ validateDBMetadata: 1, apiParameters: { version: '1' } });
    assert.deepEqual(lax['apiVersionErrors'], []);
    await refused({ validateDBMetadata: 1, apiParameters: { version: '2' } }, 322);
    await refused({ validateDBMetadata: 1 }, 40_414);
  });

  it('dataSize measures a collection, or a range of keys, or until it has enough', async () => {
    const dataSize = `${database.databaseName}.c`;
    const size = async (range: Document): Promise<unknown[]> => {
      const reply = await run({ dataSize, ...range });
      return [Number(reply['size']), Number(reply['numObjects']), reply['maxReached']];
    };
    const bytes = 21;
    assert.deepEqual(await size({}), [3 * bytes, 3, undefined]);
    const keyPattern = { _id: 1 };
    assert.deepEqual(await size({ keyPattern, min: { _id: 2 }, max: { _id: 9 } }), [
      2 * bytes,
      2,
      undefined,
    ]);
    assert.deepEqual(await size({ min: { _id: 1 }, max: { _id: 2 } }), [bytes, 1, undefined]);
    assert.deepEqual(await size({ maxObjects: 1 }), [2 * bytes, 2, true]);
    assert.deepEqual(await size({ maxSize: 30 }), [2 * bytes, 2, true]);
    await database.collection('c').createIndex({ a: 1, _id: 1 });
    assert.deepEqual(await size({ keyPattern: { a: 1 }, min: { a: 2 }, max: { a: 3 } }), [
      bytes,
      1,
      undefined,
    ]);
    await refused({ dataSize, min: { _id: 1 } }, 2);
    await refused({ dataSize, min: { x: 1 }, max: { x: 2 } }, 2);
    await refused({ dataSize: 'nodot' }, 73);
  });

  it('dbStats shows the disk, and free space on request', async () => {
    const stats = await run({ dbStats: 1 });
    assert.ok(stats['fsTotalSize'] > stats['fsUsedSize']);
    assert.equal('freeStorageSize' in stats, false);
    assert.deepEqual(
      (await run({ dbStats: 1, freeStorage: 1 }))['totalFreeStorageSize'],
      new Double(0),
    );
  });

  it('applyOps applies inserts, updates and deletes, all or none', async () => {
    const ns = `${database.databaseName}.c`;
    const entries = [
      { op: 'i', ns, o: { _id: 4, a: 4 } },
      { op: 'i', ns, o: { _id: 1, a: 10 } },
      { op: 'u', ns, o2: { _id: 2 }, o: { $set: { a: 20 } } },
      { op: 'd', ns, o: { _id: 3 } },
      { op: 'd', ns, o: { _id: 33 } },
      { op: 'u', ns, o2: { _id: 5 }, o: { _id: 5, a: 50 }, b: true },
      { op: 'n', ns: '', o: { msg: 'nothing' } },
    ];
    assert.deepEqual((await admin({ applyOps: entries }))['applied'], new Int32(7));
    const all = await database
      .collection('c')
      .find({}, { sort: { _id: 1 } })
      .toArray();
    assert.deepEqual(
      all.map((document) => document['a']),
      [10, 20, 4, 50],
    );
    const failing = [entries[3], { op: 'u', ns, o2: { _id: 99 }, o: { $set: { a: 1 } } }];
    await adminRefused({ applyOps: [{ op: 'd', ns, o: { _id: 1 } }, ...failing] }, 47);
    assert.equal(await database.collection('c').countDocuments(), 4);
    await adminRefused({ applyOps: [{ op: 'c', ns, o: { drop: 'c' } }] }, 238);
    await adminRefused({ applyOps: [{ op: 'x', ns, o: {} }] }, 2);
    await adminRefused({ applyOps: [1] }, 14);
    await adminRefused({ applyOps: 1 }, 14);
  });

  it('a command with a collectionUUID runs on that collection only', async () => {
    const { cursor } = await run({ listCollections: 1, filter: { name: 'c' } });
    const uuid: Binary = cursor.firstBatch[0].info.uuid;
    const other = new Binary(Buffer.alloc(16, 7), Binary.SUBTYPE_UUID);
    assert.equal((await run({ find: 'c', collectionUUID: uuid }))['ok'].value, 1);
    const commands = [
      { find: 'd' },
      { aggregate: 'd', pipeline: [], cursor: {} },
      { count: 'd' },
      { insert: 'd', documents: [{}] },
      { update: 'd', updates: [{ q: {}, u: { $set: { x: 1 } } }] },
      { delete: 'd', deletes: [{ q: {}, limit: 1 }] },
      { drop: 'd' },
    ];
    for (const command of commands) {
      await assert.rejects(
        database.command({ ...command, collectionUUID: uuid }),
        (error: Document) => {
          assert.equal(error['code'], 361);
          assert.equal(error['errorResponse'].actualCollection, 'c');
          assert.equal(error['errorResponse'].expectedCollection, 'd');
          return true;
        },
      );
    }
    await assert.rejects(
      database.command({ find: 'c', collectionUUID: other }),
      (error: Document) => {
        assert.equal(error['errorResponse'].actualCollection, null);
        return true;
      },
    );
    await refused({ find: 'c', collectionUUID: 'x' }, 14);
    await refused({ find: 'c', collectionUUID: new Binary(Buffer.alloc(3)) }, 207);
  });

  it('find on a collection that is not there leaves no cursor, whatever the batch size', async () => {
    assert.deepEqual((await run({ find: 'none', batchSize: 0 }))['cursor'].id, Long.ZERO);
    assert.notDeepEqual((await run({ find: 'c', batchSize: 0 }))['cursor'].id, Long.ZERO);
  });

  it('setClusterParameter limits reads whose client says nothing', async () => {
    const get = async (name: unknown): Promise<Document[]> =>
      (await admin({ getClusterParameter: name }))['clusterParameters'];
    const set = (value: unknown) => admin({ setClusterParameter: { defaultMaxTimeMS: value } });
    assert.deepEqual(await get('*'), await get(['defaultMaxTimeMS']));
    assert.deepEqual((await get('*'))[0]?.['readOperations'], Long.ZERO);
    const documents = Array.from({ length: 3000 }, (_, _id) => ({ _id, a: _id }));
    await run({ insert: 'many', documents });
    const slow = { $expr: { $lt: [{ $sum: { $range: [0, { $add: [3000, '$a'] }] } }, 0] } };
    await set({ readOperations: 20 });
    try {
      assert.deepEqual((await get('defaultMaxTimeMS'))[0]?.['readOperations'], Long.fromNumber(20));
      await refused({ find: 'many', filter: slow }, 50);
      await run({ find: 'many', filter: { a: 1 }, maxTimeMS: 10_000 });
    } finally {
      await set({ readOperations: 0 });
    }
    const stored = server.client.db('config').collection('clusterParameters');
    assert.equal(await stored.countDocuments({ readOperations: 0 }), 1);
    await adminRefused({ getClusterParameter: 'nope' }, 4);
    await adminRefused({ getClusterParameter: 1 }, 14);
    await adminRefused({ getClusterParameter: [] }, 2);
    await adminRefused({ setClusterParameter: { nope: {} } }, 4);
    await adminRefused({ setClusterParameter: {} }, 2);
    await adminRefused({ setClusterParameter: { defaultMaxTimeMS: 1 } }, 2);
    await adminRefused({ setClusterParameter: { defaultMaxTimeMS: { x: 1 } } }, 40_415);
    await adminRefused({ setClusterParameter: { defaultMaxTimeMS: { readOperations: -1 } } }, 2);
  });

  it('whatsmysni is empty without TLS', async () => {
    assert.deepEqual(await admin({ whatsmysni: 1 }), { sni: '', ok });
  });

  it('shardingState says that this is no shard', async () => {
    assert.deepEqual(await admin({ shardingState: 1 }), { enabled: false, ok });
  });

  it('setIndexCommitQuorum finds no build', async () => {
    const command = { setIndexCommitQuorum: 'c', indexNames: ['a_1'], commitQuorum: 1 };
    await refused(command, 27, /Cannot find an index build on collection/);
    await refused({ ...command, setIndexCommitQuorum: 'none' }, 26);
    await refused({ setIndexCommitQuorum: 'c', indexNames: ['a_1'] }, 40_414);
  });

  const STANDALONE: readonly (readonly [Document, number, RegExp])[] = [
    [{ replSetGetStatus: 1 }, 76, /^not running with --replSet$/],
    [{ replSetGetConfig: 1 }, 76, /not running with/],
    [{ replSetGetRBID: 1 }, 76, /not running with/],
    [{ replSetReconfig: {} }, 76, /not running with/],
    [{ replSetFreeze: 1 }, 76, /not running with/],
    [{ replSetMaintenance: true }, 76, /not running with/],
    [{ replSetStepDown: 1 }, 76, /not running with/],
    [{ replSetStepUp: 1 }, 76, /not running with/],
    [{ replSetSyncFrom: 'a:1' }, 76, /not running with/],
    [{ replSetAbortPrimaryCatchUp: 1 }, 76, /not running with/],
    [{ replSetHeartbeat: 'a' }, 76, /not running with/],
    [{ replSetRequestVotes: 1 }, 76, /not running with/],
    [{ replSetUpdatePosition: 1 }, 76, /not running with/],
    [{ replSetInitiate: {} }, 76, /not started with replication enabled/],
    [{ replSetResizeOplog: 1, size: 1000 }, 26, /oplog does not exist/],
    [{ appendOplogNote: 1, data: {} }, 76, /Must have replication set up/],
    [{ getDefaultRWConcern: 1 }, 51_300, /is not supported on standalone nodes/],
    [{ setDefaultRWConcern: 1 }, 51_300, /is not supported on standalone nodes/],
    [{ setUserWriteBlockMode: 1, global: true }, 20, /cannot be run on standalones/],
    [{ setQuerySettings: {}, settings: {} }, 20, /can only run on replica sets/],
    [{ removeQuerySettings: {} }, 20, /can only run on replica sets/],
    [{ analyzeShardKey: 'a.b', key: {} }, 20, /standalone mongod/],
    [{ configureQueryAnalyzer: 'a.b', mode: 'off' }, 20, /standalone mongod/],
  ];
  for (const [command, code, message] of STANDALONE) {
    it(`refuses ${Object.keys(command)[0]} as a standalone does`, () =>
      adminRefused(command, code, message));
  }

  it('refuses to end a transaction that there is none of', async () => {
    const raw = await RawClient.open(server.program.port);
    for (const command of [{ commitTransaction: 1 }, { abortTransaction: 1 }]) {
      const reply = await raw.run({ ...command, $db: 'admin' });
      assert.equal(reply['code'], 125);
      assert.match(reply['errmsg'], /Transaction must be run within a transaction$/);
    }
    raw.close();
  });

  it('refuses search indexes and encrypted collections, which there are none of', async () => {
    await refused({ createSearchIndexes: 'c', indexes: [] }, 31_082);
    await refused({ updateSearchIndex: 'c', name: 's', definition: {} }, 31_082);
    await refused({ dropSearchIndex: 'c', name: 's' }, 31_082);
    await refused({ listSearchIndexes: 'c' }, 31_082);
    await refused({ listSearchIndexes: 1 }, 2);
    await refused({ compactStructuredEncryptionData: 'c', compactionTokens: {} }, 6_346_807);
    await refused({ cleanupStructuredEncryptionData: 'c', cleanupTokens: {} }, 7_618_803);
  });
});

describe('server/commands: for tests only', () => {
  const server = serverForTests({ args: ['--testing'] });
  const admin = (command: Document): Promise<Document> =>
    server.client.db('admin').command(command, { promoteValues: false });
  const refused = (command: Document, code: number): Promise<void> =>
    assert.rejects(server.client.db('admin').command(command), { code });

  it('sleep answers after a while, or is interrupted', async () => {
    const startMs = performance.now();
    assert.deepEqual(await admin({ sleep: 1, millis: 30 }), { ok });
    assert.ok(performance.now() - startMs >= 29);
    await refused({ sleep: 1, secs: 20, maxTimeMS: 10 }, 50);
    await refused({ sleep: 1, millis: 1, lock: 'w' }, 238);
  });

  it('echo, driverOIDTest and _hashBSONElement give back what they got', async () => {
    assert.equal((await admin({ echo: 1, x: 'y' }))['echo'].x, 'y');
    const id = new ObjectId();
    assert.deepEqual(await admin({ driverOIDTest: id }), { oid: id, str: id.toHexString(), ok });
    await refused({ driverOIDTest: 1 }, 125);
    const hashed = await admin({ _hashBSONElement: 'a', seed: 0 });
    assert.deepEqual(hashed['seed'], new Int32(0));
    assert.ok(hashed['out'] instanceof Long);
  });

  it('sessions are swept and written out on request', async () => {
    assert.deepEqual(await admin({ refreshLogicalSessionCacheNow: 1 }), { ok });
    assert.deepEqual(await admin({ reapLogicalSessionCacheNow: 1 }), { ok });
  });

  it('resetForTests drops the data of all databases, and fail points', async () => {
    await server.client.db('reset_a').collection('one').insertOne({});
    await server.client.db('reset_b').collection('two').insertOne({});
    await admin({
      configureFailPoint: 'failCommand',
      mode: 'alwaysOn',
      data: { failCommands: ['count'], errorCode: 8 },
    });
    const { dropped } = await admin({ resetForTests: 1 });
    assert.ok(Number(dropped) >= 2);
    const { databases } = await server.client.db('admin').admin().listDatabases();
    const left = databases.filter(({ name }) => !['admin', 'config', 'local'].includes(name));
    assert.deepEqual(left, []);
    assert.equal(Number((await admin({ count: 'any' }))['n']), 0);
  });

  it('waitForFailPoint waits until it was entered', async () => {
    await admin({
      configureFailPoint: 'failCommand',
      mode: { times: 1 },
      data: { failCommands: ['count'], errorCode: 8 },
    });
    const entered = admin({ waitForFailPoint: 'failCommand', timesEntered: 1, maxTimeMS: 5000 });
    await assert.rejects(server.client.db('t').command({ count: 'c' }), { code: 8 });
    assert.deepEqual(await entered, { ok });
    await refused({ waitForFailPoint: 'failCommand', timesEntered: 1 }, 72);
    const never = { waitForFailPoint: 'failCommand', timesEntered: 9, maxTimeMS: 20 };
    await refused(never, 50);
    await refused({ waitForFailPoint: 'nope', timesEntered: 1, maxTimeMS: 20 }, 266);
    await refused({ configureFailPoint: 'nope', mode: 'off' }, 266);
    await admin({ configureFailPoint: 'failCommand', mode: 'off' });
  });

  it('maxTimeAlwaysTimeOut and maxTimeNeverTimeOut change what a limit does', async () => {
    await admin({ configureFailPoint: 'maxTimeAlwaysTimeOut', mode: 'alwaysOn' });
    await refused({ ping: 1, maxTimeMS: 60_000 }, 50);
    assert.deepEqual(await admin({ ping: 1 }), { ok });
    await admin({ configureFailPoint: 'maxTimeAlwaysTimeOut', mode: 'off' });
    await admin({ configureFailPoint: 'maxTimeNeverTimeOut', mode: 'alwaysOn' });
    assert.deepEqual(await admin({ sleep: 1, millis: 30, maxTimeMS: 1 }), { ok });
    await admin({ configureFailPoint: 'maxTimeNeverTimeOut', mode: 'off' });
  });

  it('are no commands on a server that is not for tests', async () => {
    const plain = serverWithoutTestCommands;
    const client = await MongoClient.connect(plain.uri);
    try {
      const admin = client.db('admin');
      await assert.rejects(admin.command({ sleep: 1 }), { code: 59 });
      assert.equal('sleep' in (await admin.command({ listCommands: 1 }))['commands'], false);
    } finally {
      await client.close();
    }
  });
  const serverWithoutTestCommands = serverForTests();
});
