/**
 * The replies of one exhaust request between the socket, which delivers them when they come, and the loop that reads
 * them when it likes.
 *
 * Invariant: while more than a few replies wait for their reader, the socket is paused.
 */
import type { OpMsg } from './op-msg.ts';

/** Replies that may wait before the socket is paused. */
const MOST_WAITING = 4;

export interface FlowControl {
  pause(): void;
  resume(): void;
}

export class ExhaustReplies {
  private readonly flow: FlowControl;
  private readonly waiting: OpMsg[] = [];
  private paused = false;
  private complete = false;
  private failure: Error | undefined;
  private reader: { resolve(reply: OpMsg): void; reject(error: Error): void } | undefined;

  constructor(flow: FlowControl) {
    this.flow = flow;
  }

  /** The last reply has come (it may still wait to be read), or none will. */
  get isComplete(): boolean {
    return this.complete;
  }

  push(reply: OpMsg): void {
    if (!reply.moreToCome) this.complete = true;
    const reader = this.reader;
    if (reader !== undefined) {
      this.reader = undefined;
      reader.resolve(reply);
      return;
    }
    this.waiting.push(reply);
    if (this.waiting.length > MOST_WAITING && !this.paused) {
      this.paused = true;
      this.flow.pause();
    }
  }

  fail(error: Error): void {
    this.complete = true;
    this.failure = error;
    this.reader?.reject(error);
    this.reader = undefined;
  }

  /** The next reply; what arrived before a failure is still given out. One caller at a time. */
  next(): Promise<OpMsg> {
    const reply = this.waiting.shift();
    if (reply !== undefined) {
      this.resumeWhenDrained();
      return Promise.resolve(reply);
    }
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.reader = { resolve, reject };
    });
  }

  /** Nobody will read what is left; the socket may go on with the replies to later requests. */
  discard(): void {
    this.waiting.length = 0;
    this.resumeWhenDrained();
  }

  private resumeWhenDrained(): void {
    if (!this.paused || this.waiting.length > 0) return;
    this.paused = false;
    this.flow.resume();
  }
}
