/**
 * The operations that run now: looked up by killOp, listed by currentOp, ended together at shutdown.
 *
 * Owns: operation numbers (never used twice within one run of the server) and the table of running operations.
 * Never: decides how an operation ends; the operation's own state machine does.
 */
import type { CommandError } from '../../common/errors.ts';
import type { OperationReport } from '../profiling/operation-report.ts';

/** How far a long operation has come, for currentOp. */
export interface OperationProgress {
  readonly message: string;
  readonly done: number;
  readonly total: number;
}

/** What the registry and currentOp need to know of an operation. OperationContext implements it. */
export interface RunningOperation {
  readonly operationId: number;
  readonly startedMonotonicMs: number;
  readonly startedWallMs: number;
  /** "database.collection", or "database.$cmd" for a command on no collection. */
  readonly namespace: string;
  readonly commandName: string;
  readonly database: string;
  /** The command as it arrived, raw BSON. */
  readonly commandBody: Buffer;
  readonly killPending: boolean;
  readonly yieldCount: number;
  readonly report: OperationReport;
  readonly progress: OperationProgress | undefined;
  /** Number of the connection; undefined for the server's own operations. */
  readonly connectionId: number | undefined;
  /** "address:port" of the client, as currentOp prints it. */
  readonly client: string | undefined;
  readonly appName: string | undefined;
  /** The `client` document of the handshake, raw. */
  readonly clientMetadata: Buffer | undefined;
  /** The 16 bytes of the logical session's id. */
  readonly sessionId: Buffer | undefined;
  readonly sessionKey: string | undefined;
  interrupt(reason: CommandError): void;
}

/** An operation's place in the registry. */
export interface RegistryEntry {
  readonly operation: RunningOperation;
  next: RegistryEntry | undefined;
  previous: RegistryEntry | undefined;
}

/**
 * A linked list: every operation of the server comes and goes here, and only a person ever looks one up.
 * (A Map cost 170 ns per operation, an eighth of the dispatch of a ping.)
 */
export class OperationRegistry {
  private newest: RegistryEntry | undefined;
  private size = 0;
  private lastId = 0;

  /** A number for an operation that starts now. */
  takeId(): number {
    this.lastId += 1;
    return this.lastId;
  }

  add(operation: RunningOperation): RegistryEntry {
    const entry: RegistryEntry = { operation, next: this.newest, previous: undefined };
    if (this.newest !== undefined) this.newest.previous = entry;
    this.newest = entry;
    this.size += 1;
    return entry;
  }

  /** Once per entry. */
  remove(entry: RegistryEntry): void {
    if (entry.previous === undefined) this.newest = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next !== undefined) entry.next.previous = entry.previous;
    this.size -= 1;
  }

  get count(): number {
    return this.size;
  }

  get(operationId: number): RunningOperation | undefined {
    return this.all().find((operation) => operation.operationId === operationId);
  }

  /** The newest first. */
  all(): RunningOperation[] {
    const operations: RunningOperation[] = [];
    for (let entry = this.newest; entry !== undefined; entry = entry.next) {
      operations.push(entry.operation);
    }
    return operations;
  }

  /** Raises the abort event in every operation. */
  interruptAll(reason: () => CommandError): void {
    this.interruptWhere(() => true, reason);
  }

  interruptWhere(
    which: (operation: RunningOperation) => boolean,
    reason: () => CommandError,
  ): void {
    for (const operation of this.all()) if (which(operation)) operation.interrupt(reason());
  }
}
