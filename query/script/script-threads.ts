/**
 * The threads that run scripts: started when the first script runs, ended when none has run for a while.
 *
 * A thread runs one job at a time and belongs to it alone meanwhile, so a script that loops delays no other thread's scripts
 * and never the event loop. Invariants:
 *  1. Every job is answered once: by its thread, by the thread's end, or by the operation's interruption, whichever is first.
 *  2. A thread whose job was interrupted runs no other before it has answered; one that does not answer in time is ended.
 */
import type { Worker } from 'node:worker_threads';
import type { Clock, TimerHandle } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import { jobUrl } from '../../common/workers/job-url.ts';
import { startJob } from '../../common/workers/start-job.ts';
import { getField } from '../../bson/index.ts';
import {
  SCRIPT_CALL_KINDS,
  type SandboxSetup,
  type ScriptAnswer,
  type ScriptCall,
  type ScriptJob,
  type ScriptOutcome,
} from './script-calls.ts';

/** Scripts of this many operations run side by side; further ones wait for a thread. */
const MOST_THREADS = 8;
/** Sandboxes that one thread keeps between calls; the longest unused goes. */
const MOST_SANDBOXES = 4;
/** The engine polls its stop flag every few ten microseconds, but for a few long native functions. */
const STOP_GRACE_MS = 60;
const IDLE_END_MS = 30_000;
/** The engine's memory never shrinks: beyond this the thread is ended once it is free. */
const MOST_ENGINE_BYTES = 256 * 1024 * 1024;
/** V8's stack of the thread; QuickJS counts its own half MiB inside. */
const THREAD_STACK_MIB = 16;

export interface ScriptLimits {
  /** Heap of one session's sandbox, bytes. */
  readonly heapBytes: () => number;
  /** Longest run of one function, milliseconds. */
  readonly callLimitMs: () => number;
}

/** Whose scripts run: one operation or cursor. */
export interface ScriptClient {
  readonly id: number;
  setup(interruption: Interruption): Promise<SandboxSetup>;
}

interface Waiter {
  readonly take: (thread: ScriptThread) => void;
  readonly client: ScriptClient;
}

export class ScriptThreads {
  private readonly clock: Clock;
  private readonly limits: ScriptLimits;
  private readonly threads = new Set<ScriptThread>();
  private readonly waiting: Waiter[] = [];
  private lastClient = 0;
  private closed = false;

  constructor(clock: Clock, limits: ScriptLimits) {
    this.clock = clock;
    this.limits = limits;
  }

  /** A number that no other client has. */
  nextClientId(): number {
    this.lastClient += 1;
    return this.lastClient;
  }

  /**
   * Runs calls one after the other in the client's sandbox. An exception is the outcome of its call.
   * @returns the outcomes of the first calls, of one at least: fewer than asked for when their answers are large.
   * @throws the interruption's reason; CommandError JSInterpreterFailure when the sandbox was lost: out of memory, of time.
   */
  async run(
    client: ScriptClient,
    calls: readonly ScriptCall[],
    interruption: Interruption,
  ): Promise<ScriptOutcome[]> {
    const setup = await client.setup(interruption);
    interruption.throwIfInterrupted();
    const thread = this.idleThread(client) ?? (await this.waitForThread(client, interruption));
    const outcomes = await thread.run(client, setup, calls, interruption, {
      heapBytes: this.limits.heapBytes(),
      callLimitMs: this.limits.callLimitMs(),
    });
    return outcomes;
  }

  /** The client needs its sandboxes no more. */
  forget(client: ScriptClient): void {
    for (const thread of this.threads) thread.forget(client.id);
  }

