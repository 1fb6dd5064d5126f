/**
 * MongoDB's limits, each met and each passed by one.
 * Source: MongoDB's manual, "MongoDB Limits and Thresholds".
 */
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { Binary, Long, serialize, type Document } from 'bson';
import type { Db } from 'mongodb';
import { OP_MSG } from '../../wire/index.ts';
import { RawClient } from '../server/raw-client.ts';
import { serverForTests } from '../support/test-server.ts';

describe('limits', () => {
  const server = serverForTests();
  let database: Db;
  const run = (command: Document): Promise<Document> => database.command(command);
  const refused = (command: Document, code: number): Promise<void> =>
    assert.rejects(database.command(command), { code });

  beforeEach(() => {
    database = server.freshDatabase();
  });

  it('a namespace has 255 bytes', async () => {
    const room = 255 - Buffer.byteLength(`${database.databaseName}.`);
    const longest = 'ä'.repeat(Math.floor(room / 2)) + 'x'.repeat(room % 2);
    await run({ create: longest });
    await run({ insert: longest, documents: [{}] });
    const tooLong = `${longest}y`;
    await refused({ create: tooLong }, 73);
    await refused({ createIndexes: tooLong, indexes: [{ key: { a: 1 }, name: 'a' }] }, 73);
    await assert.rejects(database.collection(tooLong).insertOne({}), { code: 73 });
    const to = `${database.databaseName}.${tooLong}`;
    const from = `${database.databaseName}.${longest}`;
    await assert.rejects(server.client.db('admin').command({ renameCollection: from, to }), {
      code: 73,
    });
  });

  it("a database's name has 63 bytes", async () => {
    const name = 'd'.repeat(63);
    await server.client.db(name).command({ insert: 'c', documents: [{}] });
    await server.client.db(name).command({ dropDatabase: 1 });
    const raw = await RawClient.open(server.program.port);
    for (const wrong of [
      'd'.repeat(64),
      'ä'.repeat(32),
      'a b',
      'a/b',
      'a\\b',
      'a"b',
      'a$b',
      'a.b',
    ]) {
      const reply = await raw.run({ insert: 'c', documents: [{}], $db: wrong });
      assert.equal(reply['code'], 73, wrong);
    }
    raw.close();
  });

  it('a document that is stored has 180 levels, a message 200', async () => {
    const nested = (levels: number): Document => {
      let document: Document = {};
      for (let level = 0; level < levels; level += 1) document = { a: document };
      return document;
    };
    await run({ insert: 'c', documents: [nested(180)] });
    await assert.rejects(database.collection('c').insertOne(nested(181)), { code: 15 });
    const update = { q: {}, u: { $set: { b: nested(180) } } };
    await assert.rejects(database.collection('c').updateOne(update.q, update.u), { code: 15 });
    await run({ ping: 1, comment: nested(190) });
    await refused({ ping: 1, comment: nested(205) }, 15);
  });

  it('a batch of writes has 100,000 statements', async () => {
    const documents = Array<Document>(100_000).fill({ a: 1 });
    assert.equal((await run({ insert: 'c', documents }))['n'], 100_000);
    await refused({ insert: 'c', documents: [...documents, {}] }, 16);
    const deletes = Array<Document>(100_001).fill({ q: { _id: 0 }, limit: 1 });
    await refused({ delete: 'c', deletes }, 16);
    await refused({ insert: 'c', documents: [] }, 16);
  });

  it('a message has 48,000,000 bytes', async () => {
    const raw = await RawClient.open(server.program.port);
    const document = (_id: number, bytes: number): Buffer => {
      const empty = serialize({ _id, text: new Binary(Buffer.alloc(0)) }).length;
      return Buffer.from(serialize({ _id, text: new Binary(Buffer.alloc(bytes - empty)) }));
    };
    const insertOf = (...documents: Buffer[]): Buffer =>
      raw.encode(
        { insert: 'c', $db: 'limits' },
        { sequences: [{ identifier: 'documents', documents }] },
      );
    const large = [0, 1, 2].map((_id) => document(_id, 15_000_000));
    const left = 48_000_000 - insertOf(...large).length;
    const full = insertOf(...large, document(3, left));
    assert.equal(full.length, 48_000_000);
    raw.socket.write(full);
    assert.equal((await raw.reply()).document['n'], 4);
    const longer = Buffer.from(full.subarray(0, OP_MSG.body));
    longer.writeInt32LE(48_000_001, 0);
    raw.socket.write(longer);
    await raw.closed;
    await server.client.db('limits').dropDatabase();
  });

  it('a collection has 64 indexes, an index 32 fields', async () => {
    const indexes = Array.from({ length: 63 }, (_, n) => ({
      key: { [`f${n}`]: 1 },
      name: `i${n}`,
    }));
    await run({ createIndexes: 'c', indexes });
    await refused({ createIndexes: 'c', indexes: [{ key: { x: 1 }, name: 'x' }] }, 67);
    const key = (count: number): Document =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, 1]));
    await run({ createIndexes: 'd', indexes: [{ key: key(32), name: 'x' }] });
    await refused({ createIndexes: 'd', indexes: [{ key: key(33), name: 'y' }] }, 67);
  });

  it('a pipeline has 1,000 stages, and its filters are joined in no time', async () => {
    await run({ insert: 'c', documents: [{ a: 1 }] });
    const startMs = performance.now();
    const pipeline = Array<Document>(1000).fill({ $match: { a: 1 } });
    const { cursor } = await run({ aggregate: 'c', pipeline, cursor: {} });
    assert.equal(cursor.firstBatch.length, 1);
    // Joined two by two they took half a minute.
    assert.ok(performance.now() - startMs < 5_000);
    await refused(
      { aggregate: 'c', pipeline: [...pipeline, { $match: {} }], cursor: {} },
      7_749_501,
    );
  });
});

