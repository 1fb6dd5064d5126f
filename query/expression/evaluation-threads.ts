/**
 * Threads that work out single operators on large values: a $setUnion of a million elements would hold the event loop for
 * seconds.
 *
 * Owns: the threads, started when they are first needed and ended when none has worked for a while; who waits for one.
 * Promises: every call is answered once: by its thread, by the thread's end, or by the operation's interruption, whichever is
 * first. A thread whose call was interrupted is ended at once: nothing else can stop it.
 */
import type { Worker } from 'node:worker_threads';
import { type BsonTypeCode, RawValue } from '../../bson/index.ts';
import { type Clock, systemClock, type TimerHandle } from '../../common/clock.ts';
import { CommandError, ERROR_CODES } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import { jobUrl } from '../../common/workers/job-url.ts';
import { startJob } from '../../common/workers/start-job.ts';
import type { Value } from './definition.ts';

/** One operator and the values of its operands. */
export interface LongCall {
  readonly operator: string;
  /** As the client wrote it: operators with named arguments read more of it than their operands. */
  readonly argument: RawValue;
  readonly operands: readonly Value[];
  /** What its collator was made from; undefined: the simple collation. */
  readonly collation: Buffer | undefined;
}

export type CallOutcome = { readonly value: Value } | { readonly error: CommandError };

/** A value in the bytes of a message: type, start and end; a missing one has no place there. */
export type PlacedValue = readonly [type: BsonTypeCode, start: number, end: number] | undefined;

/** Event loop -> thread. */
export interface CallMessage {
  readonly operator: string;
  readonly argument: PlacedValue;
  readonly operands: readonly PlacedValue[];
  readonly collation: Uint8Array | undefined;
  readonly bytes: Uint8Array;
}

/** Thread -> event loop. */
export type AnswerMessage =
  | { readonly value: PlacedValue; readonly bytes: Uint8Array }
  | { readonly code: number; readonly message: string }
  /** Not the client's fault. */
  | { readonly failure: string };

/** Calls of this many operations are worked out side by side; further ones wait. */
const MOST_THREADS = 2;
const IDLE_END_MS = 30_000;
/** Memory of one thread besides the values themselves. */
const HEAP_MIB = 1024;

interface Waiter {
  readonly call: LongCall;
  readonly interruption: Interruption;
  readonly take: (thread: EvaluationThread) => void;
}

export class EvaluationThreads {
  private readonly clock: Clock;
  private readonly threads = new Set<EvaluationThread>();
  private readonly waiting: Waiter[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** @throws the interruption's reason. */
  async run(call: LongCall, interruption: Interruption): Promise<CallOutcome> {
    interruption.throwIfInterrupted();
    const thread = this.freeThread() ?? (await this.nextFree(call, interruption));
    const answer = await thread.run(call, interruption);
    if ('failure' in answer) throw new Error(answer.failure);
    if ('code' in answer) return { error: new CommandError(answer.code, answer.message) };
    return { value: valueAt(answer.value, bufferOver(answer.bytes)) };
  }

  private freeThread(): EvaluationThread | undefined {
    for (const thread of this.threads) if (!thread.isBusy) return thread.reserved();
    if (this.threads.size >= MOST_THREADS) return undefined;
    const thread = new EvaluationThread(this.clock, {
      freed: () => this.serve(),
      ended: () => {
        this.threads.delete(thread);
        this.serve();
      },
    });
    this.threads.add(thread);
    return thread.reserved();
  }

  private serve(): void {
    if (this.waiting.length === 0) return;
    const thread = this.freeThread();
    if (thread !== undefined) this.waiting.shift()?.take(thread);
  }

  private nextFree(call: LongCall, interruption: Interruption): Promise<EvaluationThread> {
    return new Promise((resolve, reject) => {
      let takeBack = (): void => {};
      const waiter: Waiter = {
        call,
        interruption,
        take: (thread) => {
          takeBack();
          resolve(thread);
        },
      };
      this.waiting.push(waiter);
      takeBack = interruption.onInterrupt((reason) => {
        const position = this.waiting.indexOf(waiter);
        if (position >= 0) this.waiting.splice(position, 1);
        reject(reason);
      });
    });
  }
}

/** The threads of this process. */
export const evaluationThreads = new EvaluationThreads(systemClock);

class EvaluationThread {
  isBusy = false;
  private readonly clock: Clock;
  private readonly events: { readonly freed: () => void; readonly ended: () => void };
  private readonly worker: Worker;
  private answered: ((answer: AnswerMessage) => void) | undefined;
  private idleTimer: TimerHandle | undefined;
  private hasEnded = false;

