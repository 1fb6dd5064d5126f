/**
 * Connections to one server, lent out one borrower at a time.
 *
 * Owns: every connection from its opening to its end, lent or idle, and the queue of those who wait for one.
 * Invariants:
 *  1. Open, opening and lent connections together never exceed maxSize.
 *  2. Waiters are served in order; nobody waits while a connection is idle.
 *  3. A connection of an earlier generation (opened before clear) is never lent again.
 *  4. After close nothing is lent, and nothing stays open once what is lent has come back.
 * Source: driver specification "Connection Monitoring and Pooling". Tests: test/wire/connection-pool.test.ts.
 */
import type { Clock, TimerHandle } from '../common/clock.ts';
import { NetworkError } from '../common/errors.ts';
import type { Interruption } from '../common/interruption.ts';
import type { Connection } from './connection.ts';
import { watchLimits } from './deadline.ts';
import { asNetworkError, NetworkTimeoutError } from './network-errors.ts';

export interface ConnectionPoolOptions {
  /** Opens one connection, its handshake included. */
  readonly connect: () => Promise<Connection>;
  readonly clock: Clock;
  /** Kept open even when idle; default 0. */
  readonly minSize?: number;
  /** Default 100. */
  readonly maxSize?: number;
  /** An idle connection ends after this long; default never. */
  readonly maxIdleMs?: number;
  /** How long checkOut waits for a free place; default 10,000. */
  readonly waitQueueTimeoutMs?: number;
  /** Most connections that are being opened at the same time; default 2. */
  readonly maxOpening?: number;
  readonly observer?: PoolObserver;
}

/** Why a connection ended. Source: driver specification "Connection Monitoring and Pooling". */
export type EndReason = 'stale' | 'idle' | 'error' | 'poolClosed';

/** Who wants to hear what a pool does. Numbers are those of its connections, from 1. Calls must not throw. */
export interface PoolObserver {
  created?(connection: number): void;
  ready?(connection: number, tookMs: number): void;
  ended?(connection: number, reason: EndReason, error: Error | undefined): void;
  checkOutStarted?(): void;
  checkedOut?(connection: number, tookMs: number): void;
  checkOutFailed?(reason: 'timeout' | 'connectionError' | 'poolClosed', error: Error): void;
  checkedIn?(connection: number): void;
}

export interface PoolStatistics {
  readonly idle: number;
  readonly lent: number;
  readonly opening: number;
  readonly waiting: number;
  /** Connections opened since the pool was made. */
  readonly opened: number;
}

/** Handshakes cost the server more than waiting costs us: few at a time. */
const DEFAULT_MAX_OPENING = 2;
const DEFAULT_MAX_SIZE = 100;
const DEFAULT_WAIT_MS = 10_000;

interface Idle {
  readonly connection: Connection;
  readonly sinceMs: number;
}

interface Waiter {
  resolve(connection: Connection): void;
  reject(error: Error): void;
}

export class ConnectionPool {
  private readonly options: ConnectionPoolOptions;
  private readonly minSize: number;
  private readonly maxSize: number;
  private readonly maxIdleMs: number;
  private readonly maxOpening: number;
  private readonly observer: PoolObserver;
  private readonly numbers = new Map<Connection, number>();
  private lastNumber = 0;
  /** The most recently used last: lent again first, so that what is not needed grows old. */
  private idle: Idle[] = [];
  private readonly lent = new Map<Connection, number>();
  private waiters: Waiter[] = [];
  private opening = 0;
  private opened = 0;
  private generation = 0;
  private closed = false;
  private sweep: TimerHandle | undefined;

  constructor(options: ConnectionPoolOptions) {
    this.options = options;
    this.minSize = options.minSize ?? 0;
    this.maxSize = options.maxSize ?? DEFAULT_MAX_SIZE;
    this.maxIdleMs = options.maxIdleMs ?? Infinity;
    this.maxOpening = options.maxOpening ?? DEFAULT_MAX_OPENING;
    this.observer = options.observer ?? {};
    this.openWhatIsNeeded();
    if (this.maxIdleMs !== Infinity) this.scheduleSweep();
  }

  get statistics(): PoolStatistics {
    return {
      idle: this.idle.length,
      lent: this.lent.size,
      opening: this.opening,
      waiting: this.waiters.length,
      opened: this.opened,
    };
  }

