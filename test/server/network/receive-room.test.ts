import assert from 'node:assert/strict';
import { ManualClock } from '../../../common/clock.ts';
import { TimerWheel } from '../../../common/timer-wheel.ts';
import { ReceiveRoom, type Receiver } from '../../../server/network/receive-room.ts';

const MEBIBYTE = 1024 * 1024;
const LIMIT = 32 * MEBIBYTE;

class FakeReceiver implements Receiver {
  receivedBytes = 0;
  isHeld = false;
  isGone = false;
  readonly mayReceive = true;
  messageBytes = 40 * MEBIBYTE;
  private readonly room: ReceiveRoom;

  constructor(room: ReceiveRoom) {
    this.room = room;
  }

  get missingBytes(): number {
    return this.messageBytes - this.receivedBytes;
  }

  giveUp(): void {
    this.isGone = true;
    const { receivedBytes } = this;
    this.receivedBytes = 0;
    this.room.forget(this, receivedBytes);
  }

  holdBack(): void {
    this.isHeld = true;
  }

  goOn(): void {
    this.isHeld = false;
  }

  receive(bytes: number): void {
    this.receivedBytes += bytes;
    this.room.changed(this, bytes);
  }

  /** Its message is whole. */
  complete(): void {
    const bytes = this.receivedBytes;
    this.receivedBytes = 0;
    this.room.changed(this, -bytes);
  }
}

describe('ReceiveRoom', () => {
  let clock: ManualClock;
  let room: ReceiveRoom;
  let receivers: FakeReceiver[];
  let waitingBytes: number;

  beforeEach(() => {
    clock = new ManualClock();
    waitingBytes = 0;
    const timers = new TimerWheel(clock, (error) => {
      throw error;
    });
    room = new ReceiveRoom({
      limitBytes: LIMIT,
      timers,
      connectionCount: () => receivers.length,
      waitingBytes: () => waitingBytes,
    });
    receivers = Array.from({ length: 20 }, () => new FakeReceiver(room));
  });

  /** Chunk by chunk, each client that is read from. @returns most bytes held at once */
  const sendAll = (messageBytes: number, clients: readonly FakeReceiver[] = receivers): number => {
    const left = new Set(clients);
    let most = 0;
    for (let round = 0; left.size > 0; round += 1) {
      assert.ok(round < 50_000, 'somebody never came to its end');
      for (const client of left) {
        if (client.isHeld) continue;
        client.receive(64 * 1024);
        most = Math.max(most, room.bytes);
        if (client.receivedBytes < messageBytes) continue;
        client.complete();
        left.delete(client);
      }
      if (round % 16 === 0) clock.advance(20);
    }
    return most;
  };

  it('holds nobody back while there is room', () => {
    for (const receiver of receivers) receiver.receive(MEBIBYTE);
    assert.equal(room.heldBack, 0);
    assert.equal(room.bytes, 20 * MEBIBYTE);
  });

  it('brings every message to its end in little more than its limit, and one message', () => {
    const most = sendAll(20 * MEBIBYTE);
    assert.ok(most <= LIMIT + 20 * MEBIBYTE + 20 * 320 * 1024, `${most} bytes`);
    assert.equal(room.bytes, 0);
    assert.equal(room.heldBack, 0);
  });

  it('leaves small messages alone', () => {
    for (const receiver of receivers.slice(0, 10)) receiver.receive(4 * MEBIBYTE);
    assert.ok(room.heldBack > 0);
    const small = receivers[19];
    small.receive(200 * 1024);
    assert.equal(small.isHeld, false);
  });

  it('takes the turn from who sends next to nothing', () => {
    const [slow, ...others] = receivers;
    slow.receive(30 * MEBIBYTE);
    slow.receive(3 * MEBIBYTE);
    assert.equal(slow.isHeld, false);
    for (const other of others) other.receive(MEBIBYTE);
    clock.advance(1100);
    assert.equal(slow.isHeld, true);
    sendAll(10 * MEBIBYTE, others);
    assert.equal(slow.isHeld, false);
  });

  it('lets a message through beside any number of those that stay halves', () => {
    const [whole, ...halves] = receivers;
    let most = 0;
    const sendHalves = (): void => {
      for (const half of halves) {
        while (!half.isHeld && !half.isGone && half.receivedBytes < 20 * MEBIBYTE) {
          half.receive(64 * 1024);
          most = Math.max(most, room.bytes);
        }
      }
    };
    sendHalves();
    whole.messageBytes = 14 * MEBIBYTE;
    let rounds = 0;
    for (; whole.receivedBytes < whole.messageBytes; rounds += 1) {
      assert.ok(rounds < 1000, 'it never came to its end');
      if (!whole.isHeld) whole.receive(64 * 1024);
      clock.advance(10);
      sendHalves();
    }
    whole.complete();
    assert.equal(whole.isGone, false);
    // Much later those are left that fit.
    for (let round = 0; round < 1000; round += 1) {
      clock.advance(50);
      sendHalves();
    }
    assert.ok(most <= LIMIT + 2 * 48_000_000 + 20 * 320 * 1024, `${most} bytes`);
    assert.ok(halves.some(({ isGone }) => isGone));
    assert.ok(halves.some(({ isGone }) => !isGone));
  });

  it('goes on when somebody leaves, in its turn or held back', () => {
    for (const receiver of receivers) receiver.receive(5 * MEBIBYTE);
    const held = receivers.filter(({ isHeld }) => isHeld);
    assert.ok(held.length > 0);
    for (const receiver of receivers) {
      const { receivedBytes } = receiver;
      receiver.receivedBytes = 0;
      room.forget(receiver, receivedBytes);
    }
    assert.equal(room.bytes, 0);
    assert.equal(room.heldBack, 0);
  });

  it('counts messages that wait, lets nobody on until they are through, and looks again after a while', () => {
    waitingBytes = LIMIT;
    const two = receivers.slice(0, 2);
    for (const receiver of two) receiver.receive(MEBIBYTE);
    clock.advance(1100);
    assert.ok(two.every(({ isHeld }) => isHeld));
    waitingBytes = 0;
    clock.advance(1100);
    assert.ok(two.every(({ isHeld }) => !isHeld));
    waitingBytes = LIMIT;
    for (const receiver of two) receiver.receive(MEBIBYTE);
    waitingBytes = 0;
    room.lookAgain();
    assert.ok(two.every(({ isHeld }) => !isHeld));
  });
});
