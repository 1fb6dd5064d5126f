/**
 * The HTTP API as a transport: one server behind a URL, one POST for each command. Needs `fetch` and nothing of Node's.
 *
 * Owns: what the server's hello said, and the requests under way. Promises: close() ends them all.
 * Never: watches the server between requests; the next one finds out.
 */
import { foregroundClock, type Clock } from '../../../common/clock.ts';
import {
  MongoClientClosedError,
  MongoOperationTimeoutError,
  MongoTopologyClosedError,
} from '../../errors/driver-errors.ts';
import { MongoServerSelectionError } from '../../errors/mongo-error.ts';
import { MongoNetworkError, MongoNetworkTimeoutError } from '../../errors/network-errors.ts';
import type { ClientSettings } from '../../options/parse-options.ts';
import {
  TopologyType,
  type CommandMessage,
  type Deployment,
  type RequestOptions,
  type Server,
  type ServerTraits,
  type ServerWanted,
  type Transport,
} from '../contract.ts';
import { replyOfResponse, withSequences } from './http-messages.ts';
import { traitsOfHello, HELLO, NO_TRAITS } from './http-hello.ts';

/** Between two attempts to reach a server that is not there, milliseconds. */
const RETRY_MS = 100;

interface Ending {
  readonly error: Error;
}

export class HttpTransport implements Transport {
  private readonly clock: Clock = foregroundClock;
  private readonly url: string;
  private readonly address: string;
  private readonly settings: ClientSettings;
  private isClosed = false;
  /** Each ends one wait between two attempts. */
  private readonly waits = new Set<(reason: Error) => void>();
  /** Each ends one request. */
  private readonly requests = new Set<(reason: Error) => void>();
  private readonly underWay = new Set<Promise<unknown>>();
  private server: Server | undefined;
  private lastRequestId = 0;
  private roundTrips = 0;
  private shortestRoundTripMs = Infinity;

  /** @throws MongoInvalidArgumentError where the settings name no host. */
  constructor(settings: ClientSettings) {
    this.settings = settings;
    this.address = settings.hosts[0]?.toString() ?? '';
    this.url = `${settings.scheme}://${this.address}/command`;
  }

  get deployment(): Deployment {
    const traits = this.server?.traits;
    return {
      type: traits === undefined ? TopologyType.Unknown : typeOf(traits),
      logicalSessionTimeoutMinutes: traits?.logicalSessionTimeoutMinutes,
    };
  }

  async connect(wanted: ServerWanted): Promise<void> {
    await this.selectServer(wanted);
  }

  async selectServer(wanted: ServerWanted): Promise<Server> {
    if (this.isClosed) throw topologyClosed();
    wanted.signal?.throwIfAborted();
    return this.server ?? (await this.find(wanted));
  }

  interrupt(): void {
    for (const end of this.requests) end(new MongoClientClosedError());
  }

  async close(): Promise<void> {
    this.server = undefined;
    this.isClosed = true;
    for (const end of [...this.waits, ...this.requests]) end(topologyClosed());
    await Promise.allSettled(this.underWay);
  }

  /** Asks until the server answers, or the time is over. */
  private async find(wanted: ServerWanted): Promise<Server> {
    const selectionMs: number = this.settings.all['serverSelectionTimeoutMS'];
    const operationMs = wanted.timeoutMs ?? Infinity;
    const endMs = this.clock.monotonicMs() + Math.min(selectionMs, operationMs);
    for (;;) {
      const timeoutMs = endMs - this.clock.monotonicMs();
      try {
        return await this.greet({ signal: wanted.signal, timeoutMs });
      } catch (error) {
        if (error instanceof MongoClientClosedError) throw topologyClosed();
        if (!isOfTheWay(error)) throw error;
        if (this.clock.monotonicMs() + RETRY_MS >= endMs) {
          throw this.selectionFailed(error, operationMs <= selectionMs);
        }
      }
      await this.pause(wanted.signal);
    }
  }

  /** Says hello. */
  private async greet(limits: RequestOptions): Promise<Server> {
    const message = { body: HELLO, sequences: [], unacknowledged: false };
    const hello = await this.request(message, limits);
    const traits = hello === undefined ? undefined : traitsOfHello(this.address, hello);
    if (traits === undefined) throw new MongoNetworkError(`${this.url} is no FlintDB`);
    // The first request also opens a connection: one alone says little of the way. Source: specification "Client Side Operations Timeout".
    const shortest = (): number => (this.roundTrips < 2 ? 0 : this.shortestRoundTripMs);
    this.server = {
      traits,
      get shortestRoundTripMs() {
        return shortest();
      },
      request: (command, options) => this.request(command, options),
      // What it is now is asked for by the next operation.
      noteStateChange: () => {
        this.server = undefined;
      },
    };
    return this.server;
  }

