import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ObjectId } from 'bson';
import { inspect } from 'node:util';
import { dateBigIntValue, documentOf } from '../../../bson/index.ts';
import type { Plain } from '../executor/store.ts';
import { type Given, TimeSeriesStore, unordered } from './time-series-store.ts';

const HOUR = 3_600_000;
const date = (ms: number): Date => new Date(ms);

const scalar = fc.oneof(
  fc.integer({ min: -4, max: 4 }),
  fc.constantFrom<unknown>(1.5, -0, NaN, null, '', 'a', 'b', true, date(0), date(HOUR)),
);
const value = fc.oneof(
  { weight: 6, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('x', 'y'), scalar, { maxKeys: 2, noNullPrototype: true }),
);
const meta = fc.oneof(
  fc.constantFrom<unknown>(1, 'a', null),
  fc.record({ s: fc.integer({ min: 0, max: 2 }) }, { noNullPrototype: true }),
);
const time = fc.integer({ min: -20, max: 20 }).map((steps) => date(steps * 600_000));
const fields = fc.record(
  { v: value, w: value, z: scalar, m: meta },
  { requiredKeys: [], noNullPrototype: true },
);
const documents = fc
  .array(fc.tuple(time, fields), { minLength: 1, maxLength: 25 })
  .map((list) => list.map(([t, rest], index): Plain => ({ _id: index, t, ...rest })));

const path = fc.constantFrom('v', 'w', 'v.x', 'w.y', 'm', 'm.s', 'v.0', 'z', '_id');
const condition = fc.oneof(
  scalar.map((operand): unknown => operand),
  fc
    .tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte', '$eq', '$ne'), scalar)
    .map(([operator, operand]) => ({ [operator]: operand })),
  fc.tuple(scalar, scalar).map(([a, b]) => ({ $gte: a, $lt: b })),
  fc.array(scalar, { maxLength: 4 }).map((operand) => ({ $in: operand })),
  fc.boolean().map((operand) => ({ $exists: operand })),
  scalar.map((operand) => ({ $not: { $lte: operand } })),
  fc.constant({ $elemMatch: { $gte: 1 } }),
);
const timeCondition = fc.oneof(
  time.map((operand): unknown => operand),
  fc
    .tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte'), time)
    .map(([operator, operand]) => ({ [operator]: operand })),
  fc.tuple(time, time).map(([a, b]) => ({ $gte: a, $lte: b })),
  fc
    .array(fc.oneof(time, fc.constantFrom<unknown>(5, null)), { maxLength: 3 })
    .map((operand) => ({ $in: operand })),
  fc.constant({ $gt: 5 }),
);
const leaf: fc.Arbitrary<Plain> = fc.oneof(
  fc.tuple(path, condition).map(([name, operand]) => ({ [name]: operand })),
  timeCondition.map((operand) => ({ t: operand })),
  fc.constant({ $expr: { $eq: ['$m.s', 1] } }),
);
const filter: fc.Arbitrary<Plain> = fc.oneof(
  { weight: 3, arbitrary: leaf },
  fc.tuple(leaf, leaf).map(([a, b]) => ({ $and: [a, b] })),
  fc.tuple(leaf, leaf).map(([a, b]) => ({ $or: [a, b] })),
  fc.tuple(leaf, leaf, leaf).map(([a, b, c]) => ({ ...c, $or: [a, { $and: [b, a] }] })),
  fc.tuple(leaf, leaf).map(([a, b]) => ({ $nor: [a, b] })),
);
const stage: fc.Arbitrary<Plain> = fc.oneof(
  { weight: 3, arbitrary: filter.map(($match) => ({ $match })) },
  fc.constantFrom<Plain>(
    { $project: { v: 1, m: 1 } },
    { $project: { _id: 1, t: 1 } },
    { $project: { w: 0 } },
    { $set: { w: '$v', 'm.new': 1 } },
    { $set: { t: '$w' } },
    { $unset: 'm' },
    { $replaceWith: { _id: '$_id', v: '$m', t: '$t' } },
  ),
);
const ending: fc.Arbitrary<readonly Plain[]> = fc.constantFrom<readonly Plain[]>(
  [{ $sort: { _id: 1 } }],
  [{ $sort: { t: 1, _id: 1 } }],
  [{ $sort: { t: -1, _id: 1 } }, { $limit: 5 }],
  [{ $sort: { m: 1, t: 1, _id: 1 } }, { $skip: 1 }, { $limit: 7 }],
  [{ $sort: { t: 1 } }, { $project: { t: 1, _id: 0 } }],
  [{ $sort: { t: -1 } }, { $limit: 4 }, { $project: { t: 1, _id: 0 } }],
  [{ $match: { m: 1 } }, { $sort: { t: 1 } }, { $limit: 3 }, { $project: { t: 1, _id: 0 } }],
  [{ $match: { m: 'a' } }, { $sort: { t: -1 } }, { $project: { t: 1, _id: 0 } }],
  [{ $group: { _id: null, n: { $sum: 1 } } }],
  [{ $group: { _id: '$m.s', n: { $sum: 1 } } }, { $sort: { _id: 1 } }],
  [{ $group: { _id: '$m', max: { $max: '$t' }, min: { $min: '$_id' } } }, { $sort: { _id: 1 } }],
  [{ $match: { v: { $gt: 0 } } }, { $count: 'n' }],
);

