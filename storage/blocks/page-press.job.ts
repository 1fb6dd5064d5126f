/**
 * The thread that makes pages for checkpoints. Orders come by message and are answered in order; documents and pages lie in
 * shared memory, so that only their places travel.
 */
import { parentPort } from 'node:worker_threads';
import { becomeBackgroundThread } from '../../common/workers/thread-priority.ts';
import { isCompressionLoaded, loadCompression } from '../format/page-compression.ts';
import { recordsPageBytes } from '../format/page.ts';
import { pressPages } from './page-press.ts';
import type { PressAnswer, PressRequest } from './press-thread.ts';

becomeBackgroundThread();

/** Answers leave in the order of the requests, also when one waits for a library. */
let last: Promise<void> = Promise.resolve();

parentPort?.on('message', (request: PressRequest) => {
  last = last.then(() => answer(request));
});

async function answer({ target, pages: ordered, ...order }: PressRequest): Promise<void> {
  try {
    for (const { compression } of ordered) {
      if (!isCompressionLoaded(compression)) await loadCompression(compression);
    }
    const pages = ordered.map(({ frame, ...page }) => ({ ...page, frame: frameOf(frame, page) }));
    const memory = Buffer.from(target.memory, target.offset, target.bytes);
    const pressed = pressPages({ ...order, pages, target: memory });
    const frames = ordered.map(({ frame }) => frame);
    post(
      { pages: pressed.map((page, index) => ({ ...page, plain: frames[index] })) },
      frames.flatMap((frame) => frame ?? []),
    );
  } catch (error) {
    post({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }, []);
  }
}

function frameOf(
  memory: ArrayBuffer | undefined,
  page: { readonly recordCount: number; readonly documentBytes: number },
): Buffer | undefined {
  if (memory === undefined) return undefined;
  return Buffer.from(memory, 0, recordsPageBytes(page.recordCount, page.documentBytes));
}

function post(reply: PressAnswer, changingHands: readonly ArrayBuffer[]): void {
  parentPort?.postMessage(reply, [...changingHands]);
}
