/**
 * The thread that compresses and decompresses large messages with zstd. Requests come by message and are answered in order.
 */
import { parentPort } from 'node:worker_threads';
import type { ZstdAnswer, ZstdRequest } from './zstd-thread.ts';
import { ZstdLibrary } from '../../common/compression/zstd-library.ts';

const library = ZstdLibrary.load();

parentPort?.on('message', (request: ZstdRequest) => void answer(request));

async function answer(request: ZstdRequest): Promise<void> {
  try {
    const zstd = await library;
    const { input, uncompressedBytes } = request;
    const result =
      uncompressedBytes === undefined
        ? zstd.compress(input)
        : zstd.decompress(input, uncompressedBytes);
    // Memory of its own, so that it can change hands without another copy.
    const output = new Uint8Array(result);
    post({ output }, [output.buffer]);
  } catch (error) {
    post({ failure: error instanceof Error ? error.message : String(error) }, []);
  }
}

function post(reply: ZstdAnswer, transfer: readonly ArrayBuffer[]): void {
  parentPort?.postMessage(reply, transfer);
}
