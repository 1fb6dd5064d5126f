/**
 * The thread side of device-threads.ts: waits for slots to be filled, runs them, says so.
 *
 * Imports nothing of ours but the layout, so that the thread starts quickly. It blocks in Atomics.wait and has no event
 * loop to speak of; arenas of memory arrive as messages, which it fetches when a slot names one that it does not know.
 */
import { fdatasyncSync, readvSync, writevSync } from 'node:fs';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { CONTROL, OPERATIONS, SLOT, SLOT_COUNT, SLOT_STATE } from './device-thread-layout.ts';

interface ThreadData {
  readonly control: SharedArrayBuffer;
}

function isThreadData(data: unknown): data is ThreadData {
  return typeof data === 'object' && data !== null && 'control' in data;
}

const port = parentPort;
if (port === null || !isThreadData(workerData)) throw new Error('not started as a device thread');
const control = new Int32Array(workerData.control);
const arenas: SharedArrayBuffer[] = [];

function arenaBytes(index: number): SharedArrayBuffer {
  for (;;) {
    const arena = arenas[index];
    if (arena !== undefined) return arena;
    const received = receiveMessageOnPort(port!);
    if (received === undefined) throw new Error('device thread: unknown arena');
    arenas.push(received.message);
  }
}

function buffersOf(base: number): Buffer[] {
  const buffers: Buffer[] = [];
  const count = control[base + SLOT.bufferCount] ?? 0;
  for (let index = 0; index < count; index += 1) {
    const at = base + SLOT.buffers + index * SLOT.wordsPerBuffer;
    const arena = arenaBytes(control[at] ?? 0);
    buffers.push(Buffer.from(arena, control[at + 1] ?? 0, control[at + 2] ?? 0));
  }
  return buffers;
}

/** Moves all bytes. @returns 0, a negative errno, or 1 for a file that ended early. */
function transfer(fd: number, position: number, buffers: Buffer[], read: boolean): number {
  while (buffers.length > 0) {
    const moved = read ? readvSync(fd, buffers, position) : writevSync(fd, buffers, position);
    if (moved === 0) return SLOT.endedEarly;
    position += moved;
    let left = moved;
    while (buffers[0] !== undefined && left >= buffers[0].length) {
      left -= buffers[0].length;
      buffers.shift();
    }
    if (buffers[0] !== undefined) buffers[0] = buffers[0].subarray(left);
  }
  return 0;
}

function run(base: number): number {
  const operation = control[base + SLOT.operation] ?? 0;
  const fd = control[base + SLOT.fd] ?? -1;
  const low = (control[base + SLOT.positionLow] ?? 0) >>> 0;
  const position = (control[base + SLOT.positionHigh] ?? 0) * 4_294_967_296 + low;
  try {
    if (operation !== OPERATIONS.SYNC) {
      const result = transfer(fd, position, buffersOf(base), operation === OPERATIONS.READ);
      if (result !== 0) return result;
    }
    if (operation === OPERATIONS.SYNC || operation === OPERATIONS.WRITE_SYNC) fdatasyncSync(fd);
    return 0;
  } catch (error) {
    const errno = error instanceof Error && 'errno' in error ? error.errno : undefined;
    return typeof errno === 'number' ? errno : SLOT.unknownFailure;
  }
}

/** Takes one filled slot and runs it. @returns false when there is none. */
function runOne(): boolean {
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const base = CONTROL.firstSlot + slot * SLOT.words;
    const state = base + SLOT.state;
    if (Atomics.load(control, state) !== SLOT_STATE.filled) continue;
    const before = Atomics.compareExchange(control, state, SLOT_STATE.filled, SLOT_STATE.taken);
    if (before !== SLOT_STATE.filled) continue;
    control[base + SLOT.result] = run(base);
    Atomics.store(control, state, SLOT_STATE.done);
    port!.postMessage(slot);
    return true;
  }
  return false;
}

port.postMessage(-1);
while (Atomics.load(control, CONTROL.ending) === 0) {
  const seen = Atomics.load(control, CONTROL.submitted);
  if (!runOne()) Atomics.wait(control, CONTROL.submitted, seen);
}
