/**
 * Where the servers of a cluster are, in the restored store of each: written anew, because a restored cluster has other addresses.
 *
 * Changed are config.shards of the config server, and of a shard the shardIdentity document and the traces of migrations that were under
 * way, which name the other shard's address. Nothing else in a store rests on an address.
 */
import { getField, setField, stringValue } from '../../bson/index.ts';
import type { StorageEngine } from '../../storage/index.ts';
import { withRestoredEngine } from './restored-engine.ts';

/** host:port by name: config, and the shards. */
export type Hosts = ReadonlyMap<string, string>;

type Rewrite = (document: Buffer) => Buffer;

/** @param dbpath of a restored store that nobody has open */
export function rewriteHosts(dbpath: string, isConfig: boolean, hosts: Hosts): Promise<void> {
  return withRestoredEngine(dbpath, async (engine) => {
    for (const [namespace, rewrite] of isConfig ? configRewrites(hosts) : shardRewrites(hosts)) {
      await rewriteAll(engine, namespace, rewrite);
    }
  });
}

function configRewrites(hosts: Hosts): [string, Rewrite][] {
  return [
    ['config.shards', (document) => withHost(document, 'host', textOf(document, '_id'), hosts)],
  ];
}

function shardRewrites(hosts: Hosts): [string, Rewrite][] {
  return [
    [
      'admin.system.version',
      (document) =>
        textOf(document, '_id') === 'shardIdentity'
          ? withHost(document, 'configsvrConnectionString', 'config', hosts)
          : document,
    ],
    [
      'config.migrationCoordinators',
      (document) =>
        withHost(document, 'recipientHost', textOf(document, 'recipientShardId'), hosts),
    ],
  ];
}

function withHost(document: Buffer, field: string, name: string, hosts: Hosts): Buffer {
  const host = hosts.get(name);
  return host === undefined ? document : setField(document, field, stringValue(host));
}

function textOf(document: Buffer, field: string): string {
  const value = getField(document, field);
  return value?.typeName === 'string' ? value.asString() : '';
}

async function rewriteAll(
  engine: StorageEngine,
  namespace: string,
  rewrite: Rewrite,
): Promise<void> {
  const transaction = engine.begin({ makesKeys: true });
  try {
    const collection = transaction.collection(namespace);
    if (collection === undefined) return;
    const cursor = transaction.scanRecords(collection);
    try {
      while (await cursor.next()) {
        const before = Buffer.from(cursor.document);
        const after = rewrite(before);
        if (!after.equals(before)) transaction.update(collection, cursor.recordId, before, after);
      }
    } finally {
      cursor.close();
    }
    transaction.commit();
  } finally {
    transaction.close();
  }
}