  constructor(clock: Clock, events: { readonly freed: () => void; readonly ended: () => void }) {
    this.clock = clock;
    this.events = events;
    this.worker = startJob(jobUrl(import.meta.url, './evaluation-thread.job'), {
      // What this process's flags are about is not here.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    });
    this.worker.unref();
    this.worker.on('message', (answer: AnswerMessage) => this.answer(answer));
    this.worker.on('error', (error) => this.lose(lossBy(error)));
    this.worker.on('exit', () => this.lose({ failure: 'an evaluation thread ended' }));
  }

  /** Nobody else may use it before its next call is answered. */
  reserved(): this {
    this.isBusy = true;
    this.idleTimer?.cancel();
    return this;
  }

  run(call: LongCall, interruption: Interruption): Promise<AnswerMessage> {
    return new Promise((resolve, reject) => {
      let takeBack = (): void => {};
      this.answered = (answer) => {
        takeBack();
        resolve(answer);
      };
      // While it works for somebody the process must not end below it.
      this.worker.ref();
      const message = messageOf(call);
      this.worker.postMessage(message, [message.bytes.buffer as ArrayBuffer]);
      takeBack = interruption.onInterrupt((reason) => {
        this.answered = undefined;
        reject(reason);
        this.end();
      });
    });
  }

  private answer(answer: AnswerMessage): void {
    const { answered } = this;
    this.answered = undefined;
    this.isBusy = false;
    this.worker.unref();
    this.idleTimer = this.clock.after(IDLE_END_MS, () => this.end());
    answered?.(answer);
    this.events.freed();
  }

  private end(): void {
    this.lose({ failure: 'an evaluation thread was ended' });
    void this.worker.terminate();
  }

  private lose(loss: AnswerMessage): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.isBusy = true;
    this.idleTimer?.cancel();
    this.answered?.(loss);
    this.answered = undefined;
    this.events.ended();
  }
}

function lossBy(error: Error): AnswerMessage {
  const isFull = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  if (!isFull) return { failure: `an evaluation thread failed: ${error.message}` };
  const message = `An operator on large values would use more than ${HEAP_MIB} MiB of memory`;
  return { code: ERROR_CODES.ExceededMemoryLimit, message };
}

function messageOf({ operator, argument, operands, collation }: LongCall): CallMessage {
  const given = [argument, ...operands];
  const size = given.reduce(
    (sum, value) => sum + (value === undefined ? 0 : value.end - value.start),
    0,
  );
  // Of its own: it is handed over, and a view into a pool would take the pool along.
  const bytes = new Uint8Array(size);
  let at = 0;
  const [placedArgument, ...placed] = given.map((value): PlacedValue => {
    if (value === undefined) return undefined;
    bytes.set(value.bytes.subarray(value.start, value.end), at);
    at += value.end - value.start;
    return [value.type, at - (value.end - value.start), at];
  });
  return {
    operator,
    argument: placedArgument,
    operands: placed,
    collation: collation && new Uint8Array(collation),
    bytes,
  };
}

export function valueAt(place: PlacedValue, bytes: Buffer): Value {
  return place && new RawValue(place[0], bytes, place[1], place[2]);
}

export function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
