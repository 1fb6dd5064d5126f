/**
 * validate: checks a collection against its indexes, and on request mends them.
 * Source: MongoDB's manual, "validate". MongoDB repairs on a standalone only, as every server here is, and under an exclusive lock; here
 * reads and writes go on meanwhile. It removes documents that cannot be read; here they stay, and are reported: a page may be saved yet.
 */
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  bucketProblem,
  namespaceOfBuckets,
  timeseriesOptionsOf,
  type TimeseriesOptions,
} from '../../../query/index.ts';
import type {
  CollectionDescription,
  CollectionUuid,
  IndexEntryDifference,
  ValidationRepairs,
  ValidationReport,
} from '../../../storage/index.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { requireCollection } from '../../catalog/namespace.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';

export const validate = defineCommand({
  name: 'validate',
  help: 'Checks the documents and indexes of a collection; {repair: true} mends its indexes.',
  kind: 'admin',
  access: { action: 'validate', on: 'collection' },
  route: 'allShards',
  parse: (body) => {
    const namespace = body.collection();
    body.refuse('checkBSONConformance', 'metadata', 'collHash', 'hashPrefixes', 'unhash');
    body.refuse('enforceFastCount');
    const full = body.safeBoolean('full', false);
    const background = body.safeBoolean('background', false);
    const repair = body.safeBoolean('repair', false);
    const fixMultikey = body.safeBoolean('fixMultikey', undefined);
    refuseTogether(background && full, '{ background: true }', '{ full: true }');
    refuseTogether(background && repair, '{ background: true }', '{ repair: true }');
    refuseTogether(repair && fixMultikey === false, '{ fixMultikey: false }', '{ repair: true }');
    uassert(
      !background,
      'CommandNotSupported',
      'Running the validate command with { background: true } is not supported in standalone mode',
    );
    return { namespace, full, what: whatToMend(repair, fixMultikey === true) };
  },
  execute: async ({ namespace, full, what }, op) => {
    const view = op.view();
    const found = requireCollection(view, namespace);
    const collection = timeseriesOf(view, found)?.buckets ?? found;
    const options = what === undefined ? { full } : { full, repair: { what, lostAndFound } };
    const report = await op.engine.validate(collection.namespace, options, op);
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
      repaired: report.repairs?.repaired ?? false,
      warnings: wrongBuckets === 0 ? report.warnings : [...report.warnings, WRONG_BUCKETS],
      errors: report.errors,
      extraIndexEntries: report.extraIndexEntries.map(shownEntry),
      missingIndexEntries: report.missingIndexEntries.map(shownEntry),
      corruptRecords: report.corruptRecords,
      ...shownRepairs(report.repairs),
      advice: report.valid ? undefined : adviceFor(report),
    };
  },
});

function refuseTogether(both: boolean, one: string, other: string): void {
  uassert(
    !both,
    'InvalidOptions',
    `Running the validate command with both ${one} and ${other} is not supported.`,
  );
}

function whatToMend(repair: boolean, fixMultikey: boolean): 'all' | 'multikey' | undefined {
  if (repair) return 'all';
  return fixMultikey ? 'multikey' : undefined;
}

/** Where documents go that stand under a unique key of another one: MongoDB's name for it. */
function lostAndFound(uuid: CollectionUuid): string {
  const dashed = uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return `local.lost_and_found.${dashed}`;
}

function shownRepairs(repairs: ValidationRepairs | undefined): object {
  if (repairs?.repaired !== true) return {};
  return {
    numRemovedCorruptRecords: 0,
    numRemovedExtraIndexEntries: repairs.removedEntries,
    numInsertedMissingIndexEntries: repairs.insertedEntries,
    numDocumentsMovedToLostAndFound: repairs.movedDocuments,
    numOutdatedMissingIndexEntry: repairs.outdatedEntries,
  };
}

/** The key as hexadecimal digits: one that was cut, or is of another kind than values in order, cannot be shown as a document. */
function shownEntry({ indexName, recordId, key }: IndexEntryDifference) {
  return { indexName, recordId, indexKey: key.toString('hex') };
}

function adviceFor({ corruptRecords, repairs }: ValidationReport): string {
  if (corruptRecords.length > 0) {
    return 'Some documents cannot be read. Stop the server and run "flint repair", or restore the collection from a backup.';
  }
  return repairs === undefined
    ? 'The collection and its indexes disagree. {repair: true} mends indexes while the server runs; "flint repair", once it is stopped, makes all of them anew.'
    : 'Not all could be mended while the server runs. Stop it and run "flint repair": it looks for lost documents, and makes all indexes anew.';
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
