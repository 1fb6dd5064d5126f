/**
 * Which keys an update takes away and which it adds.
 */
import type { EncodedKey } from '../../bson/index.ts';

/**
 * @param before, after sorted by key, without duplicates
 * @returns `replaced` are the keys that stay, with other type bits: `{a: 1}` and `{a: 1.0}` have one key.
 */
export function diffKeys(
  before: readonly EncodedKey[],
  after: readonly EncodedKey[],
): { removed: EncodedKey[]; added: EncodedKey[]; replaced: EncodedKey[] } {
  const removed: EncodedKey[] = [];
  const added: EncodedKey[] = [];
  const replaced: EncodedKey[] = [];
  let left = 0;
  let right = 0;
  while (left < before.length || right < after.length) {
    const order =
      left === before.length
        ? 1
        : right === after.length
          ? -1
          : before[left].key.compare(after[right].key);
    if (order < 0) {
      removed.push(before[left]);
    } else if (order > 0) {
      added.push(after[right]);
    } else if (!before[left].typeBits.equals(after[right].typeBits)) {
      replaced.push(after[right]);
    }
    if (order <= 0) left += 1;
    if (order >= 0) right += 1;
  }
  return { removed, added, replaced };
}
