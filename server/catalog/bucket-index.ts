/**
 * Indexes of a time series collection: what clients ask for and see, and the indexes on buckets that serve it.
 *
 * Source: MongoDB's manual, "Add Secondary Indexes to Time Series Collections", "Time Series Collection Limitations".
 */
import {
  BsonType,
  DocumentBuilder,
  documentValue,
  fieldsOf,
  getField,
  int32Value,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import {
  bucketKeyPattern,
  indexesMeasurements,
  isTimePattern,
  kindNameOf,
  measurementKeyPattern,
  partialBucketFilter,
  type QueryContext,
  type TimeseriesOptions,
} from '../../query/index.ts';
import type { CollectionDescription, IndexDescription } from '../../storage/index.ts';
import type { TimeseriesCollection } from './timeseries-catalog.ts';
import { type IndexSpecification, parseIndexSpecification } from './index-specification.ts';

/** Where an index on buckets keeps what the client wrote, when that cannot be told from it. */
const ORIGINAL_SPEC = 'originalSpec';

function refuseUnless(condition: boolean, message: string): void {
  uassert(condition, 'InvalidOptions', message);
}

/**
 * The index on buckets that serves what a client asks for.
 * @throws CommandError InvalidOptions, CannotCreateIndex
 */
export function bucketIndexSpecification(
  requested: Buffer,
  { shown, options }: TimeseriesCollection,
  context: QueryContext,
): IndexSpecification {
  const key = getField(requested, 'key');
  refuseUnless(
    key?.type !== BsonType.object || kindNameOf(key.asDocument()) !== 'text',
    'Text indexes are not supported on time-series collections',
  );
  const { name, spec, keyPattern } = parseIndexSpecification(requested, shown);
  refuseUnless(
    getField(spec, 'unique') === undefined,
    'Unique indexes are not supported on time-series collections',
  );
  const onMeasurements = indexesMeasurements(keyPattern, options);
  refuseUnless(
    getField(spec, 'sparse') === undefined || !onMeasurements,
    'Sparse indexes are not supported on time-series measurements',
  );
  const partial = getField(spec, 'partialFilterExpression')?.asDocument();
  refuseUnless(
    partial === undefined || getField(requested, 'collation') === undefined,
    'On a time-series collection, partialFilterExpression and collation arguments are incompatible',
  );
  const bucketPartial =
    partial === undefined ? undefined : partialBucketFilter(partial, options, context);
  const isTtl = getField(spec, 'expireAfterSeconds') !== undefined;
  if (isTtl) checkTtl(keyPattern, options, bucketPartial?.onMetaOnly === true);
  const bucketPattern = isTtl
    ? new DocumentBuilder()
        .append(
          `control.min.${options.timeField}`,
          getField(keyPattern, options.timeField) ?? int32Value(1),
        )
        .finish()
    : mappedPattern(keyPattern, options);
  const builder = new DocumentBuilder();
  for (const [option, value] of fieldsOf(spec)) {
    if (option === 'key') builder.appendDocument('key', bucketPattern);
    // Of measurements _id is a field like any other, and its index no _id index.
    else if (option === 'name') builder.appendString('name', name);
    else if (option === 'partialFilterExpression' && bucketPartial !== undefined) {
      builder.appendDocument(option, bucketPartial.filter);
    } else builder.append(option, value);
  }
  if (onMeasurements || partial !== undefined) builder.append(ORIGINAL_SPEC, documentValue(spec));
  return { name, keyPattern: bucketPattern, spec: builder.finish() };
}

function mappedPattern(keyPattern: Buffer, options: TimeseriesOptions): Buffer {
  try {
    return bucketKeyPattern(keyPattern, options);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError('CannotCreateIndex', `${error.codeName}: ${error.message}`, {
      cause: error,
    });
  }
}

function checkTtl(keyPattern: Buffer, options: TimeseriesOptions, onMetaOnly: boolean): void {
  refuseUnless(
    onMetaOnly,
    'TTL indexes on time-series collections require a partialFilterExpression on the metaField',
  );
  refuseUnless(
    isTimePattern(keyPattern, options),
    'TTL indexes on non-time fields are not supported on time-series collections',
  );
}

/** An index on buckets as clients of the time series see it; undefined when it is none of theirs. */
export function shownIndexSpec(
  index: IndexDescription,
  options: TimeseriesOptions,
): Buffer | undefined {
  const original = getField(index.spec, ORIGINAL_SPEC)?.asDocument();
  const key = getField(index.spec, 'key')?.asDocument();
  const pattern =
    original === undefined
      ? key && measurementKeyPattern(key, options)
      : getField(original, 'key')?.asDocument();
  if (pattern === undefined) return undefined;
  const partial = original && getField(original, 'partialFilterExpression');
  const builder = new DocumentBuilder();
  for (const [option, value] of fieldsOf(index.spec)) {
    if (option === 'key') builder.appendDocument('key', pattern);
    else if (option === 'partialFilterExpression') builder.append(option, partial ?? value);
    else if (option !== ORIGINAL_SPEC) builder.append(option, value);
  }
  return builder.finish();
}

/** Indexes on buckets that clients of the time series see. */
export function shownIndexes(
  buckets: CollectionDescription,
  options: TimeseriesOptions,
): readonly IndexDescription[] {
  return buckets.indexes.filter((index) => shownIndexSpec(index, options) !== undefined);
}
