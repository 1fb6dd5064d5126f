/**
 * What a server has: its collections, views and time series with options and indexes, as bytes, so that every type and
 * the order of every field stays.
 */
import type { Document } from 'bson';
import { BsonType, EMPTY_DOCUMENT, getField } from '../../bson/index.ts';
import type { BaseClient } from '../../client/index.ts';
import { MongoServerError } from '../../client/index.ts';
import type { Namespace, NamespaceFilter } from '../command-line/namespace-filter.ts';
import { FailedCommand } from '../command-line/subcommand.ts';

export type NamespaceKind = 'collection' | 'view' | 'timeseries';

export interface NamespaceDescription extends Namespace {
  readonly kind: NamespaceKind;
  /** As listCollections shows them. */
  readonly options: Buffer;
  /** 32 hexadecimal digits; undefined where the server tells none. */
  readonly uuid: string | undefined;
  /** As listIndexes shows them; of a view none. */
  readonly indexes: readonly Buffer[];
}

const NAMESPACE_NOT_FOUND = 26;
const BUCKETS = 'system.buckets.';

/** Where the documents lie: a time series has its buckets. */
export function dataCollectionOf({
  collection,
  kind,
}: Pick<NamespaceDescription, 'collection' | 'kind'>): string {
  return kind === 'timeseries' ? `${BUCKETS}${collection}` : collection;
}

/** Whether a collection is the server's own, and no part of a copy. Source: mongodump's manual, "Data Exclusion". */
export function isServersOwn({ database, collection }: Namespace): boolean {
  if (database === 'local' || database === 'config') return true;
  if (collection === 'system.js') return false;
  return collection.startsWith('system.') || collection.includes('$');
}

/** Everything that a filter takes, in the order of names; views last, since they show what is before them. */
export async function listNamespaces(
  client: BaseClient,
  filter: NamespaceFilter,
  databases?: readonly string[],
): Promise<NamespaceDescription[]> {
  const names = databases ?? (await databaseNames(client));
  const found: NamespaceDescription[] = [];
  for (const database of [...names].sort()) {
    const entries = await client
      .db(database)
      .listCollections({}, { nameOnly: false, raw: true })
      .toArray();
    const collections = entries.map(bytesOf);
    const there = new Set(collections.map(nameOf));
    for (const entry of collections) {
      const description = await describe(client, database, entry, filter);
      if (description === undefined) continue;
      checkBuckets(description, there);
      found.push(description);
    }
  }
  return found.sort(byKindAndName);
}

/** A time series whose buckets cannot be read would be taken for an empty one. @throws FailedCommand */
function checkBuckets(description: NamespaceDescription, there: ReadonlySet<string>): void {
  if (there.has(dataCollectionOf(description))) return;
  throw new FailedCommand(
    `${description.database}.${description.collection}: the server does not show the buckets of this time series. Leave it out (--nsExclude), and take its measurements with flint export and flint import.`,
  );
}

function nameOf(entry: Buffer): string {
  return getField(entry, 'name')?.asString() ?? '';
}

async function databaseNames(client: BaseClient): Promise<string[]> {
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
  return databases.map(({ name }) => name);
}

async function describe(
  client: BaseClient,
  database: string,
  entry: Buffer,
  filter: NamespaceFilter,
): Promise<NamespaceDescription | undefined> {
  const collection = nameOf(entry);
  const namespace = { database, collection };
  if (isServersOwn(namespace) || !filter(namespace)) return undefined;
  const kind = kindOf(getField(entry, 'type')?.asString());
  return {
    ...namespace,
    kind,
    options: getField(entry, 'options')?.asDocument() ?? EMPTY_DOCUMENT,
    uuid: uuidOf(entry),
    indexes: kind === 'view' ? [] : await listIndexes(client, namespace),
  };
}

/** @returns none when the collection is gone meanwhile. */
export async function listIndexes(
  client: BaseClient,
  { database, collection }: Namespace,
): Promise<Buffer[]> {
  try {
    const indexes = await client
      .db(database)
      .collection(collection)
      .listIndexes({ raw: true })
      .toArray();
    return indexes.map(bytesOf);
  } catch (error) {
    if (error instanceof MongoServerError && error.code === NAMESPACE_NOT_FOUND) return [];
    throw error;
  }
}

/** What a cursor gives with `raw`. */
export function bytesOf(document: Document): Buffer {
  if (!(document instanceof Uint8Array)) throw new TypeError('the cursor was not asked for bytes');
  return Buffer.from(document.buffer, document.byteOffset, document.byteLength);
}

function kindOf(type: string | undefined): NamespaceKind {
  return type === 'view' || type === 'timeseries' ? type : 'collection';
}

function uuidOf(entry: Buffer): string | undefined {
  const info = getField(entry, 'info');
  if (info?.type !== BsonType.object) return undefined;
  const uuid = getField(info.asDocument(), 'uuid');
  return uuid?.type === BsonType.binData ? uuid.asBinary().bytes.toString('hex') : undefined;
}

function byKindAndName(one: NamespaceDescription, other: NamespaceDescription): number {
  const rank = Number(one.kind === 'view') - Number(other.kind === 'view');
  if (rank !== 0) return rank;
  if (one.database !== other.database) return one.database < other.database ? -1 : 1;
  return one.collection < other.collection ? -1 : Number(one.collection > other.collection);
}
