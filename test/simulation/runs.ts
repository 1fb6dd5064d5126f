/**
 * The three kinds of runs: seeds, the same with a planted bug until one is found, and every n-th operation failing.
 */
import { FAILURES, type Failure } from './exhaustive.ts';
import type { PlantedBug } from './planted-bugs.ts';
import { runTasks } from './processes.ts';
import { Totals } from './report.ts';
import type { Answer, Task } from './seed-worker.ts';

/** Where a run says how far it is. */
export type Print = (line: string) => void;

export interface SeedsRun {
  readonly totals: Totals;
  readonly failures: readonly { readonly seed: number; readonly error: string }[];
  readonly durationMs: number;
}

const PROGRESS_MS = 10_000;

export async function runSeeds(
  seeds: readonly number[],
  options: { readonly jobs: number; readonly print: Print },
): Promise<SeedsRun> {
  const totals = new Totals();
  const failures: { seed: number; error: string }[] = [];
  const startMs = performance.now();
  let saidMs = startMs;
  await runTasks(seeds.map(seedTask), {
    jobs: Math.min(options.jobs, seeds.length),
    onAnswer(task, answer) {
      if (answer.kind === 'held' && answer.report !== undefined) totals.add(answer.report);
      if (answer.kind === 'failed' && task.kind === 'seed') {
        failures.push({ seed: task.seed, error: answer.error });
        options.print(`seed ${task.seed} failed: ${answer.error}`);
        options.print(`repeat it: npm run simulate -- --seed ${task.seed}`);
      }
      const nowMs = performance.now();
      if (nowMs - saidMs >= PROGRESS_MS) {
        saidMs = nowMs;
        options.print(progress(totals.seeds, failures.length, seeds.length, nowMs - startMs));
      }
      return true;
    },
  });
  return { totals, failures, durationMs: performance.now() - startMs };
}

/** A seed that a planted bug fails. */
export interface Found {
  readonly seed: number;
  readonly error: string;
  /** Seeds that had been run by then. */
  readonly seeds: number;
}

/** Runs seeds with a bug in the engine until one fails; undefined when none of them does. */
export async function findPlanted(
  plant: PlantedBug,
  options: { readonly seeds: readonly number[]; readonly jobs: number },
): Promise<Found | undefined> {
  let found: Found | undefined;
  let seeds = 0;
  await runTasks(options.seeds.map(seedTask), {
    jobs: options.jobs,
    plant,
    onAnswer(task, answer) {
      seeds += 1;
      if (answer.kind === 'failed' && task.kind === 'seed') {
        found ??= { seed: task.seed, error: answer.error, seeds };
      }
      return found === undefined;
    },
  });
  return found;
}

export interface ExhaustiveRun {
  /** By failure: the number of operations that failed, each in a story of its own. */
  readonly operations: Readonly<Record<Failure, number>>;
  readonly failures: readonly string[];
}

/** Fails every operation of the story in turn, until a story passes without being hit. */
export async function runExhaustively(options: {
  readonly documents: number;
  /** Fail only each so many-th operation: for a shorter run. */
  readonly every?: number;
  readonly run: (
    tasks: Iterable<Task>,
    onAnswer: (task: Task, answer: Answer) => boolean,
  ) => Promise<void>;
  readonly print: Print;
}): Promise<ExhaustiveRun> {
  const operations: Record<Failure, number> = { 'power cut': 0, EIO: 0, ENOSPC: 0 };
  const failures: string[] = [];
  for (const failure of FAILURES) {
    let passed = false;
    await options.run(storiesOf(failure, options.documents, options.every ?? 1), (task, answer) => {
      if (answer.kind === 'failed' && task.kind === 'story') {
        failures.push(`${failure} at operation ${task.story.step}: ${answer.error}`);
        options.print(failures.at(-1) ?? '');
        operations[failure] += 1;
      } else if (answer.kind === 'held' && answer.hit === true) operations[failure] += 1;
      else passed = true;
      return !passed;
    });
    options.print(`${failure}: each of ${operations[failure]} operations failed once`);
  }
  return { operations, failures };
}

function* storiesOf(failure: Failure, documents: number, every: number): Iterable<Task> {
  for (let step = 1; ; step += every) {
    yield { kind: 'story', story: { failure, step, documents } };
  }
}

function seedTask(seed: number): Task {
  return { kind: 'seed', seed };
}

function progress(done: number, failed: number, all: number, tookMs: number): string {
  const perSecond = ((done + failed) / tookMs) * 1000;
  const leftSeconds = (all - done - failed) / perSecond;
  const left =
    leftSeconds < 90 ? `${leftSeconds.toFixed(0)} s` : `${(leftSeconds / 60).toFixed(1)} min`;
  return `${done + failed} of ${all} seeds, ${failed} failed, ${perSecond.toFixed(1)} a second, about ${left} left`;
}
