/**
 * dropIndexes: removes indexes by name, by key pattern, or all but the one on _id.
 * Source: MongoDB's manual, "dropIndexes".
 */
import {
  BsonType,
  compareDocuments,
  getField,
  inspect,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { bucketKeyPattern, type TimeseriesOptions } from '../../../query/index.ts';
import type { CollectionDescription, IndexDescription } from '../../../storage/index.ts';
import { shownIndexes } from '../../catalog/bucket-index.ts';
import { requireCollection } from '../../catalog/namespace.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';
import { checkKeyIndexStays, withoutKeyIndex } from '../../sharding/shard-key-index.ts';

export const dropIndexes = defineCommand({
  name: 'dropIndexes',
  aliases: ['deleteIndexes'],
  help: 'Drops indexes of a collection.',
  kind: 'admin',
  changesCollection: true,
  takesWriteConcern: true,
  access: { action: 'dropIndex', on: 'collection' },
  route: 'primaryShard',
  apiVersions: ['1'],
  parse: (body) => {
    const namespace = body.collection();
    const which = body.value('index');
    if (which === undefined) throw body.missing('index');
    body.refuse('isTimeseriesNamespace');
    return { namespace, which };
  },
  execute: ({ namespace, which }, op) =>
    op.transact((transaction) => {
      const found = requireCollection(transaction, namespace);
      const timeseries = timeseriesOf(transaction, found);
      const collection = timeseries?.buckets ?? found;
      const isAll = which.type === BsonType.string && which.asString() === '*';
      const key = op.service.sharding?.shardKeyOf(namespace);
      const named = indexesNamedBy(collection, which, timeseries?.options);
      const dropped = new Set(
        isAll && key !== undefined ? withoutKeyIndex(collection, named, key) : named,
      );
      if (key !== undefined) checkKeyIndexStays(collection, dropped, key);
      for (const index of dropped) transaction.dropIndex(collection, index);
      const { indexes } = collection;
      const countBefore =
        timeseries === undefined
          ? indexes.length
          : shownIndexes(collection, timeseries.options).length;
      return { countBefore, isAll };
    }),
  reply: ({ countBefore, isAll }) => ({
    nIndexesWas: countBefore,
    msg: isAll ? 'non-_id indexes dropped for collection' : undefined,
  }),
});

function indexesNamedBy(
  collection: CollectionDescription,
  which: RawValue,
  timeseries: TimeseriesOptions | undefined,
): readonly IndexDescription[] {
  switch (which.type) {
    case BsonType.string:
      return which.asString() === '*'
        ? collection.indexes.filter((index) => !isIdIndex(index))
        : [indexByName(collection, which.asString())];
    case BsonType.array:
      return namesOf(which).map((name) => indexByName(collection, name));
    case BsonType.object:
      return [
        indexByKeyPattern(
          collection,
          timeseries === undefined
            ? which.asDocument()
            : bucketKeyPattern(which.asDocument(), timeseries),
        ),
      ];
    default:
      throw new CommandError(
        'TypeMismatch',
        `BSON field 'dropIndexes.index' is the wrong type '${which.typeName}', expected types '[string, object, array]'`,
      );
  }
}

function namesOf(array: RawValue): string[] {
  const names: string[] = [];
  const document = array.asDocument();
  for (let index = 0; ; index += 1) {
    const name = getField(document, String(index));
    if (name === undefined) return names;
    if (name.type !== BsonType.string) {
      throw new CommandError(
        'TypeMismatch',
        `BSON field 'dropIndexes.index.${index}' is the wrong type '${name.typeName}', expected type 'string'`,
      );
    }
    names.push(name.asString());
  }
}

function indexByName(collection: CollectionDescription, name: string): IndexDescription {
  const index = collection.indexes.find((each) => each.name === name);
  if (index !== undefined) return droppable(index);
  throw new CommandError('IndexNotFound', `index not found with name [${name}]`);
}

function indexByKeyPattern(
  collection: CollectionDescription,
  keyPattern: Buffer,
): IndexDescription {
  const found = collection.indexes.filter((each) => {
    const own = getField(each.spec, 'key');
    return own !== undefined && compareDocuments(own.asDocument(), keyPattern) === 0;
  });
  const [index, second] = found;
  if (index === undefined) {
    throw new CommandError('IndexNotFound', `can't find index with key: ${inspect(keyPattern)}`);
  }
  if (second === undefined) return droppable(index);
  throw new CommandError(
    'AmbiguousIndexKeyPattern',
    `${found.length} indexes found for key: ${inspect(keyPattern)}, identify by name instead. ` +
      `Conflicting indexes: ${found.map(({ spec }) => inspect(spec)).join(', ')}`,
  );
}

/** The index that every collection has; a clustered one may bear another name. */
function isIdIndex({ fields, unique }: IndexDescription): boolean {
  return unique && fields.length === 1 && fields[0].path === '_id' && fields[0].kind === 'ordered';
}

function droppable(index: IndexDescription): IndexDescription {
  uassert(
    getField(index.spec, 'clustered')?.isTruthy() !== true,
    5_979_800,
    'It is illegal to drop the clusteredIndex',
  );
  if (!isIdIndex(index)) return index;
  throw new CommandError('InvalidOptions', 'cannot drop _id index');
}
