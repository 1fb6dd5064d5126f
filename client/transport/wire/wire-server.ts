/**
 * One server of the deployment: its pool of connections, its monitor, and the commands that go to it.
 *
 * Owns: the pool and the monitor. What is known of the server is the topology's; failures are reported there.
 * Source: driver specifications "Connection Monitoring and Pooling" and "Server Discovery And Monitoring", "Error handling".
 */
import { CommandError } from '../../../common/errors.ts';
import {
  Connection,
  ConnectionPool,
  NetworkTimeoutError,
  type ConnectOptions,
  type PoolObserver,
} from '../../../wire/index.ts';
import type { Clock } from '../../../common/clock.ts';
import { MongoClientClosedError } from '../../errors/driver-errors.ts';
import { MongoError, MongoErrorLabel } from '../../errors/mongo-error.ts';
import {
  MongoNetworkError,
  MongoNetworkTimeoutError,
  PoolClearedError,
} from '../../errors/network-errors.ts';
import {
  ConnectionCheckedInEvent,
  ConnectionCheckedOutEvent,
  ConnectionCheckOutFailedEvent,
  ConnectionCheckOutStartedEvent,
  ConnectionClosedEvent,
  ConnectionCreatedEvent,
  ConnectionPoolClearedEvent,
  ConnectionPoolClosedEvent,
  ConnectionPoolCreatedEvent,
  ConnectionPoolReadyEvent,
  ConnectionReadyEvent,
} from '../../events/pool-events.ts';
import type { ClientSettings } from '../../options/parse-options.ts';
import type {
  CommandMessage,
  EventSink,
  RequestOptions,
  Server,
  ServerTraits,
} from '../contract.ts';
import { authenticate, mechanismFor } from './scram.ts';
import { refusalOf, type ServerMonitor } from './server-monitor.ts';
import { asClientError, deadlineOf, interruptionOf, timedOut } from './waits.ts';
import { deserialize } from 'bson';

export interface WireServerOptions {
  readonly address: string;
  readonly connect: ConnectOptions;
  readonly settings: ClientSettings;
  readonly clock: Clock;
  readonly emit: EventSink;
  readonly monitor: ServerMonitor;
  readonly traits: () => ServerTraits & { readonly minRoundTripTime: number };
  /** The server cannot be used: what was known of it is outdated. */
  readonly onFailure: (error: Error) => void;
  /** A reply said that the server is not what it was. @returns whether this was news. */
  readonly onStateChange: (error: MongoError) => boolean;
}

/** A pool that was waited for too long. */
export class WaitQueueTimeoutError extends MongoNetworkTimeoutError {
  override get name(): string {
    return 'MongoWaitQueueTimeoutError';
  }
}

export class WireServer implements Server {
  readonly monitor: ServerMonitor;
  private readonly options: WireServerOptions;
  private pool: ConnectionPool | undefined;
  private paused = true;
  /** Grows with each clearing: failures of connections from before it are no news. */
  private epoch = 0;
  private lastRequestId = 0;
  private inFlight = 0;
  /** How often all that was in flight was interrupted; what began before knows by it. */
  private interruptions = 0;
  private lastFailure: Error | undefined;
  private closed = false;

  constructor(options: WireServerOptions) {
    this.options = options;
    this.monitor = options.monitor;
  }

  get traits(): ServerTraits {
    return this.options.traits();
  }

  get shortestRoundTripMs(): number {
    return this.options.traits().minRoundTripTime;
  }

  /** Requests that wait for their reply: of two servers the one with fewer is taken. */
  get load(): number {
    return this.inFlight;
  }

  async request(message: CommandMessage, options: RequestOptions): Promise<Uint8Array | undefined> {
    const deadlineMs = deadlineOf(this.options.clock, options);
    this.inFlight += 1;
    try {
      return await this.send(message, options, deadlineMs);
    } finally {
      this.inFlight -= 1;
    }
  }

  noteStateChange(error: MongoError, generation = this.epoch): void {
    if (generation < this.epoch) return;
    if (!this.options.onStateChange(error)) return;
    // Only a server that goes down takes its connections with it.
    if (GOING_DOWN.has(Number(error.code))) this.clear(error, false);
    this.monitor.recheck();
  }

