/**
 * What is known of the whole deployment, and how the news of one server changes it. Immutable.
 * Source: driver specification "Server Discovery And Monitoring", "TopologyDescription".
 */
import type { ObjectId } from 'bson';
import { MongoStalePrimaryError } from '../../errors/driver-errors.ts';
import { ServerType, TopologyType } from '../contract.ts';
import { ServerDescription } from './server-description.ts';

/** MongoDB 4.2: what the commands of this SDK need. */
const LEAST_WIRE_VERSION = 8;
const GREATEST_WIRE_VERSION = 28;

type Servers = ReadonlyMap<string, ServerDescription>;

interface State {
  readonly type: TopologyType;
  readonly servers: Servers;
  readonly setName: string | null;
  readonly maxSetVersion: number | null;
  readonly maxElectionId: ObjectId | null;
}

export class TopologyDescription {
  readonly type: TopologyType;
  readonly servers: Servers;
  readonly setName: string | null;
  readonly maxSetVersion: number | null;
  readonly maxElectionId: ObjectId | null;
  readonly stale = false;
  readonly compatible: boolean;
  readonly compatibilityError: string | undefined;
  readonly logicalSessionTimeoutMinutes: number | null;
  readonly heartbeatFrequencyMS: number;
  readonly localThresholdMS: number;
  /** How many seeds the connection string named. */
  readonly #seedCount: number;

  constructor(
    state: State,
    settings: { heartbeatFrequencyMS: number; localThresholdMS: number; seedCount: number },
  ) {
    this.type = state.type;
    this.servers = state.servers;
    this.setName = state.setName;
    this.maxSetVersion = state.maxSetVersion;
    this.maxElectionId = state.maxElectionId;
    this.heartbeatFrequencyMS = settings.heartbeatFrequencyMS;
    this.localThresholdMS = settings.localThresholdMS;
    this.#seedCount = settings.seedCount;
    this.compatibilityError = incompatibilityOf(state.servers);
    this.compatible = this.compatibilityError === undefined;
    this.logicalSessionTimeoutMinutes = sessionTimeoutOf(state.servers);
  }

  /** The first failure of a server: what a selection that timed out names as its cause. */
  get error(): Error | null {
    for (const server of this.servers.values()) if (server.error !== null) return server.error;
    return null;
  }

  get hasKnownServers(): boolean {
    return [...this.servers.values()].some((server) => server.type !== ServerType.Unknown);
  }

  get hasDataBearingServers(): boolean {
    return [...this.servers.values()].some((server) => server.isDataBearing);
  }

  hasServer(address: string): boolean {
    return this.servers.has(address);
  }

