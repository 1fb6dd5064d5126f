/**
 * The collections of the config database and their indexes, as MongoDB has them.
 *
 * Two chunks of a collection can have neither the same lower bound nor the same version: the unique indexes hold even where a change
 * were wrong. Changelog entries go after a month (MongoDB's changelog is a capped collection).
 */
import { documentOf, getField } from '../../bson/index.ts';
import type { OperationContext } from '../../server/cluster.ts';

interface ConfigIndex {
  readonly key: Readonly<Record<string, 1>>;
  readonly unique?: true;
  readonly expireAfterSeconds?: number;
}

const MONTH_SECONDS = 30 * 24 * 3600;

const COLLECTIONS: Readonly<Record<string, readonly ConfigIndex[]>> = {
  version: [],
  shards: [{ key: { host: 1 }, unique: true }],
  databases: [],
  collections: [{ key: { uuid: 1 } }],
  pendingDrops: [],
  pendingRenames: [],
  chunks: [
    { key: { uuid: 1, min: 1 }, unique: true },
    { key: { uuid: 1, shard: 1, min: 1 }, unique: true },
    { key: { uuid: 1, lastmod: 1 }, unique: true },
  ],
  tags: [{ key: { ns: 1, min: 1 }, unique: true }, { key: { ns: 1, tag: 1 } }],
  mongos: [],
  settings: [],
  querySettings: [],
  user_writes_critical_sections: [],
  locks: [],
  changelog: [{ key: { time: 1 }, expireAfterSeconds: MONTH_SECONDS }],
};

/** Repeatable: makes what is missing. */
export async function createConfigCollections(op: OperationContext): Promise<void> {
  await op.transact((transaction) => {
    for (const [name, indexes] of Object.entries(COLLECTIONS)) {
      const namespace = `config.${name}`;
      let collection = transaction.collection(namespace);
      collection ??= transaction.createCollection(namespace);
      for (const index of indexes) {
        const spec = specOf(index);
        const indexName = getField(spec, 'name')?.asString();
        if (collection.indexes.some((known) => known.name === indexName)) continue;
        transaction.createIndex(collection, spec);
        collection = transaction.collection(namespace) ?? collection;
      }
    }
  });
  if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
}

function specOf({ key, unique, expireAfterSeconds }: ConfigIndex): Buffer {
  const name = Object.keys(key)
    .map((field) => `${field}_1`)
    .join('_');
  return documentOf({ v: 2, key: documentOf(key), name, unique, expireAfterSeconds });
}
