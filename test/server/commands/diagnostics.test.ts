import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Binary, Double, Int32, Long, type Document } from 'bson';
import { MongoClient } from 'mongodb';
import { createCommandTable } from '../../../server/commands/index.ts';
import { FLINTDB_VERSION } from '../../../common/version.ts';
import { MONGODB_VERSION } from '../../../server/version.ts';
import { RawClient } from '../raw-client.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

describe('server/commands: diagnostics and sessions', () => {
  let test: TestServer;
  let client: MongoClient;

  before(async () => {
    test = await startTestServer();
    client = await MongoClient.connect(test.uri);
  });
  after(async () => {
    await client.close();
    await test.stop();
  });

  const refused = (command: Document, code: number) =>
    assert.rejects(client.db('admin').command(command), { code });
  const admin = (command: Document) =>
    client.db('admin').command(command, { promoteValues: false });

  it('greets as a standalone of MongoDB 8.0', async () => {
    const hello = await admin({ hello: 1 });
    assert.equal(hello['isWritablePrimary'], true);
    assert.deepEqual(hello['maxWireVersion'], new Int32(25));
    assert.deepEqual(hello['minWireVersion'], new Int32(0));
    assert.deepEqual(hello['topologyVersion'].counter, Long.ZERO);
    assert.deepEqual(hello['ok'], new Double(1));
    for (const field of ['setName', 'hosts', 'operationTime', '$clusterTime', 'msg']) {
      assert.equal(field in hello, false, field);
    }
    assert.equal((await admin({ isMaster: 1 }))['ismaster'], true);
    assert.equal((await admin({ ismaster: 1, helloOk: true }))['helloOk'], true);
  });

  for (const [what, metadata, code] of [
    ['no driver', { os: { type: 'x' } }, 183],
    ['a driver without version', { driver: { name: 'x' }, os: { type: 'x' } }, 183],
    [
      'more than 512 bytes',
      { driver: { name: 'x'.repeat(600), version: '1' }, os: { type: 'x' } },
      185,
    ],
    [
      'a long application name',
      {
        application: { name: 'x'.repeat(129) },
        driver: { name: 'x', version: '1' },
        os: { type: 'x' },
      },
      184,
    ],
  ] as const) {
    it(`refuses client metadata with ${what}`, async () => {
      const raw = await RawClient.open(test.port);
      assert.equal((await raw.run({ hello: 1, client: metadata, $db: 'admin' }))['code'], code);
      raw.close();
    });
  }

  it('takes client metadata once', async () => {
    const raw = await RawClient.open(test.port);
    const metadata = { driver: { name: 'x', version: '1' }, os: { type: 'x' } };
    assert.equal((await raw.run({ hello: 1, client: metadata, $db: 'admin' }))['ok'], 1);
    assert.equal((await raw.run({ hello: 1, client: metadata, $db: 'admin' }))['code'], 186);
    raw.close();
  });

  it('wants topologyVersion and maxAwaitTimeMS together', async () => {
    await refused({ hello: 1, maxAwaitTimeMS: 5 }, 31_371);
    const { topologyVersion } = await admin({ hello: 1 });
    await refused({ hello: 1, topologyVersion }, 31_368);
    await refused({ hello: 1, topologyVersion, maxAwaitTimeMS: -1 }, 31_373);
  });

  it('knows the version in package.json', () => {
    const manifest = JSON.parse(
      readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
    );
    assert.equal(manifest.version, FLINTDB_VERSION);
  });

  it('tells its versions', async () => {
    const info = await admin({ buildInfo: 1 });
    assert.equal(info['version'], MONGODB_VERSION);
    assert.equal(info['flintdb'].version, FLINTDB_VERSION);
    assert.equal(info['versionArray'].length, 4);
  });

  it('shows one parameter, several, or all with details', async () => {
    const one = await admin({ getParameter: 1, cursorTimeoutMillis: 1 });
    assert.deepEqual(one['cursorTimeoutMillis'], new Int32(600_000));
    const version = await admin({ getParameter: 1, featureCompatibilityVersion: 1 });
    assert.deepEqual(version['featureCompatibilityVersion'], { version: '8.0' });
    assert.ok(Object.keys(await admin({ getParameter: '*' })).length > 10);
    const details = await admin({ getParameter: { showDetails: true, allParameters: true } });
    assert.deepEqual(details['strictStandalone'], {
      value: false,
      settableAtRuntime: false,
      settableAtStartup: true,
    });
    await refused({ getParameter: 1, nope: 1 }, 72);
  });

  it('changes parameters that may change, and says what they were', async () => {
    const reply = await admin({ setParameter: 1, cursorTimeoutMillis: 1234 });
    assert.deepEqual(reply['was'], new Int32(600_000));
    await admin({ setParameter: 1, cursorTimeoutMillis: 600_000 });
    await refused({ setParameter: 1, nope: 1 }, 72);
    await refused({ setParameter: 1, cursorTimeoutMillis: 5, nope: 1 }, 72);
    await refused({ setParameter: 1, cursorTimeoutMillis: 5, maxSessions: 1 }, 20);
    const { cursorTimeoutMillis } = await admin({ getParameter: 1, cursorTimeoutMillis: 1 });
    assert.equal(Number(cursorTimeoutMillis), 600_000);
    await refused({ setParameter: 1 }, 72);
    await refused({ setParameter: 1, enableTestCommands: true }, 20);
  });

  it('shows the sections of serverStatus, without those that were put off', async () => {
    const status = await admin({ serverStatus: 1, metrics: 0 });
    for (const section of ['connections', 'network', 'opcounters', 'mem', 'asserts', 'flintdb']) {
      assert.ok(section in status, section);
    }
    assert.equal('metrics' in status, false);
    assert.ok(status['connections'].current.valueOf() >= 1);
    assert.equal(status['process'], 'mongod');
  });

  it('shows the log, and refuses logs that there are not', async () => {
    assert.deepEqual((await admin({ getLog: '*' }))['names'], ['global', 'startupWarnings']);
    assert.ok(Array.isArray((await admin({ getLog: 'global' }))['log']));
    await refused({ getLog: 'nope' }, 96);
    await refused({ getLog: 1 }, 14);
  });

  it('answers the small questions of shells and tools', async () => {
    assert.match((await admin({ whatsmyuri: 1 }))['you'], /^127\.0\.0\.1:\d+$/);
    assert.deepEqual((await admin({ connectionStatus: 1, showPrivileges: true }))['authInfo'], {
      authenticatedUsers: [],
      authenticatedUserRoles: [],
      authenticatedUserPrivileges: [],
    });
    assert.deepEqual((await admin({ getCmdLineOpts: 1 }))['parsed'], {
      net: { port: new Int32(0) },
    });
    assert.equal(typeof (await admin({ hostInfo: 1 }))['system'].hostname, 'string');
    assert.equal((await admin({ features: 1 }))['js'], true);
    assert.deepEqual((await admin({ fsync: 1 }))['numFiles'], new Int32(1));
    await refused({ killOp: 1 }, 4);
    await refused({ killOp: 1, op: 'x' }, 14);
    assert.equal((await admin({ killOp: 1, op: 4711 }))['info'], 'attempting to kill op');
  });

  it('shows operations and sessions to pipelines', async () => {
    const run = (database: string, stage: Document) =>
      client.db(database).aggregate([stage], { comment: 'look' }).toArray();
    const operations = await run('admin', { $currentOp: { allUsers: true, localOps: true } });
    const own = operations.find((operation) => operation['command'].comment === 'look');
    assert.equal(own?.['ns'], 'admin.$cmd.aggregate');
    assert.equal(own?.['op'], 'command');
    const [session] = await run('admin', { $listLocalSessions: {} });
    assert.ok(session?.['lastUse'] instanceof Date);
    assert.ok(Math.abs(session['lastUse'].getTime() - Date.now()) < 60_000);
    await assert.rejects(run('test', { $currentOp: {} }), { code: 73 });
    await assert.rejects(run('admin', { $currentOp: { x: true } }), { code: 9 });
    const idle = await run('admin', { $currentOp: { idleConnections: true, idleCursors: true } });
    assert.ok(idle.some((entry) => entry['type'] === 'idleSession' && entry['active'] === false));
  });

  it('is no member of a replica set', async () => {
    await refused({ replSetGetStatus: 1 }, 76);
    await refused({ replSetInitiate: {} }, 76);
  });

  it('asks the program to stop', async () => {
    await admin({ shutdown: 1, comment: 'enough' });
    assert.deepEqual(test.shutdowns, ['the command shutdown']);
  });

  it('lists its commands', async () => {
    const { commands } = await admin({ listCommands: 1 });
    assert.deepEqual(Object.keys(commands).includes('ping'), true);
    assert.equal(commands.ping.requiresAuth, false);
  });

  it('has its command table in order, with a sentence of help each', () => {
    const names = createCommandTable()
      .all()
      .map((command) => command.name);
    const inOrder = names.toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
    assert.deepEqual(names, inOrder);
    for (const command of createCommandTable().all()) assert.match(command.help, /^[A-Z].+\.$/);
  });

  it('starts, refreshes and ends sessions', async () => {
    const { sessions } = test.server.service;
    const { id, timeoutMinutes } = await admin({ startSession: 1 });
    assert.deepEqual(timeoutMinutes, new Int32(30));
    const key = Buffer.from(id.id.buffer).toString('latin1');
    assert.ok(sessions.get(key));
    await admin({ refreshSessions: [id] });
    await admin({ endSessions: [id] });
    assert.equal(sessions.get(key), undefined);
    await admin({ killSessions: [id] });
    await admin({
      killAllSessionsByPattern: [{ lsid: { ...id, uid: new Binary(Buffer.alloc(32)) } }],
    });
    await admin({ killAllSessions: [{ user: 'nobody', db: 'test' }] });
  });

  it('refuses session ids that are none', async () => {
    await refused({ endSessions: 5 }, 14);
    await refused({ endSessions: [{}] }, 40_414);
    await refused({ killSessions: [{ id: 5 }] }, 14);
    await refused({ killAllSessionsByPattern: [{ x: 1 }] }, 40_415);
  });
});
