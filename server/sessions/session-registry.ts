/**
 * Logical sessions: which exist, who used one last, and what ends with one.
 *
 * Owns: the table of sessions of this server and their timeout. A session comes into being with the first command that
 * carries its lsid, or with startSession.
 * Invariants:
 *  1. A session in the table was used, or refreshed, within the timeout (plus one sweep).
 *  2. When a session leaves the table, whatever was attached to it (cursors, operations) is told through `onEnd`.
 * Source: MongoDB's driver sessions specification; the manual's pages of startSession, endSessions, killSessions.
 */
import { CommandError } from '../../common/errors.ts';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';

const MS_PER_MINUTE = 60_000;
const UUID_BYTES = 16;

/** The id's 16 bytes as a latin1 string: what Maps are keyed by. */
export type SessionKey = string;

export interface Session {
  readonly key: SessionKey;
  /** The 16 bytes of lsid.id. */
  readonly id: Buffer;
  lastUsedMs: number;
  /** Operations that run in it: while there are any, it does not time out. */
  operations: number;
  /** Highest transaction number seen; undefined before the first. */
  lastTransactionNumber: number | undefined;
}

class OpenSession implements Session {
  readonly key: SessionKey;
  lastUsedMs: number;
  operations = 0;
  lastTransactionNumber: number | undefined;

  constructor(key: SessionKey, nowMs: number) {
    this.key = key;
    this.lastUsedMs = nowMs;
  }

  /** Made when it is asked for: 16 bytes that were kept would pin the 8 KiB they are a part of, a million times. */
  get id(): Buffer {
    return Buffer.from(this.key, 'latin1');
  }
}

export interface SessionRegistryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** MongoDB's localLogicalSessionTimeoutMinutes. */
  readonly timeoutMinutes: number;
  /** MongoDB's maxSessions. */
  readonly maxSessions: number;
}

export class SessionRegistry {
  private readonly sessions = new Map<SessionKey, Session>();
  /** Minutes after which an unused session ends, as hello and startSession tell it. */
  readonly timeoutMinutes: number;
  private readonly maxSessions: number;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly listeners: ((key: SessionKey) => void)[] = [];

  constructor(options: SessionRegistryOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.timeoutMinutes = options.timeoutMinutes;
    this.maxSessions = options.maxSessions;
  }

  get count(): number {
    return this.sessions.size;
  }

  all(): Iterable<Session> {
    return this.sessions.values();
  }

  get(key: SessionKey): Session | undefined {
    return this.sessions.get(key);
  }

  /** Calls `listener` whenever a session ends, for whatever reason. */
  onEnd(listener: (key: SessionKey) => void): void {
    this.listeners.push(listener);
  }

  /** A session with a fresh random id (UUID version 4). */
  start(): Session {
    const id = this.random.bytes(UUID_BYTES);
    id[6] = ((id[6] ?? 0) & 0x0f) | 0x40;
    id[8] = ((id[8] ?? 0) & 0x3f) | 0x80;
    return this.use(id);
  }

  /** The session of an lsid: found and marked as used, or made. @param id 16 bytes; not kept. */
  use(id: Buffer): Session {
    const key = sessionKeyOf(id);
    const known = this.sessions.get(key);
    if (known !== undefined) {
      known.lastUsedMs = this.clock.monotonicMs();
      return known;
    }
    if (this.sessions.size >= this.maxSessions) {
      throw new CommandError(
        'TooManyLogicalSessions',
        'Unable to add session into the cache because the number of active sessions is too high',
      );
    }
    const session = new OpenSession(key, this.clock.monotonicMs());
    this.sessions.set(key, session);
    return session;
  }

  /** An operation begins in it. */
  retain(session: Session): void {
    session.operations += 1;
  }

  /** An operation in it has ended: the timeout counts from now. */
  release(session: Session): void {
    session.operations -= 1;
    session.lastUsedMs = this.clock.monotonicMs();
  }

  /** Ends a session: its cursors are closed and its operations killed. An unknown one is no error. */
  end(key: SessionKey): void {
    this.sessions.delete(key);
    for (const listener of this.listeners) listener(key);
  }

  /** @param but one that stays: that of the operation which ends the others. */
  endAll(but?: SessionKey): void {
    for (const key of this.sessions.keys()) if (key !== but) this.end(key);
  }

  /** Ends the sessions that nobody used within the timeout. Called about once a minute. */
  sweep(): void {
    const oldestMs = this.clock.monotonicMs() - this.timeoutMinutes * MS_PER_MINUTE;
    for (const session of this.sessions.values()) {
      if (session.operations === 0 && session.lastUsedMs < oldestMs) this.end(session.key);
    }
  }
}

export function sessionKeyOf(id: Buffer): SessionKey {
  return id.toString('latin1', 0, UUID_BYTES);
}
