/**
 * $shardedDataDistribution: how many documents and bytes of each sharded collection each shard has.
 * Source: MongoDB's manual, "$shardedDataDistribution".
 */
import { DocumentBuilder, documentOf, EMPTY_DOCUMENT, getField } from '../../bson/index.ts';
import type { OperationContext } from '../../server/cluster.ts';
import { collectionOf, databaseOf, readAll } from '../network/read-all.ts';
import type { Router } from '../router.ts';
import { numberIn } from '../writes/write-outcome.ts';

/** One document for each sharded collection, by name. */
export async function* shardedDataDistribution(
  router: Router,
  op: OperationContext,
): AsyncGenerator<Buffer> {
  const collections = await readAll(router.shards.config, op, {
    database: 'config',
    collection: 'collections',
    filter: EMPTY_DOCUMENT,
    sort: documentOf({ _id: 1 }),
  });
  for (const entry of collections) {
    const namespace = getField(entry, '_id')?.asString() ?? '';
    const sharded = await router.routing.collection(namespace, op);
    if (sharded !== undefined) {
      yield await distributionOf(router, op, namespace, [...sharded.chunks.shards()].sort());
    }
  }
}

async function distributionOf(
  router: Router,
  op: OperationContext,
  namespace: string,
  names: readonly string[],
): Promise<Buffer> {
  const command = documentOf({ collStats: collectionOf(namespace), $db: databaseOf(namespace) });
  const parts = await Promise.all(
    names.map(async (name) => {
      const shard = await router.shards.get(name, op);
      return { name, sizes: await shard.command(command, op, { isRepeatable: true }) };
    }),
  );
  const out = new DocumentBuilder().appendString('ns', namespace).beginArray('shards');
  for (const [index, { name, sizes }] of parts.entries()) {
    const orphans = numberIn(sizes, 'numOrphanDocs');
    const owned = Math.max(0, numberIn(sizes, 'count') - orphans);
    const averageBytes = numberIn(sizes, 'avgObjSize');
    out.beginDocument(String(index)).appendString('shardName', name);
    out.appendInteger('numOrphanedDocs', orphans).appendInteger('numOwnedDocuments', owned);
    out.appendInteger('orphanedSizeBytes', orphans * averageBytes);
    out.appendInteger('ownedSizeBytes', owned * averageBytes).end();
  }
  return out.end().finish();
}
