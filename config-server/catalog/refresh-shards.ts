/**
 * Tells shards to read a collection's metadata again, so that routers hear of a change soon.
 *
 * One that does not answer reads them when it is asked the next time: nothing rests on this.
 */
import type { ShardEntry } from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';

const REFRESH_TIMEOUT_MS = 10_000;

export async function refreshShards(
  server: ConfigServer,
  shards: readonly ShardEntry[],
  namespace: string,
): Promise<void> {
  await server.host.background('refreshShards', async (op) => {
    await Promise.allSettled(
      shards.map((shard) =>
        server.askShard(
          op,
          shard,
          { _flushRoutingTableCacheUpdates: namespace, syncFromConfig: true },
          { timeoutMs: REFRESH_TIMEOUT_MS },
        ),
      ),
    );
  });
}
