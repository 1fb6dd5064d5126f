/**
 * An ordered set of integers in leaves of typed arrays: appended in O(1), inserted anywhere in well under a microsecond.
 *
 * Walks hold no position: they ask for the next number after the last one, so that insertions cannot invalidate them.
 */

import { grownFloat64 } from './growable.ts';

const LEAF_ENTRIES = 256;
/** The first leaf starts small: most collections of a server with thousands of them are. */
const FIRST_LEAF_ENTRIES = 8;

interface Leaf {
  numbers: Float64Array;
  count: number;
}

export class SortedNumbers {
  size = 0;
  private readonly leaves: Leaf[] = [];

  /** Adds a number that is not there yet. */
  add(number: number): void {
    this.size += 1;
    const lastLeaf = this.leaves.at(-1);
    if (lastLeaf === undefined || number > lastOf(lastLeaf)) {
      this.append(lastLeaf, number);
      return;
    }
    const leafIndex = this.leafAtOrAfter(number);
    const leaf = this.leaves[leafIndex] ?? lastLeaf;
    if (leaf.count === LEAF_ENTRIES) {
      this.splitAndInsert(leafIndex, leaf, number);
    } else {
      makeRoom(leaf);
      insertInto(leaf, number);
    }
  }

  /** The smallest number > `after`, or Infinity. */
  next(after: number): number {
    const leafIndex = this.leafAtOrAfter(after);
    const leaf = this.leaves[leafIndex];
    if (leaf === undefined) return Infinity;
    const position = firstAbove(leaf, after);
    if (position < leaf.count) return leaf.numbers[position] ?? Infinity;
    return this.leaves[leafIndex + 1]?.numbers[0] ?? Infinity;
  }

  /** The largest number < `before`, or -Infinity. */
  previous(before: number): number {
    const leafIndex = this.leafAtOrAfter(before);
    const leaf = this.leaves[leafIndex];
    if (leaf === undefined) {
      const last = this.leaves.at(-1);
      return last === undefined ? -Infinity : lastOf(last);
    }
    const position = firstAtOrAbove(leaf, before) - 1;
    if (position >= 0) return leaf.numbers[position] ?? -Infinity;
    const previousLeaf = leafIndex > 0 ? this.leaves[leafIndex - 1] : undefined;
    return previousLeaf === undefined ? -Infinity : lastOf(previousLeaf);
  }

  private append(lastLeaf: Leaf | undefined, number: number): void {
    if (lastLeaf === undefined || lastLeaf.count === LEAF_ENTRIES) {
      const entries = lastLeaf === undefined ? FIRST_LEAF_ENTRIES : LEAF_ENTRIES;
      const leaf: Leaf = { numbers: new Float64Array(entries), count: 1 };
      leaf.numbers[0] = number;
      this.leaves.push(leaf);
      return;
    }
    makeRoom(lastLeaf);
    lastLeaf.numbers[lastLeaf.count] = number;
    lastLeaf.count += 1;
  }

  private splitAndInsert(leafIndex: number, leaf: Leaf, number: number): void {
    const half = LEAF_ENTRIES / 2;
    const right: Leaf = { numbers: new Float64Array(LEAF_ENTRIES), count: LEAF_ENTRIES - half };
    right.numbers.set(leaf.numbers.subarray(half, LEAF_ENTRIES));
    leaf.count = half;
    this.leaves.splice(leafIndex + 1, 0, right);
    insertInto(number < (right.numbers[0] ?? 0) ? leaf : right, number);
  }

  /** Index of the first leaf whose last number is >= `number`; the number of leaves if none is. */
  private leafAtOrAfter(number: number): number {
    const leaves = this.leaves;
    let low = 0;
    let high = leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const leaf = leaves[middle];
      if (leaf !== undefined && lastOf(leaf) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function makeRoom(leaf: Leaf): void {
  if (leaf.count === leaf.numbers.length) leaf.numbers = grownFloat64(leaf.numbers, leaf.count * 2);
}

function lastOf(leaf: Leaf): number {
  return leaf.numbers[leaf.count - 1] ?? -Infinity;
}

function firstAtOrAbove(leaf: Leaf, number: number): number {
  let low = 0;
  let high = leaf.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((leaf.numbers[middle] ?? 0) < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstAbove(leaf: Leaf, number: number): number {
  const position = firstAtOrAbove(leaf, number);
  return position < leaf.count && leaf.numbers[position] === number ? position + 1 : position;
}

function insertInto(leaf: Leaf, number: number): void {
  const position = firstAtOrAbove(leaf, number);
  leaf.numbers.copyWithin(position + 1, position, leaf.count);
  leaf.numbers[position] = number;
  leaf.count += 1;
}
