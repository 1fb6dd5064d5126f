/**
 * Room for messages that have arrived in part, all connections together: a message may have 48 MB, and a server thousands of clients.
 *
 * While there is room everybody is read from. When there is none, who holds more than a fair share is read no further, and TCP slows
 * its client down; one of them at a time goes on, whatever it takes, so that messages become whole and their room is free again. Turns go
 * by turns to who misses least and to who waits longest. Who uses its turn for next to nothing loses it, comes after all others, and
 * when others have done so before it, its connection ends: what they hold would never be free.
 *
 * Owns: the count, and who is held back. Invariants:
 *  1. While somebody is held back and no whole message waits, one of those that hold more than a share is in its turn. (Whole ones are
 *     worked on, and give their room back, whatever becomes of the others.)
 *  2. Beyond the limit there is at most a share for each connection, and two messages.
 * Tests: test/server/network/receive-room.test.ts.
 */
import { invariant } from '../../common/assert.ts';
import { MAX_MESSAGE_BYTES } from '../../common/limits.ts';
import type { Deadline, TimerWheel } from '../../common/timer-wheel.ts';

const LARGEST_SHARE_BYTES = 256 * 1024;
/** The system hands over so much at once. */
const LEAST_SHARE_BYTES = 64 * 1024;
/** Within its turn a client must send so much in so many milliseconds. */
const TURN_BYTES = 256 * 1024;
const TURN_MS = 250;

/** A connection. It tells the room of every change of what it holds. */
export interface Receiver {
  /** Bytes of messages that are not whole. */
  readonly receivedBytes: number;
  /** False while it is not read from for reasons of its own, such as a request that runs. */
  readonly mayReceive: boolean;
  /** What such a message lacks. */
  readonly missingBytes: number;
  /** Nothing more is read from the socket until goOn(). */
  holdBack(): void;
  goOn(): void;
  /** Ends the connection; forget() follows. */
  giveUp(): void;
}

export interface ReceiveRoomOptions {
  readonly limitBytes: number;
  readonly timers: TimerWheel;
  readonly connectionCount: () => number;
  /** Bytes held besides, of whole messages that wait. */
  readonly waitingBytes: () => number;
}

export class ReceiveRoom {
  private readonly options: ReceiveRoomOptions;
  private readonly turnEnd: Deadline;
  /** In the order in which they were held back; with the turns that they have lost. */
  private readonly held = new Map<Receiver, number>();
  /** Goes on while there is no room. */
  private inTurn: Receiver | undefined;
  private turnsLost = 0;
  private turns = 0;
  private bytesAtTurn = 0;
  private received = 0;
  heldBackTimes = 0;

  constructor(options: ReceiveRoomOptions) {
    this.options = options;
    this.turnEnd = options.timers.create(() => this.endTurn());
  }

  get bytes(): number {
    return this.received;
  }

  get heldBack(): number {
    return this.held.size;
  }

  /** @param by what a receiver holds has grown by; negative: shrunk */
  changed(receiver: Receiver, by: number): void {
    this.received += by;
    if (by > 0) {
      if (this.isFull && receiver !== this.inTurn && receiver.receivedBytes > this.shareBytes) {
        this.holdBack(receiver);
      }
      return;
    }
    if (receiver === this.inTurn && receiver.receivedBytes <= this.shareBytes) {
      this.inTurn = undefined;
    }
    this.lookAgain();
  }

  /** Fewer bytes of whole messages wait. */
  lookAgain(): void {
    if (this.held.size > 0) this.letGoOn();
  }

  /** The receiver is gone. */
  forget(receiver: Receiver, itsBytes: number): void {
    this.held.delete(receiver);
    if (receiver === this.inTurn) this.inTurn = undefined;
    this.changed(receiver, -itsBytes);
  }

  private get isFull(): boolean {
    return this.received + this.options.waitingBytes() > this.options.limitBytes;
  }

  private get shareBytes(): number {
    const { limitBytes, connectionCount } = this.options;
    const share = limitBytes / Math.max(1, connectionCount());
    return Math.min(LARGEST_SHARE_BYTES, Math.max(LEAST_SHARE_BYTES, share));
  }

  private holdBack(receiver: Receiver, turnsLost = 0): void {
    if (this.held.has(receiver)) return;
    this.held.set(receiver, turnsLost);
    this.heldBackTimes += 1;
    receiver.holdBack();
    if (!this.turnEnd.isSet) this.turnEnd.set(TURN_MS);
    this.beginTurn();
  }

  /** There may be room again: for as many as it would take if each of them sent what the system hands over at once. */
  private letGoOn(): void {
    const { limitBytes, waitingBytes } = this.options;
    let room = limitBytes - this.received - waitingBytes();
    for (; room > 0 && this.held.size > 0; room -= LEAST_SHARE_BYTES) {
      const next = this.next();
      this.held.delete(next);
      next.goOn();
    }
    this.beginTurn();
  }

  private beginTurn(): void {
    if (this.inTurn !== undefined || this.held.size === 0) return;
    if (this.options.waitingBytes() > 0) return;
    this.turns += 1;
    const next = this.next(this.turns % 2 === 0);
    this.inTurn = next;
    this.bytesAtTurn = next.receivedBytes;
    this.held.delete(next);
    next.goOn();
  }

  /** Of those held back, who lost the fewest turns; among them, who misses least, or waits longest. */
  private next(byWaiting = false): Receiver {
    let best: Receiver | undefined;
    let bestLost = Infinity;
    for (const [receiver, lost] of this.held) {
      const missesLess = !byWaiting && receiver.missingBytes < (best?.missingBytes ?? Infinity);
      if (lost > bestLost || (lost === bestLost && !missesLess)) continue;
      best = receiver;
      bestLost = lost;
    }
    invariant(best !== undefined, 'receive room: nobody is held back');
    return best;
  }

  /** Also brings those on who wait for room that others than messages in part gave back. */
  private endTurn(): void {
    const slow = this.inTurn;
    this.letGoOn();
    if (this.held.size === 0) {
      this.inTurn = undefined;
      return;
    }
    this.turnEnd.set(TURN_MS);
    if (slow === undefined || slow !== this.inTurn) return;
    const sent = slow.receivedBytes - this.bytesAtTurn;
    this.bytesAtTurn = slow.receivedBytes;
    if (sent >= TURN_BYTES) return;
    // Whoever comes later has lost fewer: it waits behind all of them.
    this.turnsLost += 1;
    this.inTurn = undefined;
    const isTooMuch = this.received > this.options.limitBytes + MAX_MESSAGE_BYTES;
    if (isTooMuch && slow.mayReceive) slow.giveUp();
    else this.holdBack(slow, this.turnsLost);
    this.beginTurn();
  }
}
