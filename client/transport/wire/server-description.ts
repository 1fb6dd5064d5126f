/**
 * What one server's last hello, or its failure, says of it. Immutable.
 * Source: driver specification "Server Discovery And Monitoring", "ServerDescription".
 */
import { Long, ObjectId, type Document } from 'bson';
import type { TagSet } from '../../concerns/read-preference.ts';
import { HostAddress } from '../../options/connection-string.ts';
import { ServerType, type ServerTraits } from '../contract.ts';

export interface TopologyVersion {
  readonly processId: ObjectId;
  readonly counter: Long;
}

export interface ServerDescriptionOptions {
  readonly error?: Error | undefined;
  /** Smoothed round trip, milliseconds. */
  readonly roundTripTime?: number;
  readonly minRoundTripTime?: number;
  readonly lastUpdateTime?: number;
  /** Of a failure: the version that it is as new as. */
  readonly topologyVersion?: TopologyVersion | null;
}

const DEFAULT_BSON_BYTES = 16 * 1024 * 1024;
const DEFAULT_MESSAGE_BYTES = 48_000_000;
const DEFAULT_BATCH = 1000;

export class ServerDescription implements ServerTraits {
  readonly address: string;
  readonly type: ServerType;
  readonly hosts: readonly string[];
  readonly passives: readonly string[];
  readonly arbiters: readonly string[];
  readonly tags: TagSet;
  readonly error: Error | null;
  readonly topologyVersion: TopologyVersion | null;
  readonly minWireVersion: number;
  readonly maxWireVersion: number;
  readonly roundTripTime: number;
  readonly minRoundTripTime: number;
  readonly lastUpdateTime: number;
  /** Milliseconds since 1970; 0 when unknown. */
  readonly lastWriteDate: number;
  readonly me: string | null;
  readonly primary: string | null;
  readonly setName: string | null;
  readonly setVersion: number | null;
  readonly electionId: ObjectId | null;
  readonly logicalSessionTimeoutMinutes: number | null;
  readonly maxMessageSizeBytes: number;
  readonly maxWriteBatchSize: number;
  readonly maxBsonObjectSize: number;
  readonly iscryptd: boolean;

  /** @param hello the reply; absent: nothing is known. */
  constructor(address: string, hello?: Document, options: ServerDescriptionOptions = {}) {
    const said: Document = hello ?? {};
    this.address = address;
    this.type = typeOf(hello);
    this.hosts = lowerCased(said['hosts']);
    this.passives = lowerCased(said['passives']);
    this.arbiters = lowerCased(said['arbiters']);
    this.tags = said['tags'] ?? {};
    this.error = options.error ?? null;
    this.topologyVersion = said['topologyVersion'] ?? options.topologyVersion ?? null;
    this.minWireVersion = said['minWireVersion'] ?? 0;
    this.maxWireVersion = said['maxWireVersion'] ?? 0;
    this.roundTripTime = options.roundTripTime ?? -1;
    this.minRoundTripTime = options.minRoundTripTime ?? 0;
    this.lastUpdateTime = options.lastUpdateTime ?? 0;
    const written: unknown = said['lastWrite']?.lastWriteDate;
    this.lastWriteDate = written instanceof Date ? written.getTime() : 0;
    this.me = typeof said['me'] === 'string' ? said['me'].toLowerCase() : null;
    this.primary = said['primary'] ?? null;
    this.setName = said['setName'] ?? null;
    this.setVersion = said['setVersion'] ?? null;
    this.electionId = said['electionId'] ?? null;
    this.logicalSessionTimeoutMinutes = said['logicalSessionTimeoutMinutes'] ?? null;
    this.maxMessageSizeBytes = said['maxMessageSizeBytes'] ?? DEFAULT_MESSAGE_BYTES;
    this.maxWriteBatchSize = said['maxWriteBatchSize'] ?? DEFAULT_BATCH;
    this.maxBsonObjectSize = said['maxBsonObjectSize'] ?? DEFAULT_BSON_BYTES;
    this.iscryptd = said['iscryptd'] ?? false;
  }

  get hostAddress(): HostAddress {
    return new HostAddress(this.address);
  }

  /** Every member that it names. */
  get allHosts(): string[] {
    return [...this.hosts, ...this.arbiters, ...this.passives];
  }

  get isReadable(): boolean {
    return this.type === ServerType.RSSecondary || this.isWritable;
  }

  get isDataBearing(): boolean {
    return DATA_BEARING.has(this.type);
  }

  get isWritable(): boolean {
    return WRITABLE.has(this.type);
  }

  get host(): string {
    return this.hostAddress.host ?? this.address;
  }

  get port(): number {
    return this.hostAddress.port ?? 0;
  }

  /** Whether everything that an observer may see is the same. */
  equals(other: ServerDescription): boolean {
    return (
      this.type === other.type &&
      this.address === other.address &&
      this.minWireVersion === other.minWireVersion &&
      this.maxWireVersion === other.maxWireVersion &&
      this.me === other.me &&
      sameTexts(this.hosts, other.hosts) &&
      sameTexts(this.passives, other.passives) &&
      sameTexts(this.arbiters, other.arbiters) &&
      JSON.stringify(this.tags) === JSON.stringify(other.tags) &&
      this.setName === other.setName &&
      this.setVersion === other.setVersion &&
      sameIds(this.electionId, other.electionId) &&
      this.primary === other.primary &&
      this.logicalSessionTimeoutMinutes === other.logicalSessionTimeoutMinutes &&
      this.error?.message === other.error?.message &&
      compareTopologyVersions(this.topologyVersion, other.topologyVersion) === 0
    );
  }
}

const DATA_BEARING: ReadonlySet<ServerType> = new Set([
  'RSPrimary',
  'RSSecondary',
  'Mongos',
  'Standalone',
  'LoadBalancer',
]);
const WRITABLE: ReadonlySet<ServerType> = new Set([
  'RSPrimary',
  'Standalone',
  'Mongos',
  'LoadBalancer',
]);

function typeOf(hello: Document | undefined): ServerType {
  if (hello === undefined || !hello['ok']) return ServerType.Unknown;
  if (hello['isreplicaset']) return ServerType.RSGhost;
  if (hello['msg'] === 'isdbgrid') return ServerType.Mongos;
  if (typeof hello['setName'] !== 'string') return ServerType.Standalone;
  if (hello['hidden']) return ServerType.RSOther;
  if (hello['isWritablePrimary'] || hello['ismaster']) return ServerType.RSPrimary;
  if (hello['secondary']) return ServerType.RSSecondary;
  return hello['arbiterOnly'] ? ServerType.RSArbiter : ServerType.RSOther;
}

function lowerCased(hosts: unknown): string[] {
  return Array.isArray(hosts) ? hosts.map((host) => String(host).toLowerCase()) : [];
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}

function sameIds(a: ObjectId | null, b: ObjectId | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

/** @returns -1 also when they are of different processes or one is missing: what comes is newer then. */
export function compareTopologyVersions(
  current: TopologyVersion | null,
  next: TopologyVersion | null,
): -1 | 0 | 1 {
  if (current === null && next === null) return 0;
  if (current === null || next === null || !current.processId.equals(next.processId)) return -1;
  const [a, b] = [counterOf(current), counterOf(next)];
  return a === b ? 0 : a < b ? -1 : 1;
}

function counterOf(version: TopologyVersion): bigint {
  return BigInt(String(version.counter));
}
