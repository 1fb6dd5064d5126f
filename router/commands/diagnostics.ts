/**
 * What a router tells of itself: serverStatus and connPoolStats as mongos has them, and the commands whose answer through a router is
 * put together from those of all servers.
 * Source: MongoDB's manual, "serverStatus", "connPoolStats", "profile", "validateDBMetadata".
 */
import { ArrayBuilder, arrayValue, fieldsOf, getField, TRUE } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { Command, ReplyBody, ReplyFields } from '../../server/cluster.ts';
import type { Router } from '../router.ts';
import { askCluster } from './ask-shards.ts';
import type { Call } from './routed-command.ts';
import { shardRequest } from './shard-request.ts';

/** Of the storage that a router does not have. */
const WITHOUT_STORAGE = ['catalogStats', 'globalLock', 'locks', 'opcountersRepl', 'storageEngine'];

/** @param original flintd's serverStatus */
export function routerStatus(original: Command, router: Router): Command {
  return {
    ...original,
    run: async (body, op) => {
      const reply = await original.run(body, op);
      // It writes plain fields.
      if (typeof reply === 'function' || Buffer.isBuffer(reply)) return reply;
      const left = Object.entries(reply).filter(([name]) => !WITHOUT_STORAGE.includes(name));
      const isWanted = (name: string): boolean => getField(body.bytes, name)?.isTruthy() !== false;
      const status: ReplyFields = {
        ...Object.fromEntries(left),
        process: 'mongos',
        sharding: isWanted('sharding')
          ? { configsvrConnectionString: router.shards.config.host }
          : undefined,
        shardingStatistics: isWanted('shardingStatistics') ? statistics(router) : undefined,
      };
      return status;
    },
  };
}

function statistics({ routing }: Router): ReplyFields {
  const { databaseRefreshes, fullRefreshes, incrementalRefreshes } = routing.counts;
  return {
    catalogCache: {
      numDatabaseEntries: BigInt(routing.databaseCount),
      numCollectionEntries: BigInt(routing.collectionCount),
      countDatabaseRefreshesStarted: BigInt(databaseRefreshes),
      countIncrementalRefreshesStarted: BigInt(incrementalRefreshes),
      countFullRefreshesStarted: BigInt(fullRefreshes),
    },
  };
}

/** @param original flintd's connPoolStats */
export function routerPools(original: Command, router: Router): Command {
  return {
    ...original,
    run: async (body, op) => {
      const reply = await original.run(body, op);
      if (typeof reply === 'function' || Buffer.isBuffer(reply)) return reply;
      const servers = [router.shards.config, ...router.shards.known()];
      const hosts = servers.map(({ host, connections: { lent, idle, opened, opening } }) => ({
        host,
        inUse: BigInt(lent),
        available: BigInt(idle),
        leased: 0n,
        created: BigInt(opened),
        refreshing: BigInt(opening),
        refreshed: 0n,
      }));
      const sum = (name: 'inUse' | 'available' | 'created' | 'refreshing'): bigint =>
        hosts.reduce((total, each) => total + each[name], 0n);
      const all = {
        totalInUse: sum('inUse'),
        totalAvailable: sum('available'),
        totalCreated: sum('created'),
        totalRefreshing: sum('refreshing'),
      };
      const byHost = Object.fromEntries(hosts.map(({ host, ...counts }) => [host, counts]));
      const pool = {
        poolInUse: all.totalInUse,
        poolAvailable: all.totalAvailable,
        poolLeased: 0n,
        poolCreated: all.totalCreated,
        poolRefreshing: all.totalRefreshing,
        poolRefreshed: 0n,
        ...byHost,
      };
      return { ...reply, ...all, pools: { 'flints-shards': pool }, hosts: byHost };
    },
  };
}

/** @param original flintd's profile, which here is about the log only */
export function routerProfile(original: Command): Command {
  return {
    ...original,
    run: (body, op) => {
      const { target } = body;
      const level = target.isNumber ? Math.trunc(target.asNumber()) : 0;
      if (level === 0 || level === -1) return original.run(body, op);
      throw new CommandError(
        'BadValue',
        "Profiling is not permitted on mongoS: the 'profile' field should be 0 to change 'slowms', 'sampleRate', or 'filter' settings for logging, or -1 to view current values",
      );
    },
  };
}

/** The config server, and then all shards; each has its own. */
export async function runOnAllServers(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  await router.shards.config.command(shardRequest(op, body.bytes), op);
  await askCluster(call);
  return {};
}

export async function runValidateMetadata(call: Call): Promise<ReplyBody> {
  const answers = await askCluster(call, { isRepeatable: true });
  const errors = new ArrayBuilder();
  let hasMore = false;
  for (const { reply } of answers) {
    const list = getField(reply, 'apiVersionErrors');
    if (list !== undefined) {
      for (const [, error] of fieldsOf(list.asDocument())) errors.push(error);
    }
    hasMore ||= getField(reply, 'hasMoreErrors')?.isTruthy() === true;
  }
  const apiVersionErrors = arrayValue(errors.finish());
  return hasMore ? { apiVersionErrors, hasMoreErrors: TRUE } : { apiVersionErrors };
}

/** @param original flintd's */
export function refusedReplSetGetStatus(original: Command): Command {
  return {
    ...original,
    run: () => {
      throw new CommandError('CommandFailed', 'replSetGetStatus is not supported through mongos', {
        fields: { info: 'mongos' },
      });
    },
  };
}
