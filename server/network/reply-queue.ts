/**
 * Replies on their way to one socket.
 *
 * Owns: the messages that the socket has not taken yet. Promises: at most one write is under way; everything that was
 * queued in one turn of the event loop leaves in one write (one system call); a large reply goes out in slices, so that progress shows.
 * Never: drops or reorders a message. Tests: test/server/network/.
 */
import type { Socket } from 'node:net';

/** Most bytes of one write: a reader that takes this much within the deadline is slow, but alive. */
const SLICE_BYTES = 256 * 1024;

/** Bytes of replies that are on their way, of all queues. */
export interface RepliesOfAll {
  replyBytes: number;
}

export class ReplyQueue {
  private readonly socket: Socket;
  private readonly all: RepliesOfAll;
  private readonly onProgress: () => void;
  private messages: Buffer[] = [];
  /** Bytes of messages[0] that were written already. */
  private offset = 0;
  private queuedBytes = 0;
  private writing = 0;
  private slices = 0;
  private readonly written: () => void;

  /** @param onProgress called after each write that the system has taken. */
  constructor(socket: Socket, all: RepliesOfAll, onProgress: () => void) {
    this.socket = socket;
    this.all = all;
    this.onProgress = onProgress;
    this.written = () => {
      this.all.replyBytes -= this.writing;
      this.writing = 0;
      this.slices += 1;
      if (this.messages.length > 0) this.flush();
      this.onProgress();
    };
  }

  /** Bytes that the other end (or its system) has not taken yet. */
  get pendingBytes(): number {
    return this.queuedBytes + this.writing;
  }

  /** Grows with every write that was taken. */
  get writesDone(): number {
    return this.slices;
  }

  push(message: Buffer): void {
    this.messages.push(message);
    this.queuedBytes += message.length;
    this.all.replyBytes += message.length;
  }

  /** Forgets what has not been written: the connection is gone. */
  clear(): void {
    this.all.replyBytes -= this.pendingBytes;
    this.messages = [];
    this.offset = 0;
    this.queuedBytes = 0;
    this.writing = 0;
  }

  /** Hands what is queued to the socket, unless a write is under way: that one's end flushes again. */
  flush(): void {
    if (this.writing > 0 || this.queuedBytes === 0 || this.socket.destroyed) return;
    const only = this.messages[0];
    if (this.messages.length === 1 && only !== undefined && only.length <= SLICE_BYTES) {
      this.take(only.length);
      this.messages = [];
      this.socket.write(only, this.written);
      return;
    }
    this.writeSlices();
  }

  /** Joins small messages, cuts large ones. */
  private writeSlices(): void {
    const batch: Buffer[] = [];
    let bytes = 0;
    let index = 0;
    for (; index < this.messages.length && bytes < SLICE_BYTES; index += 1) {
      const message = this.messages[index];
      if (message === undefined) break;
      const room = SLICE_BYTES - bytes;
      const left = message.length - this.offset;
      const slice = message.subarray(this.offset, this.offset + Math.min(room, left));
      batch.push(slice);
      bytes += slice.length;
      if (slice.length < left) {
        this.offset += slice.length;
        break;
      }
      this.offset = 0;
    }
    this.messages.splice(0, index);
    this.take(bytes);
    this.socket.cork();
    const last = batch.pop();
    for (const slice of batch) this.socket.write(slice);
    if (last !== undefined) this.socket.write(last, this.written);
    this.socket.uncork();
  }

  private take(bytes: number): void {
    this.queuedBytes -= bytes;
    this.writing = bytes;
  }
}

/** Flushes, once per turn of the event loop, every queue that got a reply in that turn. */
export class TurnFlusher {
  private queues: ReplyQueue[] = [];

  /** Asks for a flush at the end of this turn. A queue may be given several times. */
  add(queue: ReplyQueue): void {
    this.queues.push(queue);
    if (this.queues.length === 1) setImmediate(this.run);
  }

  private readonly run = (): void => {
    const queues = this.queues;
    this.queues = [];
    for (const queue of queues) queue.flush();
  };
}
