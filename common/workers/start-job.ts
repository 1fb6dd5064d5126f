/**
 * Starts a worker thread for a job file, from sources (through tsx) as from the compiled tree.
 */
import { Worker, type WorkerOptions } from 'node:worker_threads';

let running = 0;

/** Worker threads that run now: each has a V8 heap of its own. */
export function runningJobs(): number {
  return running;
}

/**
 * For threads that make garbage and keep next to nothing: V8 would give each the young generation of a whole program, 24 MiB, where 6
 * do as well.
 */
export const SMALL_HEAP: WorkerOptions = { resourceLimits: { maxYoungGenerationSizeMb: 6 } };

/** @param url from jobUrl. The caller owns the worker and ends it. */
export function startJob(url: URL, options: WorkerOptions = {}): Worker {
  const worker = start(url, options);
  running += 1;
  worker.once('exit', () => {
    running -= 1;
  });
  return worker;
}

function start(url: URL, options: WorkerOptions): Worker {
  if (!url.pathname.endsWith('.ts')) return new Worker(url, options);
  // A worker of Node 20 does not take module loaders from --import: it registers tsx itself, then loads the job.
  const bootstrap = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); });`;
  return new Worker(bootstrap, { ...options, eval: true });
}
