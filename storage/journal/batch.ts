/**
 * A batch in memory: entries encoded straight into the memory that the device writes from.
 *
 * Life: filling, sealed (its bytes never change again), in flight, landed.
 */
import { BATCH_HEADER } from '../format/journal-batch.ts';
import { ALIGNMENT_BYTES, allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import type { CommitNumber } from '../contract.ts';
import type { Timestamp } from '../format/timestamp.ts';

/** Entries of a batch, with its header; a larger entry gets a batch of its own. */
const USUAL_BATCH_BYTES = 1024 * 1024;

export class Batch {
  readonly buffer: Buffer;
  /** Bytes of header and entries so far. */
  used: number = BATCH_HEADER.size;
  entryCount = 0;
  /** The last commit that ends in this batch or before it. */
  lastCommit: CommitNumber;
  lastTimestamp: Timestamp;
  /** The commit of its last entry, which may end in a later batch. */
  newestCommit: CommitNumber;
  /** Somebody waits for it, its time has come, or it is full. */
  wanted = false;
  landed = false;
  /** Set when it is written. */
  sequence = 0;
  private waiters: Waiters | undefined;

  /** @param capacity at least, bytes, header included; rounded up to a multiple of `blockBytes` */
  constructor(capacity: number, blockBytes: number, last: LastCommit) {
    const align = Math.max(blockBytes, ALIGNMENT_BYTES);
    this.buffer = allocateAligned(Math.ceil(capacity / align) * align);
    this.lastCommit = last.commitNumber;
    this.lastTimestamp = last.timestamp;
    this.newestCommit = last.commitNumber;
  }

  /** A batch for entries, of which the first takes `entryBytes`. */
  static forEntry(entryBytes: number, blockBytes: number, last: LastCommit): Batch {
    const needed = BATCH_HEADER.size + entryBytes;
    return new Batch(Math.max(needed, USUAL_BATCH_BYTES), blockBytes, last);
  }

  get isEmpty(): boolean {
    return this.entryCount === 0;
  }

  /** A commit began in it, or before it, that ends in a later one. */
  get endsInChain(): boolean {
    return this.newestCommit > this.lastCommit;
  }

  hasRoom(bytes: number): boolean {
    return this.used + bytes <= this.buffer.length;
  }

  /** Resolves when this batch and all before it are on the device. One promise, however many wait. */
  flushed(): Promise<void> {
    this.waiters ??= new Waiters();
    return this.waiters.promise;
  }

  settle(error: Error | undefined): void {
    if (error === undefined) this.waiters?.resolve();
    else this.waiters?.reject(error);
  }

  /** Its memory goes back; nobody may touch it. */
  release(): void {
    releaseAligned(this.buffer);
  }
}

export interface LastCommit {
  readonly commitNumber: CommitNumber;
  readonly timestamp: Timestamp;
}

class Waiters {
  readonly promise: Promise<void>;
  resolve: () => void = () => {};
  reject: (error: Error) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
