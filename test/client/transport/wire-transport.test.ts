/**
 * The wire transport against servers that go away, come back, refuse, or never answer.
 */
import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server } from 'node:net';
import {
  FlintClient,
  MongoClientClosedError,
  MongoNetworkError,
  MongoOperationTimeoutError,
  MongoServerSelectionError,
  startServer,
  type TestServer,
} from '../../../client/index.ts';

describe('the wire transport', () => {
  let server: TestServer;
  before('start', async () => {
    server = await startServer({ inProcess: true, memory: true });
  });
  after('end', () => server.stop());
  afterEach(() => server.reset());

  it('says where nobody listened when no server was found in time', async () => {
    const client = new FlintClient('mongodb://127.0.0.1:1/', { serverSelectionTimeoutMS: 100 });
    await assert.rejects(client.connect(), (error: unknown) => {
      assert.ok(error instanceof MongoServerSelectionError);
      assert.match(error.message, /connect ECONNREFUSED 127\.0\.0\.1:1/);
      return true;
    });
    await client.close();
  });

  it('finds a server that comes while somebody waits for it, within a second or so', async () => {
    const late = createServer();
    const port = await new Promise<number>((resolve) => {
      late.listen(0, '127.0.0.1', () => resolve((late.address() as AddressInfo).port));
    });
    await new Promise((resolve) => late.close(resolve));
    const client = new FlintClient(`mongodb://127.0.0.1:${port}/`);
    let failures = 0;
    client.on('serverHeartbeatFailed', () => (failures += 1));
    const answered = client.db('admin').command({ ping: 1 });
    while (failures === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const coming = await startServer({ inProcess: true, memory: true, port });
    const startedMs = performance.now();
    assert.equal((await answered)['ok'], 1);
    // The next heartbeat would be ten seconds away.
    assert.ok(performance.now() - startedMs < 4000, `${performance.now() - startedMs} ms`);
    await client.close();
    await coming.stop();
  });

  it('interrupts at close what is in flight, and what waits for a connection', async () => {
    const client = await FlintClient.connect(server.uri, { maxPoolSize: 1 });
    const db = client.db('admin');
    await db.collection('items').insertMany([{ a: 1 }, { a: 2 }]);
    const cursor = db.collection('items').find().batchSize(1);
    await cursor.next();
    const outcomes = Promise.allSettled([
      db.command({ sleep: 1, millis: 2000 }),
      db.command({ ping: 1 }),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const startedMs = performance.now();
    await client.close();
    assert.ok(performance.now() - startedMs < 1500, `${performance.now() - startedMs} ms`);
    for (const outcome of await outcomes) {
      assert.ok(outcome.status === 'rejected');
      assert.ok(outcome.reason instanceof MongoClientClosedError, String(outcome.reason));
      assert.equal(outcome.reason.message, 'Operation interrupted because client was closed');
    }
    // Its cursor was ended all the same, over a connection of its own.
    const other = await FlintClient.connect(server.uri);
    const { metrics } = await other.db('admin').command({ serverStatus: 1 });
    assert.equal(Number(metrics.cursor.open.total), 0);
    await other.close();
  });

  it('finds another server when one seed is not there', async () => {
    const uri = `mongodb://127.0.0.1:${server.port}/?directConnection=true`;
    const client = await FlintClient.connect(uri);
    assert.equal((await client.db().command({ ping: 1 }))['ok'], 1);
    await client.close();
  });

  it('reads again after a lost connection, once', async () => {
    const client = await FlintClient.connect(server.uri);
    const collection = client.db('app').collection<{ _id: number }>('users');
    await collection.insertOne({ _id: 1 });
    await server.failNext({ command: 'find', closeConnection: true });
    assert.deepEqual(await collection.findOne(), { _id: 1 });
    await server.failNext({ command: 'find', closeConnection: true, times: 2 });
    await assert.rejects(collection.findOne(), MongoNetworkError);
    assert.deepEqual(await collection.findOne(), { _id: 1 });
    await client.close();
  });

  it('does not read again when told not to', async () => {
    const client = await FlintClient.connect(server.uri, { retryReads: false });
    await server.failNext({ command: 'find', closeConnection: true });
    await assert.rejects(client.db().collection('x').findOne(), MongoNetworkError);
    await client.close();
  });

  it('uses no more connections than it may', async () => {
    const client = await FlintClient.connect(server.uri, { maxPoolSize: 2 });
    let most = 0;
    let open = 0;
    client.on('connectionCheckedOut', () => (most = Math.max(most, (open += 1))));
    client.on('connectionCheckedIn', () => (open -= 1));
    await Promise.all(Array.from({ length: 20 }, () => client.db().command({ ping: 1 })));
    assert.equal(most, 2);
    await client.close();
  });

  it('gives up waiting for a connection after waitQueueTimeoutMS', async () => {
    const client = await FlintClient.connect(server.uri, {
      maxPoolSize: 1,
      waitQueueTimeoutMS: 30,
    });
    const db = client.db('admin');
    const slow = db.command({ sleep: 1, millis: 300 });
    await assert.rejects(db.command({ ping: 1 }), {
      name: 'MongoWaitQueueTimeoutError',
      message: 'Timed out while checking out a connection from connection pool',
    });
    await slow;
    await client.close();
  });

  it('ends an operation at timeoutMS, and when its signal says so', async () => {
    const client = await FlintClient.connect(server.uri);
    const collection = client.db('app').collection('users');
    await collection.insertOne({});
    await server.failNext({ command: 'find', delayMs: 400 });
    await assert.rejects(collection.findOne({}, { timeoutMS: 50 }), MongoOperationTimeoutError);
    await server.failNext({ command: 'find', delayMs: 400 });
    const reason = new Error('not any more');
    const controller = new AbortController();
    const found = collection.find({}, { signal: controller.signal }).toArray();
    controller.abort(reason);
    await assert.rejects(found, reason);
    await client.close();
  });

  for (const compressor of ['snappy', 'zlib', 'zstd'] as const) {
    it(`compresses with ${compressor}`, async () => {
      const client = await FlintClient.connect(server.uri, { compressors: [compressor] });
      const collection = client.db('app').collection('texts');
      const text = 'again and again '.repeat(50_000);
      await collection.insertOne({ text });
      assert.equal((await collection.findOne())?.['text'], text);
      await client.close();
    });
  }

  it('speaks to a server that comes back on the same port', async () => {
    let again = await startServer({ memory: true });
    const { port } = again;
    const client = await FlintClient.connect(again.uri, { heartbeatFrequencyMS: 500 });
    await again.stop();
    await assert.rejects(
      client.db().command({ ping: 1 }, { timeoutMS: 200 }),
      (error: unknown) => error instanceof Error,
    );
    again = await startServer({ memory: true, port });
    assert.equal((await client.db().command({ ping: 1 }))['ok'], 1);
    await client.close();
    await again.stop();
  });

  it('does not wait for ever for a server that accepts and says nothing', async () => {
    const silent = await listen(createServer(() => {}));
    const { port } = addressOf(silent);
    const client = new FlintClient(`mongodb://127.0.0.1:${port}/`, {
      serverSelectionTimeoutMS: 150,
      connectTimeoutMS: 50,
    });
    await assert.rejects(client.connect(), MongoServerSelectionError);
    await client.close();
    silent.close();
  });

  it('fails what runs when the client is closed, and refuses what comes later', async () => {
    const client = await FlintClient.connect(server.uri);
    const slow = client.db('admin').command({ sleep: 1, millis: 2000 });
    const failed = assert.rejects(slow);
    await client.close();
    await failed;
    await assert.rejects(client.db().command({ ping: 1 }), { name: 'MongoNotConnectedError' });
    await client.connect();
    assert.equal((await client.db().command({ ping: 1 }))['ok'], 1);
    await client.close();
  });
});

function listen(server: Server): Promise<Server> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (typeof address === 'string' || address === null) throw new Error('it has no port');
  return address;
}
