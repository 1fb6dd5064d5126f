/**
 * What the cluster has set for all routers: cluster parameters, and the write concern of writes whose client names none.
 *
 * Owns: the copy of them that this router goes by, read when it starts, every half minute, and when something is set through it.
 * Source: MongoDB's manual, "Cluster Parameters", "setDefaultRWConcern".
 */
import { documentOf, EMPTY_DOCUMENT, getField } from '../bson/index.ts';
import type { Interruption } from '../common/interruption.ts';
import type { ClusterParameters } from '../server/cluster.ts';
import { readAll } from './network/read-all.ts';
import type { ShardRegistry } from './network/shard-registry.ts';

const DEFAULTS_ID = 'ReadWriteConcernDefaults';

export class ClusterSettings {
  /** undefined: nobody has set one. */
  defaultWriteConcern: Buffer | undefined;
  private readonly shards: ShardRegistry;

  constructor(shards: ShardRegistry) {
    this.shards = shards;
  }

  /** @throws what keeps the config server from answering; what was known stays then */
  async refresh(parameters: ClusterParameters, interruption: Interruption): Promise<void> {
    const read = (collection: string, filter: Buffer): Promise<Buffer[]> =>
      readAll(this.shards.config, interruption, { database: 'config', collection, filter });
    for (const document of await read('clusterParameters', EMPTY_DOCUMENT)) {
      parameters.adopt(document);
    }
    const [defaults] = await read('settings', documentOf({ _id: DEFAULTS_ID }));
    const concern = defaults === undefined ? undefined : getField(defaults, 'defaultWriteConcern');
    this.defaultWriteConcern = concern && Buffer.from(concern.asDocument());
  }
}
