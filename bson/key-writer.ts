/**
 * Grows the bytes of one index key, and its type bits beside it.
 *
 * Owns: the scratch buffer. finish() copies out; the writer then serves the next key.
 */
import { KEY_CLASS } from './key-classes.ts';
import { TypeBitsWriter } from './type-bits.ts';

/** Pieces up to this size are copied in a loop, which beats the call into the runtime. */
const SHORT_BYTES = 40;

export class KeyWriter {
  readonly typeBits = new TypeBitsWriter();
  /** Bytes written so far. */
  length = 0;
  private bytes = Buffer.allocUnsafeSlow(1024);

  clear(): void {
    this.length = 0;
    this.typeBits.clear();
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length] = value;
    this.length += 1;
  }

  /** The lowest `count` (0..8) bytes of high * 2^32 + low, most significant first. */
  bigEndian(high: number, low: number, count: number): void {
    this.reserve(8);
    const bytes = this.bytes;
    let at = this.length;
    for (let shift = count * 8 - 40; shift >= 0; shift -= 8) {
      bytes[at] = high >>> shift;
      at += 1;
    }
    for (let shift = Math.min(count, 4) * 8 - 8; shift >= 0; shift -= 8) {
      bytes[at] = low >>> shift;
      at += 1;
    }
    this.length = at;
  }

  /** Bytes as they are. */
  raw(source: Buffer, start: number, end: number): void {
    const count = end - start;
    this.reserve(count);
    if (count > SHORT_BYTES) {
      source.copy(this.bytes, this.length, start, end);
    } else {
      for (let index = 0; index < count; index += 1) {
        this.bytes[this.length + index] = source[start + index];
      }
    }
    this.length += count;
  }

  /**
   * Text and its end: a 0x00 that no other key continues, because 0x00 and 0x01 inside of the text become 0x01 0x01
   * and 0x01 0x02.
   */
  text(source: Buffer, start: number, end: number): void {
    let from = start;
    while (from < end) {
      let plainEnd = from;
      while (plainEnd < end && source[plainEnd] > 1) plainEnd += 1;
      this.raw(source, from, plainEnd);
      from = plainEnd;
      for (; from < end && source[from] <= 1; from += 1) {
        this.byte(1);
        this.byte(source[from] + 1);
      }
    }
    this.byte(KEY_CLASS.end);
  }

  /** Turns the order of everything from `start` on around. */
  invert(start: number): void {
    const bytes = this.bytes;
    for (let at = start; at < this.length; at += 1) bytes[at] ^= 0xff;
  }

  /** A copy of the key. */
  finish(): Buffer {
    const key = Buffer.allocUnsafe(this.length);
    if (this.length > SHORT_BYTES) {
      this.bytes.copy(key, 0, 0, this.length);
    } else {
      for (let at = 0; at < this.length; at += 1) key[at] = this.bytes[at];
    }
    return key;
  }

  /** The key as a string of one character per byte. */
  finishAsText(): string {
    return this.bytes.toString('latin1', 0, this.length);
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
