/**
 * Planning that takes longer than one turn of the event loop: an $in of half a million values is sorted, a $or of ten thousand
 * branches is planned branch by branch.
 *
 * Planning is synchronous. Its long parts are *steps* that go on piece by piece; when its slice is over, planning stops between two
 * pieces by throwing, others have their turn, and it begins again from the start: a step that is done gives its result at once, and the
 * one that was stopped goes on. Planning the same thing meets the same steps in the same order.
 *
 * Owns: the watch that is active while something is planned. Invariant: a step inside a step runs through.
 */
import type { Clock } from '../common/clock.ts';
import type { Interruption } from '../common/interruption.ts';

/** The slice is over. Never reaches a client. */
class StepsPaused extends Error {}

const PAUSED = new StepsPaused('planning goes on in the next slice');

/** Planning runs this long at a time, milliseconds. */
const SLICE_MS = 5;

/** Who waits for the planning: it can be stopped, and gives others their turn. */
export interface Yielding extends Interruption {
  yield(): Promise<void>;
}

class StepWatch {
  /** By kind of step, how many were met since the start. */
  readonly met = new Map<object, number>();
  isInside = false;
  private readonly clock: Clock;
  private sliceStartMs = 0;
  private sliceEndMs = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  restart(): void {
    this.met.clear();
    this.sliceStartMs = this.clock.monotonicMs();
    this.sliceEndMs = this.sliceStartMs + SLICE_MS;
  }

  /** A step goes on. What came before it was done again: the slice lasts as long once more, or most time would go there. */
  returned(): void {
    const nowMs = this.clock.monotonicMs();
    this.sliceEndMs = nowMs + Math.max(SLICE_MS, nowMs - this.sliceStartMs);
  }

  look(): void {
    if (this.clock.monotonicMs() > this.sliceEndMs) throw PAUSED;
  }
}

let active: StepWatch | undefined;

interface Progress<Result> {
  readonly pieces: Generator<undefined, Result>;
  outcome: { readonly value: Result } | undefined;
}

/** One kind of step: made once, where it is used. */
export class LongStep<Result> {
  private readonly progress = new WeakMap<StepWatch, Progress<Result>[]>();

  /** @param start yields between two pieces of work of about a hundred microseconds */
  run(start: () => Generator<undefined, Result>): Result {
    const watch = active;
    if (watch === undefined || watch.isInside) return throughAll(start());
    const { progress, isNew } = this.progressOf(watch, start);
    if (progress.outcome !== undefined) return progress.outcome.value;
    if (!isNew) watch.returned();
    watch.isInside = true;
    try {
      for (;;) {
        const next = progress.pieces.next();
        if (next.done === true) {
          progress.outcome = { value: next.value };
          return next.value;
        }
        watch.look();
      }
    } finally {
      watch.isInside = false;
    }
  }

  private progressOf(
    watch: StepWatch,
    start: () => Generator<undefined, Result>,
  ): { readonly progress: Progress<Result>; readonly isNew: boolean } {
    const all = this.progress.get(watch) ?? [];
    this.progress.set(watch, all);
    const position = watch.met.get(this) ?? 0;
    watch.met.set(this, position + 1);
    const known = all[position];
    if (known !== undefined) return { progress: known, isNew: false };
    const progress = { pieces: start(), outcome: undefined };
    all.push(progress);
    return { progress, isNew: true };
  }
}

function throughAll<Result>(pieces: Generator<undefined, Result>): Result {
  for (;;) {
    const next = pieces.next();
    if (next.done === true) return next.value;
  }
}

/**
 * Plans something slice by slice.
 * @param plan repeatable: it is called again after each pause.
 * @returns the plan itself when it took no pause.
 */
export function planInSlices<Plan>(
  op: Yielding,
  clock: Clock,
  plan: () => Plan | Promise<Plan>,
): Plan | Promise<Plan> {
  const watch = new StepWatch(clock);
  const first = attempt(watch, plan);
  return first === undefined ? goOn(op, watch, plan) : first.plan;
}

async function goOn<Plan>(
  op: Yielding,
  watch: StepWatch,
  plan: () => Plan | Promise<Plan>,
): Promise<Plan> {
  for (;;) {
    await op.yield();
    const made = attempt(watch, plan);
    if (made !== undefined) return made.plan;
  }
}

/** undefined: the slice is over. */
function attempt<Plan>(watch: StepWatch, plan: () => Plan): { readonly plan: Plan } | undefined {
  watch.restart();
  active = watch;
  try {
    return { plan: plan() };
  } catch (error) {
    if (error !== PAUSED) throw error;
    return undefined;
  } finally {
    active = undefined;
  }
}

/** Items between two looks at the clock. */
export const PIECE = 1024;

/** Sorts, stably and in pieces. */
export function* sortedInPieces<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Generator<undefined, Item[]> {
  let from: Item[] = [];
  for (let start = 0; start < items.length; start += PIECE) {
    for (const item of items.slice(start, start + PIECE).sort(compare)) from.push(item);
    yield;
  }
  for (let width = PIECE; width < from.length; width *= 2) {
    const into: Item[] = [];
    for (let start = 0; start < from.length; start += 2 * width) {
      yield* merge(from, into, { start, width }, compare);
    }
    from = into;
  }
  return from;
}

/** Merges two runs that stand side by side. */
function* merge<Item>(
  from: readonly Item[],
  into: Item[],
  { start, width }: { readonly start: number; readonly width: number },
  compare: (a: Item, b: Item) => number,
): Generator<undefined, void> {
  const middle = Math.min(start + width, from.length);
  const end = Math.min(start + 2 * width, from.length);
  let [left, right] = [start, middle];
  while (left < middle || right < end) {
    const takesLeft = right >= end || (left < middle && compare(from[left]!, from[right]!) <= 0);
    into.push(takesLeft ? from[left++]! : from[right++]!);
    if (into.length % PIECE === 0) yield;
  }
}
