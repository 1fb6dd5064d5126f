/**
 * A key thread: makes the keys of one document in one index after the other. Keeps nothing between two.
 */
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { invariant } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { bufferOver, type KeyAnswer, type KeyCall, packKeys } from './key-messages.ts';
import { keysAtOnce } from './keys-at-once.ts';

/** A little below the event loop, which serves everybody. */
const NICENESS = 3;

invariant(parentPort !== null, 'key-thread: not in a worker');
const port = parentPort;
// Only Linux counts priorities by thread.
if (process.platform === 'linux') setPriority(NICENESS);
port.on('message', (call: KeyCall) => {
  const answer = answerTo(call);
  port.postMessage(answer, 'keys' in answer ? [answer.keys.buffer as ArrayBuffer] : []);
});

function answerTo({ index, document }: KeyCall): KeyAnswer {
  try {
    const generator = keysAtOnce({ ...index, spec: bufferOver(index.spec) });
    invariant(generator !== undefined, 'key-thread: an index whose keys storage makes by itself');
    const { keys, multikeyPaths } = generator.keysOf(bufferOver(document));
    return { keys: packKeys(keys), multikeyPaths };
  } catch (error) {
    if (error instanceof CommandError) return { code: error.code, message: error.message };
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
