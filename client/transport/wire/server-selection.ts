/**
 * Which servers may serve an operation: by kind, read preference, staleness, tags and latency.
 * Source: driver specifications "Server Selection" and "Max Staleness".
 */
import type { ReadPreference, TagSet } from '../../concerns/read-preference.ts';
import { MongoInvalidArgumentError } from '../../errors/driver-errors.ts';
import { ServerType, TopologyType } from '../contract.ts';
import type { ServerDescription } from './server-description.ts';
import type { TopologyDescription } from './topology-description.ts';

const IDLE_WRITE_PERIOD_MS = 10_000;
const LEAST_STALENESS_SECONDS = 90;

/** @throws MongoInvalidArgumentError when maxStalenessSeconds is too small for this deployment. */
export function suitableServers(
  topology: TopologyDescription,
  readPreference: ReadPreference,
): ServerDescription[] {
  const all = [...topology.servers.values()];
  switch (topology.type) {
    case TopologyType.Unknown:
      return [];
    case TopologyType.Single:
    case TopologyType.LoadBalanced:
      return all.filter((server) => server.type !== ServerType.Unknown);
    case TopologyType.Sharded:
      return nearest(
        topology,
        all.filter((server) => server.type === ServerType.Mongos),
      );
    case TopologyType.ReplicaSetNoPrimary:
    case TopologyType.ReplicaSetWithPrimary:
      return nearest(topology, suitableMembers(topology, all, readPreference));
  }
}

function suitableMembers(
  topology: TopologyDescription,
  all: readonly ServerDescription[],
  readPreference: ReadPreference,
): ServerDescription[] {
  const primaries = all.filter((server) => server.type === ServerType.RSPrimary);
  const secondaries = all.filter((server) => server.type === ServerType.RSSecondary);
  const eligible = (servers: ServerDescription[]): ServerDescription[] =>
    withTags(readPreference.tags, freshEnough(topology, servers, readPreference));
  switch (readPreference.mode) {
    case 'primary':
      return primaries;
    case 'primaryPreferred':
      return primaries.length > 0 ? primaries : eligible(secondaries);
    case 'secondary':
      return eligible(secondaries);
    case 'secondaryPreferred': {
      const found = eligible(secondaries);
      return found.length > 0 ? found : primaries;
    }
    case 'nearest':
      return eligible([...primaries, ...secondaries]);
  }
}

function freshEnough(
  topology: TopologyDescription,
  servers: ServerDescription[],
  { maxStalenessSeconds }: ReadPreference,
): ServerDescription[] {
  if (maxStalenessSeconds === undefined) return servers;
  const limitMs = maxStalenessSeconds * 1000;
  const { heartbeatFrequencyMS } = topology;
  if (limitMs < heartbeatFrequencyMS + IDLE_WRITE_PERIOD_MS) {
    throw new MongoInvalidArgumentError(
      `Option "maxStalenessSeconds" must be at least ${(heartbeatFrequencyMS + IDLE_WRITE_PERIOD_MS) / 1000} seconds`,
    );
  }
  if (maxStalenessSeconds < LEAST_STALENESS_SECONDS) {
    throw new MongoInvalidArgumentError(
      `Option "maxStalenessSeconds" must be at least ${LEAST_STALENESS_SECONDS} seconds`,
    );
  }
  const all = [...topology.servers.values()];
  const primary = all.find((server) => server.type === ServerType.RSPrimary);
  const lastWriteMs = Math.max(
    ...all
      .filter((server) => server.type === ServerType.RSSecondary)
      .map((server) => server.lastWriteDate),
  );
  return servers.filter((server) => {
    if (server.type === ServerType.RSPrimary) return true;
    const behindMs =
      primary === undefined
        ? lastWriteMs - server.lastWriteDate
        : server.lastUpdateTime -
          server.lastWriteDate -
          (primary.lastUpdateTime - primary.lastWriteDate);
    return behindMs + heartbeatFrequencyMS <= limitMs;
  });
}

/** Those of the first set of tags that any server has. */
function withTags(
  tagSets: readonly TagSet[] | undefined,
  servers: ServerDescription[],
): ServerDescription[] {
  if (tagSets === undefined || tagSets.length === 0) return servers;
  for (const tags of tagSets) {
    const found = servers.filter((server) =>
      Object.entries(tags).every(([name, value]) => server.tags[name] === value),
    );
    if (found.length > 0) return found;
  }
  return [];
}

function nearest(topology: TopologyDescription, servers: ServerDescription[]): ServerDescription[] {
  const shortest = Math.min(...servers.map((server) => server.roundTripTime));
  return servers.filter((server) => server.roundTripTime <= shortest + topology.localThresholdMS);
}
