/**
 * The classes of mongodb-memory-server.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlintClient } from '../../../client/index.ts';
import {
  MongoMemoryReplSet,
  MongoMemoryServer,
  MongoMemoryServerEvents,
} from '../../../client/testing/memory-server.ts';

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
    assert.equal(server.state, 'new');
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

  it('tells its states as they change, and can be waited for while it starts', async () => {
    const server = new MongoMemoryServer();
    const states: string[] = [];
    server.on(MongoMemoryServerEvents.stateChange, (state: string) => states.push(state));
    const started = server.start();
    const { port } = await server.ensureInstance();
    await started;
    assert.equal(server.instanceInfo?.port, port);
    await assert.rejects(server.cleanup(), /stop\(\) it first/);
    await server.stop();
    assert.deepEqual(states, ['starting', 'running', 'stopped', 'new']);
  });

  it('starts again where it was, with its data, after a stop without cleanup', async () => {
    const dbPath = mkdtempSync(join(tmpdir(), 'memory-server-'));
    const server = await MongoMemoryServer.create({ instance: { dbPath } });
    const uri = server.getUri();
    const client = await FlintClient.connect(uri);
    await client.db('app').collection('users').insertOne({ name: 'Ada' });
    await client.close();
    await server.stop({ doCleanup: false });
    assert.equal(server.state, 'stopped');
    await server.start(true);
    assert.equal(server.getUri(), uri);
    const again = await FlintClient.connect(uri);
    assert.equal(await again.db('app').collection('users').countDocuments(), 1);
    await again.close();
    await server.stop({ doCleanup: true, force: true });
    assert.equal(existsSync(dbPath), false);
  });

  it('refuses to keep data that have no directory', async () => {
    const server = await MongoMemoryServer.create();
    await assert.rejects(server.stop({ doCleanup: false }), /"doCleanup"/);
    assert.equal(await server.stop(), true);
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
    assert.throws(
      () => new MongoMemoryReplSet({ replSet: Object.fromEntries([['members', 3]]) }),
      /"replSet.members"/,
    );
    await assert.rejects(
      MongoMemoryReplSet.create({ replSet: { count: 3 } }),
      /"replSet.count" is not supported/,
    );
  });
});

describe('MongoMemoryReplSet', () => {
  it('tells its states, and what to use as long as there are no replica sets', async () => {
    const set = new MongoMemoryReplSet({ replSet: { name: 'rs', oplogSize: 8 } });
    const states: string[] = [];
    set.on('stateChange', (state: string) => states.push(state));
    assert.equal(set.state, 'stopped');
    await assert.rejects(set.start(), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.match(
        error.message,
        /later version of FlintDB\. MongoMemoryServer starts a standalone/,
      );
      assert.match(String(error.cause), /--replSet/);
      return true;
    });
    assert.deepEqual(states, ['init', 'stopped']);
    await assert.rejects(set.waitUntilRunning(), /MongoMemoryServer/);
    assert.throws(() => set.getUri(), /does not run/);
    assert.equal(await set.stop(), false);
  });
});
