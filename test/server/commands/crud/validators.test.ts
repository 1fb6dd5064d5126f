/**
 * Validators: asked by every command that writes, in the words of MongoDB's reports.
 */
import assert from 'node:assert/strict';
import type { Db, Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('validators', () => {
  const server = serverForTests();
  let database: Db;
  const run = (command: Document) => database.command(command);
  const bypassDocumentValidation = true;

  const errorOf = async (command: Document): Promise<Document> => {
    const reply = await run(command);
    assert.ok(reply.writeErrors, `no write error: ${JSON.stringify(command)}`);
    return reply.writeErrors[0];
  };

  beforeEach(async () => {
    database = server.freshDatabase();
    await run({ create: 'c', validator: { n: { $gte: 0 } } });
    await run({ insert: 'c', documents: [{ _id: 1, n: 1 }] });
  });

  it('refuse an insert, and say which document failed and why', async () => {
    const error = await errorOf({ insert: 'c', documents: [{ _id: 2, n: -1 }] });
    assert.deepEqual(error, {
      index: 0,
      code: 121,
      errInfo: {
        failingDocumentId: 2,
        details: {
          operatorName: '$gte',
          specifiedAs: { n: { $gte: 0 } },
          reason: 'comparison failed',
          consideredValue: -1,
        },
      },
      errmsg: 'Document failed validation',
    });
    assert.equal((await run({ count: 'c' })).n, 1);
  });

  it('refuse what an update, a replacement or an upsert would make', async () => {
    for (const update of [
      { q: { _id: 1 }, u: { $set: { n: -1 } } },
      { q: {}, u: { $inc: { n: -5 } }, multi: true },
      { q: { _id: 1 }, u: { m: 1 } },
      { q: { _id: 1 }, u: [{ $set: { n: -1 } }] },
      { q: { _id: 7 }, u: { $set: { n: -1 } }, upsert: true },
    ]) {
      const error = await errorOf({ update: 'c', updates: [update] });
      assert.equal(error.code, 121);
      await run({ update: 'c', updates: [{ q: { _id: 1 }, u: { $set: { n: 1 } } }] });
    }
    assert.deepEqual(await database.collection('c').find().toArray(), [{ _id: 1, n: 1 }]);
  });

  it('refuse what findAndModify would make, with the report at the top of the reply', async () => {
    await assert.rejects(
      run({ findAndModify: 'c', query: { _id: 1 }, update: { $set: { n: -1 } } }),
      {
        code: 121,
        codeName: 'DocumentValidationFailure',
      },
    );
    await assert.rejects(
      run({ findAndModify: 'c', query: { _id: 5 }, update: { $set: { n: -1 } }, upsert: true }),
      { code: 121 },
    );
  });

  it('are bypassed when the client says so', async () => {
    await run({ insert: 'c', documents: [{ _id: 2, n: -1 }], bypassDocumentValidation });
    const updates = [{ q: { _id: 1 }, u: { $set: { n: -1 } } }];
    await run({ update: 'c', updates, bypassDocumentValidation });
    const update = { $set: { n: -2 } };
    await run({ findAndModify: 'c', query: { _id: 1 }, update, bypassDocumentValidation });
    assert.equal((await run({ count: 'c', query: { n: { $lt: 0 } } })).n, 2);
    const ops = [
      { insert: 0, document: { _id: 3, n: -1 } },
      { update: 0, filter: { _id: 3 }, updateMods: { $set: { n: -4 } } },
    ];
    const nsInfo = [{ ns: `${database.databaseName}.c` }];
    const admin = server.client.db('admin');
    const bulk = await admin.command({ bulkWrite: 1, ops, nsInfo, bypassDocumentValidation });
    assert.equal(bulk.nErrors, 0);
    const refused = await admin.command({
      bulkWrite: 1,
      ops: [{ insert: 0, document: { _id: 9, n: -1 } }],
      nsInfo,
    });
    assert.equal(refused.cursor.firstBatch[0].code, 121);
  });

  it('let good documents of a batch in', async () => {
    const documents = [{ _id: 2, n: -1 }, { _id: 3, n: 3 }, { _id: 4 }];
    const { n, writeErrors } = await run({ insert: 'c', documents, ordered: false });
    assert.equal(n, 1);
    assert.deepEqual(
      writeErrors.map(({ index, code }: Document) => [index, code]),
      [
        [0, 121],
        [2, 121],
      ],
    );
  });

  it('come before the check for duplicates', async () => {
    assert.equal((await errorOf({ insert: 'c', documents: [{ _id: 1, n: -1 }] })).code, 121);
    assert.equal((await errorOf({ insert: 'c', documents: [{ _id: 1, n: 1 }] })).code, 11000);
  });

  it('with the level moderate leave alone what was wrong before', async () => {
    const validator = { n: { $gte: 0 } };
    await run({ create: 'm', validator, validationLevel: 'moderate' });
    await run({ insert: 'm', documents: [{ _id: 1, n: -1 }], bypassDocumentValidation });
    await run({ insert: 'm', documents: [{ _id: 2, n: 2 }] });
    const updates = [{ q: { _id: 1 }, u: { $set: { n: -9 } } }];
    assert.equal((await run({ update: 'm', updates })).nModified, 1);
    const wrong = [{ q: { _id: 2 }, u: { $set: { n: -9 } } }];
    assert.equal((await errorOf({ update: 'm', updates: wrong })).code, 121);
    assert.equal((await errorOf({ insert: 'm', documents: [{ n: -1 }] })).code, 121);
  });

  it('only warn, or do nothing, when they are told so', async () => {
    const validator = { n: { $gte: 0 } };
    await run({ create: 'warned', validator, validationAction: 'warn' });
    await run({ create: 'off', validator, validationLevel: 'off' });
    for (const name of ['warned', 'off']) {
      assert.equal((await run({ insert: name, documents: [{ n: -1 }] })).n, 1);
    }
    const { log } = await server.client.db('admin').command({ getLog: 'global' });
    const line = log.find((each: string) => each.includes('Document would fail validation'));
    assert.match(line, /warned/);
  });

  it('may be schemas and expressions', async () => {
    await run({ create: 's', validator: { $jsonSchema: { required: ['name'] } } });
    const error = await errorOf({ insert: 's', documents: [{ _id: 1 }] });
    assert.equal(error.errInfo.details.operatorName, '$jsonSchema');
    assert.equal(error.errInfo.details.schemaRulesNotSatisfied[0].operatorName, 'required');
    await run({ create: 'e', validator: { $expr: { $lt: ['$from', '$to'] } } });
    assert.equal((await errorOf({ insert: 'e', documents: [{ from: 2, to: 1 }] })).code, 121);
    await run({ create: 'now', validator: { $expr: { $gte: ['$$NOW', '$at'] } } });
    assert.equal((await run({ insert: 'now', documents: [{ at: new Date(0) }] })).n, 1);
    const later = new Date('2999-01-01');
    assert.equal((await errorOf({ insert: 'now', documents: [{ at: later }] })).code, 121);
  });

  it('compare by the collation of their collection', async () => {
    const collation = { locale: 'en', strength: 2 };
    await run({ create: 'ci', validator: { s: 'x' }, collation });
    assert.equal((await run({ insert: 'ci', documents: [{ s: 'X' }] })).n, 1);
    assert.equal((await errorOf({ insert: 'ci', documents: [{ s: 'y' }] })).code, 121);
  });

  for (const [validator, code] of [
    [{ $where: '1' }, 2],
    [{ $text: { $search: 'x' } }, 2],
    [{ $or: [{ a: 1 }, { $where: '1' }] }, 2],
    [{ a: { $near: [0, 0] } }, 2],
    [{ a: { $not: { $nearSphere: [0, 0] } } }, 2],
    [{ $expr: { $function: { body: 'x', args: [], lang: 'js' } } }, 4660800],
    [{ $expr: { $eq: [1, { $function: { body: 'x', args: [], lang: 'js' } }] } }, 4660800],
    [{ a: { $nonsense: 1 } }, 2],
    [{ $jsonSchema: { nonsense: 1 } }, 9],
  ] as const) {
    it(`cannot be ${JSON.stringify(validator)}`, () =>
      assert.rejects(run({ create: 'bad', validator }), { code }));
  }

  it('answer for each of many documents, however much there is to say', async () => {
    const text = 'x'.repeat(700);
    await run({
      create: 'many',
      validator: { $jsonSchema: { required: ['a'], description: text } },
    });
    const documents = Array.from({ length: 20_000 }, (_, _id) => ({ _id }));
    const reply = await run({ insert: 'many', documents, ordered: false });
    const { n, writeErrors } = reply as { n: number; writeErrors: readonly Document[] };
    assert.deepEqual([n, writeErrors.length], [0, 20_000]);
    assert.equal(writeErrors[0]?.['errInfo'].failingDocumentId, 0);
    assert.deepEqual(writeErrors.at(-1), {
      index: 19_999,
      code: 121,
      errmsg: 'Document failed validation',
    });
  });

  it('are not for the collections of the system', async () => {
    const admin = server.client.db('admin');
    await assert.rejects(admin.command({ create: 'x', validator: { a: 1 } }), { code: 72 });
  });
});
