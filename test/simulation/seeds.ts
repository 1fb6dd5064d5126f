/**
 * Seeds that once failed: the numbers at the start of the lines of seeds.txt.
 */
import { readFileSync } from 'node:fs';

export function failedOnce(): number[] {
  return readFileSync(new URL('./seeds.txt', import.meta.url), 'utf8')
    .split('\n')
    .map((line) => Number.parseInt(line, 10))
    .filter((seed) => Number.isInteger(seed));
}
