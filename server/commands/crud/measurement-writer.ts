/**
 * Puts measurements into the buckets of a time series, in one transaction.
 *
 * Owns: which bucket a measurement goes to: that of its series that was written to last, else one that covers its time,
 * else a new one. A bucket that takes several measurements is written once, by `write`.
 * Promises: nothing is stored before write(); a bucket is read in the transaction that writes it, so that no measurement of
 * another writer is lost: a conflict repeats the transaction.
 * Source: docs/format/timeseries-buckets.md.
 */
import {
  binaryEqual,
  dateBigIntValue,
  encodeIndexKey,
  getField,
  NULL,
  objectIdValue,
  type RawValue,
  successorOfPrefix,
} from '../../../bson/index.ts';
import { tassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  BucketBuilder,
  idSecondsOf,
  normalizedMeta,
  seriesKey,
  timeOfMeasurement,
  type TimeseriesOptions,
} from '../../../query/index.ts';
import {
  WriteConflictError,
  type CollectionDescription,
  type IndexDescription,
  type KeyRange,
  type RecordId,
  type Transaction,
} from '../../../storage/index.ts';
import type { OpenBuckets } from '../../catalog/open-buckets.ts';
import type { DocumentStamps } from '../../catalog/stored-document.ts';

/** A bucket that the transaction adds to. */
interface TouchedBucket {
  readonly builder: BucketBuilder;
  /** undefined for a new bucket. */
  readonly stored: StoredBucket | undefined;
}

interface StoredBucket {
  readonly recordId: RecordId;
  readonly document: Buffer;
}

/** One series within the transaction. */
interface Series {
  readonly key: string;
  readonly meta: RawValue | undefined;
  /** Buckets that measurements were added to, the last one first. */
  readonly buckets: TouchedBucket[];
}

/** What a writer works with. */
export interface MeasurementWriterParts {
  readonly transaction: Transaction;
  /** The collection of buckets. */
  readonly buckets: CollectionDescription;
  readonly options: TimeseriesOptions;
  readonly stamps: DocumentStamps;
  readonly openBuckets: OpenBuckets;
}

/** Stored buckets that are looked at for a measurement that comes late, and buckets of this transaction. */
const MAX_CANDIDATES = 4;
const MAX_TOUCHED_CANDIDATES = 8;
/**
 * A stored bucket that is larger is left as it is, and another one begun: adding to a bucket writes it anew, so that a
 * series whose measurements come a few at a time would be written over and over. Batches still fill buckets in one go.
 */
const MAX_REWRITTEN_BYTES = 16 * 1024;
/** A bucket costs the time of so many bytes, whatever it holds: its record and its entries in two indexes. */
const BUCKET_OVERHEAD_BYTES = 4096;

export class MeasurementWriter {
  private readonly parts: MeasurementWriterParts;
  private readonly series = new Map<string, Series>();
  private weight = 0;

  constructor(parts: MeasurementWriterParts) {
    this.parts = parts;
  }

  /** Bytes that write() will move, about. */
  get bytes(): number {
    return this.weight;
  }

  /** @param measurement complete, as documentToInsert makes it. @throws CommandError BadValue without a time */
  add(measurement: Buffer): void {
    const { options } = this.parts;
    const timeMs = timeOfMeasurement(measurement, options);
    const series = this.seriesOf(measurement);
    this.weight += measurement.length;
    const { buckets } = series;
    const tried = Math.min(buckets.length, MAX_TOUCHED_CANDIDATES);
    for (let index = 0; index < tried; index += 1) {
      if (buckets[index].builder.add(measurement, timeMs) !== undefined) continue;
      if (index > 0) buckets.unshift(...buckets.splice(index, 1));
      return;
    }
    const bucket =
      this.addToStored(series, measurement, timeMs) ?? this.addToNew(series, measurement, timeMs);
    buckets.unshift(bucket);
    this.weight += BUCKET_OVERHEAD_BYTES + (bucket.stored?.document.length ?? 0);
  }

  private seriesOf(measurement: Buffer): Series {
    const { metaField } = this.parts.options;
    const given = metaField === undefined ? undefined : getField(measurement, metaField);
    const meta = given === undefined ? undefined : normalizedMeta(given);
    const key = seriesKey(meta);
    let series = this.series.get(key);
    if (series === undefined) {
      series = { key, meta, buckets: [] };
      this.series.set(key, series);
    }
    return series;
  }

  private addToStored(
    series: Series,
    measurement: Buffer,
    timeMs: number,
  ): TouchedBucket | undefined {
    const { options } = this.parts;
    for (const stored of this.candidates(series, timeMs)) {
      if (stored.document.length > MAX_REWRITTEN_BYTES) continue;
      const builder = openBucket(options, stored.document, series.meta);
      if (builder?.add(measurement, timeMs) === undefined && builder !== undefined) {
        return { builder, stored };
      }
    }
    return undefined;
  }

  /** Stored buckets that may take a measurement of this series and time. */
  private *candidates(series: Series, timeMs: number): Generator<StoredBucket> {
    const { buckets, openBuckets } = this.parts;
    const seen = new Set(series.buckets.map(({ stored }) => stored?.recordId));
    const last = openBuckets.find(buckets.uuid, series.key);
    if (last !== undefined && !seen.has(last)) {
      seen.add(last);
      const document = this.read(last);
      if (document !== undefined) yield { recordId: last, document };
    }
    let looked = 0;
    for (const recordId of this.recordsAround(series.meta, timeMs)) {
      if (seen.has(recordId)) continue;
      const document = this.read(recordId);
      if (document !== undefined) yield { recordId, document };
      looked += 1;
      if (looked === MAX_CANDIDATES) return;
    }
  }

