/**
 * A random UUID (RFC 9562, version 4).
 */
import type { Random } from '../../common/random.ts';

/** 16 bytes. */
export function randomUuid(random: Random): Buffer {
  const bytes = random.bytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes;
}
