/**
 * A session as an application holds it: operations that see each other's effects in order, and transactions.
 *
 * Owns: its server session while it lasts, its times, and its transaction. Implicit sessions, of one operation or cursor,
 * are the same class.
 * Source: driver specifications "Driver Sessions", "Causal Consistency", "Snapshot Reads" and "Transactions".
 */
import { Timestamp, type Document } from 'bson';
import { Emitter } from '../events/emitter.ts';
import {
  MongoCompatibilityError,
  MongoExpiredSessionError,
  MongoInvalidArgumentError,
  MongoRuntimeError,
  MongoTransactionError,
} from '../errors/driver-errors.ts';
import type { Server } from '../transport/contract.ts';
import type { ServerSession, ServerSessionId, ServerSessionPool } from './server-session.ts';
import { Transaction, type TransactionOptions } from './transaction.ts';
import { runTransaction } from './with-transaction.ts';

export interface ClientSessionOptions {
  /** Reads see this session's earlier writes; default true, but for snapshots. */
  causalConsistency?: boolean;
  /** All reads see one moment. */
  snapshot?: boolean;
  /** The moment that a snapshot session reads at. */
  snapshotTime?: Timestamp;
  defaultTransactionOptions?: TransactionOptions;
  defaultTimeoutMS?: number;
}

export interface EndSessionOptions {
  error?: unknown;
  force?: boolean;
  timeoutMS?: number;
}

export interface ClusterTime {
  clusterTime: Timestamp;
  signature?: Document;
}

/** What a session needs of its client. */
export interface SessionOwner {
  readonly sessionPool: ServerSessionPool;
  /** Milliseconds, for withTransaction. */
  nowMs(): number;
  sleep(delayMs: number): Promise<void>;
  readonly timeoutMS: number | undefined;
  endTransaction(
    session: ClientSession,
    name: 'commitTransaction' | 'abortTransaction',
    options: { readonly isRetry: boolean; readonly timeoutMS?: number | undefined },
  ): Promise<void>;
  forgetSession(session: ClientSession): void;
}

export class ClientSession extends Emitter {
  readonly client: SessionOwner;
  readonly explicit: boolean;
  readonly supports: { readonly causalConsistency: boolean };
  readonly snapshotEnabled: boolean;
  readonly defaultTransactionOptions: TransactionOptions;
  readonly timeoutMS: number | undefined;
  hasEnded = false;
  clusterTime: ClusterTime | undefined;
  operationTime: Timestamp | undefined;
  snapshotTime: Timestamp | undefined;
  transaction = new Transaction();
  /** Of a sharded cluster: the router that runs the transaction. */
  pinnedServer: Server | undefined;
  recoveryToken: Document | undefined;
  /** commitTransaction was sent: the next one is a retry. */
  commitAttempted = false;
  readonly #initialClusterTime: ClusterTime | undefined;
  #serverSession: ServerSession | undefined;

  constructor(
    client: SessionOwner,
    options: ClientSessionOptions,
    surroundings: { readonly explicit: boolean; readonly clusterTime?: ClusterTime | undefined },
  ) {
    super();
    this.client = client;
    this.explicit = surroundings.explicit;
    this.snapshotEnabled = options.snapshot === true;
    if (this.snapshotEnabled && options.causalConsistency === true) {
      throw new MongoInvalidArgumentError(
        'Properties "causalConsistency" and "snapshot" are mutually exclusive',
      );
    }
    if (options.snapshotTime !== undefined && !this.snapshotEnabled) {
      throw new MongoInvalidArgumentError('Property "snapshotTime" requires "snapshot" to be true');
    }
    this.supports = {
      causalConsistency:
        options.causalConsistency ?? (surroundings.explicit && !this.snapshotEnabled),
    };
    this.snapshotTime = options.snapshotTime;
    this.defaultTransactionOptions = { ...options.defaultTransactionOptions };
    this.timeoutMS = options.defaultTimeoutMS ?? client.timeoutMS;
    this.#initialClusterTime = surroundings.clusterTime;
    this.clusterTime = this.#initialClusterTime;
  }

  /** Sent as lsid. */
  get id(): ServerSessionId | undefined {
    return this.hasEnded && this.#serverSession === undefined ? undefined : this.serverSession.id;
  }

  /** Taken from the pool when it is needed first. */
  get serverSession(): ServerSession {
    if (this.#serverSession === undefined) {
      if (this.hasEnded)
        throw new MongoExpiredSessionError('Use of expired sessions is not permitted');
      this.#serverSession = this.client.sessionPool.acquire();
    }
    return this.#serverSession;
  }

  get isPinned(): boolean {
    return this.pinnedServer !== undefined;
  }

  pin(server: Server): void {
    this.pinnedServer = server;
  }

  unpin(): void {
    this.pinnedServer = undefined;
  }

  /** Aborts a transaction that runs, and gives the server session back. Idempotent. */
  async endSession(options: EndSessionOptions = {}): Promise<void> {
    if (this.hasEnded) return;
    try {
      if (this.inTransaction()) {
        await this.abortTransaction({ throwIfExpired: false, ...options });
      }
    } catch {
      // The server ends it with the session.
    } finally {
      this.release();
    }
  }

