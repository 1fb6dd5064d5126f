/**
 * What mongodump, mongorestore, mongoexport and mongoimport send, message by message, as the Go driver below them frames
 * it: with a session, a database, and documents of writes as sequences.
 * Source: mongodb/mongo-tools (common/db, mongodump, mongorestore, mongoexport, mongoimport), version 100.12.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BSON, Long, MongoClient, UUID, type Db, type Document } from 'mongodb';
import { startCluster, type Cluster } from '../../client/index.ts';
import { RawClient } from '../server/raw-client.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../support/programs.ts';
import { contentsOf } from '../support/server-contents.ts';
import { serverForTests } from '../support/test-server.ts';
import { fillWithVariedData } from '../support/varied-data.ts';
import { encodeOpQuery } from '../../wire/index.ts';

const TOOLS = ['mongodump', 'mongorestore', 'mongoexport', 'mongoimport'] as const;
const ZERO = Long.fromNumber(0);
const MAJORITY = { writeConcern: { w: 'majority' } };
const COMMAND_NOT_FOUND = 59;
const OP_REPLY_DOCUMENT = 36;

describe('the messages of the database tools, sent to flintd,', () => {
  const server = serverForTests();
  replay({
    port: () => server.program.port,
    freshDatabase: () => server.freshDatabase(),
    message: undefined,
  });
});

describe('the messages of the database tools, sent to flints,', () => {
  let cluster: Cluster;
  let client: MongoClient;
  let databases = 0;
  before('start a cluster', async () => {
    cluster = await startCluster({ shards: 2 });
    client = await new MongoClient(cluster.uri).connect();
  });
  after(async () => {
    await client.close();
    await cluster.stop();
  });
  replay({
    port: () => cluster.members.find(({ kind }) => kind === 'router')?.port ?? 0,
    freshDatabase: () => client.db(`tools_${(databases += 1)}`),
    message: 'isdbgrid',
  });
});

/** Who the tools speak to. */
interface Receiver {
  port(): number;
  /** A database that no other test has used. */
  freshDatabase(): Db;
  /** As hello has it. */
  readonly message: string | undefined;
}

