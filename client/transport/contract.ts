/**
 * What the SDK asks of a transport: servers to choose from, and a way to hand one of them a command and get its reply.
 *
 * Everything above this line (sessions, concerns, retries, cursors, bulk writes, events) is the same for every transport;
 * everything below it (sockets, pools, monitors, or fetch) is the transport's own. Documents cross the line as BSON bytes.
 * Implemented by wire.ts and http.ts; test/contracts/transport.ts holds each implementation to what stands here.
 *
 * Nothing here is Node's alone: the line must hold in browsers and edge runtimes too.
 */
import type { ReadPreference } from '../concerns/read-preference.ts';
import type { MongoError } from '../errors/mongo-error.ts';
import type { ClientSettings } from '../options/parse-options.ts';

/** Kinds of servers and deployments. Source: driver specification "Server Discovery And Monitoring". */
export const ServerType = {
  Standalone: 'Standalone',
  Mongos: 'Mongos',
  PossiblePrimary: 'PossiblePrimary',
  RSPrimary: 'RSPrimary',
  RSSecondary: 'RSSecondary',
  RSArbiter: 'RSArbiter',
  RSOther: 'RSOther',
  RSGhost: 'RSGhost',
  Unknown: 'Unknown',
  LoadBalancer: 'LoadBalancer',
} as const;
export type ServerType = (typeof ServerType)[keyof typeof ServerType];

export const TopologyType = {
  Single: 'Single',
  ReplicaSetNoPrimary: 'ReplicaSetNoPrimary',
  ReplicaSetWithPrimary: 'ReplicaSetWithPrimary',
  Sharded: 'Sharded',
  Unknown: 'Unknown',
  LoadBalanced: 'LoadBalanced',
} as const;
export type TopologyType = (typeof TopologyType)[keyof typeof TopologyType];

/** What a server's hello says, as far as building a command depends on it. */
export interface ServerTraits {
  /** host:port; of HTTP, the URL's host and port. */
  readonly address: string;
  readonly type: ServerType;
  readonly minWireVersion: number;
  readonly maxWireVersion: number;
  /** Bytes. */
  readonly maxBsonObjectSize: number;
  readonly maxMessageSizeBytes: number;
  /** Statements of one write command. */
  readonly maxWriteBatchSize: number;
  /** null: the server knows no sessions. */
  readonly logicalSessionTimeoutMinutes: number | null;
}

/** Documents that stand for an array field of the command, such as `documents` of an insert. */
export interface DocumentSequence {
  readonly field: string;
  readonly documents: readonly Uint8Array[];
}

/** One command, ready to be sent. */
export interface CommandMessage {
  /** The whole command, `$db`, `lsid` and all, but the sequences' fields. */
  readonly body: Uint8Array;
  readonly sequences: readonly DocumentSequence[];
  /** The server must not answer (a write of concern w: 0): `request` gives undefined as soon as it is sent. */
  readonly unacknowledged: boolean;
}

/** Limits of one wait. Both hold: whichever ends first ends it. */
export interface Limits {
  /** Its reason is thrown as it is. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from now on, for everything that the call waits for; absent or Infinity: none. */
  readonly timeoutMs?: number | undefined;
}

/** Which connection a command left on: what events and logs say of it. */
export interface ConnectionLabel {
  readonly address: string;
  readonly connectionId: number;
  /** The server's number of the connection, where it tells. */
  readonly serverConnectionId: bigint | null;
  readonly requestId: number;
  /** Grows each time the server's connections become outdated; absent where there are none that could. */
  readonly generation?: number;
}

export interface RequestOptions extends Limits {
  /** Called once, right before the first byte leaves. Not called when no connection could be had. */
  readonly onSend?: (label: ConnectionLabel) => void;
}

/** A server that was chosen. It stays valid: a request to one that is gone fails with a network error. */
export interface Server {
  readonly traits: ServerTraits;
  /** Shortest round trip seen lately, milliseconds; 0 when none is known. timeoutMS leaves that much for the way. */
  readonly shortestRoundTripMs: number;
  /**
   * Sends a command and gives its reply, whatever that says, as one BSON document.
   * @throws MongoNetworkError; MongoNetworkTimeoutError after a deadline of the transport's own (socketTimeoutMS);
   *   MongoOperationTimeoutError when `timeoutMs` is over; the signal's reason.
   */
  request(message: CommandMessage, options: RequestOptions): Promise<Uint8Array | undefined>;
  /**
   * A reply said that the server changed its role or goes down: what is known of it is outdated.
   * @param generation of the connection that it came on: of an earlier one it is no news.
   */
  noteStateChange(error: MongoError, generation?: number): void;
}

/** What a server must be to serve an operation. */
export interface ServerWanted extends Limits {
  readonly readPreference: ReadPreference;
  /** For events and messages: the command's name. */
  readonly operation: string;
  /** Servers that failed this operation: another one is taken where there is one. */
  readonly avoid?: readonly Server[];
}

/** The deployment as it is known now. */
export interface Deployment {
  readonly type: TopologyType;
  /** The shortest among the data-bearing servers; null: no sessions; undefined: nothing is known yet. */
  readonly logicalSessionTimeoutMinutes: number | null | undefined;
}

export interface Transport {
  readonly deployment: Deployment;
  /** Resolves when a server for the client's read preference is known. Idempotent. @throws as selectServer. */
  connect(wanted: ServerWanted): Promise<void>;
  /** @throws MongoServerSelectionError after serverSelectionTimeoutMS; MongoTopologyClosedError; MongoOperationTimeoutError; the signal's reason. */
  selectServer(wanted: ServerWanted): Promise<Server>;
  /** The client closes: what is in flight fails with MongoClientClosedError. What its end asks for itself comes after it. */
  interrupt(): void;
  /** Ends connections and monitors. What is in flight fails. Idempotent. */
  close(): Promise<void>;
}

/** How a transport tells of itself; the names are those of the official driver's events. */
export type EventSink = (name: string, event: object) => void;

/** What a client hands to the transport that it makes, besides its settings. */
export interface TransportSurroundings {
  readonly emit: EventSink;
}

export type TransportFactory = (
  settings: ClientSettings,
  surroundings: TransportSurroundings,
) => Transport;
