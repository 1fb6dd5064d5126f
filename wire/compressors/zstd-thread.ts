/**
 * Work for zstd that is too long for the event loop.
 *
 * Owns: one worker thread, started by the first large message, and the requests that it has not answered. Promises: answers
 * come in order; a thread that ends rejects what it owed.
 * Wasm memory never shrinks: after the largest message there is the thread keeps about a hundred megabytes. Ending it each time
 * would cost everybody else more, since the event loop waits for a thread that ends.
 */
import type { Worker } from 'node:worker_threads';
import { jobUrl } from '../../common/workers/job-url.ts';
import { startJob } from '../../common/workers/start-job.ts';

export interface ZstdRequest {
  readonly input: Uint8Array;
  /** Given: decompress into exactly so many bytes. */
  readonly uncompressedBytes?: number;
}

export type ZstdAnswer = { readonly output: Uint8Array } | { readonly failure: string };

interface Waiter {
  readonly resolve: (output: Buffer) => void;
  readonly reject: (error: Error) => void;
}

export class ZstdThread {
  private worker: Worker | undefined;
  private waiters: Waiter[] = [];

  compress(plain: Uint8Array): Promise<Buffer> {
    return this.run({ input: new Uint8Array(plain) });
  }

  decompress(frame: Uint8Array, uncompressedBytes: number): Promise<Buffer> {
    return this.run({ input: new Uint8Array(frame), uncompressedBytes });
  }

  private run(request: ZstdRequest): Promise<Buffer> {
    const worker = this.worker ?? this.start();
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      // A process waits for the message that it asked for, not for a thread that rests.
      worker.ref();
      const { input } = request;
      worker.postMessage(request, input.buffer instanceof ArrayBuffer ? [input.buffer] : []);
    });
  }

  private start(): Worker {
    const worker = startJob(jobUrl(import.meta.url, './zstd.job'));
    worker.on('message', (answer: ZstdAnswer) => this.answered(worker, answer));
    // An error is followed by an exit.
    worker.on('error', () => {});
    worker.on('exit', () => this.ended(worker));
    this.worker = worker;
    return worker;
  }

  private answered(worker: Worker, answer: ZstdAnswer): void {
    const waiter = this.waiters.shift();
    if ('failure' in answer) waiter?.reject(new Error(answer.failure));
    else {
      const { buffer, byteOffset, length } = answer.output;
      waiter?.resolve(Buffer.from(buffer, byteOffset, length));
    }
    if (this.waiters.length === 0) worker.unref();
  }

  private ended(worker: Worker): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    for (const { reject } of this.waiters.splice(0)) {
      reject(new Error('the thread that compresses has ended'));
    }
  }
}
