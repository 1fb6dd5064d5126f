/**
 * What is wrong with the disk of each seed, besides power cuts and stalls.
 */

/**
 * 'errors': it says so. 'pages', 'journal': it does not, and reads give something else than was written.
 */
export type Trouble = 'none' | 'errors' | 'pages' | 'journal';

/** Of ten seeds: what the disk of each does. */
const TROUBLES: readonly Trouble[] = [
  'pages',
  'errors',
  'none',
  'errors',
  'none',
  'journal',
  'errors',
  'none',
  'errors',
  'none',
];

export function troubleOf(seed: number): Trouble {
  return TROUBLES[seed % TROUBLES.length] ?? 'none';
}
