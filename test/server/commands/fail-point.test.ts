import assert from 'node:assert/strict';
import type { Document } from 'bson';
import { MongoClient, MongoNetworkError, MongoServerError } from 'mongodb';
import { RawClient } from '../raw-client.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

describe('server/commands: configureFailPoint', () => {
  let test: TestServer;
  let client: MongoClient;

  before(async () => {
    test = await startTestServer();
    client = await MongoClient.connect(`${test.uri}&appName=tests`);
  });
  after(async () => {
    await client.close();
    await test.stop();
  });
  afterEach(() => admin({ configureFailPoint: 'failCommand', mode: 'off' }));

  const admin = (command: Document) => client.db('admin').command(command);
  const failCommand = (mode: Document | string, data: Document) =>
    admin({ configureFailPoint: 'failCommand', mode, data });
  const ping = () => admin({ ping: 1 });

  it('fails the named command as often as it was told to, with code and labels', async () => {
    await failCommand(
      { times: 2 },
      { failCommands: ['ping'], errorCode: 91, errorLabels: ['RetryableWriteError'] },
    );
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(ping(), (error) => {
        assert.ok(error instanceof MongoServerError);
        assert.equal(error.code, 91);
        assert.equal(error.codeName, 'ShutdownInProgress');
        return error.hasErrorLabel('RetryableWriteError');
      });
    }
    await ping();
    const off = await admin({ configureFailPoint: 'failCommand', mode: 'off' });
    assert.equal(off['count'], 2);
  });

  it('closes the connection', async () => {
    await failCommand({ times: 1 }, { failCommands: ['ping'], closeConnection: true });
    await assert.rejects(ping(), MongoNetworkError);
    await ping();
  });

  it('blocks for a time, and gives up at maxTimeMS', async () => {
    await failCommand('alwaysOn', {
      failCommands: ['ping'],
      blockConnection: true,
      blockTimeMS: 60,
    });
    const startedMs = performance.now();
    await ping();
    assert.ok(performance.now() - startedMs >= 55);
    await assert.rejects(admin({ ping: 1, maxTimeMS: 10 }), { code: 50 });
  });

  it('skips some, and leaves commands of other applications alone', async () => {
    await failCommand({ skip: 1 }, { failCommands: ['ping'], errorCode: 8, appName: 'tests' });
    await ping();
    await assert.rejects(ping(), { code: 8 });
    await failCommand('alwaysOn', { failCommands: ['ping'], errorCode: 8, appName: 'others' });
    await ping();
  });

  it('adds a writeConcernError to a reply that succeeded', async () => {
    await failCommand(
      { times: 1 },
      { failCommands: ['touch'], writeConcernError: { code: 100, errmsg: 'x' } },
    );
    await ping();
    await assert.rejects(client.db('test').command({ touch: 'c' }), { code: 100 });
  });

  it('uses nothing up for a command that it would do nothing to', async () => {
    await failCommand(
      { times: 1 },
      { failCommands: ['ping', 'touch'], writeConcernError: { code: 100, errmsg: 'x' } },
    );
    // ping waits for no write concern.
    await ping();
    await assert.rejects(client.db('test').command({ touch: 'c' }), { code: 100 });
    await failCommand({ times: 1 }, { failCommands: ['ping'] });
    await ping();
    const off = await admin({ configureFailPoint: 'failCommand', mode: 'off' });
    assert.equal(off['count'], 1);
  });

  it('fails commands on one collection, and leaves others alone', async () => {
    const db = client.db('test');
    await failCommand('alwaysOn', { failCommands: ['touch'], errorCode: 8, namespace: 'test.a' });
    assert.equal((await db.command({ touch: 'b' }))['namespace'], 'test.b');
    await assert.rejects(db.command({ touch: 'a' }), { code: 8 });
  });

  it('fails the very first hello of an application', async () => {
    await failCommand('alwaysOn', { failCommands: ['hello'], errorCode: 91, appName: 'newcomer' });
    const raw = await RawClient.open(test.port);
    const reply = await raw.run({
      hello: 1,
      client: {
        application: { name: 'newcomer' },
        driver: { name: 'x', version: '1' },
        os: { type: 'x' },
      },
      $db: 'admin',
    });
    assert.equal(reply['code'], 91);
    raw.close();
  });

  it('refuses unknown modes, unknown data and a block without a time', async () => {
    await assert.rejects(failCommand('sometimes', {}), { code: 2 });
    await assert.rejects(failCommand({ often: 1 }, {}), { code: 2 });
    await assert.rejects(failCommand({ activationProbability: 1.5 }, {}), { code: 2 });
    await assert.rejects(failCommand('alwaysOn', { failComands: ['ping'] }), { code: 2 });
    await assert.rejects(failCommand('alwaysOn', { blockConnection: true }), { code: 72 });
    const past = { blockConnection: true, blockTimeMS: -1 };
    await assert.rejects(failCommand('alwaysOn', past), { code: 72 });
    await failCommand({ times: 1 }, { blockConnection: true, blockTimeMS: 0 });
  });

  it('is no command at all without enableTestCommands', async () => {
    const strict = await startTestServer({ parameters: { enableTestCommands: 'false' } });
    const other = await MongoClient.connect(strict.uri);
    await assert.rejects(
      other.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' }),
      { code: 59 },
    );
    await other.close();
    await strict.stop();
  });
});