  /** As endSession, of a session without a transaction. */
  release(): void {
    if (this.hasEnded) return;
    const serverSession = this.#serverSession;
    if (serverSession !== undefined) this.client.sessionPool.release(serverSession);
    this.hasEnded = true;
    this.unpin();
    this.client.forgetSession(this);
    this.emit('ended', this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endSession({ force: true });
  }

  /** Of another session or client, so that this one's reads are at least as new. */
  advanceOperationTime(operationTime: Timestamp): void {
    if (this.operationTime === undefined || operationTime.greaterThan(this.operationTime)) {
      this.operationTime = operationTime;
    }
  }

  advanceClusterTime(clusterTime: ClusterTime): void {
    if (typeof clusterTime !== 'object' || clusterTime === null) {
      throw new MongoInvalidArgumentError('input cluster time must be an object');
    }
    if (!(clusterTime.clusterTime instanceof Timestamp)) {
      throw new MongoInvalidArgumentError(
        'input cluster time "clusterTime" property must be a valid BSON Timestamp',
      );
    }
    this.clusterTime = laterClusterTime(this.clusterTime, clusterTime);
  }

  equals(session: ClientSession): boolean {
    return (
      session instanceof ClientSession &&
      this.id !== undefined &&
      session.id?.id.toString('hex') === this.id.id.toString('hex')
    );
  }

  incrementTransactionNumber(): void {
    this.serverSession.txnNumber += 1;
  }

  inTransaction(): boolean {
    return this.transaction.isActive;
  }

  startTransaction(options: TransactionOptions = {}): void {
    if (this.snapshotEnabled) {
      throw new MongoCompatibilityError('Transactions are not supported in snapshot sessions');
    }
    if (this.inTransaction()) throw new MongoTransactionError('Transaction already in progress');
    if (this.hasEnded)
      throw new MongoExpiredSessionError('Use of expired sessions is not permitted');
    if (this.isPinned && this.transaction.isCommitted) this.unpin();
    this.commitAttempted = false;
    this.recoveryToken = undefined;
    this.incrementTransactionNumber();
    this.transaction = new Transaction({ ...this.defaultTransactionOptions, ...options });
    this.transaction.transition('STARTING_TRANSACTION');
  }

  async commitTransaction(options: { timeoutMS?: number } = {}): Promise<void> {
    const { transaction } = this;
    switch (transaction.state) {
      case 'NO_TRANSACTION':
        throw new MongoTransactionError('No transaction started');
      case 'STARTING_TRANSACTION':
      case 'TRANSACTION_COMMITTED_EMPTY':
        // Nothing reached a server.
        transaction.transition('TRANSACTION_COMMITTED_EMPTY');
        return;
      case 'TRANSACTION_ABORTED':
        throw new MongoTransactionError(
          'Cannot call commitTransaction after calling abortTransaction',
        );
      case 'TRANSACTION_IN_PROGRESS':
      case 'TRANSACTION_COMMITTED':
        break;
    }
    const isRetry = this.commitAttempted;
    this.commitAttempted = true;
    transaction.transition('TRANSACTION_COMMITTED');
    await this.client.endTransaction(this, 'commitTransaction', {
      isRetry,
      timeoutMS: options.timeoutMS ?? this.timeoutMS,
    });
  }

  async abortTransaction(
    options: { timeoutMS?: number; throwIfExpired?: boolean } = {},
  ): Promise<void> {
    const { transaction } = this;
    switch (transaction.state) {
      case 'NO_TRANSACTION':
        throw new MongoTransactionError('No transaction started');
      case 'STARTING_TRANSACTION':
        transaction.transition('TRANSACTION_ABORTED');
        this.unpin();
        return;
      case 'TRANSACTION_ABORTED':
        throw new MongoTransactionError('Cannot call abortTransaction twice');
      case 'TRANSACTION_COMMITTED':
      case 'TRANSACTION_COMMITTED_EMPTY':
        throw new MongoTransactionError(
          'Cannot call abortTransaction after calling commitTransaction',
        );
      case 'TRANSACTION_IN_PROGRESS':
        break;
    }
    try {
      await this.client.endTransaction(this, 'abortTransaction', {
        isRetry: false,
        timeoutMS: options.timeoutMS ?? this.timeoutMS,
      });
    } catch {
      // It ends by itself on the server; the specification has its error ignored.
    } finally {
      transaction.transition('TRANSACTION_ABORTED');
      this.unpin();
    }
  }

  /** Runs `work` in a transaction, again when the server says that this may help. @returns what `work` returns. */
  withTransaction<T = unknown>(
    work: (session: ClientSession) => Promise<T>,
    options: TransactionOptions & { timeoutMS?: number } = {},
  ): Promise<T> {
    return runTransaction(this, () => work(this), options);
  }

  toBSON(): never {
    throw new MongoRuntimeError('ClientSession cannot be serialized to BSON.');
  }
}

/** The later of two cluster times: what is gossiped only grows. */
export function laterClusterTime(
  a: ClusterTime | undefined,
  b: ClusterTime | undefined,
): ClusterTime | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.clusterTime.greaterThan(a.clusterTime) ? b : a;
}
