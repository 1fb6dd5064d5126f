/**
 * validate: checks a collection against its indexes.
 * Source: MongoDB's manual, "validate".
 */
import { CommandError } from '../../../common/errors.ts';
import {
  bucketProblem,
  namespaceOfBuckets,
  timeseriesOptionsOf,
  type TimeseriesOptions,
} from '../../../query/index.ts';
import type {
  CollectionDescription,
  IndexEntryDifference,
  ValidationReport,
} from '../../../storage/index.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { requireCollection } from '../../catalog/namespace.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';

export const validate = defineCommand({
  name: 'validate',
  help: 'Checks the documents and indexes of a collection.',
  kind: 'admin',
  access: { action: 'validate', on: 'collection' },
  route: 'allShards',
  parse: (body) => {
    const namespace = body.collection();
    body.refuse(
      'repair',
      'background',
      'fixMultikey',
      'checkBSONConformance',
      'metadata',
      'collHash',
    );
    body.refuse('hashPrefixes', 'unhash', 'enforceFastCount');
    return { namespace, full: body.safeBoolean('full', false) };
  },
  execute: async ({ namespace, full }, op) => {
    const view = op.view();
    const found = requireCollection(view, namespace);
    const collection = timeseriesOf(view, found)?.buckets ?? found;
    const report = await op.engine.validate(collection.namespace, { full }, op);
    const wrongBuckets = await countWrongBuckets(op, collection);
    return { namespace, collection, report, wrongBuckets };
  },
  reply: ({ namespace, collection, report, wrongBuckets }) => {
    const details = collection.indexes.map(({ name }) => [
      name,
      { valid: !report.invalidIndexes.includes(name) },
    ]);
    return {
      ns: namespace,
      nInvalidDocuments: report.invalidDocuments,
      nNonCompliantDocuments: wrongBuckets,
      nrecords: report.recordCount,
      nIndexes: collection.indexes.length,
      keysPerIndex: report.keysPerIndex,
      indexDetails: Object.fromEntries(details),
      valid: report.valid,
      repaired: false,
      warnings: wrongBuckets === 0 ? report.warnings : [...report.warnings, WRONG_BUCKETS],
      errors: report.errors,
      extraIndexEntries: report.extraIndexEntries.map(shownEntry),
      missingIndexEntries: report.missingIndexEntries.map(shownEntry),
      corruptRecords: report.corruptRecords,
      advice: report.valid ? undefined : adviceFor(report),
    };
  },
});

/** The key as hexadecimal digits: one that was cut, or is of another kind than values in order, cannot be shown as a document. */
function shownEntry({ indexName, recordId, key }: IndexEntryDifference) {
  return { indexName, recordId, indexKey: key.toString('hex') };
}

function adviceFor({ corruptRecords }: ValidationReport): string {
  return corruptRecords.length > 0
    ? 'Some documents cannot be read. Stop the server and run "flint repair", or restore the collection from a backup.'
    : 'The collection and its indexes disagree. Stop the server and run "flint repair": it makes all indexes anew.';
}

const WRONG_BUCKETS =
  'Detected one or more documents in this collection not conformant to time-series specifications.';

/** Buckets are read in slices of about a millisecond. */
const BUCKETS_PER_SLICE = 32;

/** How many documents of a collection of buckets are no buckets; 0 for any other collection. */
async function countWrongBuckets(
  op: OperationContext,
  collection: CollectionDescription,
): Promise<number> {
  const isBuckets = namespaceOfBuckets(collection.namespace) !== undefined;
  const options = isBuckets ? timeseriesOptionsOf(collection.options) : undefined;
  if (options === undefined) return 0;
  const cursor = op.renewView().scanRecords(collection);
  let wrong = 0;
  try {
    for (let read = 1; ; read += 1) {
      const moved = cursor.next();
      if (!(moved instanceof Promise ? await moved : moved)) return wrong;
      if (!isBucket(cursor.document, options)) wrong += 1;
      if (read % BUCKETS_PER_SLICE !== 0) continue;
      cursor.detach();
      await op.yield();
      cursor.attach(op.renewView());
    }
  } finally {
    cursor.close();
  }
}

function isBucket(document: Buffer, options: TimeseriesOptions): boolean {
  try {
    return bucketProblem(document, options) === undefined;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