describe('query/timeseries: pipelines over a time series', () => {
  it('give what they give over a plain collection of the same documents', async () => {
    await fc.assert(
      fc.asyncProperty(
        documents,
        fc.array(fc.tuple(fc.array(stage, { maxLength: 3 }), ending), {
          minLength: 8,
          maxLength: 8,
        }),
        fc.boolean(),
        async (all, pipelines, withIndexes) => {
          const store = await TimeSeriesStore.open(all, withIndexes ? INDEXES : []);
          try {
            for (const [stages, end] of pipelines) {
              const pipeline = [...stages, ...end];
              const expected = await store.aggregate('plain', pipeline);
              const actual = await store.aggregate('series', pipeline);
              assert.deepEqual(unordered(actual), unordered(expected), JSON.stringify(pipeline));
            }
          } finally {
            await store.close();
          }
        },
      ),
      { numRuns: 60 },
    );
  }).timeout(20_000);

  const INDEXES: readonly Plain[] = [
    { v: 2, name: 'mt', key: { meta: 1, 'control.min.t': 1, 'control.max.t': 1 } },
    { v: 2, name: 'z', key: { 'control.min.z': 1, 'control.max.z': 1 } },
    { v: 2, name: 'ms', key: { 'meta.s': 1 } },
  ];

  describe('explain', () => {
    let store: TimeSeriesStore;
    before(async () => {
      const all = Array.from({ length: 40 }, (_, index) => ({
        _id: index,
        t: date(index * HOUR),
        m: { s: index % 2 },
        v: index,
        z: index,
      }));
      store = await TimeSeriesStore.open(all, INDEXES);
    });
    after(() => store.close());

    it('shows the conditions on buckets, and the fields that are made', async () => {
      const explained = await store.explain([
        { $match: { 'm.s': 1, t: { $gte: date(HOUR * 10) }, v: { $lt: 30 } } },
        { $group: { _id: '$m.s', sum: { $sum: '$v' } } },
      ]);
      const [cursor, unpack] = explained['stages'] as Plain[];
      const { parsedQuery } = (cursor['$cursor'] as Plain)['queryPlanner'] as Plain;
      assert.deepEqual(parsedQuery, {
        $and: [
          { 'meta.s': { $eq: 1 } },
          { 'control.max.t': { $_internalExprGte: date(HOUR * 10) } },
          { 'control.min.t': { $_internalExprGte: date(HOUR * 9) } },
          { _id: { $gte: new ObjectId('00007e900000000000000000') } },
          { 'control.min.v': { $_internalExprLt: 30 } },
        ],
      });
      assert.deepEqual(unpack['$_internalUnpackBucket'], {
        include: ['t', 'v', 'm'],
        timeField: 't',
        metaField: 'm',
        bucketMaxSpanSeconds: 3600,
        eventFilter: { $and: [{ t: { $gte: date(HOUR * 10) } }, { v: { $lt: 30 } }] },
      });
    });

    it('shows that an index on meta and time reads few buckets', async () => {
      const explained = await store.explain([
        { $match: { m: { s: 1 }, t: { $gte: date(HOUR * 30), $lt: date(HOUR * 32) } } },
      ]);
      const [cursor] = explained['stages'] as Plain[];
      const stats = (cursor['$cursor'] as Plain)['executionStats'] as Plain;
      assert.ok((stats['totalDocsExamined'] as number) <= 3);
    });

    it('shows that a time range alone is found by the _id', async () => {
      const explained = await store.explain([
        { $match: { t: { $gte: date(HOUR * 30), $lt: date(HOUR * 32) } } },
      ]);
      const [cursor] = explained['stages'] as Plain[];
      const stats = (cursor['$cursor'] as Plain)['executionStats'] as Plain;
      assert.ok((stats['totalDocsExamined'] as number) <= 5);
    });

    it('shows that a sort by time reads the buckets in order, and with a limit only the last ones', async () => {
      for (const [match, most] of [
        [{}, 4],
        [{ m: { s: 1 } }, 3],
      ] as const) {
        const explained = await store.explain([
          { $match: match },
          { $sort: { t: -1 } },
          { $limit: 1 },
        ]);
        const [cursor, , sort] = explained['stages'] as Plain[];
        assert.deepEqual(sort['$_internalBoundedSort'], {
          sortKey: { t: -1 },
          bound: 'max',
          limit: 1,
        });
        const stats = (cursor['$cursor'] as Plain)['executionStats'] as Plain;
        assert.ok((stats['totalDocsExamined'] as number) <= 40);
        const [last] = await store.aggregate('series', [
          { $match: match },
          { $sort: { t: -1 } },
          { $limit: 1 },
        ]);
        assert.equal(last['_id'], 39);
        assert.ok(
          (await store.bucketsRead([{ $match: match }, { $sort: { t: -1 } }, { $limit: 1 }])) <=
            most,
        );
      }
    });

    it('sorts with limits of every size', async () => {
      const many = Array.from({ length: 400 }, (_, index) => ({
        _id: index,
        t: date(((index * 7919) % 400) * 20_000),
        m: { s: index % 3 },
      }));
      const store = await TimeSeriesStore.open(many, INDEXES);
      for (const limit of [1, 2, 10, 100, 399, 400, 500]) {
        for (const direction of [1, -1]) {
          const pipeline: Plain[] = [
            { $sort: { t: direction } },
            { $limit: limit },
            { $project: { t: 1, _id: 0 } },
          ];
          const expected = await store.aggregate('plain', pipeline);
          assert.deepEqual(await store.aggregate('series', pipeline), expected);
        }
      }
      await store.close();
    });

    it('tells the first and last dates of all apart', async () => {
      const ends = [-(2n ** 63n), -(2n ** 53n), 0n, 2n ** 53n, 2n ** 63n - 10n];
      const times = ends.flatMap((end) => [4n, 1n, 0n, 2n, 5n].map((more) => end + more));
      const many = times.map((ms, index) => documentOf({ _id: index, t: dateBigIntValue(ms) }));
      const far = await TimeSeriesStore.open(many, INDEXES);
      const same = async (pipeline: readonly Given[]): Promise<void> =>
        assert.deepEqual(
          await far.aggregate('series', pipeline),
          await far.aggregate('plain', pipeline),
          inspect(pipeline),
        );
      const onlyId = { $project: { _id: 1 } };
      for (const direction of [1, -1]) {
        for (const limit of [3, 100]) {
          await same([{ $sort: { t: direction } }, { $limit: limit }, onlyId]);
        }
      }
      for (const ms of times) {
        for (const operator of ['$eq', '$gt', '$gte', '$lt', '$lte']) {
          const condition = documentOf({ [operator]: dateBigIntValue(ms) });
          const match = documentOf({ $match: documentOf({ t: condition }) });
          await same([match, { $sort: { _id: 1 } }, onlyId]);
        }
      }
      await far.close();
    });

    it('sorts on by other means when the memory of a stage does not suffice', async () => {
      const pipeline: Plain[] = [{ $sort: { t: -1 } }, { $project: { t: 1, _id: 0 } }];
      const sorted = await store.aggregate('series', pipeline, 200);
      assert.deepEqual(sorted, await store.aggregate('plain', pipeline));
    });

    it('shows that a measurement index narrows down the buckets', async () => {
      const explained = await store.explain([{ $match: { z: 7 } }]);
      const [cursor] = explained['stages'] as Plain[];
      const stats = (cursor['$cursor'] as Plain)['executionStats'] as Plain;
      assert.ok((stats['totalDocsExamined'] as number) <= 1);
    });
  });
});