  /** Ends all threads; what they run fails. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(Array.from(this.threads, (thread) => thread.end()));
  }

  private idleThread(client: ScriptClient): ScriptThread | undefined {
    if (this.closed) throw new CommandError('InterruptedAtShutdown', 'interrupted at shutdown');
    let idle: ScriptThread | undefined;
    for (const thread of this.threads) {
      if (thread.isBusy) continue;
      if (idle === undefined || thread.knows(client.id)) idle = thread;
    }
    if (idle === undefined && this.threads.size < MOST_THREADS) idle = this.start();
    idle?.reserve();
    return idle;
  }

  private start(): ScriptThread {
    const thread = new ScriptThread(this.clock, {
      freed: () => this.serve(thread),
      ended: () => {
        this.threads.delete(thread);
        const next = this.waiting[0];
        const replacement = next === undefined ? undefined : this.idleThread(next.client);
        if (replacement !== undefined) this.waiting.shift()?.take(replacement);
      },
    });
    this.threads.add(thread);
    return thread;
  }

  private serve(thread: ScriptThread): void {
    const next = this.waiting.shift();
    if (next === undefined) return;
    thread.reserve();
    next.take(thread);
  }

  private waitForThread(client: ScriptClient, interruption: Interruption): Promise<ScriptThread> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        client,
        take: (thread) => {
          takeBack();
          resolve(thread);
        },
      };
      this.waiting.push(waiter);
      const takeBack = interruption.onInterrupt((reason) => {
        const position = this.waiting.indexOf(waiter);
        if (position >= 0) this.waiting.splice(position, 1);
        reject(reason);
      });
    });
  }
}

interface ThreadEvents {
  freed(): void;
  ended(): void;
}

interface RunningJob {
  answered(answer: ScriptAnswer): void;
  failed(error: Error): void;
}

class ScriptThread {
  isBusy = false;
  private readonly clock: Clock;
  private readonly events: ThreadEvents;
  private readonly control = new Int32Array(new SharedArrayBuffer(4));
  private readonly worker: Worker;
  /** Per session the numbers of the sources that its sandbox has; the longest unused first. */
  private readonly residents = new Map<number, Map<string, number>>();
  private toForget: number[] = [];
  private running: RunningJob | undefined;
  private idleTimer: TimerHandle | undefined;
  private graceTimer: TimerHandle | undefined;
  private engineBytes = 0;
  private hasEnded = false;

  constructor(clock: Clock, events: ThreadEvents) {
    this.clock = clock;
    this.events = events;
    this.worker = startJob(jobUrl(import.meta.url, './script-thread.job'), {
      workerData: { control: this.control },
      resourceLimits: { stackSizeMb: THREAD_STACK_MIB },
      // Scripts of clients are nothing that this process's flags are about.
      execArgv: [],
      env: {},
    });
    this.worker.unref();
    this.worker.on('message', (message: ScriptAnswer | 'ready') => {
      if (message !== 'ready') this.answer(message);
    });
    this.worker.on('error', (error) => this.lose(`the JavaScript thread failed: ${error.message}`));
    this.worker.on('exit', () => this.lose('the JavaScript thread ended'));
  }

  knows(session: number): boolean {
    return this.residents.has(session);
  }

  /** Nobody else may run a job here before this one has been run. */
  reserve(): void {
    this.isBusy = true;
    this.idleTimer?.cancel();
  }

  forget(session: number): void {
    if (this.residents.delete(session)) this.toForget.push(session);
  }

  run(
    client: ScriptClient,
    setup: SandboxSetup,
    calls: readonly ScriptCall[],
    interruption: Interruption,
    limits: Pick<ScriptJob, 'heapBytes' | 'callLimitMs'>,
  ): Promise<ScriptOutcome[]> {
    return new Promise((resolve, reject) => {
      let takeBack = (): void => {};
      this.running = {
        answered: (answer) => {
          takeBack();
          try {
            resolve(this.outcomesOf(client, answer));
          } catch (error) {
            reject(error as Error);
          }
        },
        failed: (error) => {
          takeBack();
          reject(error);
        },
      };
      Atomics.store(this.control, 0, 0);
      this.worker.ref();
      this.worker.postMessage(this.jobOf(client, setup, calls, limits));
      takeBack = interruption.onInterrupt((reason) => {
        reject(reason);
        this.interrupt();
      });
    });
  }

