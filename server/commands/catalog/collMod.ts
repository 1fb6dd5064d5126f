/**
 * collMod: changes options of a collection, a view's definition, or attributes of an index.
 * Source: MongoDB's manual, "collMod".
 */
import {
  BsonType,
  documentValue,
  getField,
  isEmpty,
  type RawValue,
  stringValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  bucketKeyPattern,
  namespaceOfBuckets,
  timeseriesDocument,
  type TimeseriesOptions,
} from '../../../query/index.ts';
import type { CollectionDescription, MaybePromise, Transaction } from '../../../storage/index.ts';
import { clusteredIndexOf } from '../../catalog/clustered-index.ts';
import { cappedLimitsOf } from '../../catalog/capped-collections.ts';
import {
  cappedMax,
  cappedSize,
  choice,
  readImages,
  readPipeline,
  readViewOn,
  VALIDATION_ACTIONS,
  VALIDATION_LEVELS,
  withOptions,
} from '../../catalog/collection-options.ts';
import { readExpireAfterSeconds } from '../../catalog/expire-after-seconds.ts';
import {
  modifyTimeseries,
  type TimeseriesCollection,
  timeseriesOf,
} from '../../catalog/timeseries-catalog.ts';
import {
  changedTimeseries,
  readTimeseriesChange,
  type TimeseriesChange,
} from '../../catalog/timeseries-options.ts';
import { modifyView } from '../../catalog/view-catalog.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { checkMayHaveValidator, compileValidator } from '../crud/document-validator.ts';
import { defaultCollationOf } from '../crud/query-context.ts';
import { checkView } from './check-view.ts';
import { checkNoDuplicates } from './index-duplicates.ts';
import { type IndexChange, modifyIndex, parseIndexChange } from './modify-index.ts';

/** A value of undefined takes the option away. */
type OptionChanges = ReadonlyMap<string, RawValue | undefined>;

/** What can be changed besides indexes. */
interface Modification {
  /** The command's field. */
  readonly name: string;
  /** The option that it changes, when it is called otherwise. */
  readonly option?: string;
  readonly on: 'collection' | 'view';
  readonly read: (body: CommandBody, name: string) => RawValue | undefined;
}

const MODIFICATIONS: readonly Modification[] = [
  { name: 'validator', on: 'collection', read: readValidator },
  {
    name: 'validationLevel',
    on: 'collection',
    read: (body, name) => choice(body, name, VALIDATION_LEVELS),
  },
  {
    name: 'validationAction',
    on: 'collection',
    read: (body, name) => choice(body, name, VALIDATION_ACTIONS),
  },
  { name: 'pipeline', on: 'view', read: readPipeline },
  { name: 'viewOn', on: 'view', read: readViewOn },
  { name: 'changeStreamPreAndPostImages', on: 'collection', read: readImages },
  { name: 'expireAfterSeconds', on: 'collection', read: readExpiry },
  { name: 'cappedSize', option: 'size', on: 'collection', read: cappedSize },
  { name: 'cappedMax', option: 'max', on: 'collection', read: cappedMax },
];

interface CollModRequest {
  readonly namespace: string;
  readonly changes: OptionChanges;
  readonly index: IndexChange | undefined;
  readonly timeseries: TimeseriesChange | undefined;
  /** Only look whether an index could be made unique. */
  readonly dryRun: boolean;
}

export const collMod = defineCommand({
  name: 'collMod',
  help: 'Changes options of a collection, of a view, or of an index.',
  kind: 'admin',
  changesCollection: true,
  takesWriteConcern: true,
  access: { action: 'collMod', on: 'collection' },
  route: 'allShards',
  apiVersions: ['1'],
  parse: (body): CollModRequest => {
    const namespace = body.collection();
    body.expectCollection();
    body.refuse('isTimeseriesNamespace');
    body.ignore('recordPreImages');
    const changes = new Map<string, RawValue | undefined>();
    for (const { name, read } of MODIFICATIONS) {
      const given = body.value(name);
      if (given !== undefined && !given.isNullish) changes.set(name, read(body, name));
    }
    const dryRun = body.safeBoolean('dryRun', false);
    const timeseries = readTimeseriesChange(body);
    return { namespace, changes, index: parseIndexChange(body), timeseries, dryRun };
  },
  execute: async (request, op) => {
    uassert(
      namespaceOfBuckets(request.namespace) === undefined,
      'InvalidNamespace',
      "collMod on a time-series collection's underlying buckets collection is not supported.",
    );
    checkDryRun(request);
    if (request.index?.unique === true) await checkNoDuplicates(op, request);
    if (request.dryRun) return {};
    return op.transact((transaction) => {
      const existing = transaction.collection(request.namespace);
      if (existing === undefined) {
        throw new CommandError('NamespaceNotFound', 'ns does not exist');
      }
      const timeseries = timeseriesOf(transaction, existing);
      if (timeseries !== undefined) return changeTimeseries(transaction, timeseries, request);
      uassert(
        request.timeseries === undefined,
        'InvalidOptions',
        'option only supported on a time-series collection: timeseries',
      );
      return existing.kind === 'view'
        ? changeView(op, transaction, existing, request)
        : changeCollection(op, transaction, existing, request);
    });
  },
  reply: (changed: ReplyFields) => changed,
});

function checkDryRun({ dryRun, index, changes }: CollModRequest): void {
  if (!dryRun) return;
  const needs = (condition: boolean, message: string): void =>
    uassert(condition, 'InvalidOptions', message);
  needs(index !== undefined, 'dry run mode requires an valid index modification.');
  needs(index?.unique === true, 'dry run mode requires an index modification with unique: true.');
  needs(
    changes.size === 0 && index?.hidden === undefined && index?.expireAfterSeconds === undefined,
    'unique: true cannot be combined with any other modification in dry run mode.',
  );
}

