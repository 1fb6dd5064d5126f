/**
 * Arguments that must be whole numbers of 32 bits: indexes, counts, positions.
 */
import type { Value } from './definition.ts';

/** The number when the value is one without a fraction within int32, else undefined. */
export function int32Of(value: Value): number | undefined {
  if (value === undefined || !value.isNumber) return undefined;
  const number = value.asNumber();
  return Number.isInteger(number) && (number | 0) === number ? number : undefined;
}
