/**
 * What the cluster has set for all routers: cluster parameters, and the write concern of writes whose client names none.
 *
 * Owns: the copy of them that this router goes by, read when it starts, every half minute, and when something is set through it; and the
 * document of config.mongos by which operators see that this router is there.
 * Source: MongoDB's manual, "Cluster Parameters", "setDefaultRWConcern", "config.mongos".
 */
import { hostname } from 'node:os';
import {
  ArrayBuilder,
  arrayValue,
  dateValue,
  documentOf,
  EMPTY_DOCUMENT,
  getField,
  stringValue,
  TRUE,
} from '../bson/index.ts';
import type { Interruption } from '../common/interruption.ts';
import { MONGODB_VERSION, type Role, type RoleHost } from '../server/index.ts';
import type { ClusterParameters } from '../server/cluster.ts';
import { readAll } from './network/read-all.ts';
import type { ShardRegistry } from './network/shard-registry.ts';
import type { Router } from './router.ts';

/** MongoDB's clusterServerParameterRefreshIntervalSecs. */
const REFRESH_MS = 30_000;
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

/** Keeps the settings new, and says that this router is there. Without a config server it goes on with what it knows. */
export function settingsRole(router: Router): Role {
  return {
    commands: [],
    start: (host) => {
      const running = keepFresh(router, host);
      return Promise.resolve({ stop: () => running });
    },
  };
}

async function keepFresh(router: Router, host: RoleHost): Promise<void> {
  const { service } = host;
  while (!service.isStopping) {
    await host
      .background('refreshSettings', async (op) => {
        await router.settings.refresh(service.clusterParameters, op).catch(() => {});
        if (service.identity.port !== 0) await ping(router, host, op).catch(() => {});
        // The port is known a moment after the start.
        await op.sleep(service.identity.port === 0 ? 100 : REFRESH_MS);
      })
      // Killed by an operator, or by the end of the server.
      .catch(() => {});
  }
}

async function ping(
  { shards }: Router,
  { service: { identity, clock } }: RoleHost,
  interruption: Interruption,
): Promise<void> {
  const now = dateValue(clock.wallMs());
  const names = new ArrayBuilder();
  names.push(stringValue(hostname()));
  const updates = new ArrayBuilder();
  const update = documentOf({
    q: documentOf({ _id: `${identity.host}:${identity.port}` }),
    u: documentOf({
      $set: documentOf({
        advisoryHostFQDNs: arrayValue(names.finish()),
        mongoVersion: MONGODB_VERSION,
        ping: now,
        up: BigInt(Math.floor((clock.monotonicMs() - identity.startedMonotonicMs) / 1000)),
        waiting: TRUE,
      }),
      $setOnInsert: documentOf({ created: now }),
    }),
    upsert: true,
  });
  updates.pushDocument(update);
  await shards.config.command(
    documentOf({ update: 'mongos', updates: arrayValue(updates.finish()), $db: 'config' }),
    interruption,
  );
}
