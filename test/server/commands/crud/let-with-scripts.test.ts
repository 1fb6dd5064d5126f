/**
 * $function in the `let` of a command: its value is there for every statement.
 */
import assert from 'node:assert/strict';
import type { Db } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

const script = (body: string, args: readonly unknown[] = []) => ({
  $function: { body, args, lang: 'js' },
});

describe('a script in let', () => {
  const server = serverForTests();
  let db: Db;

  before(async () => {
    db = server.freshDatabase();
    await db.collection('docs').insertMany([1, 2, 3].map((n) => ({ _id: n as never, n })));
  });

  const two = script('function() { return 1 + 1; }');
  const isX = { $expr: { $eq: ['$n', '$$x'] } };

  it('has its value in a find, and in variables behind it', async () => {
    const found = await db.command({ find: 'docs', filter: isX, let: { x: two } });
    assert.deepEqual(found['cursor'].firstBatch, [{ _id: 2, n: 2 }]);
    const pipeline = [{ $match: { n: 1 } }, { $project: { y: '$$y' } }];
    const y = script('function(x) { return x * 10; }', ['$$x']);
    const cursor = {};
    const reply = await db.command({ aggregate: 'docs', pipeline, cursor, let: { x: two, y } });
    assert.deepEqual(reply['cursor'].firstBatch, [{ _id: 1, y: 20 }]);
  });

  it('has its value in writes', async () => {
    const updates = [
      { q: isX, u: [{ $set: { hit: '$$x' } }] },
      { q: isX, u: [{ $set: { all: '$$x' } }], multi: true },
    ];
    const { nModified } = await db.command({ update: 'docs', updates, let: { x: two } });
    assert.equal(nModified, 2);
    assert.deepEqual(await db.collection('docs').findOne({ n: 2 }), {
      _id: 2,
      n: 2,
      hit: 2,
      all: 2,
    });
    const deletes = [{ q: isX, limit: 0 }];
    assert.equal((await db.command({ delete: 'docs', deletes, let: { x: two } })).n, 1);
  });

  it('ends the command when it fails', async () => {
    const x = script('function() { throw new Error("no"); }');
    await assert.rejects(db.command({ find: 'docs', filter: isX, let: { x } }), { code: 139 });
  });
});
