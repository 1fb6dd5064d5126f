/**
 * createIndexes: adds indexes to a collection, which is created when it is not there.
 * Source: MongoDB's manual, "createIndexes".
 */
import {
  BsonType,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  inspect,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { Ident, IndexDescription, ReadView } from '../../../storage/index.ts';
import { cappedLimitsOf } from '../../catalog/capped-collections.ts';
import {
  type IndexSpecification,
  isAlreadyThere,
  MAX_INDEXES_PER_COLLECTION,
  parseIndexSpecification,
} from '../../catalog/index-specification.ts';
import { withoutUnknownOptions } from '../../catalog/index-options.ts';
import { bucketIndexSpecification, shownIndexes } from '../../catalog/bucket-index.ts';
import { checkWritable, collectionForWrite } from '../../catalog/namespace.ts';
import { asMeasurementError } from '../crud/measurement-writer.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';
import { mayBeUnique } from '../../sharding/shard-key-index.ts';
import { queryContext } from '../crud/query-context.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

interface CreateIndexesResult {
  readonly countBefore: number;
  readonly countAfter: number;
  readonly createdCollection: boolean;
}

export const createIndexes = defineCommand({
  name: 'createIndexes',
  help: 'Builds indexes on a collection.',
  kind: 'admin',
  changesCollection: true,
  takesWriteConcern: true,
  access: { action: 'createIndex', on: 'collection' },
  route: 'primaryShard',
  apiVersions: ['1'],
  parse: (body) => {
    const namespace = body.collection();
    const ignoresUnknown = body.boolean('ignoreUnknownIndexOptions', false);
    const requested = body
      .documents('indexes')
      .map((each) => (ignoresUnknown ? withoutUnknownOptions(each) : each));
    if (requested.length === 0) {
      throw new CommandError('BadValue', 'Must specify at least one index to create');
    }
    checkCommitQuorum(body.value('commitQuorum'));
    body.refuse('isTimeseriesNamespace');
    // What is wrong with a specification is said before a collection is made for it.
    for (const specification of requested) parseIndexSpecification(specification);
    return { namespace, requested };
  },
  execute: async ({ namespace, requested }, op): Promise<CreateIndexesResult> => {
    checkWritable(namespace);
    const known = indexesIn(op.view(), namespace);
    const createdCollection = await createMissing(op, namespace);
    const countBefore = indexCount(op.renewView(), namespace);
    await buildMissing(op, namespace, requested);
    const view = op.renewView();
    // The engine's own commit made the indexes: what shows them now is what a write concern waits for.
    op.lastCommit = view.commitNumber;
    for (const [ident, index] of indexesIn(view, namespace)) {
      if (!known.has(ident)) op.service.planner.indexUsage.created(index);
    }
    return { countBefore, countAfter: indexCount(view, namespace), createdCollection };
  },
  reply: ({ countBefore, countAfter, createdCollection }) => ({
    numIndexesBefore: countBefore,
    numIndexesAfter: countAfter,
    createdCollectionAutomatically: createdCollection ? true : undefined,
    note: countBefore === countAfter ? 'all indexes already exist' : undefined,
  }),
});

/** One member has to be ready for the index, and that is this one: any quorum is met, but it must be one. */
function checkCommitQuorum(quorum: RawValue | undefined): void {
  if (quorum === undefined || quorum.type === BsonType.string) return;
  if (!quorum.isNumber) {
    throw new CommandError(
      'FailedToParse',
      `commitQuorum has to be a number or a string, but is of type ${quorum.typeName}`,
    );
  }
  if (Number.isInteger(quorum.asNumber()) && quorum.asNumber() >= 0 && quorum.asNumber() <= 50) {
    return;
  }
  throw new CommandError(
    'FailedToParse',
    `commitQuorum has to be a non-negative number and not greater than 50: ${quorum.asNumber()}`,
  );
}

/** MongoDB's words for what a build spends its time with. */
const SCANNING = 'Index Build: scanning collection Index Build: scanning collection';

/** @returns whether the collection had to be created. */
async function createMissing(op: OperationContext, namespace: string): Promise<boolean> {
  return op.transact((transaction) => {
    const isThere = transaction.collection(namespace) !== undefined;
    collectionForWrite(transaction, namespace);
    return !isThere;
  });
}

/** Whoever makes the same index at the same time is waited for: then it is there, or it is not and is made here. */
async function buildMissing(
  op: OperationContext,
  namespace: string,
  requested: readonly Buffer[],
): Promise<void> {
  for (;;) {
    const wanted = missingIndexes(op, namespace, requested);
    if (wanted.length === 0) return;
    try {
      await build(op, namespace, wanted);
      return;
    } catch (error) {
      if (!(error instanceof CommandError) || error.codeName !== 'IndexAlreadyExists') throw error;
    }
  }
}

/** Those that are not there, or are not ready yet. */
function missingIndexes(
  op: OperationContext,
  namespace: string,
  requested: readonly Buffer[],
): IndexSpecification[] {
  const view = op.renewView();
  const collection = view.collection(namespace);
  const timeseries = timeseriesOf(view, collection);
  const indexes = (timeseries?.buckets ?? collection)?.indexes ?? [];
  const existing = indexes.filter(({ ready }) => ready);
  const specifications = requested.map((each) =>
    timeseries === undefined
      ? parseIndexSpecification(each, collection)
      : bucketIndexSpecification(each, timeseries, queryContext(op)),
  );
  const missing: IndexSpecification[] = [];
  const isCapped = collection !== undefined && cappedLimitsOf(collection.options) !== undefined;
  for (const wanted of specifications) {
    if (isCapped && getField(wanted.spec, 'expireAfterSeconds') !== undefined) {
      throw new CommandError('CannotCreateIndex', 'Cannot create TTL index on a capped collection');
    }
    if (isAlreadyThere(wanted, existing)) continue;
    checkUniqueOverShards(op, namespace, wanted);
    // One like it that is being built is waited for; another one in its way is refused at once.
    isAlreadyThere(wanted, indexes);
    if (isAlreadyThere(wanted, missing)) {
      throw new CommandError(
        'IndexAlreadyExists',
        `Identical index already exists: ${wanted.name}`,
      );
    }
    missing.push(wanted);
  }
  if (existing.length + missing.length <= MAX_INDEXES_PER_COLLECTION) return missing;
  throw new CommandError(
    'CannotCreateIndex',
    `add index fails, too many indexes for ${namespace}: the limit is ${MAX_INDEXES_PER_COLLECTION}`,
  );
}

/** A unique index is unique on each shard: documents that it tells apart must be on the same one. */
function checkUniqueOverShards(
  op: OperationContext,
  namespace: string,
  { spec }: IndexSpecification,
): void {
  const shardKey = op.service.sharding?.shardKeyOf(namespace);
  if (shardKey === undefined || getField(spec, 'unique')?.isTruthy() !== true) return;
  const key = getField(spec, 'key')?.asDocument() ?? EMPTY_DOCUMENT;
  const paths = Array.from(fieldsOf(key), ([path]) => path);
  if (mayBeUnique(paths, shardKey)) return;
  throw new CommandError(
    'CannotCreateIndex',
    `cannot create unique index over ${inspect(key)} with shard key pattern ${inspect(shardKey.pattern)}`,
  );
}

async function build(
  op: OperationContext,
  namespace: string,
  wanted: readonly IndexSpecification[],
): Promise<void> {
  const specs = wanted.map(({ spec }) => spec);
  const view = op.view();
  const timeseries = timeseriesOf(view, view.collection(namespace));
  const target = timeseries?.buckets.namespace ?? namespace;
  const onProgress = (done: number, total: number): void => {
    op.progress = { message: SCANNING, done, total };
  };
  try {
    await op.insideWriteGate(() => op.engine.buildIndexes(target, specs, op, onProgress));
  } catch (error) {
    throw timeseries === undefined ? error : asMeasurementError(error);
  }
}

function indexesIn(view: ReadView, namespace: string): ReadonlyMap<Ident, IndexDescription> {
  const collection = view.collection(namespace);
  const { indexes } = timeseriesOf(view, collection)?.buckets ?? collection ?? { indexes: [] };
  return new Map(indexes.map((index) => [index.ident, index]));
}

function indexCount(view: ReadView, namespace: string): number {
  const collection = view.collection(namespace);
  const timeseries = timeseriesOf(view, collection);
  if (timeseries !== undefined) return shownIndexes(timeseries.buckets, timeseries.options).length;
  return collection?.indexes.length ?? 0;
}
