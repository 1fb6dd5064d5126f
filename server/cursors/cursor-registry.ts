/**
 * Cursors that outlive the command that opened them.
 *
 * Owns: the table of open cursors, their ids, their idle timeout, and who may use one. What a cursor yields is its
 * producer's business (an executor of query/, or a list of documents).
 * Invariants:
 *  1. A cursor is pinned by at most one operation; only a pinned cursor's producer runs.
 *  2. A cursor that is not pinned is detached: it holds no view. Its producer was closed before it left the table,
 *     or is closed by the operation that has it pinned, when that unpins it.
 *  3. An idle cursor is closed after the timeout unless it was opened with noCursorTimeout outside a session.
 */
import { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { Random } from '../../common/random.ts';
import type { Deadline, TimerWheel } from '../../common/timer-wheel.ts';
import type { CollectionUuid, MaybePromise, ReadView } from '../../storage/index.ts';
import type { OperationReport } from '../profiling/operation-report.ts';
import type { SessionKey } from '../sessions/session-registry.ts';

/** MongoDB's cursorTimeoutMillis. */
export const DEFAULT_CURSOR_TIMEOUT_MS = 600_000;

/** The operation that pulls from a cursor: the next batch is another operation's. */
export interface CursorReader extends Interruption {
  /** Lets go of the operation's view and gives the latest state: after a yield. */
  renewView(): ReadView;
  /** Where what its plan does is noted. */
  readonly report: OperationReport;
}

/** Yields documents. An executor of query/ is one. */
export interface CursorProducer {
  next(): MaybePromise<Buffer | undefined>;
  /** Lets go of the view, keeps the position. */
  detach(): void;
  /** Goes on in a later view, for the operation that now pulls. */
  attach(view: ReadView, reader: CursorReader): void;
  close(): void;
  /** True once it is known that next() would find nothing: the client is spared a getMore. */
  readonly isExhausted?: boolean;
  /** The collection at whose end a tailable cursor stands: next() may find something later. undefined: it never will. */
  readonly tails?: CollectionUuid | undefined;
  /** The same for a collection of another server. */
  readonly mayGrow?: boolean;
  /** Of one that may grow: waits until something has come, at most so long. */
  awaitGrowth?(atMostMs: number): Promise<void>;
}

export interface CursorDescription {
  /** What getMore's `collection` must name, and what replies give as `ns`. */
  readonly namespace: string;
  readonly producer: CursorProducer;
  /** The session of the command that opened it; only that session may go on with it. */
  readonly session: SessionKey | undefined;
  readonly noTimeout?: boolean;
  readonly tailable?: boolean;
  readonly awaitData?: boolean;
  /** Raw BSON of the command that opened it, for currentOp and logs. */
  readonly originatingCommand: Buffer;
  /** What is left of the opening command's maxTimeMS, milliseconds; undefined without one. */
  readonly maxTimeMs?: number;
}

/** What a pinned cursor knows of the operation that uses it. */
export interface CursorUser {
  readonly operationId: number;
  interrupt(reason: CommandError): void;
}

/** One open cursor. Only the registry and the operation that has it pinned change it. */
export class OpenCursor {
  readonly id: bigint;
  readonly namespace: string;
  readonly producer: CursorProducer;
  readonly session: SessionKey | undefined;
  readonly noTimeout: boolean;
  readonly tailable: boolean;
  readonly awaitData: boolean;
  readonly originatingCommand: Buffer;
  maxTimeMs: number | undefined;
  /** A document that did not fit into the last batch: the next batch begins with it. */
  stashed: Buffer | undefined;
  /** Documents and batches that were sent so far. */
  documentsReturned = 0;
  batchesReturned = 0;
  pinnedBy: CursorUser | undefined;
  killed = false;
  idleDeadline: Deadline | undefined;

  /** Made by CursorRegistry.open. */
  constructor(id: bigint, description: CursorDescription) {
    this.id = id;
    this.namespace = description.namespace;
    this.producer = description.producer;
    this.session = description.session;
    this.noTimeout = description.noTimeout === true && description.session === undefined;
    this.tailable = description.tailable === true;
    this.awaitData = description.awaitData === true;
    // A copy: the original is part of a network buffer many times its size.
    this.originatingCommand = Buffer.from(description.originatingCommand);
    this.maxTimeMs = description.maxTimeMs;
  }
}

export interface CursorRegistryOptions {
  readonly timers: TimerWheel;
  readonly random: Random;
  /** Asked whenever a cursor becomes idle: a setParameter changes it at run time. Milliseconds. */
  readonly timeoutMs: () => number;
}

export class CursorRegistry {
  private readonly cursors = new Map<bigint, OpenCursor>();
  private readonly options: CursorRegistryOptions;
  private pinnedCount = 0;
  private timedOut = 0;
  private opened = 0;

  constructor(options: CursorRegistryOptions) {
    this.options = options;
  }

  /** For serverStatus.metrics.cursor. */
  statistics(): {
    total: number;
    pinned: number;
    noTimeout: number;
    timedOut: number;
    opened: number;
  } {
    let noTimeout = 0;
    for (const cursor of this.cursors.values()) if (cursor.noTimeout) noTimeout += 1;
    return {
      total: this.cursors.size,
      pinned: this.pinnedCount,
      noTimeout,
      timedOut: this.timedOut,
      opened: this.opened,
    };
  }

  all(): Iterable<OpenCursor> {
    return this.cursors.values();
  }

  /** Keeps a cursor for later batches. Its producer must be detached. It is idle from now on. */
  open(description: CursorDescription): OpenCursor {
    const cursor = new OpenCursor(this.newId(), description);
    this.cursors.set(cursor.id, cursor);
    this.opened += 1;
    this.startIdle(cursor);
    return cursor;
  }

  /**
   * Takes a cursor for one batch.
   * @throws CommandError CursorNotFound, CursorInUse, or Unauthorized for another namespace or session.
   */
  pin(
    id: bigint,
    request: { readonly namespace: string; readonly session: SessionKey | undefined },
    user: CursorUser,
  ): OpenCursor {
    const cursor = this.cursors.get(id);
    if (cursor === undefined || cursor.killed) {
      throw new CommandError('CursorNotFound', `cursor id ${id} not found`);
    }
    if (cursor.pinnedBy !== undefined) {
      throw new CommandError('CursorInUse', `cursor id ${id} is already in use`);
    }
    if (cursor.namespace !== request.namespace) {
      throw new CommandError(
        'Unauthorized',
        `Requested getMore on namespace '${request.namespace}', but cursor belongs to a different namespace ${cursor.namespace}`,
      );
    }
    checkSession(cursor, request.session);
    cursor.pinnedBy = user;
    this.pinnedCount += 1;
    cursor.idleDeadline?.cancel();
    return cursor;
  }

  /** Gives a cursor back. @param exhausted it has no more documents, or failed: it is closed. Its producer must be detached otherwise. */
  unpin(cursor: OpenCursor, exhausted: boolean): void {
    cursor.pinnedBy = undefined;
    this.pinnedCount -= 1;
    if (exhausted || cursor.killed) this.close(cursor);
    else this.startIdle(cursor);
  }

  /**
   * Ends a cursor; a batch under way is interrupted.
   * @param namespace if given, a cursor of another namespace counts as not found.
   */
  kill(id: bigint, namespace?: string): 'killed' | 'notFound' {
    const cursor = this.cursors.get(id);
    if (cursor === undefined || cursor.killed) return 'notFound';
    if (namespace !== undefined && cursor.namespace !== namespace) return 'notFound';
    this.end(cursor);
    return 'killed';
  }

  /** Ends every cursor for which `which` holds (of a session, of a dropped collection). @returns how many. */
  killWhere(which: (cursor: OpenCursor) => boolean): number {
    let count = 0;
    for (const cursor of this.cursors.values()) {
      if (cursor.killed || !which(cursor)) continue;
      this.end(cursor);
      count += 1;
    }
    return count;
  }

  private end(cursor: OpenCursor): void {
    cursor.killed = true;
    if (cursor.pinnedBy === undefined) {
      this.close(cursor);
      return;
    }
    cursor.pinnedBy.interrupt(
      new CommandError('CursorKilled', `cursor id ${cursor.id} was killed while it was in use`),
    );
  }

  private close(cursor: OpenCursor): void {
    cursor.idleDeadline?.cancel();
    cursor.stashed = undefined;
    this.cursors.delete(cursor.id);
    cursor.producer.close();
  }

  private startIdle(cursor: OpenCursor): void {
    if (cursor.noTimeout) return;
    cursor.idleDeadline ??= this.options.timers.create(() => {
      this.timedOut += 1;
      this.end(cursor);
    });
    cursor.idleDeadline.set(this.options.timeoutMs());
  }

  /** Random, so that nobody guesses another client's cursor; positive, because 0 means "no cursor". */
  private newId(): bigint {
    for (;;) {
      const id = this.options.random.bytes(8).readBigUInt64LE() & 0x7fff_ffff_ffff_ffffn;
      if (id !== 0n && !this.cursors.has(id)) return id;
    }
  }
}

function checkSession(cursor: OpenCursor, session: SessionKey | undefined): void {
  if (cursor.session === session) return;
  const id = cursor.id;
  if (cursor.session === undefined) {
    throw new CommandError(
      50737,
      `Cannot run getMore on cursor ${id}, which was not created in a session, in a session`,
    );
  }
  if (session === undefined) {
    throw new CommandError(
      50736,
      `Cannot run getMore on cursor ${id}, which was created in a session, without an lsid`,
    );
  }
  throw new CommandError(
    50738,
    `Cannot run getMore on cursor ${id}, which was created in another session`,
  );
}
