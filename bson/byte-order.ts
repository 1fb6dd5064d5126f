/**
 * Compares bytes as unsigned numbers; a prefix sorts first. Fast for the short ones that most are.
 */

/** Beyond this many equal bytes a call into the runtime beats the loop. */
const SHORT_BYTES = 32;

/** a[startA..endA) with b[startB..endB): negative, 0 or positive. */
export function compareByteRanges(
  a: Buffer,
  startA: number,
  endA: number,
  b: Buffer,
  startB: number,
  endB: number,
): number {
  const common = Math.min(endA - startA, endB - startB);
  const short = Math.min(common, SHORT_BYTES);
  for (let index = 0; index < short; index += 1) {
    const difference = a[startA + index] - b[startB + index];
    if (difference !== 0) return difference;
  }
  if (common > short) return a.compare(b, startB + short, endB, startA + short, endA);
  return endA - startA - (endB - startB);
}
