/**
 * The wire protocol as a transport: finds the deployment's servers, watches them, and chooses one for each operation.
 *
 * Owns: the description of the deployment, one WireServer per address in it, and those who wait for a server.
 * Invariants:
 *  1. The servers that are open are exactly those of the description.
 *  2. A waiter is settled once: by a server, by its limits, or by close().
 * Source: driver specifications "Server Discovery And Monitoring" and "Server Selection".
 */
import { foregroundClock, systemClock, type Clock } from '../../../common/clock.ts';
import { systemRandom } from '../../../common/random.ts';
import type { ConnectOptions } from '../../../wire/index.ts';
import {
  MongoCompatibilityError,
  MongoOperationTimeoutError,
  MongoTopologyClosedError,
} from '../../errors/driver-errors.ts';
import { MongoServerSelectionError, type MongoError } from '../../errors/mongo-error.ts';
import {
  ServerClosedEvent,
  ServerDescriptionChangedEvent,
  ServerOpeningEvent,
  TopologyClosedEvent,
  TopologyDescriptionChangedEvent,
  TopologyOpeningEvent,
} from '../../events/server-events.ts';
import type { HostAddress } from '../../options/connection-string.ts';
import { parseClientOptions, type ClientSettings } from '../../options/parse-options.ts';
import {
  TopologyType,
  type Deployment,
  type Server,
  type ServerWanted,
  type Transport,
  type TransportSurroundings,
} from '../contract.ts';
import { connectionOptionsFor } from './connection-options.ts';
import {
  compareTopologyVersions,
  ServerDescription,
  type TopologyVersion,
} from './server-description.ts';
import { ServerMonitor } from './server-monitor.ts';
import { suitableServers } from './server-selection.ts';
import { resolveSrvHost } from './srv.ts';
import { TopologyDescription } from './topology-description.ts';
import { deadlineOf, interruptionOf } from './waits.ts';
import { WireServer } from './wire-server.ts';

let lastTopologyId = 0;

interface Waiter {
  /** Tries again with what is known now. */
  retry(): void;
  reject(error: Error): void;
}

export class WireTransport implements Transport {
  private readonly clock: Clock = foregroundClock;
  private readonly surroundings: TransportSurroundings;
  private readonly topologyId: number;
  private settings: ClientSettings;
  private description: TopologyDescription;
  private readonly servers = new Map<string, WireServer>();
  private waiters: Waiter[] = [];
  private optionsFor: ((host: HostAddress) => ConnectOptions) | undefined;
  private starting: Promise<void> | undefined;
  private closed = false;

  constructor(settings: ClientSettings, surroundings: TransportSurroundings) {
    this.settings = settings;
    this.surroundings = surroundings;
    lastTopologyId += 1;
    this.topologyId = lastTopologyId;
    this.description = firstDescription(settings, settings.hosts);
  }

  get deployment(): Deployment {
    const { type, logicalSessionTimeoutMinutes, hasKnownServers } = this.description;
    return {
      type,
      logicalSessionTimeoutMinutes: hasKnownServers ? logicalSessionTimeoutMinutes : undefined,
    };
  }

  async connect(wanted: ServerWanted): Promise<void> {
    this.throwIfClosed();
    this.starting ??= this.start();
    await this.starting;
    const server = await this.choose(wanted);
    // Wrong credentials are an error of connect, not of the first operation.
    if (this.settings.credentials !== undefined) await server.warm(wanted);
  }

  async selectServer(wanted: ServerWanted): Promise<Server> {
    this.throwIfClosed();
    this.starting ??= this.start();
    await this.starting;
    return this.choose(wanted);
  }

  interrupt(): void {
    for (const server of this.servers.values()) server.interrupt();
  }

  close(): Promise<void> {
    if (this.closed) return Promise.resolve();
    this.closed = true;
    for (const waiter of this.waiters.splice(0)) waiter.reject(topologyClosed());
    for (const address of this.servers.keys()) this.closeServer(address);
    const previous = this.description;
    this.description = new TopologyDescription(
      {
        type: TopologyType.Unknown,
        servers: new Map(),
        setName: null,
        maxSetVersion: null,
        maxElectionId: null,
      },
      this.descriptionSettings(0),
    );
    if (this.starting !== undefined) {
      this.emitChange(previous);
      this.emit('topologyClosed', new TopologyClosedEvent({ topologyId: this.topologyId }));
    }
    return Promise.resolve();
  }

  private throwIfClosed(): void {
    if (this.closed) throw topologyClosed();
  }

  private emit(name: string, event: object): void {
    this.surroundings.emit(name, event);
  }

  private async start(): Promise<void> {
    try {
      if (this.settings.srvHost !== undefined) await this.resolveSeeds(this.settings.srvHost);
      this.optionsFor = connectionOptionsFor(this.settings, this.clock);
    } catch (error) {
      this.starting = undefined;
      throw error;
    }
    const { topologyId } = this;
    this.emit('topologyOpening', new TopologyOpeningEvent({ topologyId }));
    this.emitChange(
      new TopologyDescription(
        {
          type: TopologyType.Unknown,
          servers: new Map(),
          setName: null,
          maxSetVersion: null,
          maxElectionId: null,
        },
        this.descriptionSettings(0),
      ),
    );
    this.openServers();
  }

