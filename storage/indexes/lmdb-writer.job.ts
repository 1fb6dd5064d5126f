/**
 * The only writer of LMDB, on a thread of its own: applies one commit's changes in one transaction.
 *
 * Nothing is visible before transactionSync has made it durable, and an exception in it aborts. (The asynchronous
 * `transaction` runs on the calling thread, shows its puts to readers there, and commits after a throw.)
 */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { invariant } from '../../common/assert.ts';
import { becomeBackgroundThread } from '../../common/workers/thread-priority.ts';
import { applyChanges, type ChangeTarget } from './apply-changes.ts';
import type { ChangesChunk } from './changes.ts';
import { openEnvironment, type Environment } from './lmdb-environment.ts';
import {
  describeError,
  isWriterOptions,
  type WriterReply,
  type WriterRequest,
} from './lmdb-writer-messages.ts';

becomeBackgroundThread();

class LmdbTarget implements ChangeTarget {
  private readonly environment: Environment;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  get(key: Buffer): Buffer | undefined {
    return this.environment.get(key);
  }

  put(key: Buffer, sealed: Buffer): void {
    this.environment.putSync(key, sealed);
  }

  delete(key: Buffer): void {
    this.environment.removeSync(key);
  }

  keysIn(lower: Buffer, upper: Buffer, most: number): Buffer[] {
    return [...this.environment.getKeys({ start: lower, end: upper, limit: most })];
  }
}

invariant(parentPort !== null, 'lmdb writer: runs as a worker');
invariant(isWriterOptions(workerData), 'lmdb writer: started without its options');
const port = parentPort;
const environment = openEnvironment(workerData.path, workerData.mapBytes);

port.on('message', (request: WriterRequest) => {
  switch (request.kind) {
    case 'commit':
      port.postMessage(commit(request));
      break;
    case 'close':
      void environment.close().then(() => port.close());
      break;
  }
});

function commit(request: WriterRequest & { readonly kind: 'commit' }): WriterReply {
  try {
    const target = new LmdbTarget(environment);
    const before = bytesWritten();
    const result = environment.transactionSync(() => {
      const applied = applyChanges(privateCopies(request.chunks), target);
      target.put(Buffer.from(request.identityKey), Buffer.from(request.identity));
      return applied;
    });
    return { kind: 'committed', result, writtenBytes: bytesWritten() - before };
  } catch (error) {
    return { kind: 'failed', error: describeError(error) };
  }
}

/** By this thread so far. Source: proc(5), /proc/pid/io. */
function bytesWritten(): number {
  try {
    return Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/thread-self/io', 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** What privateCopies() copies into, kept from one commit to the next. */
let copy: Buffer = Buffer.alloc(0);

/**
 * lmdb takes the addresses of values, and gets wrong ones for shared memory (seen as a segmentation fault in 3.5.6). A copy is good
 * until the next one is asked for: a put has copied what it was given.
 */
function* privateCopies(chunks: readonly ChangesChunk[]): Iterable<Buffer> {
  for (const { memory, usedBytes } of chunks) {
    if (copy.length < usedBytes) copy = Buffer.allocUnsafeSlow(usedBytes);
    Buffer.from(memory, 0, usedBytes).copy(copy);
    yield copy.subarray(0, usedBytes);
  }
}
