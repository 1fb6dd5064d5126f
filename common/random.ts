/**
 * Randomness as a parameter: the system's for programs, a seeded one for tests and simulation.
 *
 * Promises: only this folder calls Math.random or crypto's random bytes for decisions.
 */
import { randomBytes } from 'node:crypto';

export interface Random {
  /** A double in [0, 1). */
  next(): number;
  /** An integer in [0, bound), bound >= 1. */
  below(bound: number): number;
  /** `count` random bytes in a fresh Buffer. */
  bytes(count: number): Buffer;
}

export const systemRandom: Random = {
  next: () => Math.random(),
  below: (bound) => Math.floor(Math.random() * bound),
  bytes: (count) => randomBytes(count),
};

/** A repeatable source (mulberry32, by Tommy Ettinger, public domain algorithm). Not for secrets. */
export class SeededRandom implements Random {
  private state: number;

  /** @param seed an integer; equal seeds give equal sequences. */
  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    for (let index = 0; index < count; index += 1) bytes[index] = this.below(256);
    return bytes;
  }
}