  private async resolveSeeds(srvHost: string): Promise<void> {
    const { all } = this.settings;
    const { hosts, options } = await resolveSrvHost(srvHost, {
      serviceName: all['srvServiceName'] ?? 'mongodb',
      maxHosts: all['srvMaxHosts'] ?? 0,
    });
    if (options !== '') this.settings = withRecordOptions(this.settings, options);
    this.description = firstDescription(this.settings, hosts);
  }

  private descriptionSettings(seedCount: number) {
    const { heartbeatFrequencyMS, localThresholdMS } = this.description;
    return { heartbeatFrequencyMS, localThresholdMS, seedCount };
  }

  /** Makes invariant 1 true again. */
  private openServers(): void {
    for (const [address, server] of this.description.servers) {
      if (!this.servers.has(address)) this.openServer(address, server.hostAddress);
    }
    for (const address of this.servers.keys()) {
      if (!this.description.servers.has(address)) this.closeServer(address);
    }
  }

  private openServer(address: string, host: HostAddress): void {
    if (this.optionsFor === undefined) return;
    const { settings, clock } = this;
    const { all } = settings;
    const connect = this.optionsFor(host);
    const emit = (name: string, event: object): void => this.emit(name, event);
    const monitor = new ServerMonitor({
      address,
      connect,
      // What only watches keeps no process alive.
      clock: systemClock,
      heartbeatMs: all['heartbeatFrequencyMS'],
      leastHeartbeatMs: all['minHeartbeatFrequencyMS'],
      mayWaitForChange: all['serverMonitoringMode'] !== 'poll',
      emit,
      onNews: (news) => this.takeNews(news),
    });
    const server = new WireServer({
      address,
      connect,
      settings,
      clock,
      emit,
      monitor,
      traits: () => this.description.servers.get(address) ?? new ServerDescription(address),
      onFailure: (error) => this.takeNews(new ServerDescription(address, undefined, { error })),
      onStateChange: (error) => this.takeStateChange(address, error),
    });
    this.servers.set(address, server);
    this.emit('serverOpening', new ServerOpeningEvent({ topologyId: this.topologyId, address }));
    monitor.start();
  }

  private closeServer(address: string): void {
    this.servers.get(address)?.close();
    this.servers.delete(address);
    this.emit('serverClosed', new ServerClosedEvent({ topologyId: this.topologyId, address }));
  }

  private takeNews(news: ServerDescription): void {
    const before = this.description.servers.get(news.address);
    if (this.closed || before === undefined) return;
    // An answer that was on its way while something newer came.
    if (compareTopologyVersions(before.topologyVersion, news.topologyVersion) === 1) return;
    const previous = this.description;
    this.description = previous.update(news);
    const after = this.description.servers.get(news.address);
    const server = this.servers.get(news.address);
    if (after !== undefined && !before.equals(after)) {
      this.emit(
        'serverDescriptionChanged',
        new ServerDescriptionChangedEvent({
          topologyId: this.topologyId,
          address: news.address,
          previousDescription: before,
          newDescription: after,
        }),
      );
    }
    if (news.error !== null) server?.becomeUnknown(news.error);
    else server?.becomeReady();
    this.openServers();
    if (!sameDescriptions(previous, this.description)) this.emitChange(previous);
    for (const waiter of this.waiters.splice(0)) waiter.retry();
  }

  private takeStateChange(address: string, error: MongoError): boolean {
    const before = this.description.servers.get(address);
    if (before === undefined) return false;
    const version = topologyVersionOf(error);
    const isOld =
      version !== null &&
      before.topologyVersion !== null &&
      compareTopologyVersions(before.topologyVersion, version) !== -1;
    if (isOld) return false;
    this.takeNewsOfRole(
      new ServerDescription(address, undefined, { error, topologyVersion: version }),
    );
    return true;
  }

  /** As takeNews, but the pool stays: the server still answers. */
  private takeNewsOfRole(news: ServerDescription): void {
    const previous = this.description;
    const before = previous.servers.get(news.address);
    this.description = previous.update(news);
    if (before !== undefined) {
      this.emit(
        'serverDescriptionChanged',
        new ServerDescriptionChangedEvent({
          topologyId: this.topologyId,
          address: news.address,
          previousDescription: before,
          newDescription: news,
        }),
      );
    }
    this.emitChange(previous);
  }

  private emitChange(previous: TopologyDescription): void {
    this.emit(
      'topologyDescriptionChanged',
      new TopologyDescriptionChangedEvent({
        topologyId: this.topologyId,
        previousDescription: previous,
        newDescription: this.description,
      }),
    );
  }

