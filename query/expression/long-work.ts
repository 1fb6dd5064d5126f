/**
 * Work inside expressions that may take longer than one turn of the event loop: loops ($map, $filter, $reduce, $range), and
 * single operators on large values ($setUnion, $sortArray, $replaceAll: long-calls.ts).
 *
 * An evaluation is synchronous. One that is *watched* stops in the middle of a loop when its slice is over, or at an operator
 * that another thread has to work out: it throws LoopSuspended, its stage lets others have their turn or waits for the thread,
 * and evaluates again; each loop goes on where it was, and the operator finds its value. For that a watch keeps a record of
 * everything long that the evaluation has met, in the order in which it is met: the value of what is done, position and state of
 * loops under way, and below a loop the records of its present round.
 *
 * Owns: the one watch that is active (an evaluation is never entered twice), and the count of what is long as it is compiled.
 * Invariants:
 *  1. A record is used only by the loop that made it, for the document that it was made for.
 *  2. What a loop has done is never done again for the same document, while its watch is active.
 */
import { ArrayBuilder, arrayValue, NULL, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { ExpressionCompiler, Value } from './definition.ts';
import { type EvaluationThreads, evaluationThreads, type LongCall } from './evaluation-threads.ts';
import type { Expression } from './expression.ts';
import type { Scope } from './scope.ts';

/** The slice is over: evaluate again after a pause. Never reaches a client. */
export class LoopSuspended extends Error {}

const SUSPENDED = new LoopSuspended('an expression goes on in the next slice');

/** Rounds between two looks at the clock. */
const ROUNDS_PER_LOOK = 32;
/** A watched evaluation runs this long at a time, milliseconds. */
const SLICE_MS = 5;
/** What one loop may hold, bytes: a little less than what a builder refuses. */
const MOST_HELD_BYTES = 63 * 1024 * 1024;

interface LoopRecord {
  readonly owner: object;
  state: LoopState | undefined;
  next: number;
  isDone: boolean;
  value: Value;
  /** What it ended with instead of a value. */
  error: CommandError | undefined;
  /** Of the input first, then of the present round. */
  inner: LoopRecord[];
}

/** What a loop is going to do, once its input is known. */
export interface LoopState {
  readonly count: number;
  /** One round. @returns false to end the loop. */
  round(index: number): boolean;
  finish(): Value;
}

/** The progress of the evaluation of one document. */
export class LoopWatch {
  document: Buffer;
  private readonly nowMs: () => number;
  private frame: LoopRecord[] = [];
  private position = 0;
  private isWorking = false;
  private rounds = 0;
  private sliceStartMs = 0;
  private sliceEndMs = 0;
  /** Where the evaluation has stopped, when it is another thread that it needs. */
  private pending: { readonly record: LoopRecord; readonly call: LongCall } | undefined;

  constructor(document: Buffer, nowMs: () => number) {
    this.document = document;
    this.nowMs = nowMs;
  }

  /** The evaluation begins, for the first time or again. */
  restart(): void {
    this.isWorking = true;
    this.position = 0;
    this.rounds = 0;
    this.sliceStartMs = this.nowMs();
    this.sliceEndMs = this.sliceStartMs + SLICE_MS;
  }

  /** From now on whoever evaluates the same on the document finds what is done. */
  rest(): void {
    this.isWorking = false;
    this.position = 0;
  }

  /**
   * What the evaluation waits for before it can go on; undefined: only for its next turn.
   * @throws the interruption's reason, from the promise.
   */
  outside(
    interruption: Interruption,
    threads: EvaluationThreads = evaluationThreads,
  ): Promise<void> | undefined {
    const { pending } = this;
    if (pending === undefined) return undefined;
    this.pending = undefined;
    return threads.run(pending.call, interruption).then((outcome) => {
      const { record } = pending;
      record.isDone = true;
      if ('error' in outcome) record.error = outcome.error;
      else record.value = outcome.value;
    });
  }

  /** The value of a call: at first there is none, and the evaluation stops. */
  call(owner: object, describe: () => LongCall, run: () => Value): Value {
    if (!this.isWorking) {
      const known = this.frame[this.position];
      this.position += 1;
      return known?.owner === owner && known.isDone ? outcomeOf(known) : run();
    }
    const record = this.recordFor(owner);
    if (record.isDone) return outcomeOf(record);
    this.pending = { record, call: describe() };
    throw SUSPENDED;
  }

  run(owner: object, start: () => LoopState | Value): Value {
    return this.isWorking ? this.work(owner, start) : this.repeat(owner, start);
  }

  private repeat(owner: object, start: () => LoopState | Value): Value {
    const known = this.frame[this.position];
    this.position += 1;
    return known?.owner === owner && known.isDone ? outcomeOf(known) : runThrough(start);
  }

  private work(owner: object, start: () => LoopState | Value): Value {
    const record = this.recordFor(owner);
    if (record.isDone) return outcomeOf(record);
    try {
      return this.workOn(record, start);
    } catch (error) {
      // Whoever evaluates the same next ends with it at once, rather than go through everything before it.
      if (error instanceof CommandError) {
        record.error = error;
        finished(record, undefined);
      }
      throw error;
    }
  }

  private workOn(record: LoopRecord, start: () => LoopState | Value): Value {
    if (record.state === undefined) {
      const state = this.within(record, start);
      if (!isLoop(state)) return finished(record, state);
      record.state = state;
      record.inner = [];
    } else {
      this.returned();
    }
    const { state } = record;
    for (; record.next < state.count; record.next += 1) {
      this.look();
      const goesOn = this.within(record, () => state.round(record.next));
      record.inner = [];
      if (!goesOn) break;
    }
    return finished(record, state.finish());
  }

  private recordFor(owner: object): LoopRecord {
    const known = this.frame[this.position];
    const record = known?.owner === owner ? known : newRecord(owner);
    this.frame[this.position] = record;
    this.position += 1;
    return record;
  }

  /** Evaluates below a loop: what loops are met there belong to it. */
  private within<Result>(record: LoopRecord, evaluate: () => Result): Result {
    const { frame, position } = this;
    this.frame = record.inner;
    this.position = 0;
    try {
      return evaluate();
    } finally {
      this.frame = frame;
      this.position = position;
    }
  }

  /**
   * A loop goes on. What stands around it was evaluated again on the way here (a long $range beside a $map, say): the slice
   * lasts at least as long again, or most of the time would go there.
   */
  private returned(): void {
    const now = this.nowMs();
    this.sliceEndMs = now + Math.max(SLICE_MS, now - this.sliceStartMs);
  }

  private look(): void {
    this.rounds += 1;
    if (this.rounds % ROUNDS_PER_LOOK === 0 && this.nowMs() > this.sliceEndMs) throw SUSPENDED;
  }
}

function newRecord(owner: object): LoopRecord {
  return {
    owner,
    state: undefined,
    next: 0,
    isDone: false,
    value: undefined,
    error: undefined,
    inner: [],
  };
}

function outcomeOf({ value, error }: LoopRecord): Value {
  if (error !== undefined) throw error;
  return value;
}

function finished(record: LoopRecord, value: Value): Value {
  record.isDone = true;
  record.value = value;
  record.state = undefined;
  record.inner = [];
  return value;
}

function isLoop(state: LoopState | Value): state is LoopState {
  return state !== undefined && 'round' in state;
}

let active: LoopWatch | undefined;

/** Makes a watch the active one, until another is; undefined: evaluations run through. */
export function activateWatch(watch: LoopWatch | undefined): void {
  active = watch;
}

/** A stage goes on with a copy of the document that is watched: what is evaluated on it is found done. */
export function carryWatch(from: Buffer, to: Buffer): void {
  if (active?.document === from) active.document = to;
}

/** Whether an evaluation may take long: always ('any'), or on large documents only. */
export type LongWork = 'any' | 'large';

let loopsCompiled = 0;
let operandsCompiled = 0;
/**
 * So many operands of long operators and the document may grow in them out of all proportion: {$concatArrays: ['$$x', '$$x']} in
 * twenty $let doubles it twenty times.
 */
const MANY_OPERANDS = 8;

/** A loop is compiled. */
export function noteLoop(): void {
  loopsCompiled += 1;
}

/** An operator is compiled that takes long on large values. */
export function noteOperands(count: number): void {
  operandsCompiled += Math.max(1, count);
}

/** Whether what `compile` compiles may take long; undefined: it cannot. */
export function meetsLongWork<Result>(compile: () => Result): {
  readonly result: Result;
  readonly longWork: LongWork | undefined;
} {
  const [loops, operands] = [loopsCompiled, operandsCompiled];
  const result = compile();
  if (loopsCompiled !== loops || operandsCompiled - operands > MANY_OPERANDS) {
    return { result, longWork: 'any' };
  }
  return { result, longWork: operandsCompiled === operands ? undefined : 'large' };
}

/** Values below this take no long time in one operator, bytes. */
export const LARGE_VALUE_BYTES = 32 * 1024;

/** Whether an evaluation on this document has to be watched. */
export function needsWatch(longWork: LongWork | undefined, document: Buffer): boolean {
  return longWork === 'any' || (longWork === 'large' && document.length > LARGE_VALUE_BYTES);
}

/**
 * Runs a loop of an expression.
 * @param owner the compiled expression: always the same object for the same loop
 * @param start evaluates the input; gives the value itself when there is nothing to go through
 */
function runLoop(scope: Scope, owner: object, start: () => LoopState | Value): Value {
  return active?.document === scope.document ? active.run(owner, start) : runThrough(start);
}

/**
 * An expression that is one loop: never folded, since even a constant one may take long.
 * @param start evaluates the input; gives the value itself when there is nothing to go through
 */
export function compileLoop(
  compiler: ExpressionCompiler,
  parts: readonly Expression[],
  start: (scope: Scope) => LoopState | Value,
): Expression {
  noteLoop();
  const owner = {};
  return compiler.combine(parts, (scope) => runLoop(scope, owner, () => start(scope)), {
    pure: false,
  });
}

/**
 * The value of an operator on large values: of another thread when the evaluation of this document is watched.
 * @param owner the compiled expression: always the same object for the same operator
 */
export function runLongCall(
  document: Buffer,
  owner: object,
  describe: () => LongCall,
  run: () => Value,
): Value {
  return active?.document === document ? active.call(owner, describe, run) : run();
}

/** Without a watch. */
function runThrough(start: () => LoopState | Value): Value {
  const state = start();
  if (!isLoop(state)) return state;
  for (let index = 0; index < state.count; index += 1) {
    if (!state.round(index)) break;
  }
  return state.finish();
}

/** The array that a loop makes, element by element. */
export class GrowingArray {
  private readonly builder = new ArrayBuilder();
  private readonly name: string;

  /** @param name of the operator, for its error */
  constructor(name: string) {
    this.name = name;
  }

  get length(): number {
    return this.builder.length;
  }

  /** A missing element becomes null. @throws CommandError ExceededMemoryLimit. */
  push(element: Value): void {
    const value = element ?? NULL;
    if (this.builder.byteLength + (value.end - value.start) > MOST_HELD_BYTES) {
      throw new CommandError(
        'ExceededMemoryLimit',
        `${this.name} would use too much memory and cannot spill to disk`,
      );
    }
    this.builder.push(value);
  }

  finish(): RawValue {
    return arrayValue(this.builder.finish());
  }
}