  /** The thread may be anywhere in the script: it is told to stop, and ended when it does not hear. */
  private interrupt(): void {
    this.running = { answered: () => {}, failed: () => {} };
    Atomics.store(this.control, 0, 1);
    this.graceTimer = this.clock.after(STOP_GRACE_MS, () => void this.end());
  }

  private jobOf(
    client: ScriptClient,
    setup: SandboxSetup,
    calls: readonly ScriptCall[],
    limits: Pick<ScriptJob, 'heapBytes' | 'callLimitMs'>,
  ): ScriptJob {
    const isNew = !this.residents.has(client.id);
    const sources = this.sourcesOf(client.id);
    const newSources: string[] = [];
    const numberOf = (source: string): number => {
      const known = sources.get(source);
      if (known !== undefined) return known;
      newSources.push(source);
      sources.set(source, sources.size);
      return sources.size - 1;
    };
    let at = 0;
    const packed = calls.map((call) => {
      at += call.given.length;
      const kind = SCRIPT_CALL_KINDS.indexOf(call.kind);
      return [kind, at - call.given.length, at, ...call.sources.map(numberOf)];
    });
    const forget = this.toForget;
    this.toForget = [];
    return {
      session: client.id,
      setup: isNew ? setup : undefined,
      forget,
      newSources,
      calls: packed,
      // Of its own: a view into a pool would be cloned with the whole pool.
      bytes: new Uint8Array(Buffer.concat(calls.map((call) => call.given))),
      ...limits,
    };
  }

  private sourcesOf(session: number): Map<string, number> {
    const sources = this.residents.get(session) ?? new Map<string, number>();
    this.residents.delete(session);
    this.residents.set(session, sources);
    const [oldest] = this.residents.keys();
    if (this.residents.size > MOST_SANDBOXES && oldest !== undefined) this.forget(oldest);
    return sources;
  }

  private outcomesOf(client: ScriptClient, answer: ScriptAnswer): ScriptOutcome[] {
    if (answer.sandboxLost) this.residents.delete(client.id);
    const bytes = Buffer.from(
      answer.bytes.buffer,
      answer.bytes.byteOffset,
      answer.bytes.byteLength,
    );
    const outcomes = answer.outcomes.map((outcome): ScriptOutcome => {
      if ('code' in outcome) return { error: new CommandError(outcome.code, outcome.message) };
      const value = getField(bytes.subarray(outcome[0], outcome[1]), 'r');
      return value === undefined
        ? { error: new CommandError('JSInterpreterFailure', 'the script gave no value') }
        : { value };
    });
    // What comes after a lost sandbox was not run: the error of the last one is that of all.
    const last = outcomes.at(-1);
    if (answer.sandboxLost && last !== undefined && 'error' in last) throw last.error;
    if (outcomes.length === 0) {
      throw new CommandError('JSInterpreterFailure', 'the JavaScript engine gave up');
    }
    return outcomes;
  }

  private answer(answer: ScriptAnswer): void {
    this.graceTimer?.cancel();
    this.engineBytes = answer.engineBytes;
    const { running } = this;
    this.running = undefined;
    this.isBusy = false;
    this.worker.unref();
    running?.answered(answer);
    if (this.engineBytes > MOST_ENGINE_BYTES) {
      void this.end();
      return;
    }
    this.events.freed();
    if (!this.isBusy) this.idleTimer = this.clock.after(IDLE_END_MS, () => void this.end());
  }

  private lose(why: string): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.isBusy = true;
    this.idleTimer?.cancel();
    this.graceTimer?.cancel();
    const { running } = this;
    this.running = undefined;
    running?.failed(new CommandError('JSInterpreterFailure', why));
    this.events.ended();
  }

  async end(): Promise<void> {
    this.lose('the JavaScript thread was ended');
    await this.worker.terminate();
  }
}
