/**
 * One running operation: its deadline, its session, its view of the store, and the single event that ends it early.
 *
 * Owns: the state machine RUNNING -> ABORTING -> DONE. killOp, maxTimeMS, a vanished client, step-down and shutdown all call
 * `interrupt`; the first reason stays. Whoever works long asks `reason` at its yield points, whoever waits listens with
 * `onInterrupt`. `finish` is the one handler that releases what the operation registered, however it ended.
 * Invariants:
 *  1. `reason` is set exactly while the state is not RUNNING because of an interruption, and never changes.
 *  2. Every listener is called at most once, and none after DONE.
 *  3. After DONE no view, transaction, deadline or registered thing of this operation is left.
 */
import { tassert } from '../../common/assert.ts';
import type { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { Deadline } from '../../common/timer-wheel.ts';
import { eventLoopTurns, type Ownership, type TurnClient } from '../../query/index.ts';
import {
  KeysPendingError,
  WriteConflictError,
  type CommitNumber,
  type MaybePromise,
  type ReadView,
  type SpillSpace,
  type StorageEngine,
  type Transaction,
} from '../../storage/index.ts';
import { OperationReport } from '../profiling/operation-report.ts';
import type { Session } from '../sessions/session-registry.ts';
import type { IndexHints } from '../sharding/index-hints.ts';
import type { Held, RoutedBy } from '../sharding/routed-by.ts';
import type { ClientConnection } from './client-connection.ts';
import { maxTimeExpired } from './interruptions.ts';
import type { OperationProgress, RegistryEntry, RunningOperation } from './operation-registry.ts';
import type { ServiceContext } from './service-context.ts';

export type OperationState = 'running' | 'aborting' | 'done';

/** What dispatch knows of an operation when it opens its context. */
export interface OperationStart {
  readonly commandName: string;
  readonly database: string;
  readonly commandBody: Buffer;
  readonly connection: ClientConnection | undefined;
  readonly session: Session | undefined;
}

/** More replies to one request may follow. */
export interface Exhaust {
  /** The client left instead of taking the next reply: lets go of what was kept for it. */
  readonly abandon?: () => void;
}

/** The server's own work that no client asked for. */
const THE_SERVER: TurnClient = { background: true };

export class OperationContext implements Interruption, RunningOperation {
  readonly service: ServiceContext;
  readonly operationId: number;
  readonly startedMonotonicMs: number;
  readonly startedWallMs: number;
  readonly commandName: string;
  readonly database: string;
  readonly commandBody: Buffer;
  readonly connection: ClientConnection | undefined;
  readonly session: Session | undefined;
  /** What `namespace` is before the command has parsed its collection: "database.$cmd". */
  readonly noNamespace: string;
  /** "database.collection" once the command has parsed its collection. */
  namespace: string;
  /** Commit number of the last write of this operation: dispatch waits for it when the write concern asks. */
  lastCommit: CommitNumber | undefined;
  yieldCount = 0;
  progress: OperationProgress | undefined;
  /** What it did, for the slow log, the profiler and currentOp. */
  readonly report = new OperationReport();
  /** Spent in sleep(), because the client asked for it: no sign of a slow operation. Milliseconds. */
  waitedMs = 0;
  /** Set by a command that has more to say to a client that accepts several replies (hello, getMore). */
  exhaust: Exhaust | undefined;
  /** The versions that a router sent along. */
  routedBy: RoutedBy | undefined;
  /** Which documents count, when the operation is about a sharded collection. */
  ownership: Ownership | undefined;
  /** Which indexes it may use. */
  indexHints: IndexHints | undefined;
  readonly reads: Held[] = [];
  writes: ReadonlyMap<string, Held> | undefined;

  private readonly registryEntry: RegistryEntry;
  private state: OperationState = 'running';
  private interruptionReason: CommandError | undefined;
  private listeners: Set<(reason: Error) => void> | undefined;
  private releases: (() => void)[] | undefined;
  private commitActions: (() => void)[] | undefined;
  private currentView: ReadView | undefined;
  private deadline: Deadline | undefined;
  private deadlineAtMs = Infinity;

  constructor(service: ServiceContext, start: OperationStart) {
    this.service = service;
    this.operationId = service.operations.takeId();
    this.startedMonotonicMs = service.clock.monotonicMs();
    this.startedWallMs = service.clock.wallMs();
    this.commandName = start.commandName;
    this.database = start.database;
    this.commandBody = start.commandBody;
    this.connection = start.connection;
    this.session = start.session;
    this.noNamespace = `${start.database}.$cmd`;
    this.namespace = this.noNamespace;
    this.registryEntry = service.operations.add(this);
    if (start.session !== undefined) service.sessions.retain(start.session);
  }

  get engine(): StorageEngine {
    return this.service.engine;
  }

  get connectionId(): number | undefined {
    return this.connection?.id;
  }

  get client(): string | undefined {
    return this.connection?.remote;
  }

  get appName(): string | undefined {
    return this.connection?.appName;
  }

  get clientMetadata(): Buffer | undefined {
    return this.connection?.metadata;
  }

  get sessionId(): Buffer | undefined {
    return this.session?.id;
  }

  get sessionKey(): string | undefined {
    return this.session?.key;
  }

  get killPending(): boolean {
    return this.interruptionReason !== undefined;
  }

  get isDone(): boolean {
    return this.state === 'done';
  }

  get reason(): CommandError | undefined {
    return this.interruptionReason;
  }

  throwIfInterrupted(): void {
    if (this.interruptionReason !== undefined) throw this.interruptionReason;
  }

  onInterrupt(stop: (reason: Error) => void): () => void {
    if (this.interruptionReason !== undefined) {
      stop(this.interruptionReason);
      return () => {};
    }
    this.listeners ??= new Set();
    const listeners = this.listeners;
    listeners.add(stop);
    return () => {
      listeners.delete(stop);
    };
  }

  /** Raises the abort event. The first reason stays; a late call does nothing. */
  interrupt(reason: CommandError): void {
    if (this.state !== 'running') return;
    this.state = 'aborting';
    this.interruptionReason = reason;
    this.deadline?.cancel();
    const listeners = this.listeners;
    this.listeners = undefined;
    if (listeners === undefined) return;
    for (const stop of listeners) this.attend(() => stop(reason));
  }

  /** Ends the operation after `timeoutMs` from its start, unless it has an earlier deadline. 0 is no limit. */
  limitTime(timeoutMs: number): void {
    if (timeoutMs <= 0) return;
    const atMs = this.startedMonotonicMs + timeoutMs;
    if (atMs >= this.deadlineAtMs || this.state !== 'running') return;
    this.deadlineAtMs = atMs;
    this.deadline ??= this.service.timers.create(() => this.interrupt(maxTimeExpired()));
    this.deadline.set(Math.max(0, atMs - this.service.clock.monotonicMs()));
  }

  /** Takes the deadline away: the client's maxTimeMS says how long to wait for something, and is no limit. Milliseconds. */
  takeTimeLimit(): number | undefined {
    const remainingMs = this.remainingTimeMs;
    this.deadline?.cancel();
    this.deadlineAtMs = Infinity;
    return remainingMs;
  }

  /** Milliseconds until the deadline; undefined without one. A cursor keeps it for its next batches. */
  get remainingTimeMs(): number | undefined {
    if (this.deadlineAtMs === Infinity) return undefined;
    return Math.max(0, this.deadlineAtMs - this.service.clock.monotonicMs());
  }

  /** Calls `release` when the operation is done, in reverse order of registration. */
  onRelease(release: () => void): void {
    tassert(this.state !== 'done', 'operation-context 3: registered after the end');
    this.releases ??= [];
    this.releases.push(release);
  }

  /** The operation's snapshot: pinned at the first call, closed at the end. */
  view(): ReadView {
    tassert(this.state !== 'done', 'operation-context 3: a view after the end');
    this.currentView ??= this.service.engine.snapshot();
    return this.currentView;
  }

  /** Lets the snapshot go and pins the latest state: for long scans, which attach to the new one. */
  renewView(): ReadView {
    this.releaseView();
    return this.view();
  }

  /** Lets the snapshot go: for who waits, and looks again later. */
  releaseView(): void {
    this.currentView?.close();
    this.currentView = undefined;
  }

  /** Who gets this operation's turns: its connection. For query's executors. */
  get turnClient(): TurnClient {
    return this.connection ?? THE_SERVER;
  }

  /** What every plan of this operation is opened with. */
  get planOptions(): { readonly client: TurnClient; readonly spill: SpillSpace } {
    return { client: this.turnClient, spill: this.service.work };
  }

  /** Lets the other connections have their slice of time; throws when the operation must stop. */
  async yield(): Promise<void> {
    this.throwIfInterrupted();
    await this.turn();
    this.throwIfInterrupted();
  }

  /** Waits for the next slice of time without asking whether to stop. */
  turn(): Promise<void> {
    this.yieldCount += 1;
    return eventLoopTurns.turn(this.turnClient);
  }

  /**
   * Runs `body` in a transaction and commits it. A write conflict starts it again from a new snapshot, once the other
   * writer is through; so `body` must be repeatable. Nothing is kept when it throws. No promise when nothing waits.
   */
  transact<Result>(body: (transaction: Transaction) => MaybePromise<Result>): MaybePromise<Result> {
    return this.insideWriteGate(() => {
      const admitted = this.engine.admitWrite(this);
      if (admitted instanceof Promise) return admitted.then(() => this.attempt(body));
      return this.attempt(body);
    });
  }

  /** Runs a write once nobody holds fsync's lock. For writes that are no transaction of the operation's own: index builds. */
  insideWriteGate<Result>(write: () => MaybePromise<Result>): MaybePromise<Result> {
    const { writeGate, sharding } = this.service;
    sharding?.userWrites.check(this);
    if (writeGate.isClosed) {
      const { over, cancel } = writeGate.whenOpen();
      return this.waitFor(over)
        .finally(cancel)
        .then(() => this.insideWriteGate(write));
    }
    writeGate.enter();
    let result: MaybePromise<Result>;
    try {
      result = write();
    } catch (error) {
      writeGate.leave();
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => writeGate.leave());
    writeGate.leave();
    return result;
  }

  /** Calls `action` when the transaction under way has been committed; forgets it when the transaction is undone. */
  afterCommit(action: () => void): void {
    this.commitActions ??= [];
    this.commitActions.push(action);
  }

  /** Waits `delayMs`, unless it is interrupted. */
  sleep(delayMs: number): Promise<void> {
    return this.waitAtMost(undefined, delayMs);
  }

  /** Waits for an event, `timeoutMs` at most, unless it is interrupted. */
  async waitAtMost(event: Promise<void> | undefined, timeoutMs: number): Promise<void> {
    let wake = (): void => {};
    const over = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const deadline = this.service.timers.after(timeoutMs, wake);
    const startMs = this.service.clock.monotonicMs();
    try {
      void event?.then(wake);
      await this.waitFor(over);
    } finally {
      deadline.cancel();
      this.waitedMs += this.service.clock.monotonicMs() - startMs;
    }
  }

  /** Waits for something that others end; an interruption ends the wait with its reason. */
  waitFor<Value>(promise: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const takeBack = this.onInterrupt(reject);
      promise.then(
        (value) => {
          takeBack();
          resolve(value);
        },
        (error: Error) => {
          takeBack();
          reject(error);
        },
      );
    });
  }

  /** DONE: releases everything. Idempotent; never throws. */
  finish(): void {
    if (this.state === 'done') return;
    this.state = 'done';
    this.listeners = undefined;
    this.deadline?.cancel();
    for (let last = this.releases?.pop(); last !== undefined; last = this.releases?.pop()) {
      this.attend(last);
    }
    if (this.currentView !== undefined) this.closeView(this.currentView);
    if (this.session !== undefined) this.service.sessions.release(this.session);
    this.service.operations.remove(this.registryEntry);
  }

  private attempt<Result>(
    body: (transaction: Transaction) => MaybePromise<Result>,
    pending?: KeysPending,
  ): MaybePromise<Result> {
    this.throwIfInterrupted();
    this.commitActions = undefined;
    const transaction = this.engine.begin(pending);
    try {
      const result = body(transaction);
      if (!(result instanceof Promise)) return this.commit(transaction, result);
      return result
        .then((value) => this.commit(transaction, value))
        .catch((error: unknown) => this.recover(transaction, error, { body, pending }));
    } catch (error) {
      return this.recover(transaction, error, { body, pending });
    }
  }

  /** What is committed is answered: an interruption is asked for before the commit, never after it. */
  private commit<Result>(transaction: Transaction, result: Result): Result {
    this.throwIfInterrupted();
    this.lastCommit = transaction.commit();
    transaction.close();
    const actions = this.commitActions;
    this.commitActions = undefined;
    if (actions !== undefined) for (const action of actions) this.attend(action);
    return result;
  }

  /** Undoes a failed attempt; after a write conflict tries again. */
  private recover<Result>(
    transaction: Transaction,
    error: unknown,
    { body, pending }: Attempt<Result>,
  ): Promise<Result> {
    transaction.close();
    if (!(error instanceof WriteConflictError)) throw error;
    if (!(error instanceof KeysPendingError)) this.service.metrics.writeConflicts.count += 1;
    const next = error instanceof KeysPendingError ? keysPendingAfter(error, pending) : pending;
    return this.waitFor(error.blocker ?? this.turn()).then(() => this.attempt(body, next));
  }

  private closeView(view: ReadView): void {
    this.currentView = undefined;
    this.attend(() => view.close());
  }

  /** Runs one of several steps of an end: a failing one must not keep the others from running. */
  private attend(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.service.log.write({
        severity: 'E',
        component: 'COMMAND',
        id: 2_000_001,
        message: 'Ending an operation failed in part',
        attributes: { command: this.commandName, error: String(error) },
      });
    }
  }
}

interface Attempt<Result> {
  readonly body: (transaction: Transaction) => MaybePromise<Result>;
  readonly pending: KeysPending | undefined;
}

/** What is known of keys that earlier attempts of a transaction waited for. */
interface KeysPending {
  /** How many writes the last one had done before. */
  readonly writesBefore: number;
  /** How many of them came no further. */
  readonly count: number;
  readonly makesKeys: boolean;
}

/** A document that is another one in every attempt ($rand, what others write to it meanwhile) is waited for so often. */
const MAX_WAITS_FOR_KEYS = 3;

function keysPendingAfter(
  { writesBefore }: KeysPendingError,
  last: KeysPending | undefined,
): KeysPending {
  const count = last?.writesBefore === writesBefore ? last.count + 1 : 1;
  return { writesBefore, count, makesKeys: count >= MAX_WAITS_FOR_KEYS };
}
