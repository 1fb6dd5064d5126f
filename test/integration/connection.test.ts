/**
 * Connecting with the official driver: the handshake, compression, sessions, parameters, and failures on purpose.
 */
import assert from 'node:assert/strict';
import { MongoClient, MongoNetworkError, MongoServerError } from 'mongodb';
import { serverForTests } from '../support/test-server.ts';

describe('flintd and the official driver', () => {
  const server = serverForTests({ args: ['--testing'] });

  it('says who it is: MongoDB 8.0 to drivers, a standalone, with its limits', async () => {
    const hello = await server.client.db('admin').command({ hello: 1 });
    assert.equal(hello['isWritablePrimary'], true);
    assert.equal(hello['minWireVersion'], 0);
    assert.equal(hello['maxWireVersion'], 25);
    assert.equal(hello['maxBsonObjectSize'], 16 * 1024 * 1024);
    assert.equal(hello['maxMessageSizeBytes'], 48_000_000);
    assert.equal(hello['maxWriteBatchSize'], 100_000);
    assert.equal(hello['logicalSessionTimeoutMinutes'], 30);
    for (const absent of ['setName', 'operationTime', '$clusterTime', 'msg']) {
      assert.equal(absent in hello, false, absent);
    }
  });

  it('reports its version as drivers and tools expect it, and its own beside it', async () => {
    const info = await server.client.db('admin').command({ buildInfo: 1 });
    assert.match(info['version'], /^8\.0\.\d+$/);
    assert.equal(info['versionArray'][0], 8);
    assert.equal(info['ok'], 1);
    assert.ok(info['flintdb'] !== undefined);
  });

  for (const compressor of ['snappy', 'zlib'] as const) {
    it(`answers requests compressed with ${compressor}`, async () => {
      const client = await server.connect({ compressors: [compressor] });
      try {
        const collection = client.db('compressed').collection(compressor);
        const text = 'the same words again and again '.repeat(2_000);
        await collection.insertMany(Array.from({ length: 50 }, (_, n) => ({ n, text })));
        const before = await networkBytes(server.client);
        const found = await collection.find().sort({ n: 1 }).toArray();
        const sent = (await networkBytes(server.client)) - before;
        assert.equal(found.length, 50);
        assert.equal(found[49]?.['text'], text);
        assert.ok(sent < (50 * text.length) / 4, `${sent} bytes were sent`);
      } finally {
        await client.close();
      }
    });
  }

  it('runs operations in an explicit session and ends it', async () => {
    const collection = server.freshDatabase().collection('in_session');
    const session = server.client.startSession();
    await collection.insertOne({ _id: 1 as never }, { session });
    assert.equal(await collection.countDocuments({}, { session }), 1);
    const cursor = collection.find({}, { session });
    assert.equal((await cursor.toArray()).length, 1);
    await session.endSession();
    await assert.rejects(collection.findOne({}, { session }), /expired session/);
  });

  it('refuses to go on with a cursor in another session', async () => {
    const database = server.freshDatabase();
    await database.collection('numbers').insertMany(Array.from({ length: 10 }, (_, n) => ({ n })));
    const session = server.client.startSession();
    const other = server.client.startSession();
    const { cursor } = await database.command({ find: 'numbers', batchSize: 2 }, { session });
    const getMore = { getMore: cursor.id, collection: 'numbers' };
    await assert.rejects(database.command(getMore, { session: other }), { code: 50738 });
    const more = await database.command(getMore, { session });
    assert.equal(more['cursor'].nextBatch.length, 8);
    await session.endSession();
    await other.endSession();
  });

  it('shows and changes parameters, and refuses those it does not have', async () => {
    const admin = server.client.db('admin');
    const shown = await admin.command({ getParameter: 1, cursorTimeoutMillis: 1 });
    assert.equal(shown['cursorTimeoutMillis'], 600_000);
    const set = await admin.command({ setParameter: 1, cursorTimeoutMillis: 500_000 });
    assert.equal(set['was'], 600_000);
    const all = await admin.command({ getParameter: '*' });
    assert.equal(all['cursorTimeoutMillis'], 500_000);
    await assert.rejects(admin.command({ setParameter: 1, noSuchParameter: 1 }), {
      code: 72,
      codeName: 'InvalidOptions',
    });
  });

  it('fails a command on purpose as often as a fail point says', async () => {
    const admin = server.client.db('admin');
    const database = server.freshDatabase();
    await admin.command({
      configureFailPoint: 'failCommand',
      mode: { times: 2 },
      data: { failCommands: ['count'], errorCode: 11601, errorLabels: ['FromAFailPoint'] },
    });
    for (let time = 0; time < 2; time += 1) {
      const error: unknown = await database.command({ count: 'any' }).catch((e: unknown) => e);
      assert.ok(error instanceof MongoServerError);
      assert.equal(error.code, 11601);
      assert.equal(error.hasErrorLabel('FromAFailPoint'), true);
    }
    assert.equal((await database.command({ count: 'any' }))['n'], 0);
  });

  it('closes the connection on purpose, for one application only', async () => {
    const victim = await server.connect({ appName: 'victim', retryReads: false });
    await server.client.db('admin').command({
      configureFailPoint: 'failCommand',
      mode: 'alwaysOn',
      data: { failCommands: ['find'], closeConnection: true, appName: 'victim' },
    });
    try {
      await assert.rejects(victim.db('any').collection('any').findOne(), MongoNetworkError);
      assert.equal(await server.client.db('any').collection('any').findOne(), null);
    } finally {
      await server.client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
      await victim.close();
    }
  });

  it('holds a command up on purpose', async () => {
    await server.client.db('admin').command({
      configureFailPoint: 'failCommand',
      mode: { times: 1 },
      data: { failCommands: ['ping'], blockConnection: true, blockTimeMS: 150 },
    });
    const beganMs = performance.now();
    await server.client.db('any').command({ ping: 1 });
    assert.ok(performance.now() - beganMs >= 145);
  });

  it('knows no fail points without --testing', async () => {
    const { Program } = await import('../support/programs.ts');
    const program = await Program.start();
    const client = await new MongoClient(program.uri).connect();
    try {
      await assert.rejects(
        client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' }),
        { code: 59, codeName: 'CommandNotFound' },
      );
    } finally {
      await client.close();
      await program.dispose();
    }
  });

  it('serves many connections at once, and says how many there are', async () => {
    const clients = await Promise.all(
      Array.from({ length: 30 }, () => server.connect({ maxPoolSize: 1, minPoolSize: 1 })),
    );
    const answers = await Promise.all(
      clients.map((client) => client.db('any').command({ ping: 1 })),
    );
    assert.equal(answers.filter((answer) => answer['ok'] === 1).length, 30);
    const status = await server.client.db('admin').command({ serverStatus: 1 });
    assert.ok(status['connections'].current >= 30);
    await Promise.all(clients.map((client) => client.close()));
  });
});

/** Bytes that the server has sent so far. */
async function networkBytes(client: MongoClient): Promise<number> {
  const status = await client.db('admin').command({ serverStatus: 1 });
  return Number(status['network'].bytesOut);
}
