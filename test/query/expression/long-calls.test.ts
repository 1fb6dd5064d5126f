/**
 * Operators on large values, which evaluation threads work out: the same answers as on the event loop, and an end in time.
 */
import assert from 'node:assert/strict';
import type { Collection, Db, Document } from 'mongodb';
import { serverForTests } from '../../support/test-server.ts';

/** More than goes to a thread for. */
const COUNT = 6_000;
const LARGE = 12_000;

const numbers = Array.from({ length: COUNT }, (_, index) => (index * 7919) % COUNT);
const halves = numbers.map((number) => number + (number % 2) / 2);
const words = numbers.map((number) => `w${number % 100}`);
const text = 'aé😀, '.repeat(LARGE);

const byUtf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];
const ascending = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

/** Expression, and what JavaScript makes of the same. */
const CASES: readonly [string, Document, unknown][] = [
  ['$setUnion', { $setUnion: ['$n', '$h'] }, ascending(distinct([...numbers, ...halves]))],
  [
    '$setIntersection',
    { $setIntersection: ['$n', '$h'] },
    ascending(numbers.filter((number) => number % 2 === 0)),
  ],
  ['$setDifference', { $setDifference: ['$h', '$n'] }, halves.filter((each) => each % 1 !== 0)],
  ['$setEquals', { $setEquals: ['$n', { $reverseArray: '$n' }] }, true],
  ['$setIsSubset', { $setIsSubset: ['$h', '$n'] }, false],
  ['$sortArray', { $sortArray: { input: '$n', sortBy: -1 } }, ascending(numbers).reverse()],
  ['$reverseArray', { $reverseArray: '$n' }, numbers.toReversed()],
  ['$concatArrays', { $concatArrays: ['$n', [1], '$n'] }, [...numbers, 1, ...numbers]],
  ['$zip', { $zip: { inputs: ['$n', '$w'] } }, numbers.map((n, at) => [n, words[at]])],
  ['$in', { $in: ['nowhere', '$w'] }, false],
  ['$indexOfArray', { $indexOfArray: ['$n', numbers.at(-1)] }, COUNT - 1],
  ['$arrayElemAt', { $arrayElemAt: ['$n', -2] }, numbers.at(-2)],
  ['$slice', { $slice: ['$n', -3] }, numbers.slice(-3)],
  ['$maxN', { $maxN: { input: '$n', n: 2 } }, [COUNT - 1, COUNT - 2]],
  ['$sum', { $sum: '$n' }, (COUNT * (COUNT - 1)) / 2],
  ['$split', { $split: ['$t', ', '] }, text.split(', ')],
  [
    '$replaceAll',
    { $replaceAll: { input: '$t', find: 'é', replacement: { $literal: '$&' } } },
    text.replaceAll('é', () => '$&'),
  ],
  ['$trim', { $trim: { input: '$t' } }, text.trim()],
  ['$strLenCP', { $strLenCP: '$t' }, Array.from(text).length],
  ['$substrCP', { $substrCP: ['$t', 2, 7] }, Array.from(text).slice(2, 9).join('')],
  ['$toUpper', { $toUpper: '$t' }, text.replaceAll('a', 'A')],
  ['$regexFindAll', { $size: { $regexFindAll: { input: '$t', regex: 'É', options: 'i' } } }, LARGE],
  [
    'one in the other',
    { $size: { $setUnion: [{ $split: ['$t', ', '] }, '$w', '$w'] } },
    distinct([...text.split(', '), ...words]).length,
  ],
  [
    'in a loop',
    {
      $map: {
        input: [1, 2, 3],
        in: { $arrayElemAt: [{ $sortArray: { input: '$n', sortBy: 1 } }, '$$this'] },
      },
    },
    [1, 2, 3],
  ],
  [
    'a variable',
    {
      $let: {
        vars: { all: { $concatArrays: ['$n', '$n'] } },
        in: { $size: { $setUnion: ['$$all'] } },
      },
    },
    COUNT,
  ],
];

