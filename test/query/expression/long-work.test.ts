/**
 * Loops of expressions that would take minutes: they end at maxTimeMS and killOp, and delay nobody meanwhile.
 */
import assert from 'node:assert/strict';
import type { Collection, Db, Document } from 'mongodb';
import { systemClock } from '../../../common/clock.ts';
import { SeededRandom } from '../../../common/random.ts';
import { type QueryContext, simpleContext } from '../../../query/context.ts';
import { evaluateWatched, newWatch } from '../../../query/executor/watched-rows.ts';
import { compileExpression } from '../../../query/expression/compile.ts';
import { Scope } from '../../../query/expression/scope.ts';
import { serverForTests } from '../../support/test-server.ts';
import { TestStore } from '../executor/store.ts';
import { raw, rawDocumentValue } from '../fixtures.ts';

const range = (count: number): Document => ({ $range: [0, count] });
const inner = { $map: { input: range(5_000), in: { $multiply: ['$$this', 2] } } };
/** Ten thousand times five thousand rounds. */
const LONG = { $size: { $map: { input: range(10_000), as: 'outer', in: { $size: inner } } } };

/** Tells how often {$rand: {}} was evaluated. */
function countingContext(): { readonly context: QueryContext; readonly drawn: () => number } {
  let count = 0;
  const random = new SeededRandom(1);
  const context = simpleContext(systemClock, {
    next: () => {
      count += 1;
      return random.next();
    },
    below: (bound) => random.below(bound),
    bytes: (size) => random.bytes(size),
  });
  return { context, drawn: () => count };
}

