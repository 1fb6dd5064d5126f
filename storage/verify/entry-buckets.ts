/**
 * Compares two multisets of index entries by hash, in memory of fixed size: what records call for, and what the index has.
 *
 * Each side adds into or takes from a bucket; a bucket that is not zero holds a difference. A second walk then names the
 * entries of those buckets.
 */

const BUCKETS = 1 << 16;

export class EntryBuckets {
  private readonly sums = new Float64Array(BUCKETS);
  expected = 0;
  found = 0;

  expect(key: Uint8Array, recordId: number): void {
    const hash = hashOf(key, recordId);
    this.sums[hash & (BUCKETS - 1)] += hash;
    this.expected += 1;
  }

  find(key: Uint8Array, recordId: number): void {
    const hash = hashOf(key, recordId);
    this.sums[hash & (BUCKETS - 1)] -= hash;
    this.found += 1;
  }

  /** Whether an entry lies in a bucket in which the two sides differ. */
  isSuspect(key: Uint8Array, recordId: number): boolean {
    return this.sums[hashOf(key, recordId) & (BUCKETS - 1)] !== 0;
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
