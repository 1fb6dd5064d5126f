/**
 * Shards collections of a running cluster as they are sharded in another one, and puts their ranges into the same zones.
 *
 * Promises: a shard joins the zones that the shard of its name is in; it leaves none. A zone that no shard of the target has is told of and left
 * out: how many shards there are, and what they are called, is the target's own affair.
 */
import type { Document } from 'bson';
import { EMPTY_DOCUMENT, fieldsOf, getField } from '../../bson/index.ts';
import type { BaseClient } from '../../client/index.ts';
import type { Progress } from '../command-line/progress.ts';
import { createIndexes } from '../transfer/create-namespace.ts';
import { dataCollectionOf, type NamespaceDescription } from '../transfer/namespaces.ts';

export interface Clusters {
  /** Of routers. */
  readonly source: BaseClient;
  readonly target: BaseClient;
  readonly progress: Progress;
}

/** @param namespaces are there, empty, in the target */
export async function shardAlike(
  clusters: Clusters,
  namespaces: readonly NamespaceDescription[],
): Promise<void> {
  const entries = await documentsOf(clusters.source, 'collections');
  const ranges = await documentsOf(clusters.source, 'tags');
  const sharded = new Set<string>();
  for (const namespace of namespaces) {
    const name = `${namespace.database}.${dataCollectionOf(namespace)}`;
    const entry = entries.find(({ _id }) => String(_id) === name);
    if (entry === undefined) continue;
    await shard(clusters.target, { name, entry, namespace });
    sharded.add(name);
  }
  const wanted = ranges.filter(({ ns }) => sharded.has(String(ns)));
  if (wanted.length > 0) await zoneAlike(clusters, wanted);
}

async function shard(
  target: BaseClient,
  { name, entry, namespace }: { name: string; entry: Document; namespace: NamespaceDescription },
): Promise<void> {
  const { key, unique } = entry;
  // Before: shardCollection makes one where it finds none, under a name of its own. The others are made when the documents are there.
  const indexes = namespace.indexes.filter((index) => mayServe(index, Object.keys(key)));
  await createIndexes(target, { ...namespace, indexes });
  // Of the collection's own collation no shard key makes use.
  const hasCollation = getField(namespace.options, 'collation') !== undefined;
  await target.db('admin').command({
    shardCollection: name,
    key,
    ...(unique === true ? { unique } : {}),
    ...(hasCollation ? { collation: { locale: 'simple' } } : {}),
  });
}

/** Whether an index begins with the fields of a shard key. */
function mayServe(index: Buffer, keyFields: readonly string[]): boolean {
  const key = getField(index, 'key')?.asDocument() ?? EMPTY_DOCUMENT;
  const names = [...fieldsOf(key)].map(([name]) => name);
  return keyFields.every((field, place) => names[place] === field);
}

async function zoneAlike(
  { source, target, progress }: Clusters,
  ranges: readonly Document[],
): Promise<void> {
  const admin = target.db('admin');
  const own = new Map<string, Set<string>>();
  for (const { _id, tags } of await documentsOf(target, 'shards')) {
    own.set(String(_id), new Set(zonesIn(tags)));
  }
  const needed = new Set(ranges.map(({ tag }) => String(tag)));
  for (const { _id, tags } of await documentsOf(source, 'shards')) {
    const zones = own.get(String(_id));
    for (const zone of zonesIn(tags)) {
      if (zones === undefined || zones.has(zone) || !needed.has(zone)) continue;
      await admin.command({ addShardToZone: String(_id), zone });
      zones.add(zone);
    }
  }
  for (const zone of needed) {
    const isThere = [...own.values()].some((zones) => zones.has(zone));
    if (!isThere) {
      progress.say(
        `No shard there has the zone ${zone}: its ranges are left out. sh.addShardToZone() and sh.updateZoneKeyRange() bring them back.`,
      );
      continue;
    }
    for (const { ns, min, max, tag } of ranges) {
      if (String(tag) === zone) await admin.command({ updateZoneKeyRange: ns, min, max, zone });
    }
  }
}

function zonesIn(tags: unknown): string[] {
  return Array.isArray(tags) ? tags.map(String) : [];
}

function documentsOf(router: BaseClient, collection: string): Promise<Document[]> {
  return router.db('config').collection(collection).find({}).toArray();
}
