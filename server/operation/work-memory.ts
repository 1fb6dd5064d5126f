/**
 * Memory for what operations hold while they work, in sum: sorts and groups that may spill share it, large messages take turns, and
 * batches of cursors are small while slow clients leave many of them unread.
 *
 * MongoDB gives each stage 100 MB however many run. Here a stage that may use the disk spills sooner when many share the memory; one that
 * may not fails where it fails in MongoDB.
 *
 * Owns: the bounds, and the messages that wait.
 */
import type { MaybePromise, SpillFile, SpillSpace } from '../../storage/index.ts';

const MEBIBYTE = 1024 * 1024;
/** Of the engine's memory, as much again for operations, within these bounds: a quarter. */
const ENGINE_PART = 4;
const LEAST_BYTES = 64 * MEBIBYTE;
const MOST_BYTES = 1024 * MEBIBYTE;
/** A stage may hold so much however many there are. */
const LEAST_SHARE_BYTES = 4 * MEBIBYTE;
/** Of the limit: messages in part, and replies on their way. */
const NETWORK_PART = 2;
/** What is written stands in the message, and in the transaction besides. */
const MESSAGE_COST = 2;
/** A batch may always have so much. */
const LEAST_BATCH_BYTES = 256 * 1024;
/** Messages up to so many bytes take no turn. */
const SMALL_MESSAGE_BYTES = 64 * 1024;

export interface WorkMemoryOptions {
  readonly spill: SpillSpace;
  /** Memory of the engine, bytes: what operations may have follows it. */
  readonly engineBytes: number;
  /** Who may hold documents just now: running operations and open cursors. */
  readonly holders: () => number;
}

interface WaitingMessage {
  readonly bytes: number;
  readonly begin: () => void;
}

export class WorkMemory implements SpillSpace {
  readonly limitBytes: number;
  /** Of large messages that are worked on, unpacked. */
  messageBytes = 0;
  /** Of messages that wait for their turn. */
  waitingBytes = 0;
  /** Of batches that are being filled, and of replies that clients have not taken. */
  replyBytes = 0;
  /** Called when fewer bytes wait. */
  onFewerWaiting: () => void = () => {};
  private readonly options: WorkMemoryOptions;
  private readonly waiting: WaitingMessage[] = [];

  constructor(options: WorkMemoryOptions) {
    this.options = options;
    const part = options.engineBytes / ENGINE_PART;
    this.limitBytes = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, part));
  }

  get waitingMessages(): number {
    return this.waiting.length;
  }

  /** What one stage should hold at most before it spills, just now. */
  get memoryBytes(): number {
    const left = this.limitBytes - this.messageBytes - this.waitingBytes - this.replyBytes;
    return Math.max(LEAST_SHARE_BYTES, left / Math.max(1, this.options.holders()));
  }

  /** Messages in part: beyond it most are not read on. */
  get receiveLimitBytes(): number {
    return this.limitBytes / NETWORK_PART;
  }

  /** What a batch should hold at most, just now, if it has a document at all. */
  get batchBytes(): number {
    return this.replyBytes > this.limitBytes / NETWORK_PART ? LEAST_BATCH_BYTES : Infinity;
  }

  create(): SpillFile {
    return this.options.spill.create();
  }

  /** Runs the work on a message of so many bytes, unpacked, when the messages before it leave room. Small ones run at once. */
  runMessage<Result>(bytes: number, work: () => MaybePromise<Result>): MaybePromise<Result> {
    if (bytes <= SMALL_MESSAGE_BYTES) return work();
    if (this.waiting.length === 0 && this.hasRoomFor(bytes)) {
      this.messageBytes += bytes;
      return this.runAdmitted(bytes, work);
    }
    return new Promise<void>((begin) => {
      this.waitingBytes += bytes;
      this.waiting.push({ bytes, begin });
    }).then(() => this.runAdmitted(bytes, work));
  }

  /** One message alone may be larger than everything. */
  private hasRoomFor(bytes: number): boolean {
    return this.messageBytes === 0 || this.messageBytes + bytes <= this.limitBytes / MESSAGE_COST;
  }

  private runAdmitted<Result>(
    bytes: number,
    work: () => MaybePromise<Result>,
  ): MaybePromise<Result> {
    let result: MaybePromise<Result>;
    try {
      result = work();
    } catch (error) {
      this.end(bytes);
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => this.end(bytes));
    this.end(bytes);
    return result;
  }

  private end(bytes: number): void {
    this.messageBytes -= bytes;
    const before = this.waitingBytes;
    this.admitWaiting();
    if (this.waitingBytes < before) this.onFewerWaiting();
  }

  private admitWaiting(): void {
    for (let next = this.waiting.at(0); next !== undefined; next = this.waiting.at(0)) {
      if (!this.hasRoomFor(next.bytes)) return;
      this.waiting.shift();
      this.waitingBytes -= next.bytes;
      // Its room is taken before its turn comes: others arrive meanwhile.
      this.messageBytes += next.bytes;
      next.begin();
    }
  }
}