  /** The pool's number of a connection that it opened and has not ended, from 1. */
  numberOf(connection: Connection): number {
    return this.numbers.get(connection) ?? 0;
  }

  /**
   * Lends a connection; the borrower gives it back with checkIn, whatever happened.
   * @throws NetworkTimeoutError when none was free in time, the NetworkError of a failed connect, the interruption's reason.
   */
  checkOut(interruption?: Interruption): Promise<Connection> {
    const startedMs = this.options.clock.monotonicMs();
    this.observer.checkOutStarted?.();
    const lent = new Promise<Connection>((resolve, reject) => {
      this.throwIfClosed();
      interruption?.throwIfInterrupted();
      const connection = this.takeIdle();
      if (connection !== undefined) resolve(this.lend(connection));
      else this.wait({ resolve, reject }, interruption);
    });
    return this.options.observer === undefined ? lent : this.observed(lent, startedMs);
  }

  private async observed(lent: Promise<Connection>, startedMs: number): Promise<Connection> {
    try {
      const connection = await lent;
      const tookMs = this.options.clock.monotonicMs() - startedMs;
      this.observer.checkedOut?.(this.numberOf(connection), tookMs);
      return connection;
    } catch (error) {
      const failure = asPoolError(error);
      const reason = this.closed
        ? 'poolClosed'
        : failure instanceof NetworkTimeoutError
          ? 'timeout'
          : 'connectionError';
      this.observer.checkOutFailed?.(reason, failure);
      throw error;
    }
  }

  /** Takes a borrowed connection back; one that has ended or is outdated makes room for another. */
  checkIn(connection: Connection): void {
    const generation = this.lent.get(connection);
    if (generation === undefined) return;
    this.lent.delete(connection);
    this.observer.checkedIn?.(this.numberOf(connection));
    if (this.closed || generation !== this.generation || !this.isReusable(connection)) {
      this.discard(connection, generation);
    } else {
      this.offer(connection);
    }
    this.openWhatIsNeeded();
  }

  /** Runs `work` with a connection and gives it back. An error of the network clears the pool. */
  async use<T>(
    work: (connection: Connection) => Promise<T>,
    interruption?: Interruption,
  ): Promise<T> {
    const connection = await this.checkOut(interruption);
    const generation = this.generation;
    try {
      return await work(connection);
    } catch (error) {
      const peerIsGone = error instanceof NetworkError && !(error instanceof NetworkTimeoutError);
      // A second failure of the same outage must not drop the connections opened since the first.
      if (peerIsGone && generation === this.generation) this.clear();
      throw error;
    } finally {
      this.checkIn(connection);
    }
  }

  /** Ends idle connections, and lent ones when they come back: the server behind them restarted or changed its role. */
  clear(): void {
    this.generation += 1;
    for (const { connection } of this.idle.splice(0)) this.endConnection(connection, 'stale');
    this.openWhatIsNeeded();
  }

  /** Ends lent connections as well, at once: the server behind them answers nobody any more. */
  interruptLent(): void {
    for (const connection of this.lent.keys()) connection.close();
  }