/** One test for each thing that the tools do. */
function replay(receiver: Receiver): void {
  let client: RawClient;
  const lsid = { id: new UUID() };
  before('connect', async () => {
    client = await RawClient.open(receiver.port());
  });
  after(() => client.socket.destroy());

  /** Sends a command as the Go driver does. */
  const run = async (
    database: string,
    command: Document,
    sequence?: { field: string; documents: Document[] },
  ): Promise<Document> => {
    const sequences =
      sequence === undefined
        ? []
        : [
            {
              identifier: sequence.field,
              documents: sequence.documents.map((each) => Buffer.from(BSON.serialize(each))),
            },
          ];
    return client.run({ ...command, lsid, $db: database }, { sequences });
  };
  const ok = async (...args: Parameters<typeof run>): Promise<Document> => {
    const reply = await run(...args);
    assert.equal(reply['ok'], 1, JSON.stringify(reply));
    assert.equal(reply['writeErrors'], undefined, JSON.stringify(reply));
    return reply;
  };

  for (const name of TOOLS) {
    it(`greet as ${name}`, async () => {
      const greeting = {
        isMaster: 1,
        helloOk: true,
        compression: [],
        client: {
          driver: { name: 'mongo-go-driver', version: 'v1.17.3' },
          os: { type: 'linux', architecture: 'amd64' },
          platform: 'go1.23.8',
          application: { name },
        },
      };
      const own = await RawClient.open(receiver.port());
      own.socket.write(
        encodeOpQuery({
          requestId: 1,
          fullCollectionName: 'admin.$cmd',
          query: Buffer.from(BSON.serialize(greeting)),
          secondaryOk: true,
        }),
      );
      const message = await own.message();
      const hello = BSON.deserialize(message?.subarray(OP_REPLY_DOCUMENT) ?? Buffer.alloc(0));
      own.socket.destroy();
      assert.deepEqual([hello['ismaster'], hello['helloOk'], hello['ok']], [true, true, 1]);
      assert.ok(hello['maxWireVersion'] >= 21);
    });
  }

  it('ask what kind of server it is', async () => {
    await ok('admin', { ping: 1 });
    const node = await ok('admin', { ismaster: 1 });
    assert.deepEqual([node['setName'], node['msg']], [undefined, receiver.message]);
    const { version, versionArray } = await ok('admin', { buildInfo: 1 });
    assert.match(String(version), /^\d+\.\d+\.\d+/);
    assert.ok(versionArray.length >= 3);
    const atlas = await run('admin', { atlasVersion: 1 });
    assert.deepEqual([atlas['ok'], atlas['code']], [0, COMMAND_NOT_FOUND]);
  });

  it('of mongodump read everything', async () => {
    const db = receiver.freshDatabase();
    const name = db.databaseName;
    await fillWithVariedData(db);
    const { databases } = await ok('admin', { listDatabases: 1, filter: {}, nameOnly: true });
    assert.ok(databases.some((each: Document) => each['name'] === name));
    const list = await ok(name, { listCollections: 1, filter: {}, cursor: {} });
    const types = new Map(
      list['cursor'].firstBatch.map((each: Document) => [each['name'], each['type']]),
    );
    assert.equal(types.get('weather'), 'timeseries');
    assert.equal(types.get('system.buckets.weather'), 'collection');
    assert.equal(types.get('cheap'), 'view');
    const one = await ok(name, { listCollections: 1, filter: { name: 'items' }, cursor: {} });
    assert.equal(one['cursor'].firstBatch[0].options.collation.locale, 'de');
    assert.ok(one['cursor'].firstBatch[0].info.uuid instanceof UUID);
    const indexes = await ok(name, { listIndexes: 'items', cursor: {} });
    assert.equal(indexes['cursor'].firstBatch[0].name, '_id_');
    const nothing = await run(name, { listIndexes: 'nothing', cursor: {} });
    assert.equal(nothing['code'], 26);
    assert.equal((await ok(name, { count: 'items' }))['n'], 2_501);
    assert.equal((await ok(name, { count: 'items', query: {} }))['n'], 2_501);
    const stats = await ok(name, { collStats: 'items' });
    assert.ok(stats['wiredTiger'] !== undefined || stats['storageSize'] !== undefined);
    const found = await ok(name, {
      find: 'items',
      filter: {},
      noCursorTimeout: true,
      batchSize: 100,
    });
    const more = await ok(name, {
      getMore:
        found['cursor'].id instanceof Long
          ? found['cursor'].id
          : Long.fromNumber(found['cursor'].id),
      collection: 'items',
    });
    assert.equal(more['cursor'].nextBatch.length, 2_401);
    await ok(name, { find: 'items', filter: {}, hint: { _id: 1 }, limit: ZERO });
    const buckets = await ok(name, { find: 'system.buckets.weather', filter: {} });
    assert.equal(buckets['cursor'].firstBatch[0].control.version >= 1, true);
    for (const collection of ['system.users', 'system.roles', 'system.version']) {
      await ok('admin', { find: collection, filter: { db: name } });
    }
  });

  it('of mongorestore probe how timestamps are stored, before anything else', async () => {
    // An answer other than success, or 40415, makes the tool panic.
    const reply = await ok(
      '_mongorestore_dummy',
      {
        update: '_mongorestore_dummy.dummy',
        ordered: true,
        bypassEmptyTsReplacement: true,
      },
      { field: 'updates', documents: [{ q: { ____dummy: 1 }, u: { $rename: {} } }] },
    );
    assert.equal(reply['n'], 0);
  });

  it('of mongorestore make collections, fill them and make their indexes', async () => {
    const name = receiver.freshDatabase().databaseName;
    const idIndex = { key: { _id: 1 }, name: '_id_', ns: `${name}.items` };
    await ok(name, {
      create: 'items',
      collation: { locale: 'de' },
      idIndex: { ...idIndex, collation: { locale: 'de' } },
    });
    await ok(name, {
      create: 'log',
      capped: true,
      size: 4096,
      max: 10,
      idIndex: { ...idIndex, ns: `${name}.log` },
    });
    await ok(name, { create: 'cheap', viewOn: 'items', pipeline: [] });
    await ok(name, {
      create: 'weather',
      timeseries: {
        timeField: 't',
        metaField: 'm',
        granularity: 'seconds',
        bucketMaxSpanSeconds: 3600,
      },
    });
    const insert = { ordered: false, bypassEmptyTsReplacement: true, ...MAJORITY };
    const documents = [{ _id: 1, t: new BSON.Timestamp(0n) }, { _id: 2 }];
    assert.equal(
      (await ok(name, { insert: 'items', ...insert }, { field: 'documents', documents }))['n'],
      2,
    );
    await ok(
      name,
      { insert: 'items', ...insert, bypassDocumentValidation: true },
      { field: 'documents', documents: [{ _id: 3 }] },
    );
    const twice = await run(
      name,
      { insert: 'items', ...insert },
      { field: 'documents', documents: [{ _id: 1 }, { _id: 4 }] },
    );
    assert.deepEqual([twice['n'], twice['writeErrors'][0].code], [1, 11000]);
    const bucket = {
      _id: new BSON.ObjectId('6592008000000000000000aa'),
      control: {
        version: 1,
        min: { t: new Date(1704067200000), v: 1 },
        max: { t: new Date(1704067201000), v: 2 },
      },
      meta: 'a',
      data: { t: { 0: new Date(1704067200000), 1: new Date(1704067201000) }, v: { 0: 1, 1: 2 } },
    };
    await ok(
      name,
      { insert: 'system.buckets.weather', ...insert },
      { field: 'documents', documents: [bucket] },
    );
    const measurements = await ok(name, { find: 'weather', filter: {}, projection: { _id: 0 } });
    assert.deepEqual(measurements['cursor'].firstBatch, [
      { t: new Date(1704067200000), m: 'a', v: 1 },
      { t: new Date(1704067201000), m: 'a', v: 2 },
    ]);
    await ok(name, {
      createIndexes: 'items',
      indexes: [
        {
          key: { a: 1 },
          name: 'a_1',
          ns: `${name}.items`,
          collation: { locale: 'simple' },
          safe: true,
        },
        {
          key: { b: 1 },
          name: 'b_1',
          ns: `${name}.items`,
          expireAfterSeconds: 60,
          background: true,
        },
      ],
      ignoreUnknownIndexOptions: true,
    });
    await ok(name, { collMod: 'items', index: { keyPattern: { b: 1 }, expireAfterSeconds: 120 } });
    const { cursor } = await ok(name, { listIndexes: 'items', cursor: {} });
    assert.deepEqual(
      cursor.firstBatch.map((each: Document) => each['name']),
      ['_id_', 'a_1', 'b_1'],
    );
    await ok(name, { drop: 'items', ...MAJORITY });
  });

  it('of mongoexport count and find', async () => {
    const db = receiver.freshDatabase();
    const name = db.databaseName;
    await db.collection<{ _id: number }>('c').insertMany([{ _id: 2 }, { _id: 1 }]);
    await ok(name, { listCollections: 1, filter: { name: 'c' }, cursor: {} });
    assert.equal((await ok(name, { count: 'c' }))['n'], 2);
    const whole = await ok(name, {
      find: 'c',
      filter: {},
      hint: { _id: 1 },
      skip: ZERO,
      limit: ZERO,
    });
    assert.deepEqual(whole['cursor'].firstBatch, [{ _id: 1 }, { _id: 2 }]);
    await ok(name, {
      find: 'c',
      filter: { _id: { $gt: 1 } },
      projection: { _id: 1, a: 1 },
      sort: { _id: -1 },
      skip: ZERO,
      limit: Long.fromNumber(5),
      allowDiskUse: true,
    });
  });

  it('of mongoimport insert, upsert, merge and delete', async () => {
    const db = receiver.freshDatabase();
    const name = db.databaseName;
    await ok(name, { drop: 'c', ...MAJORITY });
    const options = { bypassEmptyTsReplacement: true, ...MAJORITY };
    await ok(
      name,
      { insert: 'c', ordered: false, ...options },
      { field: 'documents', documents: [{ _id: 1, n: 1 }] },
    );
    const updates = [
      { q: { _id: 1 }, u: { _id: 1, n: 2 }, upsert: true },
      { q: { _id: 2 }, u: { $set: { _id: 2, n: 3 } }, upsert: true },
    ];
    const updated = await ok(
      name,
      { update: 'c', ordered: true, ...options },
      { field: 'updates', documents: updates },
    );
    assert.deepEqual(
      [updated['n'], updated['nModified'], updated['upserted']],
      [2, 1, [{ index: 1, _id: 2 }]],
    );
    const deletes = [{ q: { _id: 1 }, limit: 1 }];
    await ok(
      name,
      { delete: 'c', ordered: true, ...MAJORITY },
      { field: 'deletes', documents: deletes },
    );
    assert.deepEqual(await db.collection('c').find().toArray(), [{ _id: 2, n: 3 }]);
  });

  it('say good-bye', async () => {
    await ok('admin', { endSessions: [lsid] });
  });
}

