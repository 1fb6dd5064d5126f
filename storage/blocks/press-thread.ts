/**
 * Where pages are made: on the caller's thread as long as it is little work, else on a thread of its own.
 *
 * Owns: that thread, from the first large order to close(), and the orders that it has not answered. Invariants:
 *  1. The thread answers in the order of its orders.
 *  2. A thread that ends unasked fails the orders that it owed; the next order starts another one.
 * Tests: test/storage/blocks/page-press.test.ts.
 */
import type { Worker } from 'node:worker_threads';
import { invariant } from '../../common/assert.ts';
import { jobUrl } from '../../common/workers/job-url.ts';
import { SMALL_HEAP, startJob } from '../../common/workers/start-job.ts';
import type { MaybePromise, PageCompression } from '../contract.ts';
import { isCompressionLoaded, loadCompression } from '../format/page-compression.ts';
import { pressPages, type PageOrder, type PressedPage, type PressOrder } from './page-press.ts';

export interface PagePress {
  /** Bytes of plain pages that an order should have: more are pressed more cheaply, fewer hold up the caller for less. */
  readonly orderBytes: number;
  /** Nothing of the order changes until the answer is there. @throws Error when it cannot be done */
  press(order: PressOrder): MaybePromise<PressedPage[]>;
  close(): Promise<void>;
}

/** An order as it travels: memories and target are shared, frames change hands. */
export type PressRequest = Omit<PressOrder, 'target' | 'pages'> & {
  readonly pages: readonly (Omit<PageOrder, 'frame'> & {
    readonly frame: ArrayBuffer | undefined;
  })[];
  readonly target: {
    readonly memory: ArrayBufferLike;
    readonly offset: number;
    readonly bytes: number;
  };
};

export type PressAnswer =
  | {
      readonly pages: readonly (Omit<PressedPage, 'plain'> & {
        readonly plain?: ArrayBufferLike;
      })[];
    }
  | { readonly failure: string };

/** On the caller's thread, a page of 32 KiB takes 0.02 ms plain, 0.1 ms with snappy, 0.5 ms with zstd. */
const INLINE_ORDER_BYTES = 256 * 1024;
const THREAD_ORDER_BYTES = 1024 * 1024;
/** Plain bytes that stay on the caller's thread: about a millisecond. */
const INLINE_BYTES: Readonly<Record<PageCompression, number>> = {
  none: 1024 * 1024,
  snappy: 256 * 1024,
  zstd: 64 * 1024,
};

/** Always on the caller's thread: a simulation replays from its seed. */
export const inlinePress: PagePress = {
  orderBytes: INLINE_ORDER_BYTES,
  press: pressInline,
  close: () => Promise.resolve(),
};

function pressInline(order: PressOrder): MaybePromise<PressedPage[]> {
  const missing = order.pages.find(({ compression }) => !isCompressionLoaded(compression));
  if (missing === undefined) return pressPages(order);
  return loadCompression(missing.compression).then(() => pressPages(order));
}

interface Waiter {
  readonly resolve: (pages: PressedPage[]) => void;
  readonly reject: (error: Error) => void;
}

export class PressThread implements PagePress {
  readonly orderBytes = THREAD_ORDER_BYTES;
  private worker: Worker | undefined;
  private readonly waiters: Waiter[] = [];
  private closed = false;

  press(order: PressOrder): MaybePromise<PressedPage[]> {
    invariant(!this.closed, 'press-thread: an order after close');
    return this.waiters.length === 0 && isLittle(order) ? pressInline(order) : this.send(order);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.worker?.terminate();
  }

  private send(order: PressOrder): Promise<PressedPage[]> {
    const worker = this.worker ?? this.start();
    const { target, pages, ...rest } = order;
    const { buffer: memory, byteOffset: offset, length: bytes } = target;
    const frames = pages.flatMap(({ frame }) => memoryOf(frame) ?? []);
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      // A process waits for the pages that it asked for, not for a thread that rests.
      worker.ref();
      const request: PressRequest = {
        ...rest,
        pages: pages.map((page) => ({ ...page, frame: memoryOf(page.frame) })),
        target: { memory, offset, bytes },
      };
      worker.postMessage(request, frames);
    });
  }

  private start(): Worker {
    const worker = startJob(jobUrl(import.meta.url, './page-press.job'), SMALL_HEAP);
    worker.on('message', (answer: PressAnswer) => {
      this.answered(answer);
      if (this.waiters.length === 0) worker.unref();
    });
    // An error is followed by an exit.
    worker.on('error', () => {});
    worker.on('exit', () => this.ended(worker));
    this.worker = worker;
    return worker;
  }

  private answered(answer: PressAnswer): void {
    const waiter = this.waiters.shift();
    invariant(waiter !== undefined, 'press-thread 1: an answer that nobody waits for');
    if ('failure' in answer) {
      waiter.reject(new Error(`pages could not be made: ${answer.failure}`));
      return;
    }
    waiter.resolve(
      answer.pages.map(({ plain, ...page }) => ({
        ...page,
        plain: plain === undefined ? undefined : Buffer.from(plain, 0, page.plainBytes),
      })),
    );
  }

  private ended(worker: Worker): void {
    if (this.worker === worker) this.worker = undefined;
    for (const { reject } of this.waiters.splice(0)) {
      reject(new Error('the thread that makes pages has ended'));
    }
  }
}

/** A frame is a memory of its own, or the beginning of one. */
function memoryOf(frame: Buffer | undefined): ArrayBuffer | undefined {
  if (frame === undefined) return undefined;
  invariant(frame.buffer instanceof ArrayBuffer, 'press-thread: a frame that threads share');
  invariant(frame.byteOffset === 0, 'press-thread: a frame within other memory');
  return frame.buffer;
}

function isLittle(order: PressOrder): boolean {
  let cost = 0;
  for (const { compression, documentBytes } of order.pages) {
    cost += documentBytes / INLINE_BYTES[compression];
  }
  return cost <= 1;
}
