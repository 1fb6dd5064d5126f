import assert from 'node:assert/strict';
import { type Document, Int32, Long, ObjectId } from 'bson';
import fc from 'fast-check';
import {
  BucketBuilder,
  bucketStartMs,
  timeOfMeasurement,
} from '../../../query/timeseries/bucket-builder.ts';
import { countOfBucket } from '../../../query/timeseries/bucket-layout.ts';
import { BucketUnpacker } from '../../../query/timeseries/bucket-unpacker.ts';
import type { TimeseriesOptions } from '../../../query/timeseries/options.ts';
import { errorCodeOf, plain, raw, rawValue } from '../fixtures.ts';

const OPTIONS: TimeseriesOptions = {
  timeField: 't',
  metaField: 'm',
  granularity: 'seconds',
  bucketMaxSpanSeconds: 3600,
  bucketRoundingSeconds: 60,
};
const ID = Buffer.from('000000000102030405060708', 'hex');

function newBuilder(meta?: unknown, minMs = 0): BucketBuilder {
  return new BucketBuilder(OPTIONS, {
    id: ID,
    minMs,
    meta: meta === undefined ? undefined : rawValue(meta),
  });
}

function add(builder: BucketBuilder, document: Document): string | undefined {
  const measurement = raw(document);
  return builder.add(measurement, timeOfMeasurement(measurement, OPTIONS));
}

function unpack(bucket: Buffer, include?: readonly string[]): Document[] {
  const unpacker = new BucketUnpacker({
    timeField: 't',
    metaField: 'm',
    ...(include === undefined ? {} : { include: new Set(include) }),
  });
  unpacker.reset(bucket);
  const measurements: Document[] = [];
  for (let next = unpacker.next(); next !== undefined; next = unpacker.next()) {
    measurements.push(plain(next));
  }
  return measurements;
}

const at = (ms: number): Date => new Date(ms);

/** Without the time. */
function numbersOf({ t: _time, ...fields }: Document): Document {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, Number(value)]));
}

