/**
 * The classes of mongodb-memory-server.
 */
import assert from 'node:assert/strict';
import { FlintClient } from '../../../client/index.ts';
import { MongoMemoryReplSet, MongoMemoryServer } from '../../../client/testing/memory-server.ts';

describe('MongoMemoryServer', () => {
  it('starts, says where it is, and stops', async () => {
    const server = await MongoMemoryServer.create({
      binary: { version: '7.0.14' },
      instance: { dbName: 'jest' },
    });
    assert.equal(server.state, 'running');
    const { port, dbName, ip } = await server.ensureInstance();
    assert.equal(server.getUri(), `mongodb://127.0.0.1:${port}/jest`);
    assert.equal(server.getUri('other'), `mongodb://127.0.0.1:${port}/other`);
    assert.deepEqual([dbName, ip], ['jest', '127.0.0.1']);
    const client = await FlintClient.connect(server.getUri());
    assert.equal(client.db().databaseName, 'jest');
    assert.equal(await client.db().collection('any').countDocuments(), 0);
    await client.close();
    assert.equal(await server.stop(), true);
    assert.equal(await server.stop(), false);
    assert.equal(server.state, 'stopped');
    assert.throws(() => server.getUri(), /does not run/);
  });

  it('keeps its data in a directory for wiredTiger, as there', async () => {
    const server = new MongoMemoryServer({ instance: { storageEngine: 'wiredTiger' } });
    assert.equal(server.state, 'new');
    await server.start();
    assert.notEqual(server.instanceInfo?.dbPath, undefined);
    await assert.rejects(server.start(), /already running/);
    await server.stop();
  });

  it('resets and fails as startServer does', async () => {
    const server = await MongoMemoryServer.create();
    const client = await FlintClient.connect(server.getUri());
    const collection = client.db('app').collection('users');
    await collection.insertOne({});
    await server.reset();
    assert.equal(await collection.countDocuments(), 0);
    await server.failNext({ command: 'insert', code: 50 });
    await assert.rejects(collection.insertOne({}), { code: 50 });
    await client.close();
    await server.stop();
  });

  it('refuses by name what FlintDB does not have', async () => {
    assert.throws(() => new MongoMemoryServer({ auth: { enable: true } }), /"auth"/);
    assert.throws(() => new MongoMemoryServer({ instance: { ip: '0.0.0.0' } }), /"instance.ip"/);
    assert.throws(
      () => new MongoMemoryServer({ instance: { replSet: 'rs' } }),
      /MongoMemoryReplSet/,
    );
    await assert.rejects(
      MongoMemoryReplSet.create({ replSet: { count: 3 } }),
      /"replSet.count" is not supported/,
    );
  });
});
