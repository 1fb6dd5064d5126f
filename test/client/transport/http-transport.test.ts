/**
 * The HTTP transport against servers that go away, come back, or are something else.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  FlintClient,
  MongoBulkWriteError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  startServer,
  type TestServer,
} from '../../../client/index.ts';

describe('the HTTP transport', () => {
  let server: TestServer;
  before('start', async () => {
    server = await startServer({ inProcess: true, memory: true, args: ['--httpPort', '0'] });
  });
  after('end', () => server.stop());
  afterEach(() => server.reset());

  const connect = (options = {}) => FlintClient.connect(server.httpUri ?? '', options);

  it('reads a cursor of many batches, and ends one that is left', async () => {
    const client = await connect();
    const items = client.db('app').collection<{ _id: number }>('items');
    await items.insertMany(Array.from({ length: 500 }, (_, _id) => ({ _id })));
    assert.equal((await items.find({}, { batchSize: 50 }).toArray()).length, 500);
    const left = items.find({}, { batchSize: 2 });
    await left.next();
    await left.close();
    const { metrics } = await client.db('admin').command({ serverStatus: 1 });
    assert.equal(Number(metrics.cursor.open.total), 0);
    await client.close();
  });

  it('does not take the time of its first connection for that of the way', async () => {
    const client = new FlintClient(server.httpUri ?? '');
    await server.failNext({ command: 'hello', delayMs: 300 });
    const db = client.db('admin');
    assert.equal((await db.command({ ping: 1 }))['ok'], 1);
    assert.equal((await db.command({ ping: 1 }, { timeoutMS: 200 }))['ok'], 1);
    await client.close();
  });

  it('gives the errors of the server as they are', async () => {
    const client = await connect();
    const items = client.db('app').collection<{ _id: number }>('items');
    await items.insertOne({ _id: 1 });
    await assert.rejects(items.insertOne({ _id: 1 }), { code: 11000 });
    await assert.rejects(items.insertMany([{ _id: 2 }, { _id: 1 }]), MongoBulkWriteError);
    await assert.rejects(client.db().command({ nope: 1 }), (error: unknown) => {
      assert.ok(error instanceof MongoServerError);
      assert.deepEqual([error.code, error.codeName], [59, 'CommandNotFound']);
      return true;
    });
    await client.close();
  });

  it('reads again after a lost connection, once', async () => {
    const client = await connect();
    const items = client.db('app').collection<{ _id: number }>('items');
    await items.insertOne({ _id: 1 });
    await server.failNext({ command: 'find', closeConnection: true });
    assert.deepEqual(await items.findOne(), { _id: 1 });
    await server.failNext({ command: 'find', closeConnection: true, times: 2 });
    await assert.rejects(items.findOne(), MongoNetworkError);
    await client.close();
  });

  it('says that nobody is there, or somebody else', async () => {
    const options = { serverSelectionTimeoutMS: 150 };
    const nobody = new FlintClient('http://127.0.0.1:1/', options);
    await assert.rejects(nobody.connect(), MongoServerSelectionError);
    await nobody.close();
    const other = createServer((_request, response) => response.end('<html>'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const client = new FlintClient(`http://127.0.0.1:${port}/`, options);
    await assert.rejects(client.connect(), /HTTP status 200: <html>/);
    await client.close();
    other.close();
    other.closeAllConnections();
  });

  it('fails what runs when the client is closed', async () => {
    const client = await connect();
    const slow = assert.rejects(client.db('admin').command({ sleep: 1, millis: 5000 }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await client.close();
    await slow;
  });
});
