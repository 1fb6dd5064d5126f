/**
 * Loops inside expressions that may take longer than one turn of the event loop: $map, $filter, $reduce, $regexFindAll.
 *
 * An evaluation is synchronous. One that is *watched* stops in the middle of such a loop when its slice is over: it throws
 * LoopSuspended, its stage lets others have their turn and evaluates again, and each loop goes on where it was. For that a
 * watch keeps a record of every loop that the evaluation has met, in the order in which they are met: the value of those that
 * are done, position and state of those under way, and below a loop the records of its present round.
 *
 * Owns: the one watch that is active (an evaluation is never entered twice), and the count of loops as they are compiled.
 * Invariants:
 *  1. A record is used only by the loop that made it, for the document that it was made for.
 *  2. What a loop has done is never done again for the same document, while its watch is active.
 */
import { CommandError } from '../../common/errors.ts';
import type { ExpressionCompiler, Value } from './definition.ts';
import type { Expression } from './expression.ts';
import type { Scope } from './scope.ts';

/** The slice is over: evaluate again after a pause. Never reaches a client. */
export class LoopSuspended extends Error {}

const SUSPENDED = new LoopSuspended('an expression goes on in the next slice');

/** Rounds between two looks at the clock. */
const ROUNDS_PER_LOOK = 32;
/** A watched evaluation runs this long at a time, milliseconds. */
const SLICE_MS = 5;
/** Values that one loop may hold, bytes. */
const MOST_HELD_BYTES = 100 * 1024 * 1024;

interface LoopRecord {
  readonly owner: object;
  state: LoopState | undefined;
  next: number;
  isDone: boolean;
  value: Value;
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
  readonly document: Buffer;
  private readonly nowMs: () => number;
  private frame: LoopRecord[] = [];
  private position = 0;
  private isWorking = false;
  private rounds = 0;
  private sliceStartMs = 0;
  private sliceEndMs = 0;

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

  run(owner: object, start: () => LoopState | Value): Value {
    return this.isWorking ? this.work(owner, start) : this.repeat(owner, start);
  }

  private repeat(owner: object, start: () => LoopState | Value): Value {
    const known = this.frame[this.position];
    this.position += 1;
    return known?.owner === owner && known.isDone ? known.value : runThrough(start);
  }

  private work(owner: object, start: () => LoopState | Value): Value {
    const record = this.recordFor(owner);
    if (record.isDone) return record.value;
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
    const record =
      known?.owner === owner
        ? known
        : { owner, state: undefined, next: 0, isDone: false, value: undefined, inner: [] };
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

let compiled = 0;

/** A loop is compiled. */
function noteLoop(): void {
  compiled += 1;
}

/** Whether `compile` met loops. */
export function meetsLoops<Result>(compile: () => Result): {
  readonly result: Result;
  readonly hasLoops: boolean;
} {
  const before = compiled;
  const result = compile();
  return { result, hasLoops: compiled !== before };
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

/** Without a watch. */
function runThrough(start: () => LoopState | Value): Value {
  const state = start();
  if (!isLoop(state)) return state;
  for (let index = 0; index < state.count; index += 1) {
    if (!state.round(index)) break;
  }
  return state.finish();
}

/** Counts what a loop holds. */
export class HeldValues {
  private bytes = 0;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** @throws CommandError ExceededMemoryLimit. */
  add(value: Value): void {
    this.bytes += value === undefined ? 8 : value.end - value.start + 8;
    if (this.bytes > MOST_HELD_BYTES) {
      throw new CommandError(
        'ExceededMemoryLimit',
        `${this.name} would use too much memory and cannot spill to disk`,
      );
    }
  }
}