  /** The server was found to be well: its pool may open connections. */
  becomeReady(): void {
    if (this.closed || !this.paused) return;
    this.paused = false;
    this.lastFailure = undefined;
    const { emit, address, settings } = this.options;
    if (this.pool === undefined) {
      emit(
        'connectionPoolCreated',
        new ConnectionPoolCreatedEvent({ address, options: poolOptionsShown(settings) }),
      );
    }
    emit('connectionPoolReady', new ConnectionPoolReadyEvent({ address }));
    this.pool ??= this.openPool();
  }

  /** The monitor lost the server. A time-out of the network says that connections in use hang as well. */
  becomeUnknown(error: Error): void {
    this.clear(error, error instanceof MongoNetworkTimeoutError);
  }

  /** What is in flight fails, as the client's end says; the pool goes on for what that end needs. */
  interrupt(): void {
    this.interruptions += 1;
    this.pool?.interruptLent();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.monitor.close();
    if (this.pool === undefined) return;
    this.pool.close();
    this.pool.interruptLent();
    const { emit, address } = this.options;
    emit('connectionPoolClosed', new ConnectionPoolClosedEvent({ address }));
  }

  /** Opens a connection if there is none: wrong credentials show now. */
  async warm(options: RequestOptions): Promise<void> {
    const connection = await this.checkOut(options, deadlineOf(this.options.clock, options));
    this.pool?.checkIn(connection);
  }

  private async send(
    message: CommandMessage,
    options: RequestOptions,
    deadlineMs: number,
  ): Promise<Uint8Array | undefined> {
    const { interruptions } = this;
    const throwIfInterrupted = (): void => {
      if (interruptions !== this.interruptions) throw new MongoClientClosedError();
    };
    const connection = await this.checkOut(options, deadlineMs);
    const { epoch, pool } = this;
    try {
      throwIfInterrupted();
      this.lastRequestId += 1;
      options.onSend?.({
        address: this.options.address,
        connectionId: pool?.numberOf(connection) ?? 0,
        serverConnectionId: serverConnectionId(connection),
        requestId: this.lastRequestId,
        generation: epoch,
      });
      return await this.exchange(connection, message, options, deadlineMs);
    } catch (error) {
      throwIfInterrupted();
      const failure = asClientError(error);
      // A time-out says nothing of other connections; the loss of one says that the server may be gone.
      const isLoss =
        failure instanceof MongoNetworkError && !(failure instanceof MongoNetworkTimeoutError);
      if (isLoss && epoch === this.epoch) this.fail(failure);
      throw failure;
    } finally {
      pool?.checkIn(connection);
    }
  }

  private async exchange(
    connection: Connection,
    message: CommandMessage,
    options: RequestOptions,
    deadlineMs: number,
  ): Promise<Uint8Array | undefined> {
    const body = asBuffer(message.body);
    const sequences = message.sequences.map(({ field, documents }) => ({
      identifier: field,
      documents: documents.map(asBuffer),
    }));
    if (message.unacknowledged) {
      await connection.sendOnly(body, { sequences });
      return undefined;
    }
    const socketTimeoutMs: number = this.options.settings.all['socketTimeoutMS'];
    const leftMs = deadlineMs - this.options.clock.monotonicMs();
    if (leftMs <= 0) throw timedOut();
    const usesSocketTimeout = deadlineMs === Infinity && socketTimeoutMs > 0;
    const interruption = interruptionOf(this.options.clock, options.signal, deadlineMs);
    const reply = await connection.request(body, {
      sequences,
      ...(usesSocketTimeout ? { timeoutMs: socketTimeoutMs } : {}),
      ...(interruption === undefined ? {} : { interruption }),
    });
    return reply.body;
  }

  private async checkOut(options: RequestOptions, deadlineMs: number): Promise<Connection> {
    const { address } = this.options;
    const { pool } = this;
    if (this.closed || pool === undefined || this.paused) {
      throw new PoolClearedError(address, { cause: this.lastFailure });
    }
    try {
      return await pool.checkOut(interruptionOf(this.options.clock, options.signal, deadlineMs));
    } catch (error) {
      if (error instanceof CommandError) throw refusalOf(error);
      if (error instanceof NetworkTimeoutError && error.message.startsWith('no connection of')) {
        throw new WaitQueueTimeoutError(
          'Timed out while checking out a connection from connection pool',
        );
      }
      const failure = asClientError(error, true);
      if (failure instanceof MongoNetworkError) {
        failure.addErrorLabel(MongoErrorLabel.HandshakeError);
        // A server that does not let us in may have too much to do: whoever asks again waits a little. Whether it is gone, its
        // monitor finds out.
        failure.addErrorLabel(MongoErrorLabel.SystemOverloadedError);
        failure.addErrorLabel(MongoErrorLabel.RetryableError);
      }
      throw failure;
    }
  }

