/**
 * What a namespace means: its two halves, which names a client may write to, and creating a collection by writing to it.
 * Source: MongoDB's manual, "Naming Restrictions".
 */
import { uassert } from '../../common/assert.ts';
import { isValidDatabaseName } from '../../common/database-name.ts';
import { CommandError } from '../../common/errors.ts';
import { namespaceOfBuckets } from '../../query/index.ts';
import type { CollectionDescription, ReadView, Transaction } from '../../storage/index.ts';

/** Longest namespace, "database.collection", in bytes of UTF-8. */
export const MAX_NAMESPACE_BYTES = 255;

export interface NamespaceParts {
  readonly database: string;
  readonly collection: string;
}

/** @param namespace "database.collection"; the collection's name may contain dots, the database's may not. */
export function splitNamespace(namespace: string): NamespaceParts {
  const dot = namespace.indexOf('.');
  return { database: namespace.slice(0, dot), collection: namespace.slice(dot + 1) };
}

/** Joins and checks a namespace. @throws CommandError InvalidNamespace */
export function namespaceOf(database: string, collection: string): string {
  const namespace = `${database}.${collection}`;
  const valid =
    collection.length > 0 && collection.charCodeAt(0) !== 0x2e && !collection.includes('\0');
  if (valid) return namespace;
  throw new CommandError('InvalidNamespace', `Invalid namespace specified '${namespace}'`);
}

/** A namespace that a client gives whole. @throws CommandError InvalidNamespace */
export function wholeNamespace(text: string): string {
  const { database, collection } = splitNamespace(text);
  if (text.includes('.') && isValidDatabaseName(database)) return namespaceOf(database, collection);
  throw new CommandError('InvalidNamespace', `Invalid namespace specified '${text}'`);
}

/** Names that may be written to although they begin with "system." */
const WRITABLE_SYSTEM_COLLECTIONS: ReadonlySet<string> = new Set([
  'system.js',
  'system.users',
  'system.roles',
  'system.version',
]);

/** Written by the profiler alone; operators drop and create it, with another size than the usual one. */
export function isSystemProfile(namespace: string): boolean {
  return splitNamespace(namespace).collection === 'system.profile';
}

/** @throws CommandError InvalidNamespace for a name that no client may insert into. */
export function checkWritable(namespace: string): void {
  const { collection } = splitNamespace(namespace);
  if (!collection.startsWith('system.') || WRITABLE_SYSTEM_COLLECTIONS.has(collection)) return;
  if (namespaceOfBuckets(namespace) !== undefined) return;
  const isServersOwn = collection === 'system.views' || isSystemProfile(namespace);
  throw new CommandError(
    'InvalidNamespace',
    isServersOwn ? `cannot write to ${namespace}` : `Invalid system namespace: ${namespace}`,
  );
}

/** @throws CommandError InvalidNamespace, BadValue for a name that a new collection may not have. */
export function checkCreatable(namespace: string): void {
  checkWritable(namespace);
  const { collection } = splitNamespace(namespace);
  uassert(
    namespaceOfBuckets(namespace) === undefined,
    'InvalidNamespace',
    `Invalid system namespace: ${namespace}. Buckets are created with their time-series collection`,
  );
  uassert(!namespace.includes('$'), 'InvalidNamespace', `Invalid collection name: ${collection}`);
  uassert(
    Buffer.byteLength(namespace) <= MAX_NAMESPACE_BYTES,
    'InvalidNamespace',
    `Fully qualified namespace is too long. Namespace: ${namespace} Max: ${MAX_NAMESPACE_BYTES}`,
  );
  uassert(!collection.includes('.system.'), 'BadValue', `Invalid namespace: ${namespace}`);
}

/** The collection to write to; creates it when it is not there, as MongoDB does for inserts and upserts. */
export function collectionForWrite(
  transaction: Transaction,
  namespace: string,
): CollectionDescription {
  const found = transaction.collection(namespace);
  checkNotView(found);
  if (found !== undefined) return found;
  checkCreatable(namespace);
  checkDatabaseCase(transaction, namespace);
  return transaction.createCollection(namespace);
}

/** Two databases may not differ by case alone: MongoDB's files would collide on some systems, and clients rely on it. */
export function checkDatabaseCase(view: ReadView, namespace: string): void {
  const { database } = splitNamespace(namespace);
  const lower = database.toLowerCase();
  for (const existing of view.databases()) {
    if (existing === database || existing.toLowerCase() !== lower) continue;
    throw new CommandError(
      'DatabaseDifferCase',
      `db already exists with different case already have: [${existing}] trying to create [${database}]`,
    );
  }
}

/** @throws CommandError NamespaceNotFound, CommandNotSupportedOnView */
export function requireCollection(view: ReadView, namespace: string): CollectionDescription {
  const collection = view.collection(namespace);
  checkNotView(collection);
  if (collection !== undefined) return collection;
  throw new CommandError('NamespaceNotFound', `ns does not exist: ${namespace}`);
}

/** @throws CommandError CommandNotSupportedOnView */
export function checkNotView(collection: CollectionDescription | undefined): void {
  if (collection?.kind !== 'view') return;
  throw new CommandError(
    'CommandNotSupportedOnView',
    `Namespace ${collection.namespace} is a view, not a collection`,
  );
}

/** For what asks for records of the collection's own. @throws CommandError CommandNotSupportedOnView */
export function checkHasRecords(collection: CollectionDescription | undefined): void {
  checkNotView(collection);
  if (collection?.kind !== 'timeseries') return;
  throw new CommandError(
    'CommandNotSupportedOnView',
    `Namespace ${collection.namespace} is a timeseries collection`,
  );
}
