/**
 * Time series collections in the catalog: the collection that clients name, the collection that holds its buckets, and the
 * view of one on the other in system.views.
 *
 * Owns: that the three are created, changed and dropped in one transaction.
 * Source: MongoDB's manual, "Time Series Collections"; docs/format/timeseries-buckets.md.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  documentOf,
  documentValue,
  EMPTY_DOCUMENT,
  getField,
  type RawValue,
  stringValue,
  TRUE,
} from '../../bson/index.ts';
import { tassert, uassert } from '../../common/assert.ts';
import {
  bucketsNamespace,
  timeseriesOptionsOf,
  type TimeseriesOptions,
  unpackPipeline,
} from '../../query/index.ts';
import type { CollectionDescription, MaybePromise, Transaction } from '../../storage/index.ts';
import { compressionIn } from './wired-tiger-config.ts';
import { storedForm } from './collection-options.ts';
import { MAX_NAMESPACE_BYTES, splitNamespace } from './namespace.ts';
import { changeShownView, hideView, showView, type ViewDefinition } from './view-catalog.ts';

/** Both halves of a time series collection, and its options. */
export interface TimeseriesCollection {
  /** The name that clients use; it has no records. */
  readonly shown: CollectionDescription;
  readonly buckets: CollectionDescription;
  readonly options: TimeseriesOptions;
}

/** @returns undefined for what is no time series collection. */
export function timeseriesOf(
  view: Pick<Transaction, 'collection'>,
  collection: CollectionDescription | undefined,
): TimeseriesCollection | undefined {
  if (collection?.kind !== 'timeseries') return undefined;
  const options = timeseriesOptionsOf(collection.options);
  const buckets = view.collection(bucketsNamespace(collection.namespace));
  tassert(options !== undefined && buckets !== undefined, 'a time series without buckets');
  return { shown: collection, buckets, options };
}

/** @param options as collection-options.ts stores them. */
export function createTimeseries(
  transaction: Transaction,
  namespace: string,
  options: Buffer,
): void {
  const timeseries = timeseriesOptionsOf(options);
  tassert(timeseries !== undefined, 'a time series is created without its options');
  transaction.createCollection(namespace, { kind: 'timeseries', options });
  const name = bucketsNamespace(namespace);
  uassert(
    Buffer.byteLength(name) <= MAX_NAMESPACE_BYTES,
    'InvalidNamespace',
    `Fully qualified namespace is too long. Namespace: ${name} Max: ${MAX_NAMESPACE_BYTES}`,
  );
  uassert(
    transaction.collection(name) === undefined,
    'NamespaceExists',
    `Cannot create a new time-series collection: namespace ${name} exists already`,
  );
  const made = bucketsOf(options);
  const buckets = transaction.createCollection(name, {
    options: made.options,
    ...compressionIn(made.options),
  });
  if (made.index !== undefined) transaction.createIndex(buckets, made.index);
  showView(transaction, viewOf(namespace, options, timeseries));
}

/** The options of the collection of buckets. @param options as collection-options.ts stores them. */
function bucketsOptions(options: Buffer, timeseries: TimeseriesOptions): Buffer {
  const values = new Map<string, RawValue>([
    ['validator', documentValue(bucketValidator(timeseries))],
    ['clusteredIndex', TRUE],
  ]);
  for (const name of ['collation', 'expireAfterSeconds', 'timeseries', 'storageEngine']) {
    const value = getField(options, name);
    if (value !== undefined) values.set(name, value);
  }
  return storedForm(values);
}

const OBJECT = documentOf({ bsonType: 'object' });

