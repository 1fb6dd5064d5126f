import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { MongoClient, type Db, type Document } from 'mongodb';
import { RawClient } from '../server/raw-client.ts';
import { Program } from '../support/programs.ts';

/** How soon whatever ends an operation must have ended it, milliseconds; the machine of the tests may be busy. */
const LIMIT_MS = 100;
const ALLOWANCE_MS = 100;

describe('integration: many clients of one event loop', () => {
  let flintd: Program;
  let client: MongoClient;
  let admin: Db;

  before(async () => {
    flintd = await Program.start();
    client = await MongoClient.connect(flintd.uri);
    admin = client.db('admin');
    const numbers = Array.from({ length: 2000 }, (_, index) => index);
    await client.db('test').collection('c').insertOne({ a: numbers, b: numbers, c: numbers });
  });
  after(async () => {
    await client.close();
    await flintd.dispose();
  });

  /** Eight billion rows out of one document: nobody waits for its end. */
  const endless = (comment: string): Document => ({
    aggregate: 'c',
    pipeline: [{ $unwind: '$a' }, { $unwind: '$b' }, { $unwind: '$c' }, { $match: { a: -1 } }],
    cursor: {},
    comment,
    $db: 'test',
  });

  const running = async (comment: string): Promise<Document[]> =>
    (await admin.command({ currentOp: 1, 'command.comment': comment }))['inprog'];

  const untilRunning = async (comment: string): Promise<Document> => {
    for (;;) {
      const [operation] = await running(comment);
      if (operation !== undefined) return operation;
      await wait(5);
    }
  };

  const untilGone = async (comment: string): Promise<void> => {
    while ((await running(comment)).length > 0) await wait(2);
  };

  const within = async (what: Promise<unknown>): Promise<void> => {
    const startMs = performance.now();
    await what;
    const elapsedMs = performance.now() - startMs;
    assert.ok(elapsedMs < LIMIT_MS + ALLOWANCE_MS, `it took ${elapsedMs} ms`);
  };

  const nothingIsLeft = async (): Promise<void> => {
    const status = await admin.command({ serverStatus: 1 });
    assert.deepEqual(status['metrics'].cursor.open, { noTimeout: 0, pinned: 0, total: 0 });
    // Of this command itself, and of the driver's monitor that waits for a change.
    assert.ok(status['flintdb'].operations.running <= 2, JSON.stringify(status['flintdb']));
  };

  it('ends a running aggregation when its session is killed', async () => {
    const { id } = await admin.command({ startSession: 1 });
    const raw = await RawClient.open(flintd.port);
    raw.send({ ...endless('session'), lsid: id });
    await untilRunning('session');
    await admin.command({ killSessions: [id] });
    await within(raw.reply().then((reply) => assert.equal(reply.document['code'], 11_601)));
    raw.close();
    await nothingIsLeft();
  });

  it('answers others at once while four endless aggregations run', async () => {
    const raws = await Promise.all([0, 1, 2, 3].map(() => RawClient.open(flintd.port)));
    for (const raw of raws) raw.send(endless('crowd'));
    await untilRunning('crowd');
    const times: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      const startMs = performance.now();
      await admin.command({ ping: 1 });
      times.push(performance.now() - startMs);
    }
    const median = times.toSorted((a, b) => a - b)[10] ?? Infinity;
    assert.ok(median < LIMIT_MS, `a ping took ${median} ms`);
    for (const raw of raws) raw.close();
    await within(untilGone('crowd'));
  });
});
