/**
 * Runs tasks on several processes: each takes the next one when it is done, and one that dies is replaced.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { PlantedBug } from './planted-bugs.ts';
import type { Answer, Task } from './seed-worker.ts';

export interface RunOptions {
  readonly jobs: number;
  /** A bug that every process has in its engine. */
  readonly plant?: PlantedBug;
  /** Hears of each task when it is done. @returns false to take no further one */
  readonly onAnswer: (task: Task, answer: Answer) => boolean;
}

/** Resolves when all tasks are done, or onAnswer wanted no more. */
export async function runTasks(tasks: Iterable<Task>, options: RunOptions): Promise<void> {
  const queue = tasks[Symbol.iterator]();
  let goesOn = true;
  const next = (): Task | undefined => {
    if (!goesOn) return undefined;
    const { done, value } = queue.next();
    return done === true ? undefined : value;
  };
  const serve = async (): Promise<void> => {
    let worker: ChildProcess | undefined;
    for (let task = next(); task !== undefined; task = next()) {
      worker ??= start(options.plant);
      const answer = await ask(worker, task);
      if (!options.onAnswer(task, answer)) goesOn = false;
      if (answer.kind === 'failed') {
        // What failed may still run, or have left its mark in shared state.
        await end(worker);
        worker = undefined;
      }
    }
    if (worker !== undefined) await end(worker);
  };
  await Promise.all(Array.from({ length: options.jobs }, serve));
}

function start(plant: PlantedBug | undefined): ChildProcess {
  const planting = new URL('./plant.mjs', import.meta.url).href;
  return fork(fileURLToPath(new URL('./seed-worker.ts', import.meta.url)), {
    // Planted first, so that the text is changed before it is compiled.
    execArgv: [...(plant === undefined ? [] : ['--import', planting]), '--import', 'tsx'],
    env: { ...process.env, ...(plant === undefined ? {} : { FLINT_PLANT: JSON.stringify(plant) }) },
  });
}

function ask(worker: ChildProcess, task: Task): Promise<Answer> {
  return new Promise((resolve) => {
    const exited = (code: number | null): void =>
      settle({ kind: 'failed', error: `the process ended by itself: ${code}` });
    const settle = (answer: Answer): void => {
      worker.off('message', settle);
      worker.off('exit', exited);
      resolve(answer);
    };
    worker.on('message', settle);
    worker.on('exit', exited);
    worker.send(task);
  });
}

function end(worker: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (worker.exitCode !== null || worker.signalCode !== null) {
      resolve();
      return;
    }
    worker.once('exit', () => resolve());
    worker.kill('SIGKILL');
  });
}