/** What a bucket has to look like, whoever writes it. */
function bucketValidator({ timeField }: TimeseriesOptions): Buffer {
  const extremes = documentOf({
    bsonType: 'object',
    required: names(timeField),
    properties: documentOf({ [timeField]: documentOf({ bsonType: 'date' }) }),
  });
  const control = new DocumentBuilder()
    .appendString('bsonType', 'object')
    .append('required', names('version', 'min', 'max'))
    .beginDocument('properties')
    .appendDocument('version', documentOf({ bsonType: 'number' }))
    .appendDocument('min', extremes)
    .appendDocument('max', extremes)
    .appendDocument('closed', documentOf({ bsonType: 'bool' }))
    .appendDocument('count', documentOf({ bsonType: 'number', minimum: 1 }))
    .end()
    .appendBoolean('additionalProperties', false)
    .finish();
  const properties = documentOf({
    _id: documentOf({ bsonType: 'objectId' }),
    control,
    data: OBJECT,
    meta: EMPTY_DOCUMENT,
  });
  const schema = documentOf({
    bsonType: 'object',
    required: names('_id', 'control', 'data'),
    properties,
    additionalProperties: false,
  });
  return documentOf({ $jsonSchema: schema });
}

function names(...list: readonly string[]): RawValue {
  const builder = new ArrayBuilder();
  for (const name of list) builder.push(stringValue(name));
  return arrayValue(builder.finish());
}

/** How a collection that is to become the buckets of a time series is made. */
export function bucketsOf(options: Buffer): {
  readonly options: Buffer;
  readonly index: Buffer | undefined;
} {
  const timeseries = timeseriesOptionsOf(options);
  tassert(timeseries !== undefined, 'buckets are made without the options of a time series');
  return {
    options: bucketsOptions(options, timeseries),
    index: defaultIndex(timeseries, options),
  };
}

/** {metaField: 1, timeField: 1}, in terms of buckets: every time series with a metaField has it. */
function defaultIndex(timeseries: TimeseriesOptions, options: Buffer): Buffer | undefined {
  const { timeField, metaField } = timeseries;
  if (metaField === undefined) return undefined;
  const builder = new DocumentBuilder()
    .appendInt32('v', 2)
    .beginDocument('key')
    .appendInt32('meta', 1)
    .appendInt32(`control.min.${timeField}`, 1)
    .appendInt32(`control.max.${timeField}`, 1)
    .end()
    .appendString('name', `${metaField}_1_${timeField}_1`);
  const collation = getField(options, 'collation');
  if (collation?.type === BsonType.object) builder.append('collation', collation);
  return builder.finish();
}

function viewOf(namespace: string, options: Buffer, timeseries: TimeseriesOptions): ViewDefinition {
  const pipeline = new ArrayBuilder();
  for (const stage of unpackPipeline(timeseries)) pipeline.pushDocument(stage);
  const builder = new DocumentBuilder()
    .appendString('viewOn', splitNamespace(bucketsNamespace(namespace)).collection)
    .appendArray('pipeline', pipeline.finish());
  const collation = getField(options, 'collation');
  if (collation !== undefined) builder.append('collation', collation);
  return { namespace, options: builder.finish() };
}

/**
 * Gives both halves other options: collMod.
 * @param indexSpecs new specifications of indexes on buckets, by name.
 */
export function modifyTimeseries(
  transaction: Transaction,
  { shown, buckets }: TimeseriesCollection,
  change: (options: Buffer) => Buffer,
  indexSpecs?: ReadonlyMap<string, Buffer>,
): MaybePromise<void> {
  const options = change(shown.options);
  const timeseries = timeseriesOptionsOf(options);
  tassert(timeseries !== undefined, 'a time series lost its options');
  transaction.modifyCollection(shown, options);
  transaction.modifyCollection(buckets, change(buckets.options), indexSpecs);
  return changeShownView(transaction, viewOf(shown.namespace, options, timeseries));
}

export function dropTimeseries(
  transaction: Transaction,
  { shown, buckets }: TimeseriesCollection,
): MaybePromise<void> {
  transaction.dropCollection(shown);
  transaction.dropCollection(buckets);
  return hideView(transaction, shown.namespace);
}
