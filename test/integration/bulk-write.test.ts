import assert from 'node:assert/strict';
import { type Document, Timestamp } from 'mongodb';
import { serverForTests } from '../support/test-server.ts';

const server = serverForTests({ args: ['--setParameter', 'strictStandalone=1'] });

/** Two namespaces that no other test has used. */
function freshNamespaces(): { database: string; nsInfo: { ns: string }[] } {
  const database = server.freshDatabase().databaseName;
  return { database, nsInfo: [{ ns: `${database}.a` }, { ns: `${database}.b` }] };
}

function run(command: Document): Promise<Document> {
  return server.client.db('admin').command(command);
}

async function documentsOf(database: string, collection: string): Promise<Document[]> {
  return server.client.db(database).collection(collection).find().sort({ _id: 1 }).toArray();
}

describe('bulkWrite', () => {
  it('runs operations of several kinds in several collections, in order', async () => {
    const { database, nsInfo } = freshNamespaces();
    const reply = await run({
      bulkWrite: 1,
      ops: [
        { insert: 0, document: { _id: 1, x: 1 } },
        { insert: 1, document: { _id: 'b' } },
        { update: 0, filter: { _id: 1 }, updateMods: { $inc: { x: 1 } } },
        { update: 0, filter: { _id: 7 }, updateMods: { $set: { y: 1 } }, upsert: true },
        { update: 0, filter: {}, updateMods: { $set: { z: 1 } }, multi: true },
        { delete: 1, filter: { _id: 'b' } },
        { delete: 1, filter: {}, multi: true },
      ],
      nsInfo,
    });
    assert.deepEqual(reply, {
      cursor: {
        firstBatch: [
          { ok: 1, idx: 0, n: 1 },
          { ok: 1, idx: 1, n: 1 },
          { ok: 1, idx: 2, n: 1, nModified: 1 },
          { ok: 1, idx: 3, n: 1, nModified: 0, upserted: { _id: 7 } },
          { ok: 1, idx: 4, n: 2, nModified: 2 },
          { ok: 1, idx: 5, n: 1 },
          { ok: 1, idx: 6, n: 0 },
        ],
        id: reply['cursor']['id'],
        ns: 'admin.$cmd.bulkWrite',
      },
      nErrors: 0,
      nInserted: 2,
      nMatched: 3,
      nModified: 3,
      nUpserted: 1,
      nDeleted: 1,
      ok: 1,
    });
    assert.equal(String(reply['cursor']['id']), '0');
    assert.deepEqual(await documentsOf(database, 'a'), [
      { _id: 1, x: 2, z: 1 },
      { _id: 7, y: 1, z: 1 },
    ]);
    assert.deepEqual(await documentsOf(database, 'b'), []);
  });

  it('stops at the first error when ordered, and goes on when not', async () => {
    for (const [ordered, inserted] of [
      [true, 1],
      [false, 3],
    ] as const) {
      const { nsInfo } = freshNamespaces();
      const ids = [1, 1, 2, 3];
      const reply = await run({
        bulkWrite: 1,
        ops: ids.map((_id) => ({ insert: 0, document: { _id } })),
        nsInfo,
        ordered,
      });
      assert.equal(reply['nInserted'], inserted);
      assert.equal(reply['nErrors'], 1);
      const [first, second, ...rest] = reply['cursor']['firstBatch'];
      assert.deepEqual(first, { ok: 1, idx: 0, n: 1 });
      assert.equal(second.code, 11000);
      assert.deepEqual(second.keyValue, { _id: 1 });
      assert.deepEqual([second.ok, second.idx, second.n], [0, 1, 0]);
      assert.deepEqual(
        rest.map((entry: Document) => entry['idx']),
        ordered ? [] : [2, 3],
      );
    }
  });

  it('says only what failed with errorsOnly', async () => {
    const { nsInfo } = freshNamespaces();
    const reply = await run({
      bulkWrite: 1,
      ops: [
        { insert: 0, document: { _id: 1 } },
        { update: 0, filter: { _id: 1 }, updateMods: { $bad: 1 } },
        { delete: 0, filter: { _id: 1 } },
      ],
      nsInfo,
      errorsOnly: true,
      ordered: false,
    });
    const [entry, ...others] = reply['cursor']['firstBatch'];
    assert.deepEqual(others, []);
    assert.deepEqual([entry.ok, entry.idx, entry.code, entry.n, entry.nModified], [0, 1, 9, 0, 0]);
    assert.deepEqual([reply['nInserted'], reply['nDeleted'], reply['nErrors']], [1, 1, 1]);
  });

  it('gives the entries in batches, to getMore on admin.$cmd.bulkWrite', async () => {
    const { nsInfo } = freshNamespaces();
    const ops = Array.from({ length: 5 }, (_, _id) => ({ insert: 0, document: { _id } }));
    const reply = await run({ bulkWrite: 1, ops, nsInfo, cursor: { batchSize: 2 } });
    assert.equal(reply['cursor']['firstBatch'].length, 2);
    const next = await run({
      getMore: reply['cursor']['id'],
      collection: '$cmd.bulkWrite',
      batchSize: 3,
    });
    assert.deepEqual(
      next['cursor']['nextBatch'].map((entry: Document) => entry['idx']),
      [2, 3, 4],
    );
    assert.equal(String(next['cursor']['id']), '0');
  });

  it('uses let, hints, collations, sort and array filters of its operations', async () => {
    const { database, nsInfo } = freshNamespaces();
    const reply = await run({
      bulkWrite: 1,
      ops: [
        { insert: 0, document: { _id: 1, name: 'A', grades: [80, 95] } },
        { insert: 0, document: { _id: 2, name: 'b' } },
        {
          update: 0,
          filter: { $expr: { $eq: ['$_id', '$$one'] } },
          updateMods: { $set: { 'grades.$[high]': 100 } },
          arrayFilters: [{ high: { $gte: 90 } }],
          hint: { _id: 1 },
        },
        {
          update: 0,
          filter: { name: 'B' },
          updateMods: [{ $set: { found: '$$one' } }],
          collation: { locale: 'en', strength: 2 },
        },
        { update: 0, filter: {}, sort: { _id: -1 }, updateMods: { $set: { last: true } } },
        { delete: 0, filter: { name: 'a' }, collation: { locale: 'en', strength: 2 } },
      ],
      nsInfo,
      let: { one: 1 },
    });
    assert.equal(reply['nErrors'], 0);
    assert.deepEqual(await documentsOf(database, 'a'), [
      { _id: 2, name: 'b', found: 1, last: true },
    ]);
  });

  it('stores empty timestamps as they are when told so', async () => {
    const { database, nsInfo } = freshNamespaces();
    const document = { _id: 1, t: new Timestamp(0n) };
    await run({
      bulkWrite: 1,
      ops: [{ insert: 0, document }],
      nsInfo,
      bypassEmptyTsReplacement: true,
    });
    assert.deepEqual(await documentsOf(database, 'a'), [document]);
  });

  it('runs thousands of operations that alternate between collections', async () => {
    const { database, nsInfo } = freshNamespaces();
    const ops = Array.from({ length: 4_000 }, (_, _id) => ({ insert: _id % 2, document: { _id } }));
    const reply = await run({ bulkWrite: 1, ops, nsInfo });
    assert.equal(reply['nInserted'], 4_000);
    assert.equal(await server.client.db(database).collection('b').countDocuments(), 2_000);
  });

  it('refuses what is malformed before anything has run', async () => {
    const { database, nsInfo } = freshNamespaces();
    const insert = { insert: 0, document: { _id: 1 } };
    const cases: readonly (readonly [Document, number])[] = [
      [{ ops: [], nsInfo }, 16],
      [{ ops: [insert] }, 40414],
      [{ ops: [insert, { insert: 2, document: {} }], nsInfo }, 2],
      [{ ops: [insert, { insert: -1, document: {} }], nsInfo }, 51024],
      [{ ops: [insert, { insert: 'a', document: {} }], nsInfo }, 14],
      [{ ops: [insert, { upsert: 0, document: {} }], nsInfo }, 40415],
      [{ ops: [insert, { insert: 0 }], nsInfo }, 40414],
      [{ ops: [insert, { update: 0, filter: {} }], nsInfo }, 40414],
      [{ ops: [insert, { insert: 0, document: {}, more: 1 }], nsInfo }, 40415],
      [{ ops: [insert], nsInfo: [{ ns: 'nodot' }] }, 73],
      [{ ops: [insert], nsInfo: [{ ns: `${database}.a`, more: 1 }] }, 40415],
      [{ ops: [insert], nsInfo, cursor: { batchSize: -1 } }, 51024],
      [{ ops: [insert], nsInfo, more: 1 }, 40415],
    ];
    for (const [fields, code] of cases) {
      await assert.rejects(run({ bulkWrite: 1, ...fields }), { code }, JSON.stringify(fields));
    }
    assert.deepEqual(await documentsOf(database, 'a'), []);
  });

  it('is refused outside the database admin', async () => {
    const { database, nsInfo } = freshNamespaces();
    const ops = [{ insert: 0, document: {} }];
    await assert.rejects(server.client.db(database).command({ bulkWrite: 1, ops, nsInfo }), {
      code: 13,
    });
  });

  it('leaves an error of its own for each operation that cannot run', async () => {
    const { nsInfo } = freshNamespaces();
    const reply = await run({
      bulkWrite: 1,
      ops: [
        { update: 0, filter: {}, updateMods: { $set: { a: 1 } }, multi: true, sort: { a: 1 } },
        { insert: 1, document: { _id: [1] } },
        { delete: 0, filter: { $bad: 1 } },
        { insert: 2, document: {} },
      ],
      nsInfo: [...nsInfo, { ns: 'test.system.profile' }],
      ordered: false,
    });
    const codes = reply['cursor']['firstBatch'].map((entry: Document) => entry['code']);
    assert.deepEqual(codes, [9, 53, 2, 73]);
    assert.equal(reply['nErrors'], 4);
  });

  it('stops when what it has to answer grows too large', async () => {
    const { database, nsInfo } = freshNamespaces();
    const _id = 'x'.repeat(3_500);
    // Its error repeats the key, and a little more.
    const failing = {
      update: 0,
      filter: { _id, a: 1 },
      updateMods: { $set: { b: 1 } },
      upsert: true,
    };
    const ops = [
      { insert: 0, document: { _id } },
      ...Array.from({ length: 4_450 }, () => failing),
      { insert: 1, document: {} },
    ];
    const reply = await run({
      bulkWrite: 1,
      ops,
      nsInfo,
      ordered: false,
      cursor: { batchSize: 1 },
    });
    assert.ok(reply['nErrors'] > 4_300 && reply['nErrors'] < 4_440, String(reply['nErrors']));
    assert.deepEqual(await documentsOf(database, 'b'), []);
    const cursor = { getMore: reply['cursor']['id'], collection: '$cmd.bulkWrite' };
    const codes = new Set<number>();
    let last: Document = {};
    for (let id = '1'; id !== '0';) {
      const next = await run(cursor);
      for (const entry of next['cursor']['nextBatch']) codes.add((last = entry)['code']);
      id = String(next['cursor']['id']);
    }
    assert.deepEqual([...codes], [11_000, 146]);
    assert.match(last['errmsg'], /^BulkWrite response size exceeded limit \(16793600 bytes\)$/);
  });

  it('is explained when it is one update or one delete', async () => {
    const { nsInfo } = freshNamespaces();
    const explain = (...ops: Document[]): Promise<Document> =>
      run({ explain: { bulkWrite: 1, ops, nsInfo }, verbosity: 'queryPlanner' });
    await run({ bulkWrite: 1, ops: [{ insert: 0, document: {} }], nsInfo });
    const update = { update: 0, filter: { a: 1 }, updateMods: { $set: { b: 1 } } };
    const explained = await explain(update);
    assert.equal(explained['queryPlanner']['namespace'], nsInfo[0].ns);
    assert.ok(await explain({ delete: 0, filter: { a: 1 } }));
    await assert.rejects(explain(update, update), { code: 16 });
    await assert.rejects(explain({ insert: 0, document: {} }), { code: 20 });
  });
});
