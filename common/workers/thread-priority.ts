/**
 * Priority of a worker thread below that of the event loop: where processors are short, requests come before folds.
 */
import { setPriority } from 'node:os';

/** Weighs about a third of an ordinary thread's share, so that a fold beside a busy server still ends. Source: sched(7). */
const BACKGROUND_NICENESS = 5;

/** For the thread that calls it, and on Linux alone: elsewhere a priority is the whole process's. */
export function becomeBackgroundThread(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, BACKGROUND_NICENESS);
  } catch {
    // Not allowed here: it works on as it is.
  }
}
