/**
 * An evaluation thread: works out one operator after the other. Keeps nothing between two.
 */
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { invariant } from '../../common/assert.ts';
import { systemClock } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import { systemRandom } from '../../common/random.ts';
import { compileCollation } from '../collation/collation.ts';
import { simpleContext } from '../context.ts';
import { evaluateOperator } from './compile.ts';
import { type AnswerMessage, bufferOver, type CallMessage, valueAt } from './evaluation-threads.ts';

/** A little below the event loop, which serves everybody; much less, and it would starve on a busy machine. */
const NICENESS = 3;

invariant(parentPort !== null, 'evaluation-thread: not in a worker');
const port = parentPort;
// Only Linux counts priorities by thread.
if (process.platform === 'linux') setPriority(NICENESS);
port.on('message', (message: CallMessage) => {
  const answer = answerTo(message);
  port.postMessage(answer, 'bytes' in answer ? [answer.bytes.buffer as ArrayBuffer] : []);
});

function answerTo(message: CallMessage): AnswerMessage {
  try {
    return valueOf(message);
  } catch (error) {
    if (error instanceof CommandError) return { code: error.code, message: error.message };
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function valueOf({ operator, argument, operands, collation, bytes }: CallMessage): AnswerMessage {
  const given = bufferOver(bytes);
  const collator = collation && compileCollation(bufferOver(collation));
  const simple = simpleContext(systemClock, systemRandom);
  const value = evaluateOperator(
    operator,
    valueAt(argument, given)!,
    operands.map((place) => valueAt(place, given)),
    collator === undefined ? simple : { ...simple, collator },
  );
  if (value === undefined) return { value: undefined, bytes: new Uint8Array() };
  // Of its own: it is handed over.
  const own = new Uint8Array(value.bytes.subarray(value.start, value.end));
  return { value: [value.type, 0, own.length], bytes: own };
}
