/**
 * The order of one generation's index entries: rows of a key table in leaves, by key bytes and then record id.
 *
 * Owns: leaves and positions. The bytes belong to the key table, which compares. Beside each row stand
 * bytes of its key as a number, the first ones in which the keys differ: most steps of a search compare two numbers, and touch no key.
 * Promises: an entry appended behind all others costs O(1), any other O(log n); `changes` moves with every insertion and
 * removal, so that a walk knows when its position is stale and seeks again.
 */

const LEAF_ROWS = 128;
const FIRST_LEAF_ROWS = 8;

interface Leaf {
  rows: Int32Array;
  /** Of each row's key: see keyPrefix. */
  prefixes: Float64Array;
  count: number;
}

/**
 * Answers with a negative number, zero or a positive number as the row's entry is before, at or after what is sought. It is asked of
 * rows whose keys have the same prefix as what is sought.
 */
export type RowComparison = (row: number) => number;

/** Bytes of a key that its prefix holds. */
export const PREFIX_BYTES = 6;

/** Six bytes of a key as one number: when two keys that are equal before them have different numbers, the keys are ordered as those are. */
export function keyPrefix(bytes: Uint8Array, start: number, length: number): number {
  let prefix = 0;
  for (let index = 0; index < PREFIX_BYTES; index += 1) {
    prefix = prefix * 256 + (index < length ? bytes[start + index] : 0);
  }
  return prefix;
}

/** A place between or at entries: leaf and position in it. */
export interface KeyPosition {
  leaf: number;
  position: number;
}

export class KeyOrder {
  size = 0;
  /** Counts insertions and removals. */
  changes = 0;
  private readonly leaves: Leaf[] = [];
  /** Of the last entry in each leaf. */
  private readonly lastPrefixes: number[] = [];

