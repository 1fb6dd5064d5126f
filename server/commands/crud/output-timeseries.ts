/**
 * $out into a time series: a collection of buckets is filled beside the target, and takes the place of its buckets in one
 * commit.
 *
 * Source: MongoDB's manual, "$out": time series collections.
 */
import { documentOf, stringValue } from '../../../bson/index.ts';
import { tassert, uassert } from '../../../common/assert.ts';
import { timeseriesOptionsOf, type TimeseriesOptions } from '../../../query/index.ts';
import type { ReadView, Transaction } from '../../../storage/index.ts';
import { compressionIn } from '../../catalog/wired-tiger-config.ts';
import { checkDatabaseCase, requireCollection, splitNamespace } from '../../catalog/namespace.ts';
import { documentToInsert } from '../../catalog/stored-document.ts';
import {
  dropTemporary,
  lastingOptions,
  temporaryNamespace,
  temporaryOptions,
} from '../../catalog/temporary-collections.ts';
import { bucketsOf, createTimeseries, timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { parseTimeseries } from '../../catalog/timeseries-options.ts';
import { separateBody } from '../../command/nested-body.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { MeasurementWriter } from './measurement-writer.ts';

/** One transaction holds at most so many measurements, and moves so many bytes. */
const BATCH_COUNT = 1000;
const BATCH_BYTES = 1024 * 1024;

/**
 * The options of the time series that $out is to make or to fill; undefined when its target is to be a plain collection.
 * @param given the argument's `timeseries`. @throws CommandError 7268700, 7406103, InvalidOptions
 */
export function outputTimeseries(
  view: ReadView,
  namespace: string,
  given: Buffer | undefined,
): Buffer | undefined {
  const existing = view.collection(namespace);
  const wanted = given === undefined ? undefined : optionsOf(given, namespace);
  if (existing?.kind !== 'timeseries') {
    uassert(
      wanted === undefined || existing === undefined,
      7_268_700,
      'Cannot create a time-series collection from a non time-series collection',
    );
    return wanted;
  }
  if (wanted !== undefined) checkAgrees(existing.options, wanted);
  return existing.options;
}

function optionsOf(given: Buffer, namespace: string): Buffer {
  const { database, collection } = splitNamespace(namespace);
  const body = separateBody('$out.timeseries', given, {
    database,
    target: stringValue(collection),
  });
  return documentOf({ timeseries: parseTimeseries(body, namespace) });
}

function checkAgrees(existing: Buffer, wanted: Buffer): void {
  const [has, asks] = [existing, wanted].map(timeseriesOptionsOf);
  uassert(
    has?.timeField === asks?.timeField && has?.metaField === asks?.metaField,
    7_406_103,
    'The time and meta fields of $out must be those of the time-series collection that it replaces',
  );
}

/** @param options as outputTimeseries gives them. */
export async function replaceTimeseries(
  op: OperationContext,
  namespace: string,
  documents: AsyncIterable<Buffer[]>,
  options: Buffer,
): Promise<void> {
  const timeseries = timeseriesOptionsOf(options);
  tassert(timeseries !== undefined, 'an output lost its time series options');
  const temporary = temporaryNamespace(namespace, op.service.random.bytes(16));
  await op.transact((transaction) => createTemporary(transaction, namespace, temporary, options));
  try {
    for await (const batch of documents) await insertAll(op, temporary, batch, timeseries);
    await op.transact((transaction) => takePlace(transaction, temporary, namespace, options));
  } catch (error) {
    dropTemporary(op.engine, temporary);
    throw error;
  }
}

function createTemporary(
  transaction: Transaction,
  namespace: string,
  temporary: string,
  options: Buffer,
): void {
  checkDatabaseCase(transaction, namespace);
  const target = timeseriesOf(transaction, transaction.collection(namespace));
  const made = bucketsOf(options);
  transaction.createCollection(temporary, {
    options: temporaryOptions(made.options),
    ...(target === undefined
      ? compressionIn(made.options)
      : { compression: target.buckets.compression }),
  });
  const own = made.index === undefined ? [] : [made.index];
  const specs = target?.buckets.indexes.slice(1).map(({ spec }) => spec) ?? own;
  for (const spec of specs) {
    transaction.createIndex(requireCollection(transaction, temporary), spec);
  }
}

async function insertAll(
  op: OperationContext,
  temporary: string,
  documents: readonly Buffer[],
  options: TimeseriesOptions,
): Promise<void> {
  const { stamps, openBuckets } = op.service;
  let start = 0;
  while (start < documents.length) {
    start = await op.transact((transaction) => {
      const buckets = requireCollection(transaction, temporary);
      const writer = new MeasurementWriter({ transaction, buckets, options, stamps, openBuckets });
      let next = start;
      while (next < documents.length && next - start < BATCH_COUNT && writer.bytes < BATCH_BYTES) {
        writer.add(documentToInsert(documents[next], stamps));
        next += 1;
      }
      writer.write();
      return next;
    });
    await op.yield();
  }
}

/** Puts the temporary collection where the target's buckets are, unless the target is not what it was. */
function takePlace(
  transaction: Transaction,
  temporary: string,
  namespace: string,
  options: Buffer,
): void {
  const existing = transaction.collection(namespace);
  if (existing === undefined) createTimeseries(transaction, namespace, options);
  const target = timeseriesOf(transaction, transaction.collection(namespace));
  uassert(
    target?.shown.options.equals(options) === true,
    'CommandFailed',
    `collection options of target collection ${namespace} changed during processing.`,
  );
  const filled = requireCollection(transaction, temporary);
  const { buckets } = target;
  transaction.dropCollection(buckets);
  const renamed = transaction.renameCollection(filled, buckets.namespace);
  transaction.modifyCollection(renamed, lastingOptions(filled.options));
}
