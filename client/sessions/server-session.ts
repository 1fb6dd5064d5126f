/**
 * Sessions as servers know them, and the pool that a client takes them from.
 * Source: driver specification "Driver Sessions".
 */
import { Binary, UUID, type Document } from 'bson';
import type { Clock } from '../../common/clock.ts';

/** Sent as lsid. */
export interface ServerSessionId {
  readonly id: Binary;
}

export class ServerSession {
  readonly id: ServerSessionId;
  txnNumber = 0;
  /** A network error hit it: the server may still be busy with it, so it is not used again. */
  isDirty = false;
  /** Milliseconds of the clock. */
  lastUse: number;

  constructor(nowMs: number) {
    this.id = { id: new Binary(new UUID().buffer, Binary.SUBTYPE_UUID) };
    this.lastUse = nowMs;
  }
}

const MINUTE_MS = 60_000;

export class ServerSessionPool {
  private readonly clock: Clock;
  private readonly timeoutMinutes: () => number | null | undefined;
  /** The last used one last, and taken first. */
  private sessions: ServerSession[] = [];

  /** @param timeoutMinutes after which the servers forget a session. */
  constructor(clock: Clock, timeoutMinutes: () => number | null | undefined) {
    this.clock = clock;
    this.timeoutMinutes = timeoutMinutes;
  }

  acquire(): ServerSession {
    const nowMs = this.clock.monotonicMs();
    for (;;) {
      const session = this.sessions.pop();
      if (session === undefined) return new ServerSession(nowMs);
      if (!this.isNearlyForgotten(session, nowMs)) return session;
    }
  }

  release(session: ServerSession): void {
    const nowMs = this.clock.monotonicMs();
    if (this.sessions.some((other) => this.isNearlyForgotten(other, nowMs))) {
      this.sessions = this.sessions.filter((other) => !this.isNearlyForgotten(other, nowMs));
    }
    if (!session.isDirty && !this.isNearlyForgotten(session, nowMs)) this.sessions.push(session);
  }

  /** Takes all that are there, to be ended on the server. */
  drain(): Document[] {
    return this.sessions.splice(0).map(({ id }) => ({ ...id }));
  }

  /** Less than a minute before the server forgets it, it could expire under an operation. */
  private isNearlyForgotten(session: ServerSession, nowMs: number): boolean {
    const minutes = this.timeoutMinutes();
    if (minutes === null || minutes === undefined) return false;
    return nowMs - session.lastUse > (minutes - 1) * MINUTE_MS;
  }
}
