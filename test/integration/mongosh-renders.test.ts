/**
 * mongosh's own ways to show a server: each prints something and fails only where MongoDB fails.
 */
import assert from 'node:assert/strict';
import { serverForTests } from '../support/test-server.ts';
import { runMongosh } from '../support/clients.ts';

/** Starting the shell takes seconds, so that one script does the work of many tests. */
const SCRIPT = `
  const shown = {};
  const show = async (name, run) => {
    try {
      const result = await run();
      shown[name] = typeof result === 'string' ? result : EJSON.stringify(result);
    } catch (error) {
      shown[name] = 'ERROR ' + (error.codeName ?? error.message);
    }
  };
  (async () => {
    const target = db.getSiblingDB('shell');
    await target.c.insertMany([{ a: 1 }, { a: 2 }]);
    const shell = db.getMongo();
    await show('show dbs', async () => (await shell.show('dbs')).value);
    await shell.use('shell');
    await show('show collections', async () => (await db.getMongo().show('collections')).value);
    await show('show profile', async () => (await db.getMongo().show('profile')).value);
    await show('show logs', async () => (await db.getMongo().show('logs')).value);
    await show('db.stats()', () => target.stats());
    await show('db.c.stats()', () => target.c.stats());
    await show('db.serverStatus()', () => target.serverStatus());
    await show('db.currentOp()', () => target.currentOp());
    await show('db.c.explain()', () => target.c.explain().find({ a: 1 }).finish());
    await show('explain(executionStats)', () => target.c.find({ a: 1 }).explain('executionStats'));
    await show('rs.status()', () => rs.status());
    await show('rs.conf()', () => rs.conf());
    await show('sh.status()', () => sh.status());
    await show('db.getProfilingStatus()', () => target.getProfilingStatus());
    await show('db.hostInfo()', () => target.hostInfo());
    await show('db.version()', () => target.version());
    await show('db.serverBuildInfo()', () => target.serverBuildInfo());
    await show('db.serverCmdLineOpts()', () => target.serverCmdLineOpts());
    await show('db.getLogComponents()', () => target.getLogComponents());
    await show('db.c.latencyStats()', () => target.c.latencyStats());
    await show('db.c.totalIndexSize()', () => target.c.totalIndexSize());
    await show('db.c.validate()', () => target.c.validate());
    await show('db.fsyncLock()', () => target.fsyncLock());
    await show('db.fsyncUnlock()', () => target.fsyncUnlock());
    await show('db.killOp()', () => target.killOp(4711));
    await show('db.listCommands()', () => target.listCommands());
    await show('db.printCollectionStats()', () => target.printCollectionStats());
    await show('db.getReplicationInfo()', () => target.getReplicationInfo());
    print('RESULT ' + JSON.stringify(shown));
  })();
`;

/** By what is printed; each must hold. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  'show dbs': /"name":"shell"/,
  'show collections': /"name":"c"/,
  'show profile': /./,
  'show logs': /global/,
  'db.stats()': /"db":"shell","collections"/,
  'db.c.stats()': /"count":2/,
  'db.serverStatus()': /"opcounters"/,
  'db.currentOp()': /"inprog":\[\{/,
  'db.c.explain()': /"winningPlan"/,
  'explain(executionStats)': /"nReturned":1/,
  'rs.status()': /^ERROR NoReplicationEnabled$/,
  'rs.conf()': /^ERROR NoReplicationEnabled$/,
  'sh.status()': /^ERROR .*(mongos|[Ss]hard)/,
  'db.getProfilingStatus()': /"was":0,"slowms":100/,
  'db.hostInfo()': /"system"/,
  'db.version()': /^8\.0/,
  'db.serverBuildInfo()': /"versionArray"/,
  'db.serverCmdLineOpts()': /"argv"/,
  'db.getLogComponents()': /"verbosity":0/,
  'db.c.latencyStats()': /"latencyStats":\{"reads"/,
  'db.c.totalIndexSize()': /^\d+$|numberLong|^\{/i,
  'db.c.validate()': /"valid":true/,
  'db.fsyncLock()': /"lockCount"/,
  'db.fsyncUnlock()': /"lockCount"/,
  'db.killOp()': /attempting to kill op/,
  'db.listCommands()': /"find"/,
};

describe('mongosh shows', () => {
  const server = serverForTests();

  it('what a server is and does', async function () {
    this.timeout(60_000);
    const printed = await runMongosh(server.uri, SCRIPT);
    const line = printed.split('\n').find((each) => each.startsWith('RESULT '));
    assert.ok(line !== undefined, printed);
    const shown: Record<string, string | undefined> = JSON.parse(line.slice('RESULT '.length));
    for (const [what, pattern] of Object.entries(EXPECTED)) {
      assert.match(shown[what] ?? 'nothing', pattern, `${what}: ${shown[what]}`);
    }
  });
});