describe('an operator on large values', () => {
  const server = serverForTests();
  let db: Db;
  let docs: Collection;

  before(async () => {
    db = server.freshDatabase();
    docs = db.collection('docs');
    await docs.insertOne({ n: numbers, h: halves, w: words, t: text, slow: 'a'.repeat(300_000) });
  });

  const project = async (r: Document): Promise<unknown> => {
    const [found] = await docs.aggregate([{ $project: { _id: 0, r } }]).toArray();
    return found?.['r'];
  };

  for (const [name, expression, expected] of CASES) {
    it(`has the value that it has on small ones: ${name}`, async () => {
      assert.deepEqual(await project(expression), expected);
    });
  }

  it('heeds the collation', async () => {
    const sorted = { $sortArray: { input: '$w', sortBy: 1 } };
    const plain = await project(sorted);
    assert.deepEqual(plain, words.toSorted(byUtf8));
    const [found] = await docs
      .aggregate([{ $project: { r: sorted } }], {
        collation: { locale: 'en', numericOrdering: true },
      })
      .toArray();
    const numeric = words.toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
    assert.deepEqual(found?.['r'], numeric);
  });

  it('fails as on small ones, and only where it is reached', async () => {
    const wrong = { $setUnion: ['$n', '$t'] };
    await assert.rejects(project(wrong), { code: 17043 });
    assert.equal(await project({ $cond: [false, wrong, 5] }), 5);
    const caught = { $convert: { input: { $toUpper: '$t' }, to: 'int', onError: 'no number' } };
    assert.equal(await project(caught), 'no number');
  });

  it('is the same in filters, groups and updates', async () => {
    const isLong = { $gt: [{ $size: { $setUnion: ['$n', '$h'] } }, COUNT] };
    assert.equal((await docs.find({ $expr: isLong }).toArray()).length, 1);
    assert.equal((await docs.find({ $nor: [{ $expr: isLong }] }).toArray()).length, 0);
    const [group] = await docs
      .aggregate([{ $group: { _id: { $strLenCP: '$t' }, sum: { $sum: { $max: '$n' } } } }])
      .toArray();
    assert.deepEqual(group, { _id: Array.from(text).length, sum: COUNT - 1 });
    const { modifiedCount } = await docs.updateMany({ $expr: isLong }, [
      {
        $set: { sorted: { $firstN: { input: { $sortArray: { input: '$n', sortBy: 1 } }, n: 2 } } },
      },
    ]);
    assert.equal(modifiedCount, 1);
    assert.deepEqual((await docs.findOne())?.['sorted'], [0, 1]);
  });

  it('finds texts by patterns that must not backtrack', async () => {
    assert.equal(await docs.countDocuments({ slow: /(a|aa)+b/ }), 0);
    assert.equal(await docs.countDocuments({ slow: /^(a|aa)+$/ }), 1);
    assert.equal(await docs.countDocuments({ slow: { $in: ['x', /(a|aa)+b/, /a*a*$/] } }), 1);
    assert.equal(await docs.countDocuments({ slow: { $not: /(a|aa)+b/ } }), 1);
  });

  it('ends at maxTimeMS and by killOp, and the next one works', async () => {
    const huge = { $range: [0, 2_000_000] };
    const long = { $size: { $setUnion: [huge, { $reverseArray: huge }] } };
    const pipeline = [{ $project: { r: long } }];
    await assert.rejects(docs.aggregate(pipeline, { maxTimeMS: 300 }).toArray(), { code: 50 });
    const running = assert.rejects(docs.aggregate(pipeline, { comment: 'kill me' }).toArray(), {
      code: 11601,
    });
    const admin = server.client.db('admin');
    const mine = [{ $currentOp: {} }, { $match: { 'command.comment': 'kill me' } }];
    for (let op; op === undefined;) {
      [op] = await admin.aggregate(mine).toArray();
      if (op !== undefined) await admin.command({ killOp: 1, op: op['opid'] });
    }
    await running;
    assert.equal(await project({ $size: { $setUnion: ['$n', '$h'] } }), COUNT * 1.5);
  });
});