  /** Ends the pool: idle connections now, lent ones when they come back. Waiters fail. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.sweep?.cancel();
    for (const { connection } of this.idle.splice(0)) this.endConnection(connection, 'poolClosed');
    for (const waiter of this.waiters.splice(0)) waiter.reject(poolClosed());
  }

  private throwIfClosed(): void {
    if (this.closed) throw poolClosed();
  }

  private isReusable(connection: Connection): boolean {
    return connection.isOpen && connection.requestsInFlight === 0;
  }

  private takeIdle(): Connection | undefined {
    for (;;) {
      const candidate = this.idle.pop();
      if (candidate === undefined) return undefined;
      if (candidate.connection.isOpen && !this.isTooOld(candidate)) return candidate.connection;
      this.endConnection(candidate.connection, candidate.connection.isOpen ? 'idle' : 'error');
    }
  }

  private isTooOld(idle: Idle): boolean {
    return this.options.clock.monotonicMs() - idle.sinceMs > this.maxIdleMs;
  }

  private lend(connection: Connection): Connection {
    this.lent.set(connection, this.generation);
    return connection;
  }

  private wait(waiter: Waiter, interruption: Interruption | undefined): void {
    const timeoutMs = this.options.waitQueueTimeoutMs ?? DEFAULT_WAIT_MS;
    const timedOut = (): Error =>
      new NetworkTimeoutError(`no connection of the pool was free within ${timeoutMs} ms`);
    const limits = { clock: this.options.clock, timeoutMs, interruption };
    const unwatch = watchLimits(limits, timedOut, (reason) => {
      this.waiters = this.waiters.filter((other) => other !== queued);
      waiter.reject(reason);
    });
    const queued: Waiter = {
      resolve(connection) {
        unwatch();
        waiter.resolve(connection);
      },
      reject(error) {
        unwatch();
        waiter.reject(error);
      },
    };
    this.waiters.push(queued);
    this.openWhatIsNeeded();
  }

  /** Gives a connection to the first waiter, or keeps it. */
  private offer(connection: Connection): void {
    const waiter = this.waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve(this.lend(connection));
      return;
    }
    const idle: Idle = { connection, sinceMs: this.options.clock.monotonicMs() };
    this.idle.push(idle);
    connection.onEnd(() => {
      if (!this.idle.includes(idle)) return;
      this.idle = this.idle.filter((other) => other !== idle);
      this.endConnection(connection, 'error');
    });
  }

  private get size(): number {
    return this.idle.length + this.lent.size + this.opening;
  }

  private openWhatIsNeeded(): void {
    while (!this.closed && this.opening < this.maxOpening && this.size < this.maxSize) {
      const wanted = this.waiters.length > this.opening || this.size < this.minSize;
      if (!wanted) return;
      this.openOne();
    }
  }

  private openOne(): void {
    const generation = this.generation;
    this.opening += 1;
    this.lastNumber += 1;
    const number = this.lastNumber;
    const startedMs = this.options.clock.monotonicMs();
    this.observer.created?.(number);
    this.options
      .connect()
      .finally(() => {
        this.opening -= 1;
      })
      .then((connection) => {
        this.numbers.set(connection, number);
        this.observer.ready?.(number, this.options.clock.monotonicMs() - startedMs);
        this.adopt(connection, generation);
      })
      .catch((error: unknown) => {
        this.observer.ended?.(number, 'error', asPoolError(error));
        this.failToOpen(error);
      });
  }

  private adopt(connection: Connection, generation: number): void {
    this.opened += 1;
    if (this.closed || generation !== this.generation) this.discard(connection, generation);
    else this.offer(connection);
    this.openWhatIsNeeded();
  }

  /** Ends a connection that came back and is not lent again. */
  private discard(connection: Connection, generation: number): void {
    const reason = !connection.isOpen
      ? 'error'
      : this.closed
        ? 'poolClosed'
        : generation === this.generation
          ? 'error'
          : 'stale';
    this.endConnection(connection, reason);
  }

  private endConnection(connection: Connection, reason: EndReason): void {
    const number = this.numbers.get(connection);
    connection.close();
    if (number === undefined) return;
    this.numbers.delete(connection);
    this.observer.ended?.(number, reason, undefined);
  }

  /**
   * One waiter learns of a failed connect; those behind it try for themselves. Connections for minSize are not tried
   * again here: a server that is down would be called in a loop.
   */
  private failToOpen(error: unknown): void {
    this.waiters.shift()?.reject(asPoolError(error));
    if (this.waiters.length > 0) this.openWhatIsNeeded();
  }

  private scheduleSweep(): void {
    this.sweep = this.options.clock.after(this.maxIdleMs, () => {
      this.endOldIdle();
      this.openWhatIsNeeded();
      this.scheduleSweep();
    });
  }

  private endOldIdle(): void {
    const keep: Idle[] = [];
    for (const idle of this.idle.splice(0)) {
      if (this.isTooOld(idle)) this.endConnection(idle.connection, 'idle');
      else keep.push(idle);
    }
    this.idle = keep;
  }
}

function poolClosed(): NetworkError {
  return new NetworkError('the connection pool is closed');
}

/** A peer's refusal (CommandError) and an interruption stay themselves. */
function asPoolError(error: unknown): Error {
  return error instanceof Error ? error : asNetworkError(error, 'cannot open a connection');
}