describe('a long loop in an expression', () => {
  const server = serverForTests();
  let db: Db;
  let docs: Collection<{ _id: number; a: number; r?: number }>;

  before(async () => {
    db = server.freshDatabase();
    docs = db.collection('docs');
    await docs.insertMany([
      { _id: 1, a: 1 },
      { _id: 2, a: 2 },
    ]);
  });

  const maxTimeMS = 300;
  const isLong = { $expr: { $gt: [LONG, 5] } };
  const places: readonly [string, () => Promise<unknown>][] = [
    ['a $project', () => docs.aggregate([{ $project: { r: LONG } }], { maxTimeMS }).toArray()],
    ['a $set', () => docs.aggregate([{ $set: { r: LONG } }], { maxTimeMS }).toArray()],
    [
      'a $match',
      () => docs.aggregate([{ $limit: 1 }, { $match: isLong }], { maxTimeMS }).toArray(),
    ],
    [
      'a $group',
      () => docs.aggregate([{ $group: { _id: LONG, n: { $sum: LONG } } }], { maxTimeMS }).toArray(),
    ],
    ['a find', () => docs.find(isLong, { maxTimeMS }).toArray()],
    [
      'the projection of a find',
      () => docs.find({ _id: 1 }, { maxTimeMS, projection: { r: LONG } }).toArray(),
    ],
    [
      'an update of one',
      () =>
        db.command({
          update: 'docs',
          updates: [{ q: { _id: 1 }, u: [{ $set: { r: LONG } }] }],
          maxTimeMS,
        }),
    ],
    [
      'an update of many',
      () =>
        db.command({
          update: 'docs',
          updates: [{ q: {}, u: [{ $set: { r: LONG } }], multi: true }],
          maxTimeMS,
        }),
    ],
    [
      'a delete',
      () => db.command({ delete: 'docs', deletes: [{ q: isLong, limit: 0 }], maxTimeMS }),
    ],
  ];
  it('finds every place in a text of megabytes, and refuses more than 64 MB of them', async () => {
    const text = 'aé😀'.repeat(400_000);
    const find = (regex: string, keep: Document): Promise<Document[]> =>
      db
        .aggregate([
          { $documents: [{ text }] },
          { $set: { found: { $regexFindAll: { input: '$text', regex } } } },
          { $project: keep },
        ])
        .toArray();
    const [{ count, last }] = await find('a.😀aé😀aé😀aé😀aé😀aé😀aé😀aé😀', {
      count: { $size: '$found' },
      last: { $last: '$found.idx' },
    });
    assert.deepEqual({ count, last }, { count: 50_000, last: 1_199_976 });
    await assert.rejects(find('(.)', { count: { $size: '$found' } }), { code: 51151 });
  });

  it('joins arrays of hundreds of thousands of elements', async () => {
    const joined = { $concatArrays: [range(300_000), range(300_000)] };
    const [{ size }] = await db
      .aggregate([{ $documents: [{}] }, { $project: { size: { $size: joined } } }])
      .toArray();
    assert.equal(size, 600_000);
  });

  for (const [name, run] of places) {
    it(`ends at maxTimeMS in ${name}, and others are served meanwhile`, async () => {
      const began = performance.now();
      const ended = run().then(
        (reply) => assert.fail(`it came to an end: ${JSON.stringify(reply).slice(0, 200)}`),
        (error: { code?: number; message: string }) => assert.equal(error.code, 50, error.message),
      );
      const tookMs: number[] = [];
      while (performance.now() - began < 200) {
        const before = performance.now();
        await db.command({ ping: 1 });
        tookMs.push(performance.now() - before);
      }
      await ended;
      const median = tookMs.toSorted((a, b) => a - b)[tookMs.length >> 1] ?? Infinity;
      // Milliseconds on a quiet machine; unsliced the loop would hold them for its whole time.
      assert.ok(median < 1000, `half of the pings took more than ${median} ms`);
    });
  }

  it('comes to the same result in slices as at once', async () => {
    const sums = {
      $reduce: {
        input: { $filter: { input: range(3000), cond: { $eq: [{ $mod: ['$$this', 3] }, 0] } } },
        initialValue: { n: 0, list: [] },
        in: {
          n: { $add: ['$$value.n', { $size: { $map: { input: range(100), in: '$$this' } } }] },
          list: { $slice: [{ $concatArrays: ['$$value.list', ['$$this']] }, -3] },
        },
      },
    };
    const [found] = await docs
      .aggregate([{ $match: { _id: 1 } }, { $project: { r: sums } }])
      .toArray();
    assert.deepEqual(found?.r, { n: 100_000, list: [2991, 2994, 2997] });
    const both = { $set: { r: { $add: [{ $size: inner }, { $size: inner }] } } };
    await docs.updateMany({}, [both]);
    assert.deepEqual(
      (await docs.find().toArray()).map(({ r }) => r),
      [10_000, 10_000],
    );
  });

  it('finds all matches of a long text in time that grows with the text, and can be stopped', async () => {
    const text = 'ab'.repeat(200_000);
    await docs.insertOne({ _id: 3, a: 3, text } as never);
    const matches = (regex: string, input: unknown = '$text'): Document => ({
      $regexFindAll: { input, regex },
    });
    const project = (r: Document, options = {}): Promise<Document[]> =>
      docs.aggregate([{ $match: { _id: 3 } }, { $project: { _id: 0, r } }], options).toArray();
    assert.deepEqual(await project({ $last: matches('b') }), [
      { r: { match: 'b', idx: 399_999, captures: [] } },
    ]);
    assert.deepEqual(await project({ $size: matches('') }), [{ r: 400_001 }]);
    assert.deepEqual(await project(matches('(a)|(é)', '😀a😀éa')), [
      {
        r: [
          { match: 'a', idx: 1, captures: ['a', null] },
          { match: 'é', idx: 3, captures: [null, 'é'] },
          { match: 'a', idx: 4, captures: ['a', null] },
        ],
      },
    ]);
    const long = { $concat: Array.from({ length: 20 }, () => '$text') };
    await assert.rejects(project({ $size: matches('', long) }, { maxTimeMS: 100 }), { code: 50 });
    await docs.deleteOne({ _id: 3 });
  });

  it('spends most of its time in the loop, not in what stands beside it', async () => {
    const beside = {
      $concatArrays: [
        { $range: ['$a', 200_001] },
        { $map: { input: range(40_000), in: { $size: range(10) } } },
      ],
    };
    const began = performance.now();
    const [found] = await docs
      .aggregate([{ $match: { _id: 1 } }, { $project: { r: { $size: beside } } }])
      .toArray();
    assert.equal(found?.r, 240_000);
    const tookMs = performance.now() - began;
    assert.ok(tookMs < 8_000, `${tookMs} ms: once for each slice of 5 ms it would be minutes`);
  });

  it('meets an error at the end of a loop once: whoever evaluates the same next does not go through it again', () => {
    const { context, drawn } = countingContext();
    const fails = {
      $map: {
        input: range(5_000),
        in: { $cond: [{ $eq: ['$$this', 4_999] }, { $divide: [1, 0] }, { $rand: {} }] },
      },
    };
    const expression = compileExpression(rawDocumentValue({ $size: fails }), context);
    const document = raw({});
    const scope = new Scope(document);
    const evaluate = (): unknown => expression.evaluate(scope);
    const watch = newWatch(document, systemClock);
    const slices = (): void => {
      while (evaluateWatched(watch, () => [evaluate()]) === undefined);
    };
    assert.throws(slices, { code: 2 });
    assert.equal(drawn(), 4_999);
    assert.throws(evaluate, { code: 2 });
    assert.equal(drawn(), 4_999);
  });

  it('works out once what documents are sorted by, partitioned by and put into buckets by', async () => {
    const store = await TestStore.open([{ _id: 1 }, { _id: 2 }]);
    const size = { $size: { $map: { input: range(1_000), in: { $rand: {} } } } };
    const stages = [
      { $setWindowFields: { partitionBy: size, sortBy: { _id: 1 }, output: { n: { $rank: {} } } } },
      { $bucketAuto: { groupBy: size, buckets: 1 } },
    ];
    for (const stage of stages) {
      const { context, drawn } = countingContext();
      const found = await store.aggregate([stage], context);
      assert.ok(found.length > 0);
      assert.equal(drawn(), 2_000);
    }
    await store.close();
  });

  it('refuses what would hold too much memory', async () => {
    const text = { $literal: 'x'.repeat(1_000_000) };
    const grown = {
      $map: { input: range(300), in: { $concat: [text, { $toString: '$$this' }] } },
    };
    await assert.rejects(docs.aggregate([{ $project: { r: { $size: grown } } }]).toArray(), {
      code: 146,
    });
    const doubled = {
      $reduce: { input: range(40), initialValue: 'xx', in: { $concat: ['$$value', '$$value'] } },
    };
    await assert.rejects(docs.aggregate([{ $project: { r: doubled } }]).toArray(), { code: 13548 });
  });
});
