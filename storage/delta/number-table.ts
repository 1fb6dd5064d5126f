/**
 * A hash table from integers (up to 2^53) to small integers, in two typed arrays.
 *
 * Promises: no object per entry (a JavaScript Map ends at 2^24 entries and burdens the collector). Entries are never
 * taken out one by one: the generation that owns the table is dropped as a whole.
 */
import { grownInt32 } from './growable.ts';

const EMPTY = -1;

export class NumberTable {
  private keys = new Float64Array(8).fill(EMPTY);
  private values = new Int32Array(8);
  private count = 0;

  /** @returns the value of `key` >= 0, or -1. */
  get(key: number): number {
    const keys = this.keys;
    const mask = keys.length - 1;
    for (let slot = slotOf(key, mask); ; slot = (slot + 1) & mask) {
      const found = keys[slot];
      if (found === key) return this.values[slot] ?? -1;
      if (found === EMPTY) return -1;
    }
  }

  /** Adds a key that is not there yet. `value` >= 0. */
  add(key: number, value: number): void {
    if (this.count * 2 >= this.keys.length) this.grow();
    this.place(key, value);
    this.count += 1;
  }

  private place(key: number, value: number): void {
    const mask = this.keys.length - 1;
    let slot = slotOf(key, mask);
    while (this.keys[slot] !== EMPTY) slot = (slot + 1) & mask;
    this.keys[slot] = key;
    this.values[slot] = value;
  }

  private grow(): void {
    const keys = this.keys;
    const values = grownInt32(this.values, this.values.length);
    this.keys = new Float64Array(keys.length * 2).fill(EMPTY);
    this.values = new Int32Array(keys.length * 2);
    for (let slot = 0; slot < keys.length; slot += 1) {
      const key = keys[slot] ?? EMPTY;
      if (key !== EMPTY) this.place(key, values[slot] ?? 0);
    }
  }
}

function slotOf(key: number, mask: number): number {
  // Both halves of the number count: record ids beyond 2^32 must not all fall together.
  const low = key >>> 0;
  const high = (key - low) / 4_294_967_296;
  let mixed = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
  mixed ^= mixed >>> 15;
  return mixed & mask;
}
