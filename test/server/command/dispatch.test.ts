import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { Binary, Long, type Document } from 'bson';
import type { CommitNumber } from '../../../storage/index.ts';
import { defineCommand } from '../../../server/command/define-command.ts';
import { RawClient } from '../raw-client.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

/** Pretends to have written. */
const pretendWrite = defineCommand({
  name: 'pretendWrite',
  help: 'For tests.',
  kind: 'write',
  access: { action: 'none', on: 'anything' },
  route: 'never',
  parse: () => undefined,
  execute: (_request, op) => {
    // The brand exists for the compiler only.
    op.lastCommit = 7 as CommitNumber;
  },
  reply: () => ({ n: 1 }),
});

describe('server/command: dispatch', () => {
  let test: TestServer;
  let client: RawClient;

  before(async () => {
    test = await startTestServer({ commands: [pretendWrite] });
    client = await RawClient.open(test.port);
  });
  after(async () => {
    client.close();
    await test.stop();
  });

  const run = (command: Document): Promise<Document> => client.run({ ...command, $db: 'test' });
  const lsid = { id: new Binary(Buffer.alloc(16, 3), 4) };

  it('tells a typo from a command that is known and not built', async () => {
    const typo = await run({ fnd: 1 });
    assert.deepEqual(typo, {
      ok: 0,
      errmsg: "no such command: 'fnd'",
      code: 59,
      codeName: 'CommandNotFound',
    });
    const known = await run({ moveChunk: 1 });
    assert.equal(known['code'], 59);
    assert.match(known['errmsg'], /^no such command: 'moveChunk' \(FlintDB knows/);
    assert.equal((await run({ atlasVersion: 1 }))['errmsg'], "no such command: 'atlasVersion'");
  });

  it('answers with an error when no message can carry the reply', async () => {
    const { code, codeName } = await run({ large: 1, bytes: 48_000_000 });
    assert.deepEqual([code, codeName], [10_334, 'BSONObjectTooLarge']);
    assert.equal((await run({ slowEcho: 1, value: 'still there' }))['value'], 'still there');
  });

  it('cuts a message that repeats a very long name', async () => {
    const { code, errmsg } = await run({ ['x'.repeat(3_000_000)]: 1 });
    assert.equal(code, 59);
    assert.equal(errmsg.length, 1024 * 1024);
  });

  it('puts ok last into a success and first into an error', async () => {
    assert.deepEqual(Object.keys(await run({ slowEcho: 1 })), ['value', 'ok']);
    assert.deepEqual(Object.keys(await run({ nope: 1 })), ['ok', 'errmsg', 'code', 'codeName']);
  });

  for (const [what, extra, code] of [
    ['an lsid that is no document', { lsid: 5 }, 14],
    ['an lsid without id', { lsid: {} }, 40_414],
    ['an lsid whose id is no UUID', { lsid: { id: new Binary(Buffer.alloc(16), 0) } }, 14],
    ['an lsid with an unknown field', { lsid: { ...lsid, x: 1 } }, 40_415],
    ['a txnNumber that is no long', { lsid, txnNumber: 1 }, 14],
    ['a txnNumber without session', { txnNumber: Long.fromNumber(1) }, 72],
    ['a transaction number outside a replica set', { lsid, txnNumber: Long.fromNumber(1) }, 20],
    ['autocommit without transaction number', { autocommit: false }, 72],
    ['a negative maxTimeMS', { maxTimeMS: -1 }, 2],
    ['a fractional maxTimeMS', { maxTimeMS: 1.5 }, 9],
    ['a maxTimeMS that is no number', { maxTimeMS: 'x' }, 14],
    ['an unknown read concern', { readConcern: { level: 'nope' } }, 2],
    ['an unknown field of a read concern', { readConcern: { lvl: 'local' } }, 40_415],
    ['linearizable reads on a standalone', { readConcern: { level: 'linearizable' } }, 123],
    ['snapshot reads on a standalone', { readConcern: { level: 'snapshot' } }, 123],
    ['a write concern on a read', { writeConcern: { w: 1 } }, 72],
    ['an unknown read preference', { $readPreference: { mode: 'x' } }, 9],
    ['a shard version', { shardVersion: {} }, 238],
    ['another API version', { apiVersion: '2' }, 322],
    ['apiStrict without version', { apiStrict: true }, 4_886_600],
    ['apiStrict with a command outside of the API', { apiVersion: '1', apiStrict: true }, 323],
  ] as const) {
    it(`refuses ${what} with code ${code}`, async () => {
      const reply = await run({ slowEcho: 1, ...extra });
      assert.equal(reply['code'], code, JSON.stringify(reply));
    });
  }

  for (const [what, extra] of [
    ['local, available and majority reads', { readConcern: { level: 'majority' } }],
    ['an empty read concern', { readConcern: {} }],
    ['a read preference', { $readPreference: { mode: 'secondaryPreferred' } }],
    ['cluster time that a client passes on', { $clusterTime: { clusterTime: 1 } }],
    ['a comment of any type', { comment: [1, { a: 2 }] }],
    ['a session', { lsid }],
    ['maxTimeMS 0 and null', { maxTimeMS: 0 }],
    ['API version 1', { apiVersion: '1', apiDeprecationErrors: true }],
  ] as const) {
    it(`accepts ${what}`, async () => {
      const reply = await run({ slowEcho: 1, ...extra });
      assert.equal(reply['ok'], 1, JSON.stringify(reply));
    });
  }

  for (const [writeConcern, flushes] of [
    [undefined, 0],
    [{ w: 1 }, 0],
    [{ w: 0 }, 0],
    [{ w: 1, j: true }, 1],
    [{ w: 'majority' }, 1],
    [{ w: 'majority', j: false, wtimeout: 100 }, 0],
  ] as const) {
    it(`waits ${flushes} times for the journal under ${JSON.stringify(writeConcern)}`, async () => {
      test.engine.flushes = [];
      const reply = await run({ pretendWrite: 1, ...(writeConcern && { writeConcern }) });
      assert.deepEqual(reply, { n: 1, ok: 1 });
      assert.equal(test.engine.flushes.length, flushes);
    });
  }

  for (const [writeConcern, code] of [
    [{ w: 2 }, 2],
    [{ w: 'tag' }, 2],
    [{ w: -1 }, 9],
    [{ w: 51 }, 9],
    [{ x: 1 }, 40_415],
    [5, 14],
  ] as const) {
    it(`refuses the write concern ${JSON.stringify(writeConcern)} with code ${code}`, async () => {
      assert.equal((await run({ pretendWrite: 1, writeConcern }))['code'], code);
    });
  }

  it('answers a write that was interrupted while it waited for the journal with a writeConcernError', async () => {
    const flushed = test.engine.flushed.bind(test.engine);
    test.engine.flushed = () => new Promise(() => {});
    const reply = await run({ pretendWrite: 1, writeConcern: { j: true }, maxTimeMS: 20 });
    test.engine.flushed = flushed;
    assert.deepEqual(reply, {
      n: 1,
      writeConcernError: {
        code: 50,
        codeName: 'MaxTimeMSExpired',
        errmsg: 'operation exceeded time limit',
      },
      ok: 1,
    });
  });

  it('ends a scan at maxTimeMS with code 50, and releases its snapshot', async () => {
    const startedMs = performance.now();
    const reply = await run({ spin: 1, maxTimeMS: 40 });
    assert.equal(reply['code'], 50);
    assert.ok(performance.now() - startedMs < 140);
    assert.equal(test.engine.openViews, 0);
  });

  it('ends a scan by killOp with code 11601', async () => {
    const other = await RawClient.open(test.port);
    other.send({ spin: 1, $db: 'test', comment: 'find me' });
    await wait(20);
    const { inprog } = await client.run({
      currentOp: 1,
      'command.comment': 'find me',
      $db: 'admin',
    });
    assert.equal(inprog.length, 1);
    assert.equal(inprog[0].ns, 'test.$cmd');
    await client.run({ killOp: 1, op: inprog[0].opid, $db: 'admin' });
    assert.equal((await other.reply()).document['code'], 11_601);
    other.close();
  });

  it('ends what runs in a session when the session is killed', async () => {
    const other = await RawClient.open(test.port);
    other.send({ spin: 1, lsid, $db: 'test' });
    await wait(20);
    await client.run({ killSessions: [lsid], $db: 'admin' });
    assert.equal((await other.reply()).document['code'], 11_601);
    other.close();
  });

  it('runs commands for the admin database only there', async () => {
    const reply = await run({ getCmdLineOpts: 1 });
    assert.equal(reply['code'], 13);
    assert.equal(reply['errmsg'], 'getCmdLineOpts may only be run against the admin database.');
  });

  it('counts commands and failures by name', async () => {
    await run({ slowEcho: 1, wrong: 1 });
    const { total, failed } = test.server.service.metrics.command('slowEcho');
    assert.ok(failed > 0 && total > failed);
  });
});
