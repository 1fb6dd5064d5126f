/**
 * Doubles taken apart: their 64 bits in two halves, and their exact value as an integer times a power of two.
 */

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);
// Typed arrays have the machine's byte order; this finds which half is which.
double[0] = 1;
const HIGH = halves[1] === 0 ? 0 : 1;
const LOW = 1 - HIGH;

/** Bits 63..32, unsigned: sign, exponent and the mantissa's top 20 bits. */
export function highBits(value: number): number {
  double[0] = value;
  return halves[HIGH];
}

/** Bits 31..0, unsigned. */
export function lowBits(value: number): number {
  double[0] = value;
  return halves[LOW];
}

/** The double with these bits; both halves unsigned 32-bit numbers. */
export function doubleFromBits(high: number, low: number): number {
  halves[HIGH] = high;
  halves[LOW] = low;
  return double[0];
}

/** value = mantissa * 2^exponent, exactly. @param value finite and >= 0. */
export function exactDouble(value: number): { mantissa: bigint; exponent: number } {
  const high = highBits(value);
  const biased = (high >>> 20) & 0x7ff;
  const fraction = (BigInt(high & 0xfffff) << 32n) | BigInt(lowBits(value));
  if (biased === 0) return { mantissa: fraction, exponent: -1074 };
  return { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

/** The next double towards zero. @param value finite and > 0. */
export function doubleBelow(value: number): number {
  const high = highBits(value);
  const low = lowBits(value);
  return low === 0 ? doubleFromBits(high - 1, 0xffff_ffff) : doubleFromBits(high, low - 1);
}
