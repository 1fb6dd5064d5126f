/**
 * The listening sockets, and the connections that came in by them.
 *
 * Owns: one server socket per address, the table of connections, their numbers and their limit.
 * Promises: with port 0 all addresses listen on the port that the first one was given; a connection over the limit is closed
 * at once; `close` ends the listening, then the connections.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { Dispatcher } from '../command/dispatch.ts';
import type { ClientConnection } from '../operation/client-connection.ts';
import type { ServiceContext } from '../operation/service-context.ts';
import { Connection, type ConnectionSurroundings } from './connection.ts';
import { MessageHandler } from './message-handler.ts';
import { ReceiveRoom } from './receive-room.ts';
import { TurnFlusher } from './reply-queue.ts';

export interface ListenerOptions {
  /** Addresses to bind, such as 127.0.0.1. */
  readonly addresses: readonly string[];
  /** 0: any free one. */
  readonly port: number;
  readonly maxConnections: number;
  /** With these the listener speaks TLS only. */
  readonly tls?: TlsOptions;
}

const BACKLOG = 1024;

/** What has to be asked of the connections themselves. */
export interface LiveConnections {
  all(): Iterable<ClientConnection>;
  activeCount(): number;
  bufferedBytes(): number;
  receiving(): { readonly bytes: number; readonly heldBack: number };
}

/** Counts of connections; exists before the listener does, because the service context shows it. */
export class ConnectionCounts {
  current = 0;
  totalCreated = 0;
  rejected = 0;
  limit = 0;
  private readonly live: LiveConnections;

  constructor(live: LiveConnections) {
    this.live = live;
  }

  all(): Iterable<ClientConnection> {
    return this.live.all();
  }

  /** Connections that run a request. */
  get active(): number {
    return this.live.activeCount();
  }

  /** Bytes held for clients: unfinished or waiting requests, replies not taken. */
  get bufferedBytes(): number {
    return this.live.bufferedBytes();
  }

  get receiving(): { readonly bytes: number; readonly heldBack: number } {
    return this.live.receiving();
  }

  /** A connection of another protocol: it counts as one, and has its number. */
  opened(): number {
    this.current += 1;
    this.totalCreated += 1;
    return this.totalCreated;
  }

  closed(): void {
    this.current -= 1;
  }

  get available(): number {
    return Math.max(0, this.limit - this.current);
  }
}

export class Listener {
  private readonly options: ListenerOptions;
  private readonly around: ConnectionSurroundings;
  private readonly servers: Server[] = [];
  private readonly connections = new Map<number, Connection>();
  private readonly counts: ConnectionCounts;
  private boundPort = 0;
  private closing = false;

  constructor(
    service: ServiceContext,
    dispatcher: Dispatcher,
    counts: ConnectionCounts,
    options: ListenerOptions,
  ) {
    this.options = options;
    this.counts = counts;
    counts.limit = options.maxConnections;
    this.around = {
      service,
      handler: new MessageHandler(dispatcher),
      flusher: new TurnFlusher(),
      room: new ReceiveRoom({
        limitBytes: service.work.receiveLimitBytes,
        timers: service.timers,
        connectionCount: () => this.connections.size,
        waitingBytes: () => service.work.waitingBytes,
      }),
      onClosed: (connection) => this.forget(connection),
    };
    service.work.onFewerWaiting = () => this.around.room.lookAgain();
  }

  /** Binds all addresses. @throws the system's error, such as EADDRINUSE; nothing listens then. */
  async listen(): Promise<void> {
    try {
      let port = this.options.port;
      for (const address of this.options.addresses) {
        port = await this.bind(address, port);
      }
      this.boundPort = port;
    } catch (error) {
      await this.stopListening();
      throw error;
    }
  }

  /** The port that was bound. */
  get port(): number {
    return this.boundPort;
  }

  get count(): number {
    return this.connections.size;
  }

  all(): Iterable<ClientConnection> {
    return this.connections.values();
  }

  /** Connections that run a request. */
  get activeCount(): number {
    let count = 0;
    for (const connection of this.connections.values()) if (connection.isActive) count += 1;
    return count;
  }

  /** Bytes held for clients, all connections together. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const connection of this.connections.values()) bytes += connection.bufferedBytes;
    return bytes;
  }

  /** Messages in part: bytes, and connections that are not read from until there is room. */
  get receiving(): { readonly bytes: number; readonly heldBack: number } {
    const { bytes, heldBack } = this.around.room;
    return { bytes, heldBack };
  }

  /** Stops accepting; connections go on. */
  async stopListening(): Promise<void> {
    this.closing = true;
    await Promise.all(
      this.servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
  }

  /** Lets the connections finish their replies. */
  endConnections(): void {
    for (const connection of this.connections.values()) connection.endGently();
  }

  /** Ends what is left at once. */
  destroyConnections(): void {
    for (const connection of this.connections.values()) connection.abort('the server stops');
  }

  private bind(address: string, port: number): Promise<number> {
    const accept = (socket: Socket): void => this.accept(socket);
    const server =
      this.options.tls === undefined
        ? createServer({ noDelay: true }, accept)
        : createTlsServer(this.tlsOptions(this.options.tls), accept);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, backlog: BACKLOG }, () => {
        server.off('error', reject);
        server.on('error', (error) => this.log('Listening failed', { error: error.message }));
        this.servers.push(server);
        resolve(portOf(server.address()));
      });
    });
  }

  /** A client in its TLS handshake is no connection yet, so its deadline is the TLS server's. */
  private tlsOptions(tls: TlsOptions): TlsOptions {
    const { parameters } = this.around.service;
    const handshakeTimeout = parameters.get('connectionHandshakeTimeoutMillis');
    return { ...tls, noDelay: true, handshakeTimeout };
  }

  private accept(socket: Socket): void {
    this.counts.totalCreated += 1;
    if (this.closing || this.counts.current >= this.options.maxConnections) {
      this.counts.rejected += 1;
      this.log('Connection refused because there are too many open connections', {
        connectionCount: this.counts.current,
      });
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.counts.current += 1;
    const connection = new Connection(this.counts.totalCreated, socket, this.around);
    this.connections.set(connection.id, connection);
    if (!this.quiet) {
      this.log('Connection accepted', {
        remote: connection.remote,
        connectionId: connection.id,
        connectionCount: this.counts.current,
      });
    }
  }

  private forget(connection: Connection): void {
    this.connections.delete(connection.id);
    this.counts.current -= 1;
    if (this.quiet) return;
    this.log('Connection ended', {
      remote: connection.remote,
      connectionId: connection.id,
      connectionCount: this.counts.current,
    });
  }

  private get quiet(): boolean {
    return this.around.service.parameters.get('quiet');
  }

  private log(message: string, attributes: Readonly<Record<string, unknown>>): void {
    const id = LOG_IDS[message];
    this.around.service.log.withContext('listener').write({
      severity: 'I',
      component: 'NETWORK',
      id: id ?? 0,
      message,
      attributes,
    });
  }
}

/** mongod's numbers where it has the same line. */
const LOG_IDS: Readonly<Record<string, number>> = {
  'Connection accepted': 22_943,
  'Connection refused because there are too many open connections': 22_942,
  'Connection ended': 22_944,
  'Listening failed': 2_100_010,
};

function portOf(address: AddressInfo | string | null): number {
  return address === null || typeof address === 'string' ? 0 : address.port;
}
