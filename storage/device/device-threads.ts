/**
 * Threads that only do device calls, so that the journal never waits behind SCRAM, zlib or page reads in libuv's pool.
 *
 * Calls and their outcome travel through shared memory: the caller fills a slot and wakes a thread through Atomics; the
 * thread runs the call and posts the slot's number back. Two threads, since two writes of the journal may be in flight; the first
 * one starts with the first call, the second with the first that finds it busy: a start of the server does without them.
 *
 * Owns: the threads, the slots, and the numbers of the arenas that threads know. Invariants:
 *  1. A slot's words belong to the caller while it is free or done, to a thread from filled to done.
 *  2. Every slot filled is answered, also when its thread dies: with EIO then, and never again a slot is filled.
 * Tests: test/storage/device/device-threads.test.ts.
 */
import { getSystemErrorName } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { invariant } from '../../common/assert.ts';
import { DeviceError } from '../../common/errors.ts';
import { jobUrl } from '../../common/workers/job-url.ts';
import { SMALL_HEAP, startJob } from '../../common/workers/start-job.ts';
import { CONTROL, OPERATIONS, SLOT, SLOT_COUNT, SLOT_STATE } from './device-thread-layout.ts';
import type { FileCall } from './file-io.ts';

interface Waiter {
  readonly name: string;
  readonly call: FileCall;
  resolve(): void;
  reject(error: DeviceError): void;
}

export class DeviceThreads {
  private readonly control = new Int32Array(
    new SharedArrayBuffer((CONTROL.firstSlot + SLOT_COUNT * SLOT.words) * 4),
  );
  private readonly workers: Worker[] = [];
  private readonly arenas = new Map<ArrayBufferLike, number>();
  private readonly waiters: (Waiter | undefined)[] = Array.from({ length: SLOT_COUNT });
  private inFlight = 0;
  private running = 0;
  private broken = false;
  private readonly most: number;

  /** @param most threads, started as calls need them; calls are taken once one of them runs. */
  constructor(most: number) {
    this.most = most;
  }

  /**
   * Hands a call to a thread.
   * @returns undefined when no thread can take it now (still starting, all slots in use, foreign memory): the caller
   * runs it another way.
   */
  tryRun(name: string, call: FileCall): Promise<void> | undefined {
    this.startIfBusy();
    if (this.running === 0 || this.broken || call.buffers.length > SLOT.mostBuffers) {
      return undefined;
    }
    const slot = this.waiters.indexOf(undefined);
    if (slot < 0) return undefined;
    return new Promise((resolve, reject) => {
      this.waiters[slot] = { name, call, resolve, reject };
      this.fill(slot, call);
      this.inFlight += 1;
      // A program with a write in flight must not end; one that only has idle threads may.
      if (this.inFlight === 1) for (const worker of this.workers) worker.ref();
      Atomics.add(this.control, CONTROL.submitted, 1);
      Atomics.notify(this.control, CONTROL.submitted, 1);
    });
  }

  /** Ends the threads after the calls in flight. */
  async close(): Promise<void> {
    this.broken = true;
    Atomics.store(this.control, CONTROL.ending, 1);
    Atomics.add(this.control, CONTROL.submitted, 1);
    Atomics.notify(this.control, CONTROL.submitted);
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  /** One at a time: while one starts, calls find another way. */
  private startIfBusy(): void {
    const areAllBusy = this.inFlight >= this.running && this.workers.length === this.running;
    if (areAllBusy && this.running < this.most && !this.broken) this.start();
  }

  private start(): void {
    const worker = startJob(jobUrl(import.meta.url, './device-thread.job'), {
      ...SMALL_HEAP,
      workerData: { control: this.control.buffer },
    });
    worker.unref();
    worker.on('message', (slot: number) => {
      if (slot < 0) this.running += 1;
      else this.answer(slot);
    });
    // An error is followed by an exit.
    worker.on('error', () => {});
    worker.on('exit', () => this.fail());
    for (const arena of this.arenas.keys()) worker.postMessage(arena);
    this.workers.push(worker);
  }

  private fill(slot: number, call: FileCall): void {
    const base = CONTROL.firstSlot + slot * SLOT.words;
    const { control } = this;
    invariant(control[base + SLOT.state] === SLOT_STATE.free, 'device-threads 1: slot not free');
    control[base + SLOT.operation] = OPERATIONS[call.operation];
    control[base + SLOT.fd] = call.fd;
    control[base + SLOT.positionLow] = call.position % 4_294_967_296;
    control[base + SLOT.positionHigh] = Math.floor(call.position / 4_294_967_296);
    control[base + SLOT.bufferCount] = call.buffers.length;
    let at = base + SLOT.buffers;
    for (const buffer of call.buffers) {
      control[at] = this.arenaNumber(buffer.buffer);
      control[at + 1] = buffer.byteOffset;
      control[at + 2] = buffer.length;
      at += SLOT.wordsPerBuffer;
    }
    Atomics.store(control, base + SLOT.state, SLOT_STATE.filled);
  }

  private arenaNumber(arena: ArrayBufferLike): number {
    const known = this.arenas.get(arena);
    if (known !== undefined) return known;
    const number = this.arenas.size;
    this.arenas.set(arena, number);
    for (const worker of this.workers) worker.postMessage(arena);
    return number;
  }

  private answer(slot: number): void {
    const waiter = this.waiters[slot];
    invariant(waiter !== undefined, 'device-threads 2: answer without a waiter');
    const base = CONTROL.firstSlot + slot * SLOT.words;
    const result = this.control[base + SLOT.result] ?? SLOT.unknownFailure;
    Atomics.store(this.control, base + SLOT.state, SLOT_STATE.free);
    this.waiters[slot] = undefined;
    this.inFlight -= 1;
    if (this.inFlight === 0) for (const worker of this.workers) worker.unref();
    if (result === 0) waiter.resolve();
    else waiter.reject(errorOf(waiter, result));
  }

  /** A thread ended by itself: what it was doing may or may not have happened. */
  private fail(): void {
    this.broken = true;
    for (const [slot, waiter] of this.waiters.entries()) {
      if (waiter === undefined) continue;
      this.waiters[slot] = undefined;
      this.inFlight -= 1;
      waiter.reject(new DeviceError('EIO', `${waiter.name}: the device thread ended`));
    }
  }
}

function errorOf({ name, call }: Waiter, result: number): DeviceError {
  if (result < 0) {
    const errno = getSystemErrorName(result);
    return new DeviceError(errno, `${name}: ${call.operation} failed: ${errno}`);
  }
  const reason =
    result === SLOT.endedEarly ? 'the file ends before the device does' : 'unknown failure';
  return new DeviceError('EIO', `${name}: ${call.operation} failed: ${reason}`);
}
