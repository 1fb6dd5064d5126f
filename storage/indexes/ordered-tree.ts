/**
 * An ordered map of Buffers whose versions share what they have in common: the memory index store's state.
 *
 * A version is immutable; an editor makes the next one and copies only the leaves it touches.
 */

const LARGEST_LEAF = 128;

interface Leaf {
  readonly keys: Buffer[];
  readonly values: Buffer[];
}

/** Leaves in key order, none of them empty. */
export interface OrderedTree {
  readonly leaves: readonly Leaf[];
}

export const EMPTY_TREE: OrderedTree = { leaves: [] };

/** A place in a tree; past the end when `leaf` equals the number of leaves. */
export interface TreePosition {
  readonly leaf: number;
  readonly slot: number;
}

/** The first place whose key is at or after `key`, or after it when `after` is set. */
export function seekTree(tree: OrderedTree, key: Buffer, after: boolean): TreePosition {
  const leaf = lowerBound(tree.leaves.length, (index) => {
    const order = Buffer.compare(tree.leaves[index].keys.at(-1) ?? key, key);
    return after ? order > 0 : order >= 0;
  });
  if (leaf === tree.leaves.length) return { leaf, slot: 0 };
  return { leaf, slot: seekLeaf(tree.leaves[leaf], key, after) };
}

export function getFromTree(tree: OrderedTree, key: Buffer): Buffer | undefined {
  const { leaf, slot } = seekTree(tree, key, false);
  const found = tree.leaves[leaf];
  return found?.keys[slot]?.equals(key) === true ? found.values[slot] : undefined;
}

/** Makes the next version of a tree. */
export class TreeEditor {
  readonly leaves: Leaf[];
  /** Leaves made here, which may change. */
  private readonly own = new Set<Leaf>();

  constructor(tree: OrderedTree) {
    this.leaves = [...tree.leaves];
  }

  get(key: Buffer): Buffer | undefined {
    return getFromTree(this, key);
  }

  /** Keeps both Buffers. */
  put(key: Buffer, value: Buffer): void {
    if (this.leaves.length === 0) this.leaves.push({ keys: [], values: [] });
    const found = seekTree(this, key, false);
    const leafIndex = Math.min(found.leaf, this.leaves.length - 1);
    const leaf = this.ownLeaf(leafIndex);
    const slot = seekLeaf(leaf, key, false);
    const replaces = leaf.keys[slot]?.equals(key) === true ? 1 : 0;
    leaf.keys.splice(slot, replaces, key);
    leaf.values.splice(slot, replaces, value);
    if (leaf.keys.length > LARGEST_LEAF) this.split(leafIndex);
  }

  delete(key: Buffer): void {
    const { leaf, slot } = seekTree(this, key, false);
    if (this.leaves[leaf]?.keys[slot]?.equals(key) !== true) return;
    const changed = this.ownLeaf(leaf);
    changed.keys.splice(slot, 1);
    changed.values.splice(slot, 1);
    if (changed.keys.length === 0) this.leaves.splice(leaf, 1);
  }

  keysIn(lower: Buffer, upper: Buffer, most: number): Buffer[] {
    const keys: Buffer[] = [];
    let { leaf, slot } = seekTree(this, lower, false);
    for (; leaf < this.leaves.length; leaf += 1, slot = 0) {
      for (const key of this.leaves[leaf].keys.slice(slot)) {
        if (keys.length === most || Buffer.compare(key, upper) >= 0) return keys;
        keys.push(key);
      }
    }
    return keys;
  }

  /** The new version. The editor is of no more use. */
  finish(): OrderedTree {
    return { leaves: this.leaves };
  }

  private ownLeaf(index: number): Leaf {
    const leaf = this.leaves[index];
    if (this.own.has(leaf)) return leaf;
    const copy = { keys: [...leaf.keys], values: [...leaf.values] };
    this.own.add(copy);
    this.leaves[index] = copy;
    return copy;
  }

  private split(index: number): void {
    const leaf = this.leaves[index];
    const half = leaf.keys.length >> 1;
    const right = { keys: leaf.keys.splice(half), values: leaf.values.splice(half) };
    this.own.add(right);
    this.leaves.splice(index + 1, 0, right);
  }
}

function seekLeaf(leaf: Leaf, key: Buffer, after: boolean): number {
  return lowerBound(leaf.keys.length, (slot) => {
    const order = Buffer.compare(leaf.keys[slot], key);
    return after ? order > 0 : order >= 0;
  });
}

/** The first index from 0 to count for which `holds`, which once true stays true; `count` if none. */
function lowerBound(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
