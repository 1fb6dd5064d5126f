// vitest, and FlintDB's own client; the server runs in the test's process. Run: npx vitest run
import { FlintClient, startServer } from 'flintdb';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

let server;
let client;

beforeAll(async () => {
  server = await startServer({ inProcess: true, memory: true });
  client = await FlintClient.connect(server.uri);
});
beforeEach(() => server.reset());
afterAll(async () => {
  await client.close();
  await server.stop();
});

test('sums orders by customer', async () => {
  const orders = client.db('shop').collection('orders');
  await orders.insertMany([
    { customer: 'ada', total: 10 },
    { customer: 'bob', total: 5 },
    { customer: 'ada', total: 7 },
  ]);
  const sums = await orders
    .aggregate([{ $group: { _id: '$customer', total: { $sum: '$total' } } }, { $sort: { _id: 1 } }])
    .toArray();
  expect(sums).toEqual([
    { _id: 'ada', total: 17 },
    { _id: 'bob', total: 5 },
  ]);
});

test('begins with nothing', async () => {
  expect(await client.db('shop').listCollections().toArray()).toEqual([]);
});
