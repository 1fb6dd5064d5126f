/**
 * Watches one server: asks it how it is, again and again, on a connection of its own.
 *
 * A server that can is asked to answer when something changes, so that a new primary is known at once; before each such
 * long question a short one measures the round trip. Others are asked every heartbeatFrequencyMS.
 * Owns: its connection and its loop. Promises: `onNews` is never called after close().
 * Source: driver specification "Server Monitoring".
 */
import { deserialize, Long, serialize, type Document } from 'bson';
import type { Clock } from '../../../common/clock.ts';
import { CommandError } from '../../../common/errors.ts';
import { Connection, type ConnectOptions } from '../../../wire/index.ts';
import { MongoServerError } from '../../errors/mongo-error.ts';
import {
  ServerHeartbeatFailedEvent,
  ServerHeartbeatStartedEvent,
  ServerHeartbeatSucceededEvent,
} from '../../events/server-events.ts';
import type { EventSink } from '../contract.ts';
import { ServerDescription, type TopologyVersion } from './server-description.ts';
import { asClientError } from './waits.ts';

export interface ServerMonitorOptions {
  readonly address: string;
  readonly connect: ConnectOptions;
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly leastHeartbeatMs: number;
  /** Whether a server that can is asked to wait for a change. */
  readonly mayWaitForChange: boolean;
  readonly emit: EventSink;
  readonly onNews: (news: ServerDescription) => void;
}

/** A peer that answers long questions at once must not keep us busy. */
const SHORTEST_ROUND_MS = 20;
/** Weight of the newest round trip in the average. */
const ROUND_TRIP_WEIGHT = 0.2;
/** The shortest of so many is what timeoutMS reckons with. */
const KEPT_ROUND_TRIPS = 10;

export class ServerMonitor {
  private readonly options: ServerMonitorOptions;
  private connection: Connection | undefined;
  private closed = false;
  private wake: (() => void) | undefined;
  private checkWanted = false;
  /** A short question is under way. */
  private isAsking = false;
  /** A long question is under way; recheck takes it back. */
  private isAwaiting = false;
  private averageMs = -1;
  private roundTrips: number[] = [];
  private wasKnown = false;

  constructor(options: ServerMonitorOptions) {
    this.options = options;
  }

  start(): void {
    void this.watch();
  }

  /** Asks soon instead of at the next heartbeat. */
  requestCheck(): void {
    // One that is under way answers it.
    if (this.isAsking) return;
    this.checkWanted = true;
    this.wake?.();
  }

  /** As requestCheck, and does not wait for a change either: what was known of the server is outdated. */
  recheck(): void {
    this.checkWanted = true;
    this.wake?.();
    if (!this.isAwaiting) return;
    this.isAwaiting = false;
    this.connection?.close();
    this.connection = undefined;
  }

  close(): void {
    this.closed = true;
    this.connection?.close();
    this.wake?.();
  }

  private async watch(): Promise<void> {
    const { clock, heartbeatMs, leastHeartbeatMs } = this.options;
    while (!this.closed) {
      const askedMs = clock.monotonicMs();
      const outcome = await this.check();
      if (this.closed) return;
      // A known server that fails may only have lost a connection: ask again at once.
      if (outcome === 'lost' || outcome === 'changed') {
        await this.pause(SHORTEST_ROUND_MS - (clock.monotonicMs() - askedMs), false);
        continue;
      }
      await this.pause(heartbeatMs - (clock.monotonicMs() - askedMs), true);
      await this.pause(leastHeartbeatMs - (clock.monotonicMs() - askedMs), false);
    }
  }

