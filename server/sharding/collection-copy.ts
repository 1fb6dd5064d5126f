/**
 * A collection's definition on its way to another shard: same UUID, same options, same indexes.
 */
import { ArrayBuilder, FieldCursor, getField, isEmpty } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { CollectionDescription, CollectionUuid, Transaction } from '../../storage/index.ts';
import { checkDatabaseCase } from '../catalog/namespace.ts';
import { compressionIn } from '../catalog/wired-tiger-config.ts';

export interface CollectionCopy {
  readonly namespace: string;
  /** 32 hexadecimal digits. */
  readonly uuid: string;
  readonly options: Buffer;
  /** Specifications of all ready indexes, the one on _id first. An array. */
  readonly indexes: Buffer;
}

/** An array of the specifications of all ready indexes. */
export function indexDefinitions({ indexes }: CollectionDescription): Buffer {
  const specs = new ArrayBuilder();
  for (const index of indexes) if (index.ready) specs.pushDocument(index.spec);
  return specs.finish();
}

/**
 * Makes the collection as it is elsewhere, unless it is there. A shard that has no chunks of it heard of no changes of its definition:
 * there what differs becomes as it is elsewhere, or goes. An index that was dropped must not go on refusing, or removing, documents.
 * @throws CommandError InvalidUUID when another one with documents has its name; CannotCreateCollection when documents are there
 *   and an index is missing
 */
export function createCopy(
  transaction: Transaction,
  copy: CollectionCopy,
  { hasChunks = false }: { readonly hasChunks?: boolean } = {},
): CollectionDescription {
  const { namespace, uuid, options } = copy;
  const specs = specsOf(copy.indexes);
  let collection = transaction.collection(namespace);
  if (collection !== undefined && collection.uuid !== uuid) {
    if (transaction.recordCount(collection) > 0) {
      throw new CommandError(
        'InvalidUUID',
        `${namespace} exists on this shard with another UUID, and has documents`,
      );
    }
    transaction.dropCollection(collection);
    collection = undefined;
  }
  if (collection === undefined) {
    checkDatabaseCase(transaction, namespace);
    const [idIndex] = specs;
    collection = transaction.createCollection(namespace, {
      uuid: checkedUuid(uuid),
      options,
      ...compressionIn(options),
      ...(idIndex === undefined || isEmpty(options) ? {} : { idIndex }),
    });
  } else if (!hasChunks) collection = withoutDifferences(transaction, collection, copy, specs);
  for (const spec of specs) {
    const name = getField(spec, 'name')?.asString();
    if (collection.indexes.some((index) => index.name === name)) continue;
    if (transaction.recordCount(collection) > 0) {
      throw new CommandError(
        'CannotCreateCollection',
        `aborting, shard is missing the index ${name} and collection ${namespace} is not empty. Non-trivial index creation should be scheduled manually`,
      );
    }
    transaction.createIndex(collection, spec);
    collection = transaction.collection(namespace) ?? collection;
  }
  return collection;
}

function withoutDifferences(
  transaction: Transaction,
  collection: CollectionDescription,
  { namespace, options }: CollectionCopy,
  specs: readonly Buffer[],
): CollectionDescription {
  if (!collection.options.equals(options)) transaction.modifyCollection(collection, options);
  const now = (): CollectionDescription => transaction.collection(namespace) ?? collection;
  for (const { name, spec } of collection.indexes) {
    if (name === '_id_' || specs.some((wanted) => wanted.equals(spec))) continue;
    const current = now();
    const index = current.indexes.find((each) => each.name === name);
    if (index !== undefined) transaction.dropIndex(current, index);
  }
  return now();
}

/** @throws CommandError InvalidUUID */
export function checkedUuid(uuid: string): CollectionUuid {
  if (/^[0-9a-f]{32}$/.test(uuid)) return uuid as CollectionUuid;
  throw new CommandError('InvalidUUID', `'${uuid}' is no UUID of a collection`);
}

function specsOf(array: Buffer): Buffer[] {
  const specs: Buffer[] = [];
  const cursor = new FieldCursor(array);
  while (cursor.next()) specs.push(cursor.value().asDocument());
  return specs;
}