function changeTimeseries(
  transaction: Transaction,
  collection: TimeseriesCollection,
  { changes, index, timeseries }: CollModRequest,
): MaybePromise<ReplyFields> {
  for (const name of changes.keys()) {
    uassert(
      name === 'expireAfterSeconds',
      'InvalidOptions',
      `option not supported on a time-series collection: ${name}`,
    );
  }
  const { buckets, options } = collection;
  const modified =
    index === undefined ? undefined : modifyIndex(buckets, bucketIndexChange(index, options));
  const all = new Map(changes);
  if (timeseries !== undefined) {
    const changed = changedTimeseries(options, timeseries);
    all.set('timeseries', documentValue(timeseriesDocument(changed)));
  }
  const done = modifyTimeseries(
    transaction,
    collection,
    (stored) => withOptions(stored, all),
    modified === undefined ? undefined : new Map([[modified.index.name, modified.spec]]),
  );
  const reply = modified?.reply ?? {};
  return done instanceof Promise ? done.then(() => reply) : reply;
}

function bucketIndexChange(change: IndexChange, options: TimeseriesOptions): IndexChange {
  uassert(
    change.unique === undefined && change.prepareUnique === undefined,
    'InvalidOptions',
    'Unique indexes are not supported on time-series collections',
  );
  const { keyPattern } = change;
  if (keyPattern === undefined) return change;
  return { ...change, keyPattern: bucketKeyPattern(keyPattern, options) };
}

function changeView(
  op: OperationContext,
  transaction: Transaction,
  existing: CollectionDescription,
  { changes, index }: CollModRequest,
): MaybePromise<ReplyFields> {
  const wrong = index === undefined ? notFor('view', changes) : 'index';
  if (wrong !== undefined) {
    throw new CommandError('InvalidOptions', `option not supported on a view: ${wrong}`);
  }
  const options = withOptions(existing.options, changes);
  checkView(op, transaction, { namespace: existing.namespace, options });
  const done = modifyView(transaction, existing, options);
  return done instanceof Promise ? done.then(() => ({})) : {};
}

/** The first of the changes that are for the other kind of namespace. */
function notFor(kind: Modification['on'], changes: OptionChanges): string | undefined {
  return MODIFICATIONS.find(({ name, on }) => on !== kind && changes.has(name))?.name;
}

function changeCollection(
  op: OperationContext,
  transaction: Transaction,
  existing: CollectionDescription,
  { changes, index }: CollModRequest,
): ReplyFields {
  const wrong = notFor('collection', changes);
  if (wrong !== undefined) {
    throw new CommandError('InvalidOptions', `option only supported on a view: ${wrong}`);
  }
  checkKind(existing, changes);
  checkValidator(op, existing, changes);
  uassert(
    index?.prepareUnique === undefined || changes.size === 0,
    'InvalidOptions',
    'prepareUnique cannot be combined with any other modification.',
  );
  const modified = index === undefined ? undefined : modifyIndex(existing, index);
  const options = withOptions(existing.options, withDefaults(existing, changes));
  const specs =
    modified === undefined ? undefined : new Map([[modified.index.name, modified.spec]]);
  transaction.modifyCollection(existing, options, specs);
  return modified?.reply ?? {};
}

/** Some options are only for collections that were created with them. */
function checkKind(existing: CollectionDescription, changes: OptionChanges): void {
  if (changes.has('cappedSize') || changes.has('cappedMax')) {
    uassert(
      cappedLimitsOf(existing.options) !== undefined,
      'InvalidOptions',
      'Collection must be capped.',
    );
  }
  uassert(
    !changes.has('expireAfterSeconds') || clusteredIndexOf(existing.options) !== undefined,
    'InvalidOptions',
    "'expireAfterSeconds' option is only supported on collections clustered by _id",
  );
}

function checkValidator(
  op: OperationContext,
  existing: CollectionDescription,
  changes: OptionChanges,
): void {
  const validator = changes.get('validator')?.asDocument();
  if (validator === undefined) return;
  checkMayHaveValidator(existing.namespace);
  compileValidator(op, validator, defaultCollationOf(existing));
}

/** Changes by option, with what MongoDB writes down besides: a validator's level and action, once any of them is set. */
function withDefaults(existing: CollectionDescription, changes: OptionChanges): OptionChanges {
  const all = new Map<string, RawValue | undefined>();
  for (const { name, option = name } of MODIFICATIONS) {
    if (changes.has(name)) all.set(option, changes.get(name));
  }
  const isAboutValidation = ['validator', 'validationLevel', 'validationAction'].some((name) =>
    changes.has(name),
  );
  if (!isAboutValidation) return all;
  for (const [name, value] of VALIDATION_DEFAULTS) {
    if (!all.has(name)) all.set(name, getField(existing.options, name) ?? value);
  }
  return all;
}

const VALIDATION_DEFAULTS = [
  ['validationLevel', stringValue('strict')],
  ['validationAction', stringValue('error')],
] as const;

/** An empty validator takes the old one away. */
function readValidator(body: CommandBody, name: string): RawValue | undefined {
  const validator = body.document(name);
  return isEmpty(validator) ? undefined : documentValue(validator);
}

/** Seconds, or "off". */
function readExpiry(body: CommandBody, name: string): RawValue | undefined {
  const given = body.value(name);
  if (given?.type !== BsonType.string) return readExpireAfterSeconds(body, name);
  uassert(
    given.asString() === 'off',
    'InvalidOptions',
    `Invalid string value for the 'clusteredIndex::expireAfterSeconds' option. Got: '${given.asString()}'. Accepted value is 'off'`,
  );
  return undefined;
}
