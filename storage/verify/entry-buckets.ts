/**
 * Compares two multisets of index entries by hash, in memory of fixed size: what records call for, and what the index has.
 *
 * Each side adds into or takes from a bucket; a bucket that is not zero holds a difference. A second walk then names the
 * entries of those buckets.
 */

/** Few entries need few buckets: zeroing and looking through many would cost more than the walk. */
const FEWEST_BUCKETS = 1 << 8;
const MOST_BUCKETS = 1 << 16;

export class EntryBuckets {
  private readonly sums: Float64Array;
  private readonly mask: number;
  expected = 0;
  found = 0;

  /** @param entries about so many are expected on each side */
  constructor(entries: number) {
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, entries)));
    const buckets = Math.min(MOST_BUCKETS, Math.max(FEWEST_BUCKETS, wanted));
    this.sums = new Float64Array(buckets);
    this.mask = buckets - 1;
  }

  expect(key: Uint8Array, recordId: number): void {
    const hash = hashOf(key, recordId);
    this.sums[hash & this.mask] += hash;
    this.expected += 1;
  }

  find(key: Uint8Array, recordId: number): void {
    const hash = hashOf(key, recordId);
    this.sums[hash & this.mask] -= hash;
    this.found += 1;
  }

  /** Whether an entry lies in a bucket in which the two sides differ. */
  isSuspect(key: Uint8Array, recordId: number): boolean {
    return this.sums[hashOf(key, recordId) & this.mask] !== 0;
  }

  get isBalanced(): boolean {
    return this.expected === this.found && this.sums.every((sum) => sum === 0);
  }
}

/** FNV-1a over key and record id, 32 bits, never 0. */
function hashOf(key: Uint8Array, recordId: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key[index], 0x01000193);
  }
  hash = Math.imul(hash ^ (recordId >>> 0), 0x01000193);
  hash = Math.imul(hash ^ Math.floor(recordId / 0x1_0000_0000), 0x01000193);
  hash ^= hash >>> 15;
  return (hash >>> 0) + 1;
}