describe('limits of nesting in pipelines', () => {
  const server = serverForTests();

  it('$lookup goes 20 levels deep', async () => {
    const nested = (levels: number): Document[] => {
      let pipeline: Document[] = [{ $match: {} }];
      for (let level = 0; level < levels; level += 1) {
        pipeline = [{ $lookup: { from: 'c', pipeline, as: 'x' } }];
      }
      return pipeline;
    };
    const run = (pipeline: Document[]): Promise<Document> =>
      server.client.db('nesting').command({ aggregate: 'c', pipeline, cursor: {} });
    await run(nested(20));
    await assert.rejects(run(nested(21)), { code: 232 });
  });
});

describe('limits that an operator sets', () => {
  const server = serverForTests({
    args: [
      '--maxConns',
      '12',
      ...['maxSessions=8', 'cursorTimeoutMillis=40', 'localLogicalSessionTimeoutMinutes=7'].flatMap(
        (parameter) => ['--setParameter', parameter],
      ),
    ],
  });

  it('connections over net.maxIncomingConnections are closed at once', async () => {
    const open: RawClient[] = [];
    let refusals = 0;
    for (let count = 0; count < 20; count += 1) {
      const client = await RawClient.open(server.program.port).catch(() => undefined);
      if (client === undefined) refusals += 1;
      else open.push(client);
    }
    const outcomes = await Promise.all(
      open.map((client) =>
        client.run({ ping: 1, $db: 'admin' }).then(
          () => 'served',
          () => 'closed',
        ),
      ),
    );
    const served = outcomes.filter((outcome) => outcome === 'served').length;
    assert.ok(served > 0 && served <= 12, `${served} served`);
    assert.ok(refusals + outcomes.length - served >= 8);
    for (const client of open) client.close();
    await wait(50);
    const { connections } = await server.client.db('admin').command({ serverStatus: 1 });
    assert.ok(Number(connections.rejected) >= 8);
  });

  it('sessions beyond maxSessions are refused with TooManyLogicalSessions', async () => {
    const raw = await RawClient.open(server.program.port);
    const codes: unknown[] = [];
    for (let count = 1; count <= 12; count += 1) {
      const id = new Binary(Buffer.alloc(16, count), Binary.SUBTYPE_UUID);
      codes.push((await raw.run({ ping: 1, lsid: { id }, $db: 'admin' }))['code']);
    }
    assert.deepEqual(codes.at(-1), 261);
    assert.ok(codes.filter((code) => code === undefined).length <= 8);
    assert.equal((await raw.run({ hello: 1, $db: 'admin' }))['logicalSessionTimeoutMinutes'], 7);
    raw.close();
  });

  it('an idle cursor ends after cursorTimeoutMillis, unless it was opened with noCursorTimeout', async () => {
    const raw = await RawClient.open(server.program.port);
    const documents = Array.from({ length: 5 }, (_, _id) => ({ _id }));
    await raw.run({ insert: 'c', documents, $db: 'test' });
    const find = { find: 'c', batchSize: 1, $db: 'test' };
    const idOf = (reply: Document): Long => Long.fromValue(reply['cursor'].id);
    const short = idOf(await raw.run(find));
    const long = idOf(await raw.run({ ...find, noCursorTimeout: true }));
    await wait(150);
    const more = (id: Long) => raw.run({ getMore: id, collection: 'c', $db: 'test' });
    assert.equal((await more(short))['code'], 43);
    assert.equal((await more(long))['cursor'].nextBatch.length, 4);
    raw.close();
  });
});
