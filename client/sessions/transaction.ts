/**
 * The state of a session's transaction.
 * Source: driver specification "Transactions".
 */
import type { Document } from 'bson';
import { ReadConcern, type ReadConcernLike } from '../concerns/read-concern.ts';
import { ReadPreference, type ReadPreferenceLike } from '../concerns/read-preference.ts';
import { WriteConcern, type WriteConcernSettings } from '../concerns/write-concern.ts';
import { MongoRuntimeError, MongoTransactionError } from '../errors/driver-errors.ts';

export interface TransactionOptions {
  readConcern?: ReadConcernLike;
  writeConcern?: WriteConcern | WriteConcernSettings;
  readPreference?: ReadPreferenceLike;
  maxCommitTimeMS?: number;
  timeoutMS?: number;
}

export type TxnState =
  | 'NO_TRANSACTION'
  | 'STARTING_TRANSACTION'
  | 'TRANSACTION_IN_PROGRESS'
  | 'TRANSACTION_COMMITTED'
  | 'TRANSACTION_COMMITTED_EMPTY'
  | 'TRANSACTION_ABORTED';

const AFTER: Readonly<Record<TxnState, readonly TxnState[]>> = {
  NO_TRANSACTION: ['NO_TRANSACTION', 'STARTING_TRANSACTION'],
  STARTING_TRANSACTION: [
    'TRANSACTION_IN_PROGRESS',
    'TRANSACTION_COMMITTED',
    'TRANSACTION_COMMITTED_EMPTY',
    'TRANSACTION_ABORTED',
  ],
  TRANSACTION_IN_PROGRESS: [
    'TRANSACTION_IN_PROGRESS',
    'TRANSACTION_COMMITTED',
    'TRANSACTION_ABORTED',
  ],
  TRANSACTION_COMMITTED: [
    'TRANSACTION_COMMITTED',
    'TRANSACTION_COMMITTED_EMPTY',
    'STARTING_TRANSACTION',
    'NO_TRANSACTION',
  ],
  TRANSACTION_COMMITTED_EMPTY: [
    'TRANSACTION_COMMITTED_EMPTY',
    'NO_TRANSACTION',
    'STARTING_TRANSACTION',
  ],
  TRANSACTION_ABORTED: ['STARTING_TRANSACTION', 'NO_TRANSACTION'],
};

/** Its options, as the classes they stand for. */
export interface TransactionSettings {
  readonly readConcern: ReadConcern | undefined;
  readonly writeConcern: WriteConcern | undefined;
  readonly readPreference: ReadPreference | undefined;
  readonly maxCommitTimeMS: number | undefined;
  readonly timeoutMS: number | undefined;
}

export class Transaction {
  state: TxnState = 'NO_TRANSACTION';
  readonly options: TransactionSettings;

  constructor(options: Document = {}) {
    const writeConcern = WriteConcern.fromOptions(
      options['writeConcern'] === undefined ? {} : { writeConcern: options['writeConcern'] },
    );
    if (writeConcern?.w === 0) {
      throw new MongoTransactionError('Transactions do not support unacknowledged write concern');
    }
    this.options = {
      readConcern: ReadConcern.fromOptions(options),
      writeConcern,
      readPreference: ReadPreference.fromOptions(options),
      maxCommitTimeMS: options['maxCommitTimeMS'] ?? options['maxTimeMS'],
      timeoutMS: options['timeoutMS'],
    };
  }

  get isStarting(): boolean {
    return this.state === 'STARTING_TRANSACTION';
  }

  get isActive(): boolean {
    return this.state === 'STARTING_TRANSACTION' || this.state === 'TRANSACTION_IN_PROGRESS';
  }

  get isCommitted(): boolean {
    return this.state === 'TRANSACTION_COMMITTED' || this.state === 'TRANSACTION_COMMITTED_EMPTY';
  }

  transition(next: TxnState): void {
    if (!AFTER[this.state].includes(next)) {
      throw new MongoRuntimeError(
        `Attempted illegal state transition from [${this.state}] to [${next}]`,
      );
    }
    this.state = next;
  }
}
