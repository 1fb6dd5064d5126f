/**
 * The thread that makes index keys which take long to make: started when it is first needed, ended when it has had nothing to do for a
 * while.
 *
 * Promises: every call is answered once: by the thread, or by its end.
 */
import type { Worker } from 'node:worker_threads';
import type { Clock, TimerHandle } from '../../common/clock.ts';
import { jobUrl } from '../../common/workers/job-url.ts';
import { startJob } from '../../common/workers/start-job.ts';
import type { KeyAnswer, KeyCall } from './key-messages.ts';

const IDLE_END_MS = 30_000;
/** Memory of the thread besides the documents. */
const HEAP_MIB = 1024;

/** Makes keys one after the other. */
export class KeyThread {
  private readonly clock: Clock;
  private worker: Worker | undefined;
  private readonly waiting: ((answer: KeyAnswer) => void)[] = [];
  private idleTimer: TimerHandle | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  run(call: KeyCall): Promise<KeyAnswer> {
    return new Promise((resolve) => {
      this.idleTimer?.cancel();
      this.waiting.push(resolve);
      const worker = this.worker ?? this.start();
      // While it works for somebody the process must not end below it.
      worker.ref();
      worker.postMessage(call);
    });
  }

  private start(): Worker {
    const worker = startJob(jobUrl(import.meta.url, './key-thread.job'), {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    });
    worker.on('message', (answer: KeyAnswer) => this.answer(worker, answer));
    worker.on('error', (error) => this.lose(worker, error.message));
    worker.on('exit', () => this.lose(worker, 'a key thread ended'));
    this.worker = worker;
    return worker;
  }

  private answer(worker: Worker, answer: KeyAnswer): void {
    const resolve = this.waiting.shift();
    if (this.waiting.length === 0) {
      worker.unref();
      this.idleTimer = this.clock.after(IDLE_END_MS, () => this.end(worker));
    }
    resolve?.(answer);
  }

  private end(worker: Worker): void {
    this.lose(worker, 'a key thread was ended');
    void worker.terminate();
  }

  private lose(worker: Worker, failure: string): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    this.idleTimer?.cancel();
    for (const resolve of this.waiting.splice(0)) resolve({ failure });
  }
}
