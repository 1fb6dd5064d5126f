/**
 * The operations that run now: looked up by killOp, listed by currentOp, ended together at shutdown.
 *
 * Owns: operation numbers (never used twice within one run of the server) and the table of running operations.
 * Never: decides how an operation ends; the operation's own state machine does.
 */
import type { CommandError } from '../../common/errors.ts';

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
  /** Number of the connection; undefined for the server's own operations. */
  readonly connectionId: number | undefined;
  /** "address:port" of the client, as currentOp prints it. */
  readonly client: string | undefined;
  readonly appName: string | undefined;
  /** The 16 bytes of the logical session's id. */
  readonly sessionId: Buffer | undefined;
  readonly sessionKey: string | undefined;
  interrupt(reason: CommandError): void;
}

export class OperationRegistry {
  private readonly operations = new Map<number, RunningOperation>();
  private nextId = 1;

  /** A number for an operation that starts now. */
  takeId(): number {
    const id = this.nextId;
    this.nextId += 1;
    return id;
  }

  add(operation: RunningOperation): void {
    this.operations.set(operation.operationId, operation);
  }

  remove(operationId: number): void {
    this.operations.delete(operationId);
  }

  get(operationId: number): RunningOperation | undefined {
    return this.operations.get(operationId);
  }

  get count(): number {
    return this.operations.size;
  }

  all(): Iterable<RunningOperation> {
    return this.operations.values();
  }

  /** Raises the abort event in every operation. */
  interruptAll(reason: () => CommandError): void {
    this.interruptWhere(() => true, reason);
  }

  interruptWhere(
    which: (operation: RunningOperation) => boolean,
    reason: () => CommandError,
  ): void {
    for (const operation of this.operations.values()) {
      if (which(operation)) operation.interrupt(reason());
    }
  }
}