  /** A record that has to come from the device: the transaction begins again when it is there. */
  private read(recordId: RecordId): Buffer | undefined {
    const { transaction, buckets } = this.parts;
    const read = transaction.record(buckets, recordId);
    if (read instanceof Promise) throw new WriteConflictError(read.then(() => undefined));
    return read;
  }

  /** Buckets that begin within one span before `timeMs`, the latest first, if there is an index to find them by. */
  private *recordsAround(meta: RawValue | undefined, timeMs: number): Generator<RecordId> {
    const { transaction, buckets, options } = this.parts;
    const search = searchFor(buckets, options, meta, timeMs);
    if (search === undefined) return;
    const cursor = transaction.scanIndex(search.index, search.range, -1);
    try {
      while (cursor.next()) yield cursor.recordId;
    } finally {
      cursor.close();
    }
  }

  private addToNew(series: Series, measurement: Buffer, timeMs: number): TouchedBucket {
    const { options, stamps } = this.parts;
    const builder = BucketBuilder.begin(options, stamps.objectIds.next(), series.meta, timeMs);
    const rejection = builder.add(measurement, timeMs);
    tassert(rejection === undefined, 'a new bucket takes the measurement that it is made for');
    return { builder, stored: undefined };
  }

  /** Stores all buckets. @throws CommandError BSONObjectTooLarge, and what indexes on buckets refuse */
  write(): void {
    const { buckets, openBuckets } = this.parts;
    for (const { key, buckets: touched } of this.series.values()) {
      // The last one first: what is noted last is what the next measurement meets first.
      for (const { builder, stored } of touched.toReversed()) {
        openBuckets.note(buckets.uuid, key, this.store(builder.finish(), stored));
      }
    }
  }

  private store(bucket: Buffer, stored: StoredBucket | undefined): RecordId {
    const { transaction, buckets } = this.parts;
    try {
      if (stored === undefined) return transaction.insert(buckets, bucket);
      transaction.update(buckets, stored.recordId, stored.document, bucket);
      return stored.recordId;
    } catch (error) {
      throw asMeasurementError(error);
    }
  }
}

/** An index on a field of measurements is one on its least and greatest value: two arrays, if it holds arrays. */
export function asMeasurementError(error: unknown): unknown {
  const areArrays = error instanceof CommandError && error.codeName === 'CannotIndexParallelArrays';
  if (!areArrays) return error;
  return new CommandError(5_930_501, 'Indexed measurement field contains an array value');
}

/** A builder that goes on with a stored bucket; undefined when it is not one of the series, or takes nothing more. */
function openBucket(
  options: TimeseriesOptions,
  document: Buffer,
  meta: RawValue | undefined,
): BucketBuilder | undefined {
  const own = getField(document, 'meta');
  const isSame = own === undefined || meta === undefined ? own === meta : binaryEqual(own, meta);
  return isSame ? BucketBuilder.open(options, document) : undefined;
}

interface BucketSearch {
  readonly index: IndexDescription;
  readonly range: KeyRange;
}

function searchFor(
  buckets: CollectionDescription,
  options: TimeseriesOptions,
  meta: RawValue | undefined,
  timeMs: number,
): BucketSearch | undefined {
  const earliestMs = timeMs - options.bucketMaxSpanSeconds * 1000;
  if (options.metaField === undefined) return searchById(buckets, earliestMs, timeMs);
  const index = buckets.indexes.find(
    ({ fields, ready, multikey, spec }) =>
      ready &&
      !multikey &&
      fields[0]?.path === 'meta' &&
      fields[1]?.path === `control.min.${options.timeField}` &&
      fields[0].direction === 1 &&
      fields[1].direction === 1 &&
      getField(spec, 'partialFilterExpression') === undefined &&
      getField(spec, 'collation') === undefined,
  );
  if (index === undefined) return undefined;
  const keyOf = (ms: number): Buffer => encodeIndexKey([meta ?? NULL, dateValueOf(ms)], [1, 1]).key;
  return {
    index,
    range: {
      lower: keyOf(earliestMs),
      upper: successorOfPrefix(keyOf(timeMs)),
      upperInclusive: false,
    },
  };
}

function searchById(
  buckets: CollectionDescription,
  earliestMs: number,
  timeMs: number,
): BucketSearch | undefined {
  const index = buckets.indexes.find(({ name, ready }) => name === '_id_' && ready);
  if (index === undefined) return undefined;
  const keyOf = (ms: number, filler: number): Buffer => {
    const id = Buffer.alloc(12, filler);
    id.writeUInt32BE(idSecondsOf(ms), 0);
    return encodeIndexKey([objectIdValue(id)], [1]).key;
  };
  return {
    index,
    range: {
      lower: keyOf(earliestMs, 0),
      lowerInclusive: true,
      upper: keyOf(timeMs, 0xff),
      upperInclusive: true,
    },
  };
}

const FIRST_DATE = -(2n ** 63n);

function dateValueOf(ms: number): RawValue {
  const whole = BigInt(Math.floor(ms));
  return dateBigIntValue(whole < FIRST_DATE ? FIRST_DATE : whole);
}
