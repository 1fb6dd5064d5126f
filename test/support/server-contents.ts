/**
 * Everything that users have put into a server, as text that can be compared: collections with options, indexes and
 * documents, every type told.
 */
import { BSON, type CollectionInfo, type MongoClient } from 'mongodb';

const { EJSON } = BSON;
const SERVERS_OWN: ReadonlySet<string> = new Set(['admin', 'config', 'local']);

export interface NamespaceContents {
  readonly type: string;
  readonly options: string;
  readonly indexes: readonly string[];
  /** Canonical Extended JSON, in the order of _id (of a time series, that of its buckets); of a view what it shows. */
  readonly documents: readonly string[];
}

export async function contentsOf(client: MongoClient): Promise<Record<string, NamespaceContents>> {
  const contents: Record<string, NamespaceContents> = {};
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
  for (const { name: database } of databases.filter(({ name }) => !SERVERS_OWN.has(name))) {
    const db = client.db(database, { promoteValues: false, bsonRegExp: true });
    for (const collection of await db.listCollections<CollectionInfo>().toArray()) {
      const { name, type = '', options } = collection;
      const isSystem = name.startsWith('system.') && !name.startsWith('system.buckets.');
      if (isSystem) continue;
      const documents = await db.collection(name).find().sort({ _id: 1 }).toArray();
      const indexes = type === 'view' ? [] : await db.collection(name).listIndexes().toArray();
      contents[`${database}.${name}`] = {
        type,
        options: textOf(options),
        indexes: indexes.map(textOf).sort(),
        documents: documents.map(textOf),
      };
    }
  }
  return contents;
}

function textOf(value: unknown): string {
  return EJSON.stringify(value ?? {}, { relaxed: false });
}
