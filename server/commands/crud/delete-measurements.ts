/**
 * delete and findAndModify with remove, of a time series: takes measurements out of buckets.
 *
 * A bucket whose measurements all go is removed; any other is written anew with those that stay.
 * Source: MongoDB's manual, "Time Series Collection Limitations": deletes.
 */
import { isEmpty } from '../../../bson/index.ts';
import { tassert } from '../../../common/assert.ts';
import {
  BucketBuilder,
  bucketFilterOf,
  bucketHint,
  bucketParts,
  bucketStartMs,
  BucketUnpacker,
  compileFilter,
  countOfBucket,
  type Filter,
  timeOfMeasurement,
  timesOfBucket,
  type FindRequest,
  type QueryContext,
  type TimeseriesOptions,
} from '../../../query/index.ts';
import type { RecordId, Transaction } from '../../../storage/index.ts';
import type { DocumentStamps } from '../../catalog/stored-document.ts';
import type { TimeseriesCollection } from '../../catalog/timeseries-catalog.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import {
  changeEach,
  type FoundRecord,
  planTarget,
  type WriteTarget,
  writeTarget,
} from './matching-records.ts';

/** What a statement looks for, bucket by bucket. */
export interface MeasurementTarget {
  readonly buckets: WriteTarget;
  /** undefined: every measurement of a bucket that matches. */
  readonly measurements: Filter | undefined;
}

export function measurementTarget(
  { options }: Pick<TimeseriesCollection, 'options'>,
  { filter, hint }: Pick<FindRequest, 'filter' | 'hint'>,
  context: QueryContext,
): MeasurementTarget {
  const { buckets, measurements } = bucketFilterOf(filter, options, context);
  const find: FindRequest = {
    filter: buckets,
    ...(hint === undefined ? {} : { hint: bucketHint(hint, options) }),
  };
  return {
    buckets: writeTarget(find, context),
    measurements: isEmpty(measurements) ? undefined : compileFilter(measurements, context),
  };
}

/** Removes all that match. @returns how many. */
export async function deleteMeasurements(
  op: OperationContext,
  collection: TimeseriesCollection,
  target: MeasurementTarget,
): Promise<number> {
  const { buckets, options } = collection;
  const { stamps } = op.service;
  // A transaction may be repeated: then its counts are written again, not added.
  const removed = new Map<RecordId, number>();
  await changeEach(
    op,
    { namespace: buckets.namespace, prepare: () => target.buckets, bypassValidation: true },
    (writer, record) => {
      const { recordId, document } = record;
      if (target.measurements === undefined) {
        removed.set(recordId, countOfBucket(document, options.timeField));
        writer.delete(recordId, document);
        return true;
      }
      const rest = withoutMatches(document, target.measurements, { options, stamps, once: false });
      removed.set(recordId, rest.removed.length);
      if (rest.removed.length === 0) return false;
      const [first, ...further] = rest.buckets;
      if (first === undefined) writer.delete(recordId, document);
      else writer.update(recordId, document, first);
      for (const bucket of further) writer.insert(bucket);
      return true;
    },
  );
  let total = 0;
  for (const count of removed.values()) total += count;
  return total;
}

/** Removes the first measurement that is found. @returns it. */
export async function deleteMeasurement(
  op: OperationContext,
  transaction: Transaction,
  collection: TimeseriesCollection,
  target: MeasurementTarget,
): Promise<Buffer | undefined> {
  const { buckets, options } = collection;
  const { stamps } = op.service;
  const executor = planTarget(transaction, buckets, target.buckets).open(transaction, op);
  try {
    for (;;) {
      const next = executor.next();
      const document = next instanceof Promise ? await next : next;
      if (document === undefined) return undefined;
      const { recordId } = executor;
      tassert(recordId !== undefined, 'a write plan lost the record of its bucket');
      const rest = withoutMatches(document, target.measurements, { options, stamps, once: true });
      if (rest.removed.length === 0) continue;
      replace(transaction, collection, { recordId, document }, rest.buckets);
      return rest.removed[0];
    }
  } finally {
    executor.close();
  }
}

function replace(
  transaction: Transaction,
  { buckets }: TimeseriesCollection,
  { recordId, document }: FoundRecord,
  [first, ...further]: readonly Buffer[],
): void {
  if (first === undefined) transaction.delete(buckets, recordId, document);
  else transaction.update(buckets, recordId, document, first);
  for (const bucket of further) transaction.insert(buckets, bucket);
}

/** What becomes of a bucket. */
interface Rest {
  readonly removed: readonly Buffer[];
  /** Buckets with the measurements that stay: mostly one or none. */
  readonly buckets: readonly Buffer[];
}

interface Removal {
  readonly options: TimeseriesOptions;
  readonly stamps: DocumentStamps;
  /** Only the first match is removed. */
  readonly once: boolean;
}

function withoutMatches(bucket: Buffer, filter: Filter | undefined, removal: Removal): Rest {
  const { options, stamps, once } = removal;
  const unpacker = new BucketUnpacker(options);
  unpacker.reset(bucket);
  const removed: Buffer[] = [];
  const kept: Buffer[] = [];
  for (let next = unpacker.next(); next !== undefined; next = unpacker.next()) {
    const matches = filter === undefined || filter.matches(next);
    if (matches && !(once && removed.length > 0)) removed.push(next);
    else kept.push(next);
  }
  if (removed.length === 0) return { removed, buckets: [] };
  return { removed, buckets: rebuilt(bucket, kept, options, stamps) };
}

/** The first bucket keeps the identity of the old one; a further one takes what would not fit the first, by its own rules. */
function rebuilt(
  bucket: Buffer,
  measurements: readonly Buffer[],
  options: TimeseriesOptions,
  stamps: DocumentStamps,
): readonly Buffer[] {
  const parts = bucketParts(bucket);
  const { meta } = parts;
  const builders: BucketBuilder[] = [];
  for (const measurement of measurements) {
    const timeMs = timeOfMeasurement(measurement, options);
    if (builders.at(-1)?.add(measurement, timeMs) === undefined && builders.length > 0) continue;
    const times = builders.length === 0 ? timesOfBucket(parts, options.timeField) : undefined;
    const own = new BucketBuilder(options, {
      id: parts.id.asObjectIdBytes(),
      minMs: times?.minMs ?? bucketStartMs(timeMs, options),
      meta,
    });
    if (builders.length === 0 && own.add(measurement, timeMs) === undefined) {
      builders.push(own);
      continue;
    }
    const further = BucketBuilder.begin(options, stamps.objectIds.next(), meta, timeMs);
    const rejection = further.add(measurement, timeMs);
    tassert(rejection === undefined, 'a new bucket takes the measurement that it is made for');
    builders.push(further);
  }
  return builders.map((builder) => builder.finish());
}
