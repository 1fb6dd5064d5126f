/**
 * What a router does by itself: keeps what the cluster has set new, and shows in config.mongos that it is there.
 *
 * Without a config server it goes on with what it knows.
 * Source: MongoDB's manual, "config.mongos".
 */
import { hostname } from 'node:os';
import {
  ArrayBuilder,
  arrayValue,
  dateValue,
  documentOf,
  stringValue,
  TRUE,
} from '../bson/index.ts';
import type { Interruption } from '../common/interruption.ts';
import { MONGODB_VERSION, type Role, type RoleHost } from '../server/index.ts';
import type { Router } from './router.ts';

/** MongoDB's clusterServerParameterRefreshIntervalSecs. */
const REFRESH_MS = 30_000;

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
