/**
 * What makes a collection a time series collection: its options as the catalog keeps them, and what follows from them.
 *
 * Owns: reading the `timeseries` document of a collection's options, spans and rounding of granularities, and the name of
 * the collection that holds the buckets.
 * Source: MongoDB's manual, "Set Granularity for Time Series Data", "Time Series Collections".
 */
import { BsonType, DocumentBuilder, getField } from '../../bson/index.ts';

export const GRANULARITIES = ['seconds', 'minutes', 'hours'] as const;
export type Granularity = (typeof GRANULARITIES)[number];

/** A bucket holds at most so long a time, and begins at a multiple of the rounding. Seconds. */
const SPAN_SECONDS: Readonly<Record<Granularity, number>> = {
  seconds: 3600,
  minutes: 86_400,
  hours: 2_592_000,
};
const ROUNDING_SECONDS: Readonly<Record<Granularity, number>> = {
  seconds: 60,
  minutes: 3600,
  hours: 86_400,
};

export interface TimeseriesOptions {
  readonly timeField: string;
  readonly metaField: string | undefined;
  /** undefined: span and rounding were given in seconds. */
  readonly granularity: Granularity | undefined;
  readonly bucketMaxSpanSeconds: number;
  readonly bucketRoundingSeconds: number;
}

export function spanOfGranularity(granularity: Granularity): number {
  return SPAN_SECONDS[granularity];
}

export function roundingOfGranularity(granularity: Granularity): number {
  return ROUNDING_SECONDS[granularity];
}

/** @param options of a collection, as the catalog has them. @returns undefined when it is no time series collection. */
export function timeseriesOptionsOf(options: Buffer): TimeseriesOptions | undefined {
  const value = getField(options, 'timeseries');
  if (value?.type !== BsonType.object) return undefined;
  const timeseries = value.asDocument();
  const given = getField(timeseries, 'granularity')?.asString();
  const granularity = GRANULARITIES.find((each) => each === given);
  const fallback = granularity ?? 'seconds';
  return {
    timeField: getField(timeseries, 'timeField')?.asString() ?? '',
    metaField: getField(timeseries, 'metaField')?.asString(),
    granularity,
    bucketMaxSpanSeconds:
      getField(timeseries, 'bucketMaxSpanSeconds')?.asNumber() ?? SPAN_SECONDS[fallback],
    bucketRoundingSeconds:
      getField(timeseries, 'bucketRoundingSeconds')?.asNumber() ?? ROUNDING_SECONDS[fallback],
  };
}

/** The `timeseries` document as listCollections shows it: rounding only where it is not the granularity's. */
export function timeseriesDocument(options: TimeseriesOptions): Buffer {
  const { timeField, metaField, granularity, bucketMaxSpanSeconds } = options;
  const builder = new DocumentBuilder(128).appendString('timeField', timeField);
  if (metaField !== undefined) builder.appendString('metaField', metaField);
  if (granularity !== undefined) builder.appendString('granularity', granularity);
  else builder.appendInt32('bucketRoundingSeconds', options.bucketRoundingSeconds);
  return builder.appendInt32('bucketMaxSpanSeconds', bucketMaxSpanSeconds).finish();
}

const BUCKETS_PREFIX = 'system.buckets.';

/** "db.name" -> "db.system.buckets.name" */
export function bucketsNamespace(namespace: string): string {
  const dot = namespace.indexOf('.');
  return `${namespace.slice(0, dot + 1)}${BUCKETS_PREFIX}${namespace.slice(dot + 1)}`;
}

/** "db.system.buckets.name" -> "db.name"; undefined for any other namespace. */
export function namespaceOfBuckets(namespace: string): string | undefined {
  const dot = namespace.indexOf('.');
  if (!namespace.startsWith(BUCKETS_PREFIX, dot + 1)) return undefined;
  return namespace.slice(0, dot + 1) + namespace.slice(dot + 1 + BUCKETS_PREFIX.length);
}

/** The pipeline that makes measurements of buckets, as the view's definition has it. */
export function unpackPipeline(options: TimeseriesOptions): readonly Buffer[] {
  const { timeField, metaField, bucketMaxSpanSeconds } = options;
  const builder = new DocumentBuilder(128).beginDocument('$_internalUnpackBucket');
  builder.appendString('timeField', timeField);
  if (metaField !== undefined) builder.appendString('metaField', metaField);
  builder.appendInt32('bucketMaxSpanSeconds', bucketMaxSpanSeconds);
  builder.beginArray('exclude').end();
  return [builder.end().finish()];
}
