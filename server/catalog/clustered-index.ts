/**
 * The option `clusteredIndex` of create: a collection in the order of its _id.
 *
 * Owns: how it is read, its stored form ({v, key, unique, name}), and the index specification that listIndexes shows.
 * Source: MongoDB's manual, "Clustered Collections".
 */
import {
  BsonType,
  documentOf,
  documentValue,
  DocumentBuilder,
  fieldsOf,
  getField,
  type RawValue,
  setField,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { namespaceOfBuckets } from '../../query/index.ts';
import type { CollectionDescription, IndexDescription } from '../../storage/index.ts';
import type { CommandBody } from '../command/command-body.ts';
import { nestedBody } from '../command/nested-body.ts';

const DEFAULT_NAME = '_id_';
const INDEX_VERSION = 2;

/** @returns the stored form; undefined when the collection is not to be clustered. */
export function readClusteredIndex(body: CommandBody): RawValue | undefined {
  const value = body.value('clusteredIndex');
  if (value === undefined || value.isNullish) return undefined;
  if (value.type === BsonType.bool) {
    uassert(
      !value.asBoolean(),
      5979703,
      "The 'clusteredIndex' legacy format {clusteredIndex: <bool>} is only supported for specific internal collections and" +
        ' must be specified with {v: 2, key: {_id: 1}, unique: true}',
    );
    return undefined;
  }
  const given = nestedBody('create.clusteredIndex', body.document('clusteredIndex'), body);
  const version = given.integer('v', INDEX_VERSION);
  const key = given.document('key');
  const unique = given.safeBoolean('unique', undefined);
  if (unique === undefined) throw given.missing('unique');
  const name = given.string('name', DEFAULT_NAME);
  given.rejectUnknownFields();
  uassert(unique, 5979700, 'The clusteredIndex option requires unique: true to be specified');
  uassert(
    isAscendingId(key),
    'InvalidIndexSpecificationOption',
    'The clusteredIndex option is only supported for key: {_id: 1}',
  );
  uassert(
    version === INDEX_VERSION,
    5979704,
    'Invalid clusteredIndex specification; cannot create a clusteredIndex with another version than v=2',
  );
  uassert(name !== '', 'BadValue', 'The name of a clusteredIndex cannot be empty');
  return documentValue(
    documentOf({ v: INDEX_VERSION, key: documentOf({ _id: 1 }), name, unique: true }),
  );
}

function isAscendingId(key: Buffer): boolean {
  const fields = [...fieldsOf(key)];
  return (
    fields.length === 1 &&
    fields[0][0] === '_id' &&
    fields[0][1].isNumber &&
    fields[0][1].asNumber() === 1
  );
}

/** The stored option of a collection's options; undefined for a collection that is not clustered. */
export function clusteredIndexOf(options: Buffer): Buffer | undefined {
  const stored = getField(options, 'clusteredIndex');
  return stored?.type === BsonType.object ? stored.asDocument() : undefined;
}

/** The specification of the index that gives a collection with these options its order; undefined without one. */
export function clusteredIndexSpec(options: Buffer): Buffer | undefined {
  const stored = clusteredIndexOf(options);
  if (stored === undefined) return undefined;
  const spec = new DocumentBuilder().appendElementsOf(stored);
  const collation = getField(options, 'collation');
  if (collation !== undefined) spec.append('collation', collation);
  return spec.appendBoolean('clustered', true).finish();
}

/** The specification of an index as listIndexes shows it: when a clustered collection expires is said with its order. */
export function listedSpec(
  { options }: CollectionDescription,
  { spec }: Pick<IndexDescription, 'spec'>,
): Buffer {
  const expiry = getField(options, 'expireAfterSeconds');
  if (expiry === undefined || getField(spec, 'clustered')?.isTruthy() !== true) return spec;
  return setField(spec, 'expireAfterSeconds', expiry);
}

/**
 * Buckets of time series are clustered in MongoDB: made capped, they would lose measurements that nobody deleted.
 * @throws CommandError InvalidOptions: a collection in the order of its _id has no oldest document at its beginning
 */
export function checkNotClustered({ namespace, options }: CollectionDescription): void {
  uassert(
    clusteredIndexOf(options) === undefined && namespaceOfBuckets(namespace) === undefined,
    'InvalidOptions',
    `A clustered collection cannot become capped: ${namespace}`,
  );
}
