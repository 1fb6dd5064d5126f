/**
 * Cursors in hands that are not gentle: many readers of one cursor, batches of very many documents.
 */
import assert from 'node:assert/strict';
import { FlintClient, startServer, type Collection, type TestServer } from '../../client/index.ts';

describe('a cursor', () => {
  let server: TestServer;
  let client: FlintClient;
  let numbers: Collection<{ _id: number }>;
  before('start', async () => {
    server = await startServer({ inProcess: true, memory: true });
    client = await FlintClient.connect(server.uri);
    numbers = client.db('app').collection('numbers');
  });
  after('end', async () => {
    await client.close();
    await server.stop();
  });
  afterEach(() => server.reset());

  it('gives each document to one of those who ask at the same time, and null to the others', async () => {
    await numbers.insertMany(Array.from({ length: 5 }, (_, _id) => ({ _id })));
    const cursor = numbers.find().sort({ _id: 1 }).batchSize(2);
    const found = await Promise.all(Array.from({ length: 7 }, () => cursor.next()));
    const given = found.map((document) => document?._id ?? -1).sort((a, b) => a - b);
    assert.deepEqual(given, [-1, -1, 0, 1, 2, 3, 4]);
    assert.equal(cursor.closed, true);
  });

  it('opens once for those who ask at the same time whether there is something', async () => {
    await numbers.insertMany([{ _id: 1 }, { _id: 2 }]);
    let finds = 0;
    const watched = await FlintClient.connect(server.uri, { monitorCommands: true });
    watched.on('commandStarted', ({ commandName }) => (finds += commandName === 'find' ? 1 : 0));
    const cursor = watched.db('app').collection('numbers').find();
    assert.deepEqual(await Promise.all([cursor.hasNext(), cursor.hasNext(), cursor.tryNext()]), [
      true,
      true,
      { _id: 1 },
    ]);
    await cursor.close();
    assert.equal(finds, 1);
    await watched.close();
  });

  it('fails all who wait for the same trip to the server, and is closed', async () => {
    await numbers.insertOne({ _id: 1 });
    await server.failNext({ command: 'find', code: 96 });
    const cursor = numbers.find();
    const outcomes = await Promise.allSettled([cursor.next(), cursor.next()]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(cursor.closed, true);
  });

  it('ends with its client, on the server too', async () => {
    await numbers.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
    const open = async (): Promise<number> => {
      const { metrics } = await client.db('admin').command({ serverStatus: 1 });
      return Number(metrics.cursor.open.total);
    };
    const other = await FlintClient.connect(server.uri);
    const left = other.db('app').collection('numbers').find().batchSize(1);
    const read = other.db('app').collection('numbers').find().batchSize(1);
    await left.next();
    await read.toArray();
    assert.equal(await open(), 1);
    await other.close();
    assert.equal(left.closed, true);
    assert.equal(await open(), 0);
  });

  it('gives batches of more documents than a call may have arguments', async () => {
    // Room on the stack for as many as this would be luck.
    const count = 300_000;
    const stages = [{ $project: { n: { $range: [0, count] } } }, { $unwind: '$n' }];
    await numbers.insertOne({ _id: 1 });
    const found = await numbers
      .aggregate<{ n: number }>([...stages, { $project: { _id: 0, n: 1 } }], { batchSize: count })
      .toArray();
    assert.equal(found.length, count);
    assert.deepEqual(found.at(-1), { n: count - 1 });
  }).timeout(20_000);
});
