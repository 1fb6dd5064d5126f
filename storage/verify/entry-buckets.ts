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
  /** Entries that records call for, per bucket. */
  private readonly counts: Uint32Array;
  private readonly mask: number;
  /** Buckets from here on are not looked into. */
  private end: number;
  expected = 0;
  found = 0;

  /** @param entries about so many are expected on each side */
  constructor(entries: number) {
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, entries)));
    const buckets = Math.min(MOST_BUCKETS, Math.max(FEWEST_BUCKETS, wanted));
    this.sums = new Float64Array(buckets);
    this.counts = new Uint32Array(buckets);
    this.mask = buckets - 1;
    this.end = buckets;
  }

  expect(key: Uint8Array, typeBits: Uint8Array, recordId: number): void {
    const hash = hashOf(key, typeBits, recordId);
    this.sums[hash & this.mask] += hash;
    this.counts[hash & this.mask] += 1;
    this.expected += 1;
  }

  find(key: Uint8Array, typeBits: Uint8Array, recordId: number): void {
    const hash = hashOf(key, typeBits, recordId);
    this.sums[hash & this.mask] -= hash;
    this.found += 1;
  }

  /**
   * Bounds what the second walk has to remember: of the buckets that differ, only as many count from here on as hold about `most`
   * entries of records together.
   * @returns whether these are all
   */
  focus(most: number): boolean {
    let entries = 0;
    for (let bucket = 0; bucket < this.sums.length; bucket += 1) {
      if (this.sums[bucket] === 0) continue;
      if (entries > most) {
        this.end = bucket;
        return false;
      }
      entries += this.counts[bucket];
    }
    return true;
  }

  /** Whether an entry lies in a bucket in which the two sides differ. */
  isSuspect(key: Uint8Array, typeBits: Uint8Array, recordId: number): boolean {
    const bucket = hashOf(key, typeBits, recordId) & this.mask;
    return bucket < this.end && this.sums[bucket] !== 0;
  }

  get isBalanced(): boolean {
    return this.expected === this.found && this.sums.every((sum) => sum === 0);
  }
}

/** FNV-1a over key, type bits and record id, 32 bits, never 0. */
function hashOf(key: Uint8Array, typeBits: Uint8Array, recordId: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key[index], 0x01000193);
  }
  for (let index = 0; index < typeBits.length; index += 1) {
    hash = Math.imul(hash ^ typeBits[index], 0x01000193);
  }
  hash = Math.imul(hash ^ (recordId >>> 0), 0x01000193);
  hash = Math.imul(hash ^ Math.floor(recordId / 0x1_0000_0000), 0x01000193);
  hash ^= hash >>> 15;
  return (hash >>> 0) + 1;
}
