/**
 * Makes ObjectIds: seconds, five random bytes per generator, a counter.
 *
 * Source: MongoDB's ObjectId specification (drivers).
 */
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';

export class ObjectIdGenerator {
  private readonly clock: Clock;
  private readonly process: Buffer;
  private counter: number;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.process = random.bytes(5);
    this.counter = random.below(0x100_0000);
  }

  /** Twelve bytes that no other call gives. */
  next(): Buffer {
    const id = Buffer.allocUnsafe(12);
    id.writeUInt32BE(Math.floor(this.clock.wallMs() / 1000) >>> 0, 0);
    this.process.copy(id, 4);
    id.writeUIntBE(this.counter, 9, 3);
    this.counter = (this.counter + 1) & 0xff_ffff;
    return id;
  }
}

/** One id from a generator of its own; who needs many keeps an ObjectIdGenerator. */
export function newObjectIdBytes(clock: Clock, random: Random): Buffer {
  return new ObjectIdGenerator(clock, random).next();
}