  /** With the news of one server. What an unknown address says changes nothing. */
  update(server: ServerDescription): TopologyDescription {
    if (!this.servers.has(server.address)) return this;
    return this.with(afterNews(this, server, this.#seedCount));
  }

  /** With the hosts that DNS lists now: servers that are not among them are left, new ones are unknown. */
  withHosts(addresses: ReadonlySet<string>): TopologyDescription {
    const servers = new Map([...this.servers].filter(([address]) => addresses.has(address)));
    for (const address of addresses) {
      if (!servers.has(address)) servers.set(address, new ServerDescription(address));
    }
    return this.with({ ...stateOf(this), servers });
  }

  private with(state: State): TopologyDescription {
    return new TopologyDescription(state, {
      heartbeatFrequencyMS: this.heartbeatFrequencyMS,
      localThresholdMS: this.localThresholdMS,
      seedCount: this.#seedCount,
    });
  }
}

function stateOf({ type, servers, setName, maxSetVersion, maxElectionId }: State): State {
  return { type, servers, setName, maxSetVersion, maxElectionId };
}

function incompatibilityOf(servers: Servers): string | undefined {
  for (const { type, address, minWireVersion, maxWireVersion } of servers.values()) {
    if (type === ServerType.Unknown) continue;
    if (minWireVersion > GREATEST_WIRE_VERSION) {
      return `Server at ${address} requires wire version ${minWireVersion}, but this version of FlintDB's client only supports up to ${GREATEST_WIRE_VERSION}`;
    }
    if (maxWireVersion < LEAST_WIRE_VERSION) {
      return `Server at ${address} reports maximum wire version ${maxWireVersion}, but this version of FlintDB's client requires at least ${LEAST_WIRE_VERSION} (MongoDB 4.2)`;
    }
  }
  return undefined;
}

function sessionTimeoutOf(servers: Servers): number | null {
  let least: number | null = null;
  for (const server of servers.values()) {
    if (!server.isReadable) continue;
    const minutes = server.logicalSessionTimeoutMinutes;
    if (minutes === null) return null;
    least = least === null ? minutes : Math.min(least, minutes);
  }
  return least;
}

function afterNews(before: State, news: ServerDescription, seedCount: number): State {
  const state = { ...stateOf(before), servers: replaced(before.servers, news) };
  switch (state.type) {
    case TopologyType.Single:
      return afterNewsOfSingle(state, news);
    case TopologyType.LoadBalanced:
      return state;
    case TopologyType.Unknown:
      return afterFirstNews(state, news, seedCount);
    case TopologyType.Sharded:
      return news.type === ServerType.Mongos || news.type === ServerType.Unknown
        ? state
        : without(state, news.address);
    case TopologyType.ReplicaSetNoPrimary:
    case TopologyType.ReplicaSetWithPrimary:
      return afterNewsOfMember(state, news);
  }
}

function replaced(servers: Servers, server: ServerDescription): Map<string, ServerDescription> {
  return new Map(servers).set(server.address, server);
}

function without(state: State, address: string): State {
  const servers = new Map(state.servers);
  servers.delete(address);
  return { ...state, servers };
}

/** A direct connection to a member of another set is no connection to this set. */
function afterNewsOfSingle(state: State, news: ServerDescription): State {
  if (
    state.setName === null ||
    news.type === ServerType.Unknown ||
    news.setName === state.setName
  ) {
    return state;
  }
  const error = new Error(
    `expected setName ${state.setName} but got ${news.setName ?? 'none'} from ${news.address}`,
  );
  return {
    ...state,
    servers: replaced(state.servers, new ServerDescription(news.address, undefined, { error })),
  };
}

function afterFirstNews(state: State, news: ServerDescription, seedCount: number): State {
  switch (news.type) {
    case ServerType.Standalone:
      // One of several seeds that is no member of anything does not belong here.
      return seedCount === 1
        ? { ...state, type: TopologyType.Single }
        : without(state, news.address);
    case ServerType.Mongos:
      return { ...state, type: TopologyType.Sharded };
    case ServerType.RSPrimary:
    case ServerType.RSSecondary:
    case ServerType.RSArbiter:
    case ServerType.RSOther:
      return afterNewsOfMember({ ...state, type: TopologyType.ReplicaSetNoPrimary }, news);
    default:
      return state;
  }
}

function afterNewsOfMember(state: State, news: ServerDescription): State {
  switch (news.type) {
    case ServerType.Standalone:
    case ServerType.Mongos:
      return withPrimaryChecked(without(state, news.address));
    case ServerType.RSPrimary:
      return afterNewsOfPrimary(state, news);
    case ServerType.RSSecondary:
    case ServerType.RSArbiter:
    case ServerType.RSOther:
      return afterNewsOfOther(state, news);
    default:
      return withPrimaryChecked(state);
  }
}

function withPrimaryChecked(state: State): State {
  const hasPrimary = [...state.servers.values()].some(({ type }) => type === ServerType.RSPrimary);
  return {
    ...state,
    type: hasPrimary ? TopologyType.ReplicaSetWithPrimary : TopologyType.ReplicaSetNoPrimary,
  };
}

function afterNewsOfOther(state: State, news: ServerDescription): State {
  const setName = state.setName ?? news.setName;
  if (setName !== news.setName) return withPrimaryChecked(without(state, news.address));
  if (news.me !== null && news.me !== news.address) {
    return withPrimaryChecked(without(state, news.address));
  }
  const servers = new Map(state.servers);
  // Only a set without a primary learns of members from others: the primary's list is the true one.
  if (state.type === TopologyType.ReplicaSetNoPrimary) addHosts(servers, news.allHosts);
  return withPrimaryChecked({ ...state, setName, servers });
}

function afterNewsOfPrimary(before: State, news: ServerDescription): State {
  const setName = before.setName ?? news.setName;
  if (setName !== news.setName) return withPrimaryChecked(without(before, news.address));
  if (isStalePrimary(before, news)) {
    const error = new MongoStalePrimaryError(
      `primary marked stale due to electionId/setVersion mismatch: ${news.address}`,
    );
    const unknown = new ServerDescription(news.address, undefined, { error });
    return withPrimaryChecked({ ...before, setName, servers: replaced(before.servers, unknown) });
  }
  const servers = new Map(before.servers);
  for (const [address, server] of servers) {
    if (address !== news.address && server.type === ServerType.RSPrimary) {
      const error = new MongoStalePrimaryError(
        'primary marked stale due to discovery of newer primary',
      );
      servers.set(address, new ServerDescription(address, undefined, { error }));
    }
  }
  const members = new Set(news.allHosts);
  addHosts(servers, news.allHosts);
  for (const address of servers.keys()) if (!members.has(address)) servers.delete(address);
  return withPrimaryChecked({
    type: before.type,
    setName,
    servers,
    maxSetVersion: laterSetVersion(before, news),
    maxElectionId:
      news.maxWireVersion >= WIRE_VERSION_OF_ELECTION_FIRST
        ? news.electionId
        : laterElection(before, news),
  });
}

/** From 6.0 on the election decides first, then the version of the configuration; before, the other way round. */
const WIRE_VERSION_OF_ELECTION_FIRST = 17;

function isStalePrimary(before: State, news: ServerDescription): boolean {
  const election = compareIds(news.electionId, before.maxElectionId);
  const version = compareNumbers(news.setVersion, before.maxSetVersion);
  if (news.maxWireVersion >= WIRE_VERSION_OF_ELECTION_FIRST) {
    return election < 0 || (election === 0 && version < 0);
  }
  const bothKnown =
    news.electionId !== null &&
    news.setVersion !== null &&
    before.maxElectionId !== null &&
    before.maxSetVersion !== null;
  return bothKnown && (version < 0 || (version === 0 && election < 0));
}

function laterSetVersion(before: State, news: ServerDescription): number | null {
  if (news.maxWireVersion >= WIRE_VERSION_OF_ELECTION_FIRST) return news.setVersion;
  return compareNumbers(news.setVersion, before.maxSetVersion) > 0
    ? news.setVersion
    : before.maxSetVersion;
}

function laterElection(before: State, news: ServerDescription): ObjectId | null {
  return news.electionId !== null && news.setVersion !== null
    ? news.electionId
    : before.maxElectionId;
}

function compareNumbers(a: number | null, b: number | null): number {
  return (a ?? -Infinity) === (b ?? -Infinity) ? 0 : (a ?? -Infinity) < (b ?? -Infinity) ? -1 : 1;
}

function compareIds(a: ObjectId | null, b: ObjectId | null): number {
  const [x, y] = [a?.toHexString() ?? '', b?.toHexString() ?? ''];
  return x === y ? 0 : x < y ? -1 : 1;
}

function addHosts(servers: Map<string, ServerDescription>, addresses: readonly string[]): void {
  for (const address of addresses) {
    if (!servers.has(address)) servers.set(address, new ServerDescription(address));
  }
}
