/**
 * create: makes a collection, a time series collection or a view.
 * Source: MongoDB's manual, "create".
 */
import {
  compareDocuments,
  documentOf,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  getField,
  inspect,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { CollectionDescription, MaybePromise, Transaction } from '../../../storage/index.ts';
import { compressionIn } from '../../catalog/wired-tiger-config.ts';
import { clusteredIndexSpec } from '../../catalog/clustered-index.ts';
import {
  parseCollectionOptions,
  type RequestedCollection,
} from '../../catalog/collection-options.ts';
import { parseIndexSpecification } from '../../catalog/index-specification.ts';
import { checkCreatable, checkDatabaseCase, isSystemProfile } from '../../catalog/namespace.ts';
import { createTimeseries } from '../../catalog/timeseries-catalog.ts';
import { noteNewCollection } from '../../catalog/new-collection.ts';
import { createView } from '../../catalog/view-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { checkMayHaveValidator, compileValidator } from '../crud/document-validator.ts';
import { checkView } from './check-view.ts';

export const create = defineCommand({
  name: 'create',
  help: 'Creates a collection or a view.',
  kind: 'admin',
  changesCollection: true,
  takesWriteConcern: true,
  access: { action: 'createCollection', on: 'collection' },
  route: 'primaryShard',
  apiVersions: ['1'],
  unstableFields: ['autoIndexId', 'capped', 'indexOptionDefaults', 'max', 'size', 'storageEngine'],
  parse: (body) => {
    const namespace = body.collection();
    const hasAutoIndexId = body.has('autoIndexId');
    return { namespace, hasAutoIndexId, requested: parseCollectionOptions(body) };
  },
  execute: ({ namespace, hasAutoIndexId, requested }, op) => {
    if (!isSystemProfile(namespace)) checkCreatable(namespace);
    checkValidator(op, namespace, requested);
    const reply = { hasAutoIndexId };
    const done = op.transact((transaction) => createIn(op, transaction, namespace, requested));
    return done instanceof Promise ? done.then(() => reply) : reply;
  },
  reply: ({ hasAutoIndexId }) => ({
    note: hasAutoIndexId
      ? 'The autoIndexId option is deprecated and will be removed in a future release'
      : undefined,
  }),
});

function createIn(
  op: OperationContext,
  transaction: Transaction,
  namespace: string,
  requested: RequestedCollection,
): MaybePromise<void> {
  const existing = transaction.collection(namespace);
  if (existing !== undefined) {
    refuseUnlessSame(existing, requested);
    return;
  }
  checkDatabaseCase(transaction, namespace);
  const { kind, options } = requested;
  if (kind === 'view') {
    checkView(op, transaction, { namespace, options });
    createView(transaction, { namespace, options });
    return;
  }
  if (kind === 'timeseries') {
    createTimeseries(transaction, namespace, options);
    return;
  }
  const idIndex = idIndexOf(requested);
  const created = transaction.createCollection(namespace, {
    kind,
    options,
    ...compressionIn(options),
    ...(idIndex === undefined ? {} : { idIndex }),
  });
  noteNewCollection(op, created);
}

function checkValidator(
  op: OperationContext,
  namespace: string,
  { options }: RequestedCollection,
): void {
  const validator = getField(options, 'validator')?.asDocument();
  if (validator === undefined) return;
  checkMayHaveValidator(namespace);
  compileValidator(op, validator, getField(options, 'collation')?.asDocument());
}

/** undefined for the usual one. */
function idIndexOf({ options, idIndex }: RequestedCollection): Buffer | undefined {
  const clustered = clusteredIndexSpec(options);
  if (clustered !== undefined) return clustered;
  const collation = getField(options, 'collation')?.asDocument();
  if (idIndex === undefined) return collation === undefined ? undefined : idIndexWith(collation);
  const { keyPattern, spec } = parseIndexSpecification(idIndex);
  uassert(
    compareDocuments(keyPattern, ID_PATTERN) === 0,
    'BadValue',
    `The field 'key' for an _id index must be {_id: 1}, but got ${inspect(keyPattern)}`,
  );
  const own = getField(idIndex, 'collation');
  if (own === undefined) return collation === undefined ? spec : idIndexWith(collation);
  const given = getField(spec, 'collation')?.asDocument() ?? EMPTY_DOCUMENT;
  uassert(
    given.equals(collation ?? EMPTY_DOCUMENT),
    'BadValue',
    "'idIndex' must have the same collation as the collection.",
  );
  return spec;
}

const ID_PATTERN = documentOf({ _id: 1 });

/** Two _ids are the same when the collection compares them as equal. */
function idIndexWith(collation: Buffer): Buffer {
  return new DocumentBuilder()
    .appendInt32('v', 2)
    .appendDocument('key', ID_PATTERN)
    .appendString('name', '_id_')
    .appendDocument('collation', collation)
    .finish();
}

/** Creating a collection again with the options that it has is no error, as in MongoDB since 7.0. */
function refuseUnlessSame(existing: CollectionDescription, requested: RequestedCollection): void {
  if (existing.kind === requested.kind && existing.options.equals(requested.options)) return;
  throw new CommandError(
    'NamespaceExists',
    `namespace ${existing.namespace} already exists, but with different options: ${inspect(existing.options)}`,
  );
}
