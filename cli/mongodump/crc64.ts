/**
 * The checksum of mongodump's archives: CRC-64 with the ECMA-182 polynomial, reflected, inverted before and after.
 * Bytes: docs/format/mongodump.md#checksum.
 */

/** ECMA-182's polynomial, bits reversed. */
const POLYNOMIAL = 0xc96c5795d7870f42n;
const HALF = 32n;

/** One step of eight bits for each byte value, as two halves: JavaScript has no fast integers of 64 bits. */
const LOW = new Uint32Array(256);
const HIGH = new Uint32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1)
    crc = (crc & 1n) === 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
  LOW[byte] = Number(crc & 0xffffffffn);
  HIGH[byte] = Number(crc >> HALF);
}

export class Crc64 {
  private low = 0xffffffff;
  private high = 0xffffffff;

  update(bytes: Uint8Array): this {
    let { low, high } = this;
    for (let at = 0; at < bytes.length; at += 1) {
      const step = (low ^ (bytes[at] ?? 0)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (LOW[step] ?? 0);
      high = (high >>> 8) ^ (HIGH[step] ?? 0);
    }
    this.low = low;
    this.high = high;
    return this;
  }

  /** As an archive holds it: a signed int64. */
  get value(): bigint {
    const low = BigInt(~this.low >>> 0);
    const high = BigInt(~this.high >>> 0);
    return BigInt.asIntN(64, (high << HALF) | low);
  }
}