  private choose(wanted: ServerWanted): Promise<WireServer> {
    const { all } = this.settings;
    const limitMs: number = all['serverSelectionTimeoutMS'];
    const operationEndMs = deadlineOf(this.clock, wanted);
    const selectionEndMs = limitMs > 0 ? this.clock.monotonicMs() + limitMs : Infinity;
    const endMs = Math.min(operationEndMs, selectionEndMs);
    return new Promise((resolve, reject) => {
      const tryNow = (): boolean => {
        const { compatibilityError } = this.description;
        if (compatibilityError !== undefined) throw new MongoCompatibilityError(compatibilityError);
        const server = this.pick(wanted);
        if (server === undefined) return false;
        resolve(server);
        return true;
      };
      if (this.closed) throw topologyClosed();
      wanted.signal?.throwIfAborted();
      if (tryNow()) return;
      const unwatch = interruptionOf(this.clock, wanted.signal, endMs)?.onInterrupt((reason) => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        const isOurs = reason instanceof MongoOperationTimeoutError;
        reject(isOurs ? this.selectionFailed(limitMs, operationEndMs <= selectionEndMs) : reason);
      });
      const finish = (settle: () => boolean | void): void => {
        try {
          if (settle() === false) {
            this.waiters.push(waiter);
            this.requestChecks();
            return;
          }
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        unwatch?.();
      };
      const waiter: Waiter = {
        retry: () => finish(tryNow),
        reject: (error) => finish(() => reject(error)),
      };
      this.waiters.push(waiter);
      this.requestChecks();
    });
  }

  /** While somebody waits for a server, nobody sleeps a whole heartbeat: after each news that was not enough, too. */
  private requestChecks(): void {
    for (const server of this.servers.values()) server.monitor.requestCheck();
  }

  private selectionFailed(limitMs: number, operationTimedOut: boolean): Error {
    const text = `Server selection timed out after ${limitMs} ms`;
    const { error } = this.description;
    const failure = new MongoServerSelectionError(error?.message ?? text, this.description);
    if (!operationTimedOut) return failure;
    return new MongoOperationTimeoutError('Timed out during server selection', { cause: failure });
  }

  /** Of two suitable servers, taken at random, the one with less to do. */
  private pick({ readPreference, avoid = [] }: ServerWanted): WireServer | undefined {
    const suitable = suitableServers(this.description, readPreference)
      .map(({ address }) => this.servers.get(address))
      .filter((server) => server !== undefined);
    const fresh = suitable.filter((server) => !avoid.includes(server));
    const candidates = fresh.length > 0 ? fresh : suitable;
    if (candidates.length < 2) return candidates[0];
    const first = systemRandom.below(candidates.length);
    const second = (first + 1 + systemRandom.below(candidates.length - 1)) % candidates.length;
    const [a, b] = [candidates[first], candidates[second]];
    return a !== undefined && b !== undefined && b.load < a.load ? b : a;
  }
}

function firstDescription(
  settings: ClientSettings,
  hosts: readonly HostAddress[],
): TopologyDescription {
  const { all } = settings;
  const setName: string | null = all['replicaSet'] ?? null;
  const type =
    all['directConnection'] === true
      ? TopologyType.Single
      : setName === null
        ? TopologyType.Unknown
        : TopologyType.ReplicaSetNoPrimary;
  const servers = new Map(
    hosts.map((host) => [host.toString(), new ServerDescription(host.toString())]),
  );
  return new TopologyDescription(
    { type, servers, setName, maxSetVersion: null, maxElectionId: null },
    {
      heartbeatFrequencyMS: all['heartbeatFrequencyMS'],
      localThresholdMS: all['localThresholdMS'],
      seedCount: hosts.length,
    },
  );
}

/** What a TXT record says counts less than the connection string. */
function withRecordOptions(settings: ClientSettings, record: string): ClientSettings {
  const fromRecord = Object.fromEntries(new URLSearchParams(record));
  const given = Object.fromEntries(
    ['authSource', 'replicaSet']
      .filter((name) => settings.all[name] === undefined && fromRecord[name] !== undefined)
      .map((name) => [name, fromRecord[name]]),
  );
  const parsed = parseClientOptions(settings.uri, { ...settings.all, ...given });
  return { ...settings, credentials: parsed.credentials, all: parsed.all };
}

function sameDescriptions(a: TopologyDescription, b: TopologyDescription): boolean {
  if (a.type !== b.type || a.setName !== b.setName || a.servers.size !== b.servers.size)
    return false;
  for (const [address, server] of a.servers) {
    const other = b.servers.get(address);
    if (other === undefined || !server.equals(other)) return false;
  }
  return true;
}

function topologyVersionOf(error: MongoError): TopologyVersion | null {
  const version: unknown = Reflect.get(error, 'topologyVersion');
  return isTopologyVersion(version) ? version : null;
}

function isTopologyVersion(value: unknown): value is TopologyVersion {
  return typeof value === 'object' && value !== null && 'processId' in value && 'counter' in value;
}

function topologyClosed(): MongoTopologyClosedError {
  return new MongoTopologyClosedError('Topology is closed');
}
