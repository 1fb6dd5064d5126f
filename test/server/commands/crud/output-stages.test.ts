/**
 * $out and $merge: pipelines that write.
 */
import assert from 'node:assert/strict';
import type { Db, Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('$out and $merge', () => {
  const server = serverForTests();
  let database: Db;
  const run = (command: Document) => database.command(command);
  const aggregate = (pipeline: Document[], options: Document = {}) =>
    run({ aggregate: 'c', pipeline, cursor: {}, ...options });
  const rejects = (pipeline: Document[], code: number, options: Document = {}) =>
    assert.rejects(aggregate(pipeline, options), { code }, JSON.stringify(pipeline));
  const contents = async (name: string) =>
    (await run({ find: name, sort: { _id: 1 } })).cursor.firstBatch;
  const names = async () =>
    (await database.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);

  beforeEach(async () => {
    database = server.freshDatabase();
    const documents = [
      { _id: 1, a: 1 },
      { _id: 2, a: 2 },
      { _id: 3, a: 3 },
    ];
    await run({ insert: 'c', documents });
  });

  describe('$out', () => {
    it('makes a collection of the result, and gives no documents', async () => {
      const reply = await aggregate([{ $match: { a: { $gt: 1 } } }, { $out: 'o' }]);
      assert.deepEqual(reply.cursor.firstBatch, []);
      assert.deepEqual(await contents('o'), [
        { _id: 2, a: 2 },
        { _id: 3, a: 3 },
      ]);
      assert.deepEqual((await names()).toSorted(), ['c', 'o']);
    });

    it('puts it in the place of what was there, which keeps options and indexes', async () => {
      const validator = { a: { $gte: 0 } };
      await run({ create: 'o', validator, collation: { locale: 'en', strength: 2 } });
      await run({ insert: 'o', documents: [{ _id: 'old', a: 1 }] });
      await run({ createIndexes: 'o', indexes: [{ key: { a: 1 }, name: 'a', unique: true }] });
      await aggregate([{ $out: 'o' }]);
      assert.equal((await contents('o')).length, 3);
      const [{ options, idIndex }] = (await database
        .listCollections({ name: 'o' })
        .toArray()) as Document[];
      assert.deepEqual(options.validator, validator);
      assert.equal('temp' in options, false);
      assert.equal(idIndex.collation.strength, 2);
      const { cursor } = await run({ listIndexes: 'o' });
      assert.deepEqual(
        cursor.firstBatch.map(({ name }: Document) => name),
        ['_id_', 'a'],
      );
      assert.equal((await run({ validate: 'o', full: true })).valid, true);
      await aggregate([{ $match: { _id: 99 } }, { $out: 'o' }]);
      assert.deepEqual(await contents('o'), []);
    });

    it('leaves everything as it was when it fails', async () => {
      await run({ create: 'o', validator: { a: { $lt: 3 } } });
      await run({ insert: 'o', documents: [{ _id: 'old', a: 1 }] });
      await rejects([{ $out: 'o' }], 121);
      await rejects([{ $set: { _id: 1 } }, { $out: 'o' }], 11000, {
        bypassDocumentValidation: true,
      });
      assert.deepEqual(await contents('o'), [{ _id: 'old', a: 1 }]);
      assert.deepEqual((await names()).toSorted(), ['c', 'o']);
      await aggregate([{ $out: 'o' }], { bypassDocumentValidation: true });
      assert.equal((await contents('o')).length, 3);
    });

    it('may read what it replaces, and write into another database', async () => {
      await aggregate([{ $set: { b: 1 } }, { $out: 'c' }]);
      assert.deepEqual((await contents('c'))[0], { _id: 1, a: 1, b: 1 });
      const other = `${database.databaseName}_other`;
      await aggregate([{ $out: { db: other, coll: 'o' } }]);
      assert.equal(await server.client.db(other).collection('o').countDocuments(), 3);
      await server.client.db(other).dropDatabase();
    });

    it('gives an _id to documents without one', async () => {
      await aggregate([{ $unset: '_id' }, { $out: 'o' }]);
      assert.equal((await contents('o')).length, 3);
    });

    it('writes results of many batches', async () => {
      const range = { $range: [0, 3000] };
      await aggregate([
        { $set: { n: range } },
        { $unwind: '$n' },
        { $set: { _id: { $add: [{ $multiply: ['$_id', 10000] }, '$n'] }, text: 'x'.repeat(300) } },
        { $out: 'o' },
      ]);
      assert.equal((await run({ count: 'o' })).n, 9000);
      assert.equal((await run({ validate: 'o', full: true })).valid, true);
    });

    it('is refused for what it cannot replace', async () => {
      await run({ create: 'capped', capped: true, size: 4096 });
      await run({ create: 'v', viewOn: 'c' });
      await rejects([{ $out: 'capped' }], 17152);
      await rejects([{ $out: 'v' }], 166);
      await rejects([{ $out: 'system.views' }], 17385);
      await rejects([{ $out: { db: 'admin', coll: 'x' } }], 31321);
      await rejects([{ $out: 'x$' }], 73);
      await rejects([{ $out: 5 }], 16990);
      await rejects([{ $out: { db: 'd', coll: 'x', mode: 'insert' } }], 40415);
      await rejects([{ $out: { db: 'd' } }], 40414);
      await rejects([{ $out: { coll: 'x' } }], 40414);
      await rejects([{ $out: { db: 'd', coll: 'x', timeseries: [] } }], 14);
      await rejects([{ $out: 'o' }, { $match: {} }], 40601);
      await rejects([{ $facet: { x: [{ $out: 'o' }] } }], 40600);
    });

    it('is refused for names that no collection can have', async () => {
      for (const name of ['', '.x']) {
        await rejects([{ $out: name }], 73);
        await rejects([{ $out: { db: 'd', coll: name } }], 73);
      }
      for (const db of ['', 'a b', 'a.b', 'a/b', 'x'.repeat(64)]) {
        await rejects([{ $out: { db, coll: 'x' } }], 73);
        await rejects([{ $merge: { into: { db, coll: 'x' } } }], 73);
      }
      await rejects([{ $merge: '.x' }], 73);
      assert.deepEqual(await names(), ['c']);
    });

    it('is not run by explain', async () => {
      const pipeline = [{ $out: 'o' }];
      await run({
        explain: { aggregate: 'c', pipeline, cursor: {} },
        verbosity: 'executionStats',
      });
      assert.deepEqual(await names(), ['c']);
    });
  });

  describe('$merge', () => {
    const merge = (specification: Document, options: Document = {}) =>
      aggregate([{ $merge: { into: 'm', ...specification } }], options);

    beforeEach(async () => {
      const documents = [
        { _id: 1, b: 1 },
        { _id: 9, b: 9 },
      ];
      await run({ insert: 'm', documents });
    });

    const kept = { _id: 9, b: 9 };
    const inserted = [{ _id: 2, a: 2 }, { _id: 3, a: 3 }, kept];
    for (const [specification, expected] of [
      [{}, [{ _id: 1, b: 1, a: 1 }, ...inserted]],
      [{ whenMatched: 'merge' }, [{ _id: 1, b: 1, a: 1 }, ...inserted]],
      [{ whenMatched: 'replace' }, [{ _id: 1, a: 1 }, ...inserted]],
      [{ whenMatched: 'keepExisting' }, [{ _id: 1, b: 1 }, ...inserted]],
      [{ whenMatched: 'replace', whenNotMatched: 'discard' }, [{ _id: 1, a: 1 }, kept]],
      [{ whenMatched: 'merge', whenNotMatched: 'discard' }, [{ _id: 1, b: 1, a: 1 }, kept]],
      [
        { whenMatched: [{ $set: { sum: { $add: ['$b', '$$new.a'] } } }] },
        [{ _id: 1, b: 1, sum: 2 }, ...inserted],
      ],
      [
        {
          let: { x: { $multiply: ['$a', 10] }, new: '$$ROOT' },
          whenMatched: [{ $set: { x: '$$x' } }],
          whenNotMatched: 'discard',
        },
        [{ _id: 1, b: 1, x: 10 }, kept],
      ],
    ] as [Document, Document[]][]) {
      it(`with ${JSON.stringify(specification)}`, async () => {
        await merge(specification);
        assert.deepEqual(await contents('m'), expected);
      });
    }

    it('fails where it is told to', async () => {
      await assert.rejects(merge({ whenMatched: 'fail' }), { code: 11000 });
      await assert.rejects(merge({ whenMatched: 'replace', whenNotMatched: 'fail' }), {
        code: 13113,
      });
    });

    it('finds documents by other fields, with a unique index on them', async () => {
      await assert.rejects(merge({ on: 'a' }), { code: 51183 });
      await run({
        createIndexes: 'm',
        indexes: [
          {
            key: { a: 1 },
            name: 'partial',
            unique: true,
            partialFilterExpression: { a: { $exists: true } },
          },
        ],
      });
      await assert.rejects(merge({ on: 'a' }), { code: 51183 });
      await run({
        createIndexes: 'm',
        indexes: [{ key: { a: 1 }, name: 'a', unique: true, sparse: true }],
      });
      await run({ insert: 'm', documents: [{ _id: 5, a: 2 }] });
      await aggregate([
        { $project: { _id: 0, a: 1, seen: { $literal: true } } },
        { $match: { a: 2 } },
        { $merge: { into: 'm', on: ['a'] } },
      ]);
      const [found] = (await run({ find: 'm', filter: { a: 2 } })).cursor.firstBatch;
      assert.deepEqual(found, { _id: 5, a: 2, seen: true });
      await rejects(
        [{ $match: { a: 2 } }, { $merge: { into: 'm', on: 'a', whenMatched: 'replace' } }],
        66,
      );
      await rejects([{ $set: { a: null } }, { $merge: { into: 'm', on: 'a' } }], 51132);
    });

    it('may write into what it reads, and comes to an end', async () => {
      await aggregate([
        { $set: { _id: { $add: ['$_id', 100] } } },
        { $merge: { into: 'c', whenMatched: 'fail' } },
      ]);
      assert.equal((await run({ count: 'c' })).n, 6);
    });

    it('asks the validator of the target, and keeps a capped one within its limits', async () => {
      await run({ create: 'strict', validator: { a: { $lt: 3 } } });
      await rejects([{ $merge: 'strict' }], 121);
      await aggregate([{ $merge: 'strict' }], { bypassDocumentValidation: true });
      assert.equal((await run({ count: 'strict' })).n, 3);
      await run({ create: 'capped', capped: true, size: 4096, max: 2 });
      await aggregate([{ $merge: 'capped' }]);
      assert.equal((await run({ count: 'capped' })).n, 2);
    });

    it('writes into another database', async () => {
      const other = `${database.databaseName}_other`;
      await aggregate([{ $merge: { into: { db: other, coll: 'm' } } }]);
      assert.equal(await server.client.db(other).collection('m').countDocuments(), 3);
      await server.client.db(other).dropDatabase();
    });

    it('compares by the collation of the pipeline', async () => {
      await run({ insert: 's', documents: [{ _id: 'X', old: true }] });
      const pipeline = [
        { $match: { _id: 1 } },
        { $project: { _id: { $literal: 'x' }, a: 1 } },
        { $merge: { into: 's', whenMatched: 'keepExisting' } },
      ];
      await aggregate(pipeline, { collation: { locale: 'en', strength: 2 } });
      assert.equal((await contents('s')).length, 1);
      await aggregate(pipeline);
      assert.equal((await contents('s')).length, 2);
    });

    for (const [specification, code] of [
      [{ whenMatched: 'keepExisting', whenNotMatched: 'discard' }, 51181],
      [{ whenMatched: 'fail', whenNotMatched: 'fail' }, 51181],
      [{ whenMatched: 'nonsense' }, 2],
      [{ whenNotMatched: 'nonsense' }, 2],
      [{ let: { x: 1 } }, 51199],
      [{ let: { new: 1 }, whenMatched: [] }, 51273],
      [{ whenMatched: [{ $group: { _id: 1 } }] }, 72],
      [{ whenMatched: [{ $set: { x: '$$nothing' } }] }, 17276],
      [{ on: [] }, 51187],
      [{ on: 5 }, 51186],
      [{ on: [5] }, 51134],
      [{ on: ['a', 'a'] }, 31465],
      [{ into: 'system.js' }, 31319],
      [{ into: { db: 'config', coll: 'x' } }, 31320],
      [{ into: 5 }, 51178],
      [{ nonsense: 1 }, 40415],
    ] as [Document, number][]) {
      it(`refuses ${JSON.stringify(specification)}`, () =>
        assert.rejects(merge(specification), { code }));
    }

    it('refuses views', async () => {
      await run({ create: 'v', viewOn: 'c' });
      await rejects([{ $merge: 'v' }], 166);
      await rejects([{ $merge: { into: 'v', whenMatched: 'fail' } }], 166);
    });

    it('is not run by explain', async () => {
      const pipeline = [{ $merge: 'new' }];
      await run({
        explain: { aggregate: 'c', pipeline, cursor: {} },
        verbosity: 'executionStats',
      });
      assert.deepEqual((await names()).toSorted(), ['c', 'm']);
    });
  });
});