  /** @param mayBeWoken whether a wanted check ends the pause. */
  private pause(delayMs: number, mayBeWoken: boolean): Promise<void> {
    if (mayBeWoken && this.checkWanted) {
      this.checkWanted = false;
      return Promise.resolve();
    }
    if (delayMs <= 0 || this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.wake = undefined;
        resolve();
      };
      const timer = this.options.clock.after(delayMs, end);
      this.wake = (): void => {
        if (!mayBeWoken && !this.closed) return;
        this.checkWanted = false;
        end();
      };
    });
  }

  /** One round: how it is now, and if it can, what changes next. */
  private async check(): Promise<'known' | 'changed' | 'lost' | 'unknown'> {
    const { clock, emit, address } = this.options;
    let startedMs = clock.monotonicMs();
    let awaited = false;
    try {
      emit(
        'serverHeartbeatStarted',
        new ServerHeartbeatStartedEvent({ connectionId: address, awaited }),
      );
      this.isAsking = true;
      const hello = await this.greet().finally(() => {
        this.isAsking = false;
      });
      this.report(hello, startedMs, awaited);
      const version: TopologyVersion | undefined = hello['topologyVersion'];
      if (version === undefined || !this.options.mayWaitForChange || this.closed) return 'known';
      startedMs = clock.monotonicMs();
      awaited = true;
      emit(
        'serverHeartbeatStarted',
        new ServerHeartbeatStartedEvent({ connectionId: address, awaited }),
      );
      this.isAwaiting = true;
      this.report(await this.awaitChange(version), startedMs, awaited);
      this.isAwaiting = false;
      return 'changed';
    } catch (error) {
      if (this.closed) return 'unknown';
      if (awaited && !this.isAwaiting) return 'changed';
      this.isAwaiting = false;
      return this.reportFailure(error, clock.monotonicMs() - startedMs, awaited);
    }
  }

  private async greet(): Promise<Document> {
    const { connect } = this.options;
    if (this.connection?.isOpen !== true) {
      const connection = await Connection.connect(connect);
      this.connection = connection;
      if (this.closed) connection.close();
      return deserialize(connection.peer.hello);
    }
    return this.ask({}, connect.connectTimeoutMs);
  }

  private awaitChange({ processId, counter }: TopologyVersion): Promise<Document> {
    const { heartbeatMs, connect } = this.options;
    const limitMs = connect.connectTimeoutMs ?? Infinity;
    return this.ask(
      {
        topologyVersion: { processId, counter: Long.fromString(String(counter)) },
        maxAwaitTimeMS: heartbeatMs,
      },
      limitMs + heartbeatMs,
    );
  }

  private async ask(fields: Document, timeoutMs: number | undefined): Promise<Document> {
    const command = {
      hello: 1,
      helloOk: true,
      ...fields,
      ...apiFields(this.options),
      $db: 'admin',
    };
    const connection = this.connection;
    if (connection === undefined) throw new Error('the monitor is not connected');
    const limits = timeoutMs === undefined ? {} : { timeoutMs };
    const reply = await connection.request(Buffer.from(serialize(command)), limits);
    const hello = deserialize(reply.body);
    if (hello['ok'] !== 1) throw new MongoServerError(hello);
    return hello;
  }

  private report(hello: Document, startedMs: number, awaited: boolean): void {
    if (this.closed) return;
    const { clock, emit, address, onNews } = this.options;
    const tookMs = clock.monotonicMs() - startedMs;
    if (!awaited) this.noteRoundTrip(tookMs);
    emit(
      'serverHeartbeatSucceeded',
      new ServerHeartbeatSucceededEvent({
        connectionId: address,
        awaited,
        duration: tookMs,
        reply: hello,
      }),
    );
    this.wasKnown = true;
    onNews(
      new ServerDescription(address, hello, {
        roundTripTime: this.averageMs,
        minRoundTripTime: this.roundTrips.length < 2 ? 0 : Math.min(...this.roundTrips),
        lastUpdateTime: clock.monotonicMs(),
      }),
    );
  }

  private noteRoundTrip(tookMs: number): void {
    this.averageMs =
      this.averageMs < 0
        ? tookMs
        : ROUND_TRIP_WEIGHT * tookMs + (1 - ROUND_TRIP_WEIGHT) * this.averageMs;
    this.roundTrips = [...this.roundTrips, tookMs].slice(-KEPT_ROUND_TRIPS);
  }

  private reportFailure(thrown: unknown, tookMs: number, awaited: boolean): 'lost' | 'unknown' {
    const { emit, address, onNews } = this.options;
    const error = failureOf(thrown);
    this.connection?.close();
    this.connection = undefined;
    this.averageMs = -1;
    this.roundTrips = [];
    emit(
      'serverHeartbeatFailed',
      new ServerHeartbeatFailedEvent({
        connectionId: address,
        awaited,
        duration: tookMs,
        failure: error,
      }),
    );
    onNews(new ServerDescription(address, undefined, { error }));
    const outcome = this.wasKnown ? 'lost' : 'unknown';
    this.wasKnown = false;
    return outcome;
  }
}

function apiFields({ connect }: ServerMonitorOptions): Document {
  const { apiVersion, apiStrict, apiDeprecationErrors } = connect.handshake ?? {};
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(apiStrict === undefined ? {} : { apiStrict }),
    ...(apiDeprecationErrors === undefined ? {} : { apiDeprecationErrors }),
  };
}

function failureOf(thrown: unknown): Error {
  if (thrown instanceof CommandError) return refusalOf(thrown);
  const error = asClientError(thrown);
  return error instanceof Error ? error : new Error(String(error));
}

/** A handshake that the server refused. */
export function refusalOf({ code, codeName, message, labels }: CommandError): MongoServerError {
  return new MongoServerError({ ok: 0, code, codeName, errmsg: message, errorLabels: labels });
}
