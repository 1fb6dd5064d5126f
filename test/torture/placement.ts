/**
 * Looks at the shards themselves, past the routers: who has which document, and who should.
 */
import { MongoClient, type Document } from 'mongodb';
import { COLLECTIONS, ownerOf, type CollectionName, type DocumentId } from './documents.ts';
import { compareBounds, readChunks } from './metadata.ts';

/** A shard that can be asked directly. */
export interface ShardAddress {
  readonly name: string;
  readonly uri: string;
}

/** What stands on the shards of one collection. */
export interface Placement {
  /** Version of each document on the shard that owns it. */
  readonly versions: ReadonlyMap<DocumentId, number>;
  readonly violations: readonly string[];
}

const LEFTOVERS = ['migrationCoordinators', 'rangeDeletions'] as const;

/** @returns what migrations have left behind, as sentences; empty when all have come to their end */
export async function leftovers(shards: readonly ShardAddress[]): Promise<string[]> {
  const left: string[] = [];
  for (const shard of shards) {
    await withClient(shard, async (client) => {
      for (const name of LEFTOVERS) {
        const documents = await client.db('config').collection(name).find().toArray();
        for (const document of documents) {
          left.push(`${shard.name} has in config.${name}: ${JSON.stringify(document)}`);
        }
      }
    });
  }
  return left;
}

/** Each document stands on the shard that has its chunk, and nowhere else. Call it when nothing is left of migrations. */
export async function checkPlacement(
  router: MongoClient,
  shards: readonly ShardAddress[],
  name: CollectionName,
): Promise<Placement> {
  const chunks = await readChunks(router, name);
  const versions = new Map<DocumentId, number>();
  const violations: string[] = [];
  const collectionIds = new Set<string>();
  for (const shard of shards) {
    await withClient(shard, async (client) => {
      const database = client.db('torture');
      const [listed] = await database.listCollections({ name }, { nameOnly: false }).toArray();
      if (listed === undefined) return;
      if ('info' in listed) collectionIds.add(String(listed.info?.uuid));
      const documents = await database
        .collection(name)
        .aggregate(
          [{ $project: { k: 1, owner: 1, version: 1, hash: { $toHashedIndexKey: '$_id' } } }],
          { promoteLongs: false },
        )
        .toArray();
      for (const document of documents) {
        const id = Number(document['_id']);
        const belongs = shardOf(chunks, boundOf(name, document));
        if (belongs === shard.name) versions.set(id, Number(document['version']));
        else violations.push(`${name}: ${shard.name} has document ${id}, which is ${belongs}'s`);
      }
      const report = await database.command({ validate: name, full: true });
      if (report['valid'] !== true || Number(report['nrecords']) !== documents.length) {
        const { errors, nrecords } = report;
        violations.push(
          `${name} on ${shard.name}: ${JSON.stringify(errors)}, ${String(nrecords)} records of ${documents.length}`,
        );
      }
    });
  }
  if (collectionIds.size > 1) violations.push(`${name} has several UUIDs`);
  return { versions, violations };
}

export function versionsOfOwner(
  versions: ReadonlyMap<DocumentId, number>,
  owner: number,
): Map<DocumentId, number> {
  return new Map([...versions].filter(([id]) => ownerOf(id) === owner));
}

/** What the cluster says of itself. @returns sentences; undefined when it has no such command */
export async function ownCheck(router: MongoClient): Promise<string[] | undefined> {
  try {
    const reply = await router.db('admin').command({ checkMetadataConsistency: 1 });
    const found: readonly Document[] = reply['cursor'].firstBatch;
    return found.map((each) => `checkMetadataConsistency: ${JSON.stringify(each)}`);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 59) return undefined;
    throw error;
  }
}

function boundOf(name: CollectionName, document: Document): Document {
  if (name === 'hashed') return { _id: document['hash'] };
  const fields = Object.keys(COLLECTIONS[name]).map((field) => [field, document[field]]);
  return Object.fromEntries(fields);
}

function shardOf(chunks: readonly Document[], key: Document): string {
  const chunk = chunks.find(
    ({ min, max }) => compareBounds(min, key) <= 0 && compareBounds(key, max) < 0,
  );
  return chunk === undefined ? 'nobody' : String(chunk['shard']);
}

async function withClient(
  { uri }: ShardAddress,
  run: (client: MongoClient) => Promise<void>,
): Promise<void> {
  const client = await new MongoClient(uri, { directConnection: true }).connect();
  try {
    await run(client);
  } finally {
    await client.close();
  }
}
