/**
 * The order of one generation's index entries: rows of a key table in leaves, by key bytes and then record id.
 *
 * Owns: leaves and positions. The bytes belong to the key table, which compares.
 * Promises: an entry appended behind all others costs O(1), any other O(log n); `changes` moves with every insertion and
 * removal, so that a walk knows when its position is stale and seeks again.
 */

const LEAF_ROWS = 128;
const FIRST_LEAF_ROWS = 8;

interface Leaf {
  rows: Int32Array;
  count: number;
}

/** Answers with a negative number, zero or a positive number as the row's entry is before, at or after what is sought. */
export type RowComparison = (row: number) => number;

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

  /** Sets `at` to the first entry for which the comparison is not negative. @returns whether it is zero there. */
  find(compare: RowComparison, at: KeyPosition): boolean {
    const leaves = this.leaves;
    let low = 0;
    let high = leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(lastRow(leaves[middle])) < 0) low = middle + 1;
      else high = middle;
    }
    at.leaf = low;
    at.position = 0;
    const leaf = leaves[low];
    if (leaf === undefined) return false;
    return findInLeaf(leaf, compare, at);
  }

  /** Whether the last entry lies before what is sought: then insertAt may be called with end(). */
  endsBefore(compare: RowComparison): boolean {
    const last = this.leaves.at(-1);
    return last === undefined || compare(lastRow(last)) < 0;
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

  /** Inserts a row at the place that find() or end() gave. */
  insertAt(at: KeyPosition, row: number): void {
    this.size += 1;
    this.changes += 1;
    if (at.leaf === this.leaves.length) {
      this.append(row);
      return;
    }
    const leaf = this.leaves[at.leaf];
    if (leaf === undefined) return;
    if (leaf.count === LEAF_ROWS) this.splitAndInsert(at, leaf, row);
    else insertInto(leaf, at.position, row);
  }

  removeAt(at: KeyPosition): void {
    const leaf = this.leaves[at.leaf];
    if (leaf === undefined) return;
    this.size -= 1;
    this.changes += 1;
    leaf.rows.copyWithin(at.position, at.position + 1, leaf.count);
    leaf.count -= 1;
    if (leaf.count === 0) this.leaves.splice(at.leaf, 1);
  }

  private append(row: number): void {
    const last = this.leaves.at(-1);
    if (last !== undefined && last.count < LEAF_ROWS) {
      insertInto(last, last.count, row);
      return;
    }
    const rows = new Int32Array(last === undefined ? FIRST_LEAF_ROWS : LEAF_ROWS);
    rows[0] = row;
    this.leaves.push({ rows, count: 1 });
  }

  private splitAndInsert(at: KeyPosition, leaf: Leaf, row: number): void {
    const half = LEAF_ROWS / 2;
    const right: Leaf = { rows: new Int32Array(LEAF_ROWS), count: LEAF_ROWS - half };
    right.rows.set(leaf.rows.subarray(half, LEAF_ROWS));
    leaf.count = half;
    this.leaves.splice(at.leaf + 1, 0, right);
    if (at.position <= half) insertInto(leaf, at.position, row);
    else insertInto(right, at.position - half, row);
  }
}

function lastRow(leaf: Leaf | undefined): number {
  return leaf === undefined ? -1 : (leaf.rows[leaf.count - 1] ?? -1);
}

function findInLeaf(leaf: Leaf, compare: RowComparison, at: KeyPosition): boolean {
  let low = 0;
  let high = leaf.count;
  let found = false;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compare(leaf.rows[middle] ?? -1);
    if (order < 0) low = middle + 1;
    else high = middle;
    // Entries differ in key or record id: at most one compares as equal, and the search ends at it.
    found ||= order === 0;
  }
  at.position = low;
  return found;
}

function insertInto(leaf: Leaf, position: number, row: number): void {
  if (leaf.count === leaf.rows.length) {
    const grown = new Int32Array(Math.min(leaf.rows.length * 2, LEAF_ROWS));
    grown.set(leaf.rows);
    leaf.rows = grown;
  }
  leaf.rows.copyWithin(position + 1, position, leaf.count);
  leaf.rows[position] = row;
  leaf.count += 1;
}
