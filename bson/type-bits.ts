/**
 * Type bits: what an index key forgets, so that decodeIndexKey gives back exact values. docs/format/index-keys.md
 *
 * Owns: the bit stream. Bits fill bytes from the lowest up; bits past the end read as 0, so trailing zero bytes are
 * not kept, and a key of ordinary values has no type bits at all.
 */
import { CorruptionError } from '../common/errors.ts';

const NONE = Buffer.alloc(0);
/** Type bits of one byte, which most are that are not empty: shared, so that they cost no memory per key. */
const ONE_BYTE: readonly Buffer[] = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte));

/** Two bits that follow a 1 where a number is not of its key's default type. */
export const NUMBER_KIND = { int64: 0, double: 1, decimal: 2, decimalRaw: 3 } as const;

export class TypeBitsWriter {
  private bytes = new Uint8Array(64);
  private position = 0;
  /** Bytes that may have a bit set. */
  private used = 0;

  /** Forgets everything written. */
  clear(): void {
    if (this.used > 0) this.bytes.fill(0, 0, this.used);
    this.position = 0;
    this.used = 0;
  }

  /** A single 0, the default of whatever comes. */
  zero(): void {
    this.position += 1;
  }

  /** @param value an unsigned number below 2^count, count at most 24. */
  write(value: number, count: number): void {
    const at = this.position >>> 3;
    this.position += count;
    if (value === 0) return;
    if (at + 4 > this.bytes.length) this.grow(at + 4);
    let rest = value << ((this.position - count) & 7);
    for (let index = at; rest !== 0; index += 1) {
      this.bytes[index] |= rest;
      rest >>>= 8;
      this.used = index + 1;
    }
  }

  /** Whole bytes as they are. */
  writeBytes(source: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 1) this.write(source[at], 8);
  }

  /** @returns a Buffer that must not be changed: frequent ones are shared. */
  finish(): Buffer {
    if (this.used === 0) return NONE;
    return this.used === 1
      ? ONE_BYTE[this.bytes[0]]
      : Buffer.from(this.bytes.subarray(0, this.used));
  }

  private grow(needed: number): void {
    const larger = new Uint8Array(needed * 2);
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

export class TypeBitsReader {
  private readonly bytes: Buffer;
  private position = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  bit(): number {
    return this.read(1);
  }

  /** @param count at most 31. */
  read(count: number): number {
    let value = 0;
    for (let bit = 0; bit < count; bit += 1) {
      const at = this.position >>> 3;
      const set = at < this.bytes.length && (this.bytes[at] >>> (this.position & 7)) & 1;
      if (set) value |= 1 << bit;
      this.position += 1;
    }
    return value;
  }

  readBytes(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count; at += 1) bytes[at] = this.read(8);
    return bytes;
  }

  /** Only zero bits may be left: more means that key and type bits do not belong together. */
  expectEnd(): void {
    while (this.position < this.bytes.length * 8) {
      if (this.bit() !== 0) {
        throw new CorruptionError('malformed', 'index key', 'type bits are left over');
      }
    }
  }
}