  /**
   * Sets `at` to the first entry for which the comparison is not negative.
   * @param prefix of the key that is sought
   * @returns whether it is zero there
   */
  find(compare: RowComparison, prefix: number, at: KeyPosition): boolean {
    const { leaves, lastPrefixes } = this;
    let low = 0;
    let high = leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const last = lastPrefixes[middle];
      if (last < prefix || (last === prefix && compare(lastRow(leaves[middle])) < 0)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    at.leaf = low;
    at.position = 0;
    const leaf = leaves[low];
    if (leaf === undefined) return false;
    return findInLeaf(leaf, compare, prefix, at);
  }

  /** Whether the last entry lies before what is sought: then insertAt may be called with end(). */
  endsBefore(compare: RowComparison, prefix: number): boolean {
    const { leaves, lastPrefixes } = this;
    if (leaves.length === 0) return true;
    const last = lastPrefixes[leaves.length - 1];
    return last < prefix || (last === prefix && compare(lastRow(leaves[leaves.length - 1])) < 0);
  }

  /** The row of the last entry, or -1. */
  get lastRow(): number {
    return lastRow(this.leaves.at(-1));
  }

  /** Takes the prefixes anew: from now on they are of other bytes of the keys. The order is as it was. */
  refreshPrefixes(prefixOf: (row: number) => number): void {
    for (const [position, leaf] of this.leaves.entries()) {
      for (let at = 0; at < leaf.count; at += 1) leaf.prefixes[at] = prefixOf(leaf.rows[at]);
      this.notePrefix(position);
    }
  }

  /** Sets `at` behind the last entry. */
  end(at: KeyPosition): void {
    at.leaf = this.leaves.length;
    at.position = 0;
  }

  /** The row at a position, or -1 behind the last entry. */
  rowAt(at: KeyPosition): number {
    const leaf = this.leaves[at.leaf];
    return leaf === undefined || at.position >= leaf.count ? -1 : (leaf.rows[at.position] ?? -1);
  }

  /** Moves to the next entry. */
  forward(at: KeyPosition): void {
    at.position += 1;
    if (at.position >= (this.leaves[at.leaf]?.count ?? 0)) {
      at.leaf += 1;
      at.position = 0;
    }
  }

  /** Moves to the entry before. @returns false, and stays, when there is none. */
  backward(at: KeyPosition): boolean {
    if (at.position > 0) {
      at.position -= 1;
      return true;
    }
    const before = this.leaves[at.leaf - 1];
    if (before === undefined) return false;
    at.leaf -= 1;
    at.position = before.count - 1;
    return true;
  }

  /** Inserts a row, whose key has this prefix, at the place that find() or end() gave. */
  insertAt(at: KeyPosition, row: number, prefix: number): void {
    this.size += 1;
    this.changes += 1;
    if (at.leaf === this.leaves.length) {
      this.append(row, prefix);
      return;
    }
    const leaf = this.leaves[at.leaf];
    if (leaf === undefined) return;
    if (leaf.count === LEAF_ROWS) {
      this.splitAndInsert(at, leaf, row, prefix);
    } else {
      insertInto(leaf, at.position, row, prefix);
      this.notePrefix(at.leaf);
    }
  }

  removeAt(at: KeyPosition): void {
    const leaf = this.leaves[at.leaf];
    if (leaf === undefined) return;
    this.size -= 1;
    this.changes += 1;
    leaf.rows.copyWithin(at.position, at.position + 1, leaf.count);
    leaf.prefixes.copyWithin(at.position, at.position + 1, leaf.count);
    leaf.count -= 1;
    if (leaf.count > 0) {
      this.notePrefix(at.leaf);
      return;
    }
    this.leaves.splice(at.leaf, 1);
    this.lastPrefixes.splice(at.leaf, 1);
  }

  private append(row: number, prefix: number): void {
    const last = this.leaves.at(-1);
    if (last !== undefined && last.count < LEAF_ROWS) {
      insertInto(last, last.count, row, prefix);
      this.notePrefix(this.leaves.length - 1);
      return;
    }
    const leaf = emptyLeaf(last === undefined ? FIRST_LEAF_ROWS : LEAF_ROWS);
    insertInto(leaf, 0, row, prefix);
    this.leaves.push(leaf);
    this.lastPrefixes.push(prefix);
  }

  private splitAndInsert(at: KeyPosition, leaf: Leaf, row: number, prefix: number): void {
    const half = LEAF_ROWS / 2;
    const right = emptyLeaf(LEAF_ROWS);
    right.rows.set(leaf.rows.subarray(half, LEAF_ROWS));
    right.prefixes.set(leaf.prefixes.subarray(half, LEAF_ROWS));
    right.count = LEAF_ROWS - half;
    leaf.count = half;
    this.leaves.splice(at.leaf + 1, 0, right);
    if (at.position <= half) insertInto(leaf, at.position, row, prefix);
    else insertInto(right, at.position - half, row, prefix);
    this.lastPrefixes.splice(at.leaf + 1, 0, 0);
    this.notePrefix(at.leaf);
    this.notePrefix(at.leaf + 1);
  }

  private notePrefix(position: number): void {
    const leaf = this.leaves[position];
    this.lastPrefixes[position] = leaf.prefixes[leaf.count - 1];
  }
}

function emptyLeaf(rows: number): Leaf {
  return { rows: new Int32Array(rows), prefixes: new Float64Array(rows), count: 0 };
}

function lastRow(leaf: Leaf | undefined): number {
  return leaf === undefined ? -1 : (leaf.rows[leaf.count - 1] ?? -1);
}

function findInLeaf(leaf: Leaf, compare: RowComparison, prefix: number, at: KeyPosition): boolean {
  const { rows, prefixes } = leaf;
  let low = 0;
  let high = leaf.count;
  let found = false;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const difference = prefixes[middle] - prefix;
    const order = difference === 0 ? compare(rows[middle]) : difference;
    if (order < 0) low = middle + 1;
    else high = middle;
    // Entries differ in key or record id: at most one compares as equal, and the search ends at it.
    found ||= order === 0;
  }
  at.position = low;
  return found;
}

function insertInto(leaf: Leaf, position: number, row: number, prefix: number): void {
  if (leaf.count === leaf.rows.length) {
    const grown = emptyLeaf(Math.min(leaf.rows.length * 2, LEAF_ROWS));
    grown.rows.set(leaf.rows);
    grown.prefixes.set(leaf.prefixes);
    leaf.rows = grown.rows;
    leaf.prefixes = grown.prefixes;
  }
  if (position < leaf.count) {
    leaf.rows.copyWithin(position + 1, position, leaf.count);
    leaf.prefixes.copyWithin(position + 1, position, leaf.count);
  }
  leaf.rows[position] = row;
  leaf.prefixes[position] = prefix;
  leaf.count += 1;
}
