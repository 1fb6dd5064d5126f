/**
 * Planning in slices: the same plan as in one go, and an end in time.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Long, type Db } from 'mongodb';
import { ManualClock } from '../../common/clock.ts';
import { LongStep, planInSlices, sortedInPieces, type Yielding } from '../../query/long-steps.ts';
import { serverForTests } from '../support/test-server.ts';

const clock = new ManualClock();
const STOPPED = new Error('stopped');

/** @param turns it is stopped after so many of them */
function waiter(turns = Infinity): Yielding & { readonly taken: () => number } {
  let taken = 0;
  return {
    taken: () => taken,
    reason: undefined,
    throwIfInterrupted: () => {},
    onInterrupt: () => () => {},
    yield() {
      taken += 1;
      return taken > turns ? Promise.reject(STOPPED) : Promise.resolve();
    },
  };
}

const COUNTED = new LongStep<number>();

/** Takes a millisecond for each piece. */
function* countTo(end: number): Generator<undefined, number> {
  let count = 0;
  while (count < end) {
    clock.advance(1);
    count += 1;
    yield;
  }
  return count;
}

describe('planning in slices', () => {
  it('takes no turn when it is short, and gives the plan itself', () => {
    const op = waiter();
    assert.equal(
      planInSlices(op, clock, () => COUNTED.run(() => countTo(3))),
      3,
    );
    assert.equal(op.taken(), 0);
  });

  it('does each step once, however often it begins again', async () => {
    const op = waiter();
    let started = 0;
    let planned = 0;
    const step = (end: number): number =>
      COUNTED.run(() => {
        started += 1;
        return countTo(end);
      });
    const plan = (): number[] => {
      planned += 1;
      return [step(20), step(7), step(30)];
    };
    assert.deepEqual(await planInSlices(op, clock, plan), [20, 7, 30]);
    assert.equal(started, 3);
    assert.equal(planned, op.taken() + 1);
    assert.ok(planned > 8, `${planned} slices for 57 ms`);
  });

  it('runs a step inside a step through', async () => {
    const outer = new LongStep<number>();
    const plan = (): number =>
      outer.run(function* () {
        let sum = 0;
        for (let round = 0; round < 4; round += 1) {
          sum += COUNTED.run(() => countTo(10));
          yield;
        }
        return sum;
      });
    assert.equal(await planInSlices(waiter(), clock, plan), 40);
  });

  it('ends with the reason why it must stop, and with the error of a step', async () => {
    const plan = (): number => COUNTED.run(() => countTo(100));
    await assert.rejects(async () => planInSlices(waiter(2), clock, plan), STOPPED);
    const wrong = (): number =>
      COUNTED.run(function* () {
        yield* countTo(20);
        throw new RangeError('wrong');
      });
    await assert.rejects(async () => planInSlices(waiter(), clock, wrong), RangeError);
  });

  it('sorts stably, as sort() does', () => {
    const items = fc.array(fc.record({ key: fc.nat(300), name: fc.nat() }), { maxLength: 9000 });
    fc.assert(
      fc.property(items, (given) => {
        const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key;
        const pieces = sortedInPieces(given, compare);
        let next = pieces.next();
        while (next.done !== true) next = pieces.next();
        assert.deepEqual(next.value, given.toSorted(compare));
      }),
      { numRuns: 20 },
    );
  });
});

describe('a query of a hundred thousand values', () => {
  const server = serverForTests();
  let db: Db;

  before(async () => {
    db = server.freshDatabase();
    const docs = Array.from({ length: 500 }, (_, n) => ({ n, m: n % 50, t: `t${n}`, z: n }));
    await db.collection('docs').insertMany(docs);
    await db
      .collection('docs')
      .createIndexes([{ key: { n: 1 } }, { key: { m: 1 } }, { key: { t: 1 } }]);
  });

  const numbers = Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 200_003);
  const isThere = new Set(numbers);
  const found = Array.from({ length: 500 }, (_, n) => n).filter((n) => isThere.has(n));

  const lists: readonly [string, string, readonly unknown[], readonly number[]][] = [
    ['numbers, with an index', 'n', numbers, found],
    ['numbers, without', 'z', numbers, found],
    ['int64', 'n', numbers.map((n) => Long.fromNumber(n)), found],
    ['strings', 't', numbers.map((n) => `t${n}`), found],
    [
      'all kinds',
      'n',
      [...numbers.map((n) => (n % 2 ? n : `t${n}`)), null, /x/, [1]],
      found.filter((n) => n % 2),
    ],
  ];
  for (const [name, field, $in, expected] of lists) {
    it(`finds what is in the list: ${name}`, async () => {
      const docs = await db
        .collection('docs')
        .find({ [field]: { $in } })
        .sort({ n: 1 })
        .toArray();
      assert.deepEqual(
        docs.map(({ n }) => n),
        expected,
      );
      const others = await db.collection('docs').countDocuments({ [field]: { $nin: $in } });
      assert.equal(others, 500 - expected.length);
    });
  }

  it('finds what one of thousands of branches finds', async () => {
    const $or = Array.from({ length: 6000 }, (_, n) => ({ n: n * 3, m: (n * 3) % 50 }));
    const docs = await db.collection('docs').find({ $or }).sort({ n: 1 }).toArray();
    assert.deepEqual(
      docs.map(({ n }) => n),
      Array.from({ length: 167 }, (_, n) => n * 3),
    );
  });

  it('deletes and changes them', async () => {
    const { modifiedCount } = await db
      .collection('docs')
      .updateMany({ z: { $in: numbers } }, { $set: { hit: 1 } });
    assert.equal(modifiedCount, found.length);
    const { deletedCount } = await db
      .collection('docs')
      .deleteMany({ t: { $in: numbers.map((n) => `t${n}`) } });
    assert.equal(deletedCount, found.length);
  });

  it('ends at maxTimeMS while it is planned', async () => {
    const $in = Array.from({ length: 400_000 }, (_, index) => `${(index * 7919) % 400_009}`);
    const find = db.collection('docs').find({ t: { $in } }, { maxTimeMS: 20 }).toArray();
    await assert.rejects(find, { code: 50 });
  });
});
