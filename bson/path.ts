/**
 * Dotted paths, and how MongoDB walks them through objects and arrays.
 *
 * Promises: nothing is copied; a walk reads only what lies on the path.
 */
import { FieldCursor } from './field-cursor.ts';
import { getFieldAt } from './fields.ts';
import type { RawValue } from './raw-value.ts';
import { BsonType } from './types.ts';

/** A path taken apart once. Made by parsePath. */
export interface FieldPath {
  readonly text: string;
  readonly parts: readonly string[];
  /** For each part the array index that it also means, -1 when it is no index ("01" is none). */
  readonly indices: readonly number[];
}

const INDEX = /^(?:0|[1-9]\d{0,9})$/;

/** Takes a path apart at its dots. Empty parts stay: whether they are allowed is the caller's to say. */
export function parsePath(text: string): FieldPath {
  const parts = text.split('.');
  return { text, parts, indices: parts.map(arrayIndexOf) };
}

/** The array index that a name means, -1 when it means none. */
export function arrayIndexOf(name: string): number {
  return INDEX.test(name) ? Number(name) : -1;
}

/** The value at the end of a path through objects only; an array on the way ends the walk with undefined. */
export function getPath(document: Buffer, path: FieldPath): RawValue | undefined {
  const parts = path.parts;
  let value = getFieldAt(document, 0, parts[0]);
  for (let depth = 1; depth < parts.length; depth += 1) {
    if (value === undefined || value.type !== BsonType.object) return undefined;
    value = getFieldAt(value.bytes, value.start, parts[depth]);
  }
  return value;
}

/**
 * Receives a value at the end of a path, undefined where the path ends early.
 * @param arrayIndex position in the outermost array that was walked through without an index in the path: what the
 *   positional operator $ means.
 * @returns true to stop the walk.
 */
export type PathVisitor = (value: RawValue | undefined, arrayIndex?: number) => boolean;

export interface PathWalkOptions {
  /** Visit each element of an array at the path's end, and then the array itself; else only the array. */
  readonly expandLeafArrays: boolean;
}

/**
 * Visits every value that a filter on `path` looks at: arrays on the way are walked through element by element, and a
 * part such as "2" also means the element at that index.
 * @returns true when `visit` stopped the walk.
 */
export function forEachPathValue(
  document: Buffer,
  path: FieldPath,
  visit: PathVisitor,
  options: PathWalkOptions,
): boolean {
  const walk = { path, visit, expandLeafArrays: options.expandLeafArrays };
  return walkObject(walk, document, 0, 0, undefined);
}

interface Walk extends PathWalkOptions {
  readonly path: FieldPath;
  readonly visit: PathVisitor;
}

/** @param part the part of the path to look up in the object at `start`. */
function walkObject(
  walk: Walk,
  bytes: Buffer,
  start: number,
  part: number,
  arrayIndex: number | undefined,
): boolean {
  const parts = walk.path.parts;
  const last = parts.length - 1;
  let value = getFieldAt(bytes, start, parts[part]);
  for (let depth = part; value !== undefined; depth += 1) {
    if (value.type === BsonType.array) {
      return depth === last
        ? walkLeafArray(walk, value, arrayIndex)
        : walkArray(walk, value, depth + 1, arrayIndex);
    }
    if (depth === last) return walk.visit(value, arrayIndex);
    if (value.type !== BsonType.object) break;
    value = getFieldAt(value.bytes, value.start, parts[depth + 1]);
  }
  return walk.visit(undefined, arrayIndex);
}

function walkLeafArray(walk: Walk, array: RawValue, arrayIndex: number | undefined): boolean {
  if (walk.expandLeafArrays) {
    const cursor = new FieldCursor(array.bytes, array.start);
    for (let index = 0; cursor.next(); index += 1) {
      if (walk.visit(cursor.value(), arrayIndex ?? index)) return true;
    }
  }
  return walk.visit(array, arrayIndex);
}

/** An array in the middle of a path: `part` is to be found in its elements, or is the index of one. */
function walkArray(
  walk: Walk,
  array: RawValue,
  part: number,
  arrayIndex: number | undefined,
): boolean {
  const wantedIndex = walk.path.indices[part];
  const cursor = new FieldCursor(array.bytes, array.start);
  for (let index = 0; cursor.next(); index += 1) {
    if (
      cursor.type === BsonType.object &&
      walkObject(walk, cursor.bytes, cursor.valueStart, part, arrayIndex ?? index)
    ) {
      return true;
    }
    if (index === wantedIndex && walkIndexed(walk, cursor.value(), part, arrayIndex)) return true;
  }
  return false;
}

/** The element that the path names by its index: this is no walk through the array, so `arrayIndex` stays. */
function walkIndexed(
  walk: Walk,
  element: RawValue,
  part: number,
  arrayIndex: number | undefined,
): boolean {
  if (part === walk.path.parts.length - 1) return walk.visit(element, arrayIndex);
  if (element.type === BsonType.object) {
    return walkObject(walk, element.bytes, element.start, part + 1, arrayIndex);
  }
  return element.type === BsonType.array && walkArray(walk, element, part + 1, arrayIndex);
}
