/**
 * CRC-32C (Castagnoli), the one checksum of everything FlintDB keeps on a device.
 *
 * Promises: short ranges (index entries, headers) are summed here, long ones natively; both give the same number.
 * Source: RFC 3720, appendix B.4 (polynomial 0x1EDC6F41, reflected 0x82F63B78); test vectors there.
 */
import { crc32c as nativeCrc32c } from '@node-rs/crc32';

/** From this length on, the native call's fixed cost pays (measured: 250 bytes). */
const NATIVE_FROM_BYTES = 256;

/** Eight tables of 256: table k sums a byte that stands k bytes before the end of an 8-byte step. */
const TABLES = buildTables();

/**
 * Checksum of bytes[start, end), an unsigned 32-bit number.
 * @param before checksum of what comes before, to sum something that is not in one piece
 */
export function crc32c(bytes: Buffer, start = 0, end = bytes.length, before = 0): number {
  if (end - start < NATIVE_FROM_BYTES) return shortCrc32c(bytes, start, end, before);
  const whole = start === 0 && end === bytes.length;
  return nativeCrc32c(whole ? bytes : bytes.subarray(start, end), before);
}

function shortCrc32c(bytes: Buffer, start: number, end: number, before: number): number {
  const t = TABLES;
  let sum = ~before;
  let at = start;
  for (const lastStep = end - 8; at <= lastStep; at += 8) {
    sum =
      t[1792 + ((sum ^ bytes[at]) & 255)] ^
      t[1536 + (((sum >>> 8) ^ bytes[at + 1]) & 255)] ^
      t[1280 + (((sum >>> 16) ^ bytes[at + 2]) & 255)] ^
      t[1024 + ((sum >>> 24) ^ bytes[at + 3])] ^
      t[768 + bytes[at + 4]] ^
      t[512 + bytes[at + 5]] ^
      t[256 + bytes[at + 6]] ^
      t[bytes[at + 7]];
  }
  for (; at < end; at += 1) sum = (sum >>> 8) ^ t[(sum ^ bytes[at]) & 255];
  return ~sum >>> 0;
}

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f63b78 : 0);
    tables[byte] = sum;
  }
  for (let index = 256; index < tables.length; index += 1) {
    const shorter = tables[index - 256];
    tables[index] = (shorter >>> 8) ^ tables[shorter & 255];
  }
  return tables;
}
