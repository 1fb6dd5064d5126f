/**
 * Unsigned 64-bit (and 48-bit) little-endian numbers that JavaScript holds exactly: sectors, commit numbers, generations.
 *
 * Two 32-bit halves instead of BigInt: five times faster, and none of these numbers reaches 2^53.
 */
import { invariant } from '../../common/assert.ts';

const TWO_POW_32 = 4_294_967_296;

/** Without a bounds check of its own, several times as fast as Buffer's method: for bytes whose length was checked. */
export function readU32(source: Uint8Array, offset: number): number {
  return (
    (source[offset] |
      (source[offset + 1] << 8) |
      (source[offset + 2] << 16) |
      (source[offset + 3] << 24)) >>>
    0
  );
}

/** The lowest 32 bits of a number; the caller has made room. */
export function writeU32(target: Uint8Array, value: number, offset: number): void {
  target[offset] = value;
  target[offset + 1] = value >>> 8;
  target[offset + 2] = value >>> 16;
  target[offset + 3] = value >>> 24;
}

export function writeU64(target: Buffer, value: number, offset: number): void {
  invariant(Number.isSafeInteger(value), 'u64: not a safe integer');
  invariant(value >= 0, 'u64: negative');
  invariant(offset + 8 <= target.length, 'u64: no room');
  writeU32(target, value, offset);
  writeU32(target, Math.floor(value / TWO_POW_32), offset + 4);
}

/** The number, or a number beyond 2^53 that is no longer exact: callers check ranges of what they read. */
export function readU64(source: Buffer, offset: number): number {
  return source.readUInt32LE(offset) + source.readUInt32LE(offset + 4) * TWO_POW_32;
}

export function writeU48(target: Buffer, value: number, offset: number): void {
  invariant(value < 2 ** 48, 'u48: too large');
  target.writeUIntLE(value, offset, 6);
}

export function readU48(source: Buffer, offset: number): number {
  return source.readUIntLE(offset, 6);
}

/** True when source[start, end) is zero throughout. */
export function isZero(source: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (source[at] !== 0) return false;
  return true;
}