/** Where the tools lie: FLINT_DATABASE_TOOLS, or the path. */
function toolPath(name: string): string | undefined {
  const directories = [
    process.env['FLINT_DATABASE_TOOLS'] ?? '',
    ...(process.env['PATH'] ?? '').split(':'),
  ];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

describe('the database tools themselves', function () {
  this.timeout(120_000);
  const source = serverForTests();
  const target = serverForTests();
  let directory = '';
  before('find the tools', function () {
    directory = temporaryDirectory();
    const missing = TOOLS.filter((name) => toolPath(name) === undefined);
    if (missing.length === 0) return;
    process.stdout.write(
      `      skipped: ${missing.join(', ')} not found (FLINT_DATABASE_TOOLS names their directory)\n`,
    );
    this.skip();
  });
  after(() => removeTemporaryDirectory(directory));

  it('take everything from one server to another', async () => {
    await fillWithVariedData(source.client.db('shop'));
    for (const [name, ...args] of [
      ['mongodump', `--uri=${source.uri}`, `--archive=${join(directory, 'a')}`, '--gzip'],
      [
        'mongorestore',
        `--uri=${target.uri}`,
        `--archive=${join(directory, 'a')}`,
        '--gzip',
        '--bypassDocumentValidation',
      ],
    ] as const) {
      const { status, stderr } = spawnSync(toolPath(name) ?? name, args, { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    }
    assert.deepEqual(await contentsOf(target.client), await contentsOf(source.client));
  });
});
