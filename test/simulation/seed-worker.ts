/**
 * A process that runs seeds: one per message, answered by a report or by what failed. processes.ts starts it.
 */
import { runStory, type Story } from './exhaustive.ts';
import { runSeed, type SeedReport } from './simulation.ts';

/** What the parent asks for. */
export type Task =
  | { readonly kind: 'seed'; readonly seed: number }
  | { readonly kind: 'story'; readonly story: Story };

/** What it is told. */
export type Answer =
  | { readonly kind: 'held'; readonly report?: SeedReport; readonly hit?: boolean }
  | { readonly kind: 'failed'; readonly error: string };

function answer(message: Answer, then?: () => void): void {
  process.send?.(message, undefined, undefined, () => then?.());
}

async function run(task: Task): Promise<Answer> {
  if (task.kind === 'seed') return { kind: 'held', report: await runSeed(task.seed) };
  return { kind: 'held', hit: await runStory(task.story) };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// A bug in shared state ends the process, as it would end a server: the parent hears of it, and starts another.
process.on('uncaughtException', (error) => {
  answer({ kind: 'failed', error: describe(error) }, () => process.exit(1));
});

process.on('message', (task: Task) => void serve(task));

async function serve(task: Task): Promise<void> {
  try {
    answer(await run(task));
  } catch (error) {
    answer({ kind: 'failed', error: describe(error) });
  }
}
