/**
 * Leads the values at a dotted path to a test, through arrays as MongoDB's query language goes through them.
 *
 * Owns: the rules of traversal. An array at the end of the path is tested element by element and then as a whole; an
 * array on the way is entered: each document in it continues the path, and a number in the path also picks one element.
 * A document on the way that lacks the field gives "missing"; other values in an array give nothing.
 * Promises: allocates nothing per document; stops at the first value that passes.
 * Source: MongoDB's manual, "Query an Array", "Query an Array of Embedded Documents".
 */
import { BsonType, readInt32, valueEndOf } from '../../bson/index.ts';
import type { ValueTest } from './tree.ts';

/** Receives the index of the array element through which a document matched, for positional `$`. */
export interface MatchedPosition {
  /** -1: no array was involved. */
  index: number;
}

/** How a path ends. */
export interface LeafArrays {
  /** An array at the end is tested as a whole only. */
  readonly wholeArrayOnly: boolean;
}

/** Tests the value of a field that was found already; the first name of the path is behind it. */
export function compileFieldTest(
  path: string,
  test: ValueTest,
  options: LeafArrays,
  position: MatchedPosition,
): { readonly field: string; readonly test: ValueTest } {
  const [field, ...rest] = path.split('.');
  const leaf = options.wholeArrayOnly ? test : throughLeafArray(test, position);
  const walk = rest.length === 0 ? leaf : new PathWalk(rest, test, leaf, position).fieldTest();
  return { field, test: walk };
}

/** An array is tested element by element, then as a whole. */
function throughLeafArray(test: ValueTest, position: MatchedPosition): ValueTest {
  return (type, bytes, start, end) =>
    type === BsonType.array
      ? someElement(test, bytes, start, position) || test(type, bytes, start, end)
      : test(type, bytes, start, end);
}

function someElement(
  test: ValueTest,
  bytes: Buffer,
  start: number,
  position: MatchedPosition,
): boolean {
  const limit = start + readInt32(bytes, start) - 1;
  let at = start + 4;
  for (let index = 0; at < limit; index += 1) {
    const type = bytes[at];
    const valueStart = nameEndAfter(bytes, at + 1) + 1;
    const end = valueEndOf(bytes, type, valueStart, limit);
    if (test(type, bytes, valueStart, end)) {
      position.index = index;
      return true;
    }
    at = end;
  }
  return false;
}

/** The NUL that ends the name at `at`. Past the end of the buffer the comparison is false, and the search ends. */
export function nameEndAfter(bytes: Buffer, at: number): number {
  let end = at;
  while (bytes[end] > 0) end += 1;
  return end;
}

/** The names of a path after its first. */
class PathWalk {
  private readonly names: readonly Buffer[];
  /** For a name that is a number in its shortest form: that number; else -1. */
  private readonly indexes: readonly number[];
  private readonly test: ValueTest;
  private readonly leaf: ValueTest;
  private readonly position: MatchedPosition;
  private readonly last: number;

  /** @param leaf tests the value at the end of the path, entering an array there; `test` does not enter it. */
  constructor(
    names: readonly string[],
    test: ValueTest,
    leaf: ValueTest,
    position: MatchedPosition,
  ) {
    this.names = names.map((name) => Buffer.from(name));
    this.indexes = names.map((name) => (/^(?:0|[1-9]\d{0,8})$/.test(name) ? Number(name) : -1));
    this.test = test;
    this.leaf = leaf;
    this.position = position;
    this.last = names.length - 1;
  }

  /** For the value of the path's first field. */
  fieldTest(): ValueTest {
    return (type, bytes, start) => {
      if (type === BsonType.object) return this.inDocument(bytes, start, 0);
      if (type === BsonType.array) return this.inArray(bytes, start, 0);
      return this.test(0, bytes, 0, 0);
    };
  }

  private inDocument(bytes: Buffer, start: number, depth: number): boolean {
    const name = this.names[depth];
    const size = name.length;
    const limit = start + readInt32(bytes, start) - 1;
    let at = start + 4;
    while (at < limit) {
      const type = bytes[at];
      at += 1;
      let matched = 0;
      while (matched < size && bytes[at + matched] === name[matched]) matched += 1;
      const nameEnd = nameEndAfter(bytes, at + matched);
      const valueStart = nameEnd + 1;
      const end = valueEndOf(bytes, type, valueStart, limit);
      if (matched === size && nameEnd === at + size) {
        return this.onValue(type, bytes, valueStart, end, depth);
      }
      at = end;
    }
    return this.test(0, bytes, 0, 0);
  }

  private onValue(type: number, bytes: Buffer, start: number, end: number, depth: number): boolean {
    if (depth === this.last) return this.leaf(type, bytes, start, end);
    if (type === BsonType.object) return this.inDocument(bytes, start, depth + 1);
    if (type === BsonType.array) return this.inArray(bytes, start, depth + 1);
    return this.test(0, bytes, 0, 0);
  }

  /** The path goes on at `depth` inside the elements of an array, or picks one of them. */
  private inArray(bytes: Buffer, start: number, depth: number): boolean {
    const wanted = this.indexes[depth];
    const limit = start + readInt32(bytes, start) - 1;
    let at = start + 4;
    for (let index = 0; at < limit; index += 1) {
      const type = bytes[at];
      const valueStart = nameEndAfter(bytes, at + 1) + 1;
      const end = valueEndOf(bytes, type, valueStart, limit);
      if (type === BsonType.object && this.inDocument(bytes, valueStart, depth)) {
        // The outermost array decides the position, so the index of an inner one is overwritten.
        this.position.index = index;
        return true;
      }
      if (index === wanted && this.atIndex(type, bytes, valueStart, end, depth)) return true;
      at = end;
    }
    return false;
  }

  /** The path names this element by its number. An array there is a value like any other. */
  private atIndex(type: number, bytes: Buffer, start: number, end: number, depth: number): boolean {
    if (depth === this.last) return this.test(type, bytes, start, end);
    if (type === BsonType.object) return this.inDocument(bytes, start, depth + 1);
    if (type === BsonType.array) return this.inArray(bytes, start, depth + 1);
    return false;
  }
}
