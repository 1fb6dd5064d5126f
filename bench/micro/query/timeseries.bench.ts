/**
 * What does a measurement cost in a bucket: to add it, to write the bucket, and to make it again?
 *
 * Estimate: adding four fields 250 ns (name compare, copy, two comparisons each), writing a bucket of 1000 a memory copy
 * of 60 KB, 10 µs; making a measurement of four fields 250 ns, of the one field of a $group 100 ns.
 * Run: `npm run bench -- query/timeseries`.
 */
import { serialize } from 'bson';
import { BucketBuilder } from '../../../query/timeseries/bucket-builder.ts';
import { BucketUnpacker } from '../../../query/timeseries/bucket-unpacker.ts';
import type { TimeseriesOptions } from '../../../query/timeseries/options.ts';
import { nsPerCall, report } from '../bson/measure.ts';

const COUNT = 1000;
const options: TimeseriesOptions = {
  timeField: 'time',
  metaField: 'sensor',
  granularity: 'seconds',
  bucketMaxSpanSeconds: 3600,
  bucketRoundingSeconds: 60,
};
const measurements = Array.from({ length: COUNT }, (_, index) =>
  Buffer.from(
    serialize({
      time: new Date(index * 1000),
      sensor: 's1',
      _id: index,
      temperature: 20 + Math.sin(index) * 5,
      humidity: index % 100,
    }),
  ),
);

function build(): BucketBuilder {
  const builder = new BucketBuilder(options, { id: Buffer.alloc(12), minMs: 0, meta: undefined });
  for (let index = 0; index < COUNT; index += 1) builder.add(measurements[index], index * 1000);
  return builder;
}

const full = build();
const bucket = full.finish();

function unpackAll(unpacker: BucketUnpacker): void {
  unpacker.reset(bucket);
  while (unpacker.next() !== undefined);
}

const fields = { timeField: 'time', metaField: 'sensor' };
const whole = new BucketUnpacker(fields);
const one = new BucketUnpacker({ ...fields, include: new Set(['temperature']) });
const none = new BucketUnpacker({ ...fields, include: new Set(['sensor']) });
const narrow = new BucketUnpacker(fields, { minMs: 0, maxMs: 10_000 });

function measure(name: string, call: () => unknown): void {
  report(name, nsPerCall(() => call()) / COUNT);
}

measure('added', build);
measure('bucket written', () => full.finish());
measure('bucket opened and written', () => BucketBuilder.open(options, bucket)?.finish());
measure('made whole', () => unpackAll(whole));
measure('made of one field', () => unpackAll(one));
measure('made of the meta value', () => unpackAll(none));
measure('left out by its time', () => unpackAll(narrow));
