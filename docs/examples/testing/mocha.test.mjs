// mocha, and the official driver. Run: npx mocha mocha.test.mjs
import assert from 'node:assert/strict';
import { MongoClient } from 'mongodb';
import { startServer } from 'flintdb';

let server;
let client;

before(async () => {
  server = await startServer();
  client = await new MongoClient(server.uri).connect();
});
beforeEach(() => server.reset());
after(async () => {
  await client.close();
  await server.stop();
});

it('counts what was inserted', async () => {
  const users = client.db('app').collection('users');
  await users.insertMany([{ name: 'Ada' }, { name: 'Bob' }]);
  assert.equal(await users.countDocuments(), 2);
});

it('begins with nothing', async () => {
  assert.equal(await client.db('app').collection('users').countDocuments(), 0);
});

it('hears of a duplicate', async () => {
  const users = client.db('app').collection('users');
  await users.createIndex({ email: 1 }, { unique: true });
  await users.insertOne({ email: 'a@example.org' });
  await assert.rejects(users.insertOne({ email: 'a@example.org' }), { code: 11000 });
});

it('lives through a lost connection', async () => {
  const users = client.db('app').collection('users');
  await server.failNext({ command: 'find', closeConnection: true });
  // The driver reads again by itself.
  assert.equal(await users.findOne(), null);
});