describe('query/timeseries: a bucket', () => {
  it('has _id, control, meta and data, with the extremes of every field', () => {
    const builder = newBuilder({ s: 1 }, 60_000);
    add(builder, { _id: 1, t: at(61_000), m: { s: 1 }, v: 5, o: { a: 1, b: 9 }, l: [1, 8] });
    add(builder, { _id: 2, t: at(60_500), m: { s: 1 }, v: 2.5, o: { a: 4 }, l: [0, 9, 3] });
    assert.deepEqual(plain(builder.finish()), {
      _id: new ObjectId(ID),
      control: {
        version: new Int32(1),
        min: plain(raw({ _id: 1, t: at(60_000), v: 2.5, o: { a: 1, b: 9 }, l: [0, 8, 3] })),
        max: plain(raw({ _id: 2, t: at(61_000), v: 5, o: { a: 4, b: 9 }, l: [1, 9, 3] })),
      },
      meta: plain(raw({ s: 1 })),
      data: plain(
        raw({
          _id: { 0: 1, 1: 2 },
          t: { 0: at(61_000), 1: at(60_500) },
          v: { 0: 5, 1: 2.5 },
          o: { 0: { a: 1, b: 9 }, 1: { a: 4 } },
          l: { 0: [1, 8], 1: [0, 9, 3] },
        }),
      ),
    });
  });

  it('gives its measurements back, time first and meta second', () => {
    const builder = newBuilder('sensor');
    add(builder, { _id: 1, v: 1, t: at(1), m: 'sensor' });
    add(builder, { t: at(2), m: 'sensor', w: Long.fromNumber(7), _id: 2 });
    assert.deepEqual(
      unpack(builder.finish()).map((document) => JSON.stringify(document)),
      [
        { t: at(1), m: 'sensor', _id: new Int32(1), v: new Int32(1) },
        { t: at(2), m: 'sensor', _id: new Int32(2), w: Long.fromNumber(7) },
      ].map((document) => JSON.stringify(document)),
    );
  });

  it('gives only the fields that are included', () => {
    const builder = newBuilder('s');
    add(builder, { _id: 1, t: at(1), m: 's', v: 1, w: 2 });
    add(builder, { _id: 2, t: at(2), m: 's', w: 3 });
    const bucket = builder.finish();
    assert.deepEqual(unpack(bucket, ['v']), [plain(raw({ v: 1 })), {}]);
    assert.deepEqual(unpack(bucket, ['m']), [{ m: 's' }, { m: 's' }]);
    assert.deepEqual(unpack(bucket, []), [{}, {}]);
  });

  it('goes on where a stored bucket ended', () => {
    const first = newBuilder('s');
    add(first, { _id: 1, t: at(5), m: 's', v: 4 });
    const opened = BucketBuilder.open(OPTIONS, first.finish());
    assert.ok(opened !== undefined);
    assert.equal(add(opened, { _id: 2, t: at(3), m: 's', v: 9, x: 'new' }), undefined);
    const bucket = opened.finish();
    assert.equal(countOfBucket(bucket, 't'), 2);
    assert.deepEqual(
      unpack(bucket).map(({ v, x }) => [v.valueOf(), x]),
      [
        [4, undefined],
        [9, 'new'],
      ],
    );
    assert.deepEqual(
      plain(bucket)['control'].max,
      plain(raw({ _id: 2, t: at(5), v: 9, x: 'new' })),
    );
  });

  it('takes no measurement outside of its span', () => {
    const builder = newBuilder('s', 60_000);
    assert.equal(add(builder, { t: at(59_999) }), 'time');
    assert.equal(add(builder, { t: at(3_660_000) }), 'time');
    assert.equal(add(builder, { t: at(3_659_999) }), undefined);
  });

  it('takes 1000 measurements', () => {
    const builder = newBuilder();
    for (let index = 0; index < 1000; index += 1)
      assert.equal(add(builder, { t: at(index) }), undefined);
    assert.equal(add(builder, { t: at(0) }), 'count');
    assert.equal(unpack(builder.finish()).length, 1000);
  });

  it('knows its count at every size', () => {
    const builder = newBuilder();
    for (let count = 1; count <= 1000; count += 1) {
      add(builder, { t: at(count), v: count });
      if (count < 120 || count % 97 === 0 || count === 1000) {
        assert.equal(countOfBucket(builder.finish(), 't'), count);
      }
    }
  });

  it('takes 125 KB, but ten measurements at least', () => {
    const builder = newBuilder();
    const text = 'x'.repeat(30_000);
    for (let index = 0; index < 10; index += 1) {
      assert.equal(add(builder, { t: at(index), text }), undefined);
    }
    assert.equal(add(builder, { t: at(11), text }), 'size');
  });

  it('refuses at once what it could never hold, and makes no columns of it', () => {
    const fields = Array.from({ length: 450_000 }, (_, index) => [`field ${index}`, null]);
    const builder = newBuilder();
    const measurement = { t: at(0), ...Object.fromEntries(fields) };
    assert.equal(
      errorCodeOf(() => add(builder, measurement)),
      10_334,
    );
    assert.equal(builder.count, 0);
    assert.equal(add(builder, { t: at(0), v: 1 }), undefined);
  });

  it('takes fields in any order', () => {
    const builder = newBuilder();
    add(builder, { t: at(0), a: 1, b: 2, c: 3 });
    assert.equal(add(builder, { c: 4, a: { x: 1 }, t: at(1), d: 5 }), 'shape');
    assert.equal(add(builder, { c: 4, b: 5, t: at(1), d: 6, a: 7 }), undefined);
    assert.equal(add(builder, { e: 8, c: 9, t: at(2) }), undefined);
    assert.deepEqual(unpack(builder.finish()).map(numbersOf), [
      { a: 1, b: 2, c: 3 },
      { a: 7, b: 5, c: 4, d: 6 },
      { c: 9, e: 8 },
    ]);
  });

  it('holds one shape per path: a measurement that would mix objects with values is rejected whole', () => {
    const builder = newBuilder();
    assert.equal(add(builder, { t: at(1), v: { a: 1 }, w: null }), undefined);
    assert.equal(add(builder, { t: at(1), n: 1, v: 5 }), 'shape');
    assert.equal(add(builder, { t: at(1), v: { a: [1] } }), 'shape');
    assert.equal(add(builder, { t: at(1), v: [1] }), 'shape');
    assert.equal(add(builder, { t: at(1), v: { b: [1] }, w: 7 }), undefined);
    assert.deepEqual(Object.keys(plain(builder.finish())['data']), ['t', 'v', 'w']);
  });

  it('orders values of several types as MongoDB does, NaN included', () => {
    const builder = newBuilder();
    for (const v of [1, 'text', null, NaN, -5]) add(builder, { t: at(1), v });
    const { min, max } = plain(builder.finish())['control'];
    assert.equal(min.v, null);
    assert.equal(max.v, 'text');
  });

  it('counts a field that is named twice once', () => {
    const twice = Buffer.concat([raw({ t: at(1), v: 1 }), Buffer.alloc(0)]);
    const body = Buffer.concat([twice.subarray(4, -1), raw({ v: 2 }).subarray(4)]);
    const document = Buffer.concat([Buffer.alloc(4), body]);
    document.writeInt32LE(document.length, 0);
    const builder = newBuilder();
    assert.equal(builder.add(document, 1), undefined);
    assert.deepEqual(unpack(builder.finish()), [plain(raw({ t: at(1), v: 1 }))]);
  });

  it('begins at a multiple of the rounding, before 1970 too', () => {
    assert.equal(bucketStartMs(119_999, OPTIONS), 60_000);
    assert.equal(bucketStartMs(-1, OPTIONS), -60_000);
    assert.equal(bucketStartMs(-60_000, OPTIONS), -60_000);
  });

  it('refuses measurements without a date in the time field', () => {
    assert.equal(
      errorCodeOf(() => timeOfMeasurement(raw({ v: 1 }), OPTIONS)),
      2,
    );
    assert.equal(
      errorCodeOf(() => timeOfMeasurement(raw({ t: 5 }), OPTIONS)),
      2,
    );
  });

  it('refuses to read what is no bucket', () => {
    assert.equal(
      errorCodeOf(() => unpack(raw({ _id: 1 }))),
      5_346_510,
    );
    const bucket = { _id: 1, control: { version: 2, min: {}, max: {} }, data: {} };
    assert.equal(
      errorCodeOf(() => unpack(raw(bucket))),
      238,
    );
  });

  it('holds any measurements as they are, in any division into writes', () => {
    const scalar = fc.oneof(
      fc.integer(),
      fc.double(),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.date({ noInvalidDate: true }),
    );
    const value = fc.oneof(
      { weight: 4, arbitrary: scalar },
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), scalar, { noNullPrototype: true }),
      fc.array(scalar, { maxLength: 3 }),
    );
    const measurement = fc.record(
      { v: value, w: value, x: scalar, longer: scalar },
      { requiredKeys: [], noNullPrototype: true },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3_599_999), measurement), { minLength: 1, maxLength: 30 }),
        fc.nat(5),
        (measurements, reopenEvery) => {
          const expected: Document[] = [];
          let builder = newBuilder();
          measurements.forEach(([ms, fields], index) => {
            const document = { t: at(ms), ...fields };
            if (add(builder, document) === undefined) expected.push(plain(raw(document)));
            if (expected.length > 0 && index % (reopenEvery + 1) === 0) {
              builder = BucketBuilder.open(OPTIONS, builder.finish()) ?? builder;
            }
          });
          const byName = (document: Document) =>
            Object.fromEntries(Object.entries(document).toSorted(([a], [b]) => (a < b ? -1 : 1)));
          assert.deepEqual(unpack(builder.finish()).map(byName), expected.map(byName));
        },
      ),
      { numRuns: 300 },
    );
  });
});