  private request(
    message: CommandMessage,
    options: RequestOptions,
  ): Promise<Uint8Array | undefined> {
    const asked = this.ask(message, options);
    if (!message.unacknowledged) return this.keep(asked);
    void this.keep(asked).catch(() => undefined);
    return Promise.resolve(undefined);
  }

  private async ask(message: CommandMessage, options: RequestOptions): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const abort = new AbortController();
    let ending: Ending | undefined;
    const end = (error: unknown): void => {
      ending ??= { error: error instanceof Error ? error : new Error(String(error)) };
      abort.abort();
    };
    const release = this.watch(options, end);
    this.lastRequestId += 1;
    options.onSend?.({
      address: this.address,
      connectionId: 0,
      serverConnectionId: null,
      requestId: this.lastRequestId,
    });
    const startMs = this.clock.monotonicMs();
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/bson', Accept: 'application/bson' },
        body: new Uint8Array(withSequences(message)),
        signal: abort.signal,
      });
      const reply = await replyOfResponse(response);
      this.roundTrips += 1;
      const tookMs = this.clock.monotonicMs() - startMs;
      this.shortestRoundTripMs = Math.min(this.shortestRoundTripMs, tookMs);
      return reply;
    } catch (error) {
      // The reason is thrown, whatever fetch makes of it.
      if (ending !== undefined) throw ending.error;
      if (!(error instanceof TypeError)) throw error;
      throw new MongoNetworkError(reasonOf(error), { cause: error.cause ?? error });
    } finally {
      release();
    }
  }

  /** Whatever ends a request early: the caller's signal and time, the transport's own, its end. */
  private watch(options: RequestOptions, end: (error: unknown) => void): () => void {
    const { signal, timeoutMs = Infinity } = options;
    const socketMs: number = this.settings.all['socketTimeoutMS'] || Infinity;
    const onAbort = (): void => end(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.requests.add(end);
    const limitMs = Math.min(timeoutMs, socketMs);
    const timer =
      limitMs === Infinity
        ? undefined
        : this.clock.after(Math.max(0, limitMs), () =>
            end(
              timeoutMs <= socketMs
                ? new MongoOperationTimeoutError('Timed out while waiting for the server')
                : new MongoNetworkTimeoutError(`no answer within ${socketMs} ms`),
            ),
          );
    return () => {
      signal?.removeEventListener('abort', onAbort);
      this.requests.delete(end);
      timer?.cancel();
    };
  }

  private keep<T>(asked: Promise<T>): Promise<T> {
    this.underWay.add(asked);
    const forget = (): void => void this.underWay.delete(asked);
    asked.then(forget, forget);
    return asked;
  }

  private pause(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.waits.delete(stop);
      };
      const stop = (reason: unknown): void => {
        settle();
        reject(reason instanceof Error ? reason : new Error(String(reason)));
      };
      const onAbort = (): void => stop(signal?.reason);
      const timer = this.clock.after(RETRY_MS, () => {
        settle();
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.waits.add(stop);
    });
  }

  private selectionFailed(cause: Error, operationTimedOut: boolean): Error {
    const failure = new MongoServerSelectionError(cause.message, {
      type: TopologyType.Unknown,
      servers: new Map([[this.address, { ...NO_TRAITS, address: this.address, error: cause }]]),
    });
    if (!operationTimedOut) return failure;
    return new MongoOperationTimeoutError('Timed out during server selection', { cause: failure });
  }
}

/** Errors after which another attempt may find a server. */
function isOfTheWay(error: unknown): error is Error {
  return error instanceof MongoNetworkError || error instanceof MongoOperationTimeoutError;
}

function typeOf({ type }: ServerTraits): TopologyType {
  return type === 'Mongos' ? TopologyType.Sharded : TopologyType.Single;
}

/** fetch says "fetch failed", and why in its cause. */
function reasonOf(error: TypeError): string {
  return error.cause instanceof Error && error.cause.message !== ''
    ? error.cause.message
    : error.message;
}

function topologyClosed(): MongoTopologyClosedError {
  return new MongoTopologyClosedError('Topology is closed');
}
