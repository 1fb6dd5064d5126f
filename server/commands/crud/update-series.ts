/**
 * update of a time series: changes the meta value of whole series, which is all that MongoDB 8.0 lets an update do.
 * Source: MongoDB's manual, "Time Series Collection Limitations": updates.
 */
import {
  BsonType,
  binaryEqual,
  DocumentBuilder,
  documentValue,
  fieldsOf,
  firstFieldName,
  getField,
  type RawValue,
  setField,
  stringValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import {
  bucketHint,
  compileFilter,
  countOfBucket,
  metaFilter,
  normalizedMeta,
  type QueryContext,
  type Update,
} from '../../../query/index.ts';
import type { RecordId } from '../../../storage/index.ts';
import type { TimeseriesCollection } from '../../catalog/timeseries-catalog.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { changeEach, type WriteTarget, writeTarget } from './matching-records.ts';
import { compileStatementUpdate, type UpdateParts } from './statement.ts';

/** A statement of an update. */
export interface SeriesUpdate extends UpdateParts {
  readonly filter: Buffer;
  readonly hint: string | Buffer | undefined;
}

function refuseUnless(condition: boolean, message: string): asserts condition {
  uassert(condition, 'InvalidOptions', message);
}

/** @throws CommandError InvalidOptions for what is no update of many by the metaField of the metaField */
export function checkSeriesUpdate({ multi, upsert }: Pick<SeriesUpdate, 'multi' | 'upsert'>): void {
  refuseUnless(multi, 'Cannot perform a non-multi update on a time-series collection');
  refuseUnless(!upsert, 'Cannot perform an upsert on a time-series collection');
}

/** A statement compiled for buckets. */
interface CompiledSeriesUpdate {
  readonly target: WriteTarget;
  readonly compiled: Update;
}

/** @throws CommandError InvalidOptions as checkSeriesUpdate does */
export function compileSeriesUpdate(
  { options }: TimeseriesCollection,
  statement: SeriesUpdate,
  context: QueryContext,
): CompiledSeriesUpdate {
  checkSeriesUpdate(statement);
  const { metaField } = options;
  refuseUnless(
    metaField !== undefined,
    'Cannot perform an update on a time-series collection that does not have a metaField',
  );
  const { filter, hint } = statement;
  const target = writeTarget(
    {
      filter: bucketsFilter(filter, metaField, context),
      ...(hint === undefined ? {} : { hint: bucketHint(hint, options) }),
    },
    context,
  );
  const update = bucketsUpdate(statement.update, metaField);
  return { target, compiled: compileStatementUpdate({ ...statement, update }, context) };
}

/** @returns how many measurements matched, and how many belong to series that changed. */
export async function updateSeries(
  op: OperationContext,
  collection: TimeseriesCollection,
  statement: SeriesUpdate,
  context: QueryContext,
): Promise<{ readonly matchedCount: number; readonly modifiedCount: number }> {
  const { buckets, options } = collection;
  const { timeField } = options;
  const { target, compiled } = compileSeriesUpdate(collection, statement, context);
  // A transaction may be repeated: then its counts are written again, not added.
  const matched = new Map<RecordId, number>();
  const modified = new Map<RecordId, number>();
  await changeEach(
    op,
    { namespace: buckets.namespace, prepare: () => target, bypassValidation: true },
    (writer, { recordId, document }) => {
      const count = countOfBucket(document, timeField);
      matched.set(recordId, count);
      const position = compiled.needsPosition ? target.filter.matchPosition(document) : undefined;
      const after = withNormalizedMeta(compiled.apply(document, position));
      modified.set(recordId, after === document ? 0 : count);
      if (after !== document) writer.update(recordId, document, after);
      return after !== document;
    },
  );
  return { matchedCount: sumOf(matched), modifiedCount: sumOf(modified) };
}

function sumOf(counts: ReadonlyMap<RecordId, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

function bucketsFilter(filter: Buffer, metaField: string, context: QueryContext): Buffer {
  for (const operator of ['$expr', '$where']) {
    refuseUnless(
      getField(filter, operator) === undefined,
      `Cannot use ${operator} when performing an update or delete on a time-series collection`,
    );
  }
  compileFilter(filter, context); // For its errors.
  const onMeta = metaFilter(filter, metaField, context);
  refuseUnless(
    onMeta !== undefined,
    `Cannot perform an update or delete on a time-series collection when querying on a field that is not the metaField '${metaField}'`,
  );
  return onMeta;
}

/** {$set: {'m.a': 1}} -> {$set: {'meta.a': 1}} */
function bucketsUpdate(update: RawValue, metaField: string): RawValue {
  refuseUnless(
    update.type !== BsonType.array,
    'Cannot perform an update on a time-series collection using a pipeline update',
  );
  const modifiers = update.asDocument();
  refuseUnless(
    firstFieldName(modifiers)?.startsWith('$') === true,
    'Cannot perform an update on a time-series collection using a replacement document',
  );
  const builder = new DocumentBuilder(modifiers.length + 32);
  for (const [operator, fields] of fieldsOf(modifiers)) {
    if (fields.type !== BsonType.object) builder.append(operator, fields);
    else builder.append(operator, documentValue(movedFields(operator, fields, metaField)));
  }
  return documentValue(builder.finish());
}

function movedFields(operator: string, fields: RawValue, metaField: string): Buffer {
  const builder = new DocumentBuilder(fields.end - fields.start + 16);
  for (const [path, value] of fieldsOf(fields.asDocument())) {
    const target =
      operator === '$rename' && value.type === BsonType.string
        ? stringValue(movedPath(value.asString(), metaField))
        : value;
    builder.append(movedPath(path, metaField), target);
  }
  return builder.finish();
}

function movedPath(path: string, metaField: string): string {
  const dot = path.indexOf('.');
  refuseUnless(
    (dot < 0 ? path : path.slice(0, dot)) === metaField,
    `Cannot perform an update on a time-series collection which updates a field that is not the metaField '${metaField}'`,
  );
  return `meta${path.slice(metaField.length)}`;
}

/** Series are told apart by their meta value with its fields in order: see series-key.ts. */
function withNormalizedMeta(bucket: Buffer): Buffer {
  const meta = getField(bucket, 'meta');
  if (meta === undefined) return bucket;
  const normalized = normalizedMeta(meta);
  return binaryEqual(meta, normalized) ? bucket : setField(bucket, 'meta', normalized);
}
