/**
 * What an operation of a case can use besides its target and arguments.
 */
import type { MongoClient } from 'mongodb';
import type { Entities } from './entities.ts';
import type { Operation } from './format.ts';

export interface OperationContext {
  readonly entities: Entities;
  /** The runner's own client, which no case observes. */
  readonly internal: MongoClient;
  /** Runs an operation that another one holds: of a thread, of a transaction's callback. */
  readonly run: (operation: Operation) => Promise<void>;
  /** Notes a fail point that must be off after the case. */
  readonly failPointSet: (name: string) => void;
}
