/**
 * withTransaction: runs a callback in a transaction, and again when its errors say that another attempt may succeed.
 * Source: driver specification "Transactions Convenient API".
 */
import { MongoError } from '../errors/mongo-error.ts';
import type { TransactionOptions } from './transaction.ts';

/** How long attempts go on, milliseconds. */
const LIMIT_MS = 120_000;
/** Attempts that conflict keep a growing distance. */
const FIRST_BACKOFF_MS = 5;
const BACKOFF_GROWTH = 1.5;
const LONGEST_BACKOFF_MS = 500;
const MAX_TIME_MS_EXPIRED = 50;
const UNSATISFIABLE_WRITE_CONCERN = 100;
const UNKNOWN_WRITE_CONCERN = 79;

/** What of a session it drives. */
export interface TransactionRunner {
  readonly client: { nowMs(): number; sleep(delayMs: number): Promise<void> };
  readonly transaction: { readonly state: string; readonly isActive: boolean };
  startTransaction(options: TransactionOptions): void;
  commitTransaction(): Promise<void>;
  abortTransaction(): Promise<void>;
}

export async function runTransaction<T>(
  session: TransactionRunner,
  work: () => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  const startedMs = session.client.nowMs();
  const mayTryAgain = (): boolean => session.client.nowMs() - startedMs < LIMIT_MS;
  for (let attempt = 0; ; attempt += 1) {
    if (attempt > 0) await session.client.sleep(backoffMs(attempt));
    session.startTransaction(options);
    let result: T;
    try {
      result = await work();
    } catch (error) {
      if (session.transaction.isActive) await session.abortTransaction();
      if (hasLabel(error, 'TransientTransactionError') && mayTryAgain()) continue;
      throw error;
    }
    // The callback ended the transaction itself.
    if (!session.transaction.isActive) return result;
    if ((await commit(session, mayTryAgain)) === 'committed') return result;
  }
}

async function commit(
  session: TransactionRunner,
  mayTryAgain: () => boolean,
): Promise<'committed' | 'again'> {
  for (;;) {
    try {
      await session.commitTransaction();
      return 'committed';
    } catch (error) {
      if (!mayTryAgain()) throw error;
      if (hasLabel(error, 'UnknownTransactionCommitResult') && !isHopeless(error)) continue;
      if (hasLabel(error, 'TransientTransactionError')) return 'again';
      throw error;
    }
  }
}

/** Another commit would take as long, or be refused again. */
function isHopeless(error: unknown): boolean {
  const code: unknown = error instanceof MongoError ? error.code : undefined;
  return (
    code === MAX_TIME_MS_EXPIRED ||
    code === UNSATISFIABLE_WRITE_CONCERN ||
    code === UNKNOWN_WRITE_CONCERN
  );
}

function hasLabel(error: unknown, label: string): boolean {
  return error instanceof MongoError && error.hasErrorLabel(label);
}

function backoffMs(attempt: number): number {
  const longest = Math.min(FIRST_BACKOFF_MS * BACKOFF_GROWTH ** (attempt - 1), LONGEST_BACKOFF_MS);
  return longest * randomFraction();
}

/** From the platform's source, which browsers have as well. */
function randomFraction(): number {
  const [value = 0] = crypto.getRandomValues(new Uint32Array(1));
  return value / 2 ** 32;
}
