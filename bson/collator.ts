/**
 * The seam for collations: query/collation implements it, bson only asks.
 */

export interface Collator {
  /** Negative, 0 or positive. Zero exactly for texts with equal keys. */
  compare(a: string, b: string): number;
  /** A text whose UTF-8 bytes sort, as bytes, in the collation's order. */
  key(text: string): string;
}