  private fail(error: Error): void {
    this.clear(error, false);
    this.options.onFailure(error);
    this.monitor.recheck();
  }

  private clear(error: Error, interrupt: boolean): void {
    this.epoch += 1;
    this.lastFailure = error;
    if (this.pool === undefined || this.paused) return;
    this.paused = true;
    const { emit, address } = this.options;
    emit(
      'connectionPoolCleared',
      new ConnectionPoolClearedEvent({ address, interruptInUseConnections: interrupt }),
    );
    this.pool.clear();
    if (interrupt) this.pool.interruptLent();
  }

  private openPool(): ConnectionPool {
    const { settings, clock } = this.options;
    const { all } = settings;
    return new ConnectionPool({
      connect: () => this.openConnection(),
      clock,
      minSize: all['minPoolSize'],
      maxSize: all['maxPoolSize'] === 0 ? Infinity : all['maxPoolSize'],
      maxOpening: all['maxConnecting'],
      ...(all['maxIdleTimeMS'] > 0 ? { maxIdleMs: all['maxIdleTimeMS'] } : {}),
      waitQueueTimeoutMs: all['waitQueueTimeoutMS'] > 0 ? all['waitQueueTimeoutMS'] : Infinity,
      observer: this.observer(),
    });
  }

  private async openConnection(): Promise<Connection> {
    const { connect, settings } = this.options;
    const connection = await Connection.connect(connect);
    if (settings.credentials === undefined) return connection;
    try {
      const offered: unknown = deserialize(connection.peer.hello)['saslSupportedMechs'];
      const mechanism = mechanismFor(settings.credentials, offered);
      const { connectTimeoutMs } = connect;
      const limits = connectTimeoutMs === undefined ? {} : { timeoutMs: connectTimeoutMs };
      await authenticate(connection, settings.credentials, mechanism, limits);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  private observer(): PoolObserver {
    const { emit, address } = this.options;
    return {
      created: (connectionId) =>
        emit('connectionCreated', new ConnectionCreatedEvent({ address, connectionId })),
      ready: (connectionId, durationMS) =>
        emit('connectionReady', new ConnectionReadyEvent({ address, connectionId, durationMS })),
      ended: (connectionId, reason, error) =>
        emit(
          'connectionClosed',
          new ConnectionClosedEvent({
            address,
            connectionId,
            reason,
            error: mongoErrorOf(error) ?? null,
          }),
        ),
      checkOutStarted: () =>
        emit('connectionCheckOutStarted', new ConnectionCheckOutStartedEvent({ address })),
      checkedOut: (connectionId, durationMS) =>
        emit(
          'connectionCheckedOut',
          new ConnectionCheckedOutEvent({ address, connectionId, durationMS }),
        ),
      checkOutFailed: (reason, error) =>
        emit(
          'connectionCheckOutFailed',
          new ConnectionCheckOutFailedEvent({
            address,
            reason,
            error: mongoErrorOf(error),
            durationMS: 0,
          }),
        ),
      checkedIn: (connectionId) =>
        emit('connectionCheckedIn', new ConnectionCheckedInEvent({ address, connectionId })),
    };
  }
}

/** ShutdownInProgress, InterruptedAtShutdown. */
const GOING_DOWN: ReadonlySet<number> = new Set([91, 11_600]);

function mongoErrorOf(error: Error | undefined): MongoError | undefined {
  const failure = asClientError(error);
  return failure instanceof MongoError ? failure : undefined;
}

function poolOptionsShown({ all }: ClientSettings): Record<string, unknown> {
  const names = [
    'maxConnecting',
    'maxPoolSize',
    'minPoolSize',
    'maxIdleTimeMS',
    'waitQueueTimeoutMS',
  ];
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}

function serverConnectionId(connection: Connection): bigint | null {
  const id = connection.peer.connectionId;
  return id === undefined ? null : BigInt(id);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
