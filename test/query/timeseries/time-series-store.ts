/**
 * Two collections of the same documents on the real engine: a plain one and a time series.
 */
import { documentOf, getField } from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { planAggregate } from '../../../query/index.ts';
import { BucketBuilder, timeOfMeasurement } from '../../../query/timeseries/bucket-builder.ts';
import {
  bucketsNamespace,
  timeseriesDocument,
  type TimeseriesOptions,
} from '../../../query/timeseries/options.ts';
import { normalizedMeta, seriesKey } from '../../../query/timeseries/series-key.ts';
import { openEngine, type StorageEngine } from '../../../storage/index.ts';
import { bytes, collectRaw, context, type Plain, plain } from '../executor/store.ts';

export const OPTIONS: TimeseriesOptions = {
  timeField: 't',
  metaField: 'm',
  granularity: 'seconds',
  bucketMaxSpanSeconds: 3600,
  bucketRoundingSeconds: 60,
};

/** A document, or its bytes when JavaScript has no value for what it holds. */
export type Given = Plain | Buffer;

function bytesOf(given: Given): Buffer {
  return Buffer.isBuffer(given) ? given : bytes(given);
}

export class TimeSeriesStore {
  private readonly engine: StorageEngine;

  private constructor(engine: StorageEngine) {
    this.engine = engine;
  }

  static async open(
    documents: readonly Given[],
    indexes: readonly Plain[] = [],
  ): Promise<TimeSeriesStore> {
    const store = new TimeSeriesStore(await openEngine());
    store.add(documents, indexes);
    return store;
  }

  private add(documents: readonly Given[], indexes: readonly Plain[]): void {
    const write = this.engine.begin();
    const options = documentOf({ timeseries: timeseriesDocument(OPTIONS) });
    write.createCollection('test.plain');
    write.createCollection('test.series', { kind: 'timeseries', options });
    write.createCollection(bucketsNamespace('test.series'), { options });
    const buckets = () => write.collection(bucketsNamespace('test.series'))!;
    for (const index of indexes) write.createIndex(buckets(), bytes(index));
    for (const document of documents)
      write.insert(write.collection('test.plain')!, bytesOf(document));
    for (const bucket of bucketsOf(documents.map(bytesOf))) write.insert(buckets(), bucket);
    write.commit();
  }

  /** How many documents of the collection below were read. */
  bucketsRead(pipeline: readonly Plain[]): Promise<number> {
    return this.open('series', pipeline, async (plan, view) => {
      const executor = plan.open(view, uninterruptible);
      await collectRaw(executor);
      return executor.statistics.docsExamined;
    });
  }

  /** @param maxStageBytes memory of a stage. */
  async aggregate(
    namespace: 'plain' | 'series',
    pipeline: readonly Given[],
    maxStageBytes?: number,
  ): Promise<Plain[]> {
    const options = maxStageBytes === undefined ? {} : { maxStageBytes };
    return (
      await this.open(namespace, pipeline, (plan, view) =>
        collectRaw(plan.open(view, uninterruptible, options)),
      )
    ).map(plain);
  }

  async explain(pipeline: readonly Plain[]): Promise<Plain> {
    return plain(
      await this.open('series', pipeline, async (plan, view) =>
        plan.explain('executionStats', view, uninterruptible),
      ),
    );
  }

  private async open<Result>(
    name: string,
    pipeline: readonly Given[],
    run: (
      plan: ReturnType<typeof planAggregate>,
      view: ReturnType<StorageEngine['snapshot']>,
    ) => Promise<Result>,
  ): Promise<Result> {
    const view = this.engine.snapshot();
    try {
      const namespace = `test.${name}`;
      const request = { pipeline: pipeline.map(bytesOf), namespace };
      return await run(planAggregate(view, view.collection(namespace), request, context), view);
    } finally {
      view.close();
    }
  }

  async close(): Promise<void> {
    await this.engine.close();
  }
}

/** Buckets that hold these measurements. */
export function bucketsOf(measurements: readonly Buffer[]): Buffer[] {
  const open = new Map<string, BucketBuilder>();
  const all: BucketBuilder[] = [];
  for (const measurement of measurements) {
    const given = getField(measurement, 'm');
    const meta = given === undefined ? undefined : normalizedMeta(given);
    const key = seriesKey(meta);
    const timeMs = timeOfMeasurement(measurement, OPTIONS);
    if (open.get(key)?.add(measurement, timeMs) === undefined && open.has(key)) continue;
    const id = Buffer.alloc(12);
    id.writeUInt32BE(all.length, 8);
    const builder = BucketBuilder.begin(OPTIONS, id, meta, timeMs);
    builder.add(measurement, timeMs);
    open.set(key, builder);
    all.push(builder);
  }
  return all.map((builder) => builder.finish());
}

/** Documents without the order of their fields at the top level, which buckets do not keep. */
export function unordered(documents: readonly Plain[]): Plain[] {
  return documents.map((document) =>
    Object.fromEntries(Object.entries(document).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  );
}
