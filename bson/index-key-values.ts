/**
 * Which values a document has under a key pattern: one tuple per index entry, arrays expanded as MongoDB does.
 *
 * Owns: the rules for arrays. At most one array is expanded at a time; fields whose paths meet in the same array walk
 * through it together; a part such as "0" names an element instead of walking through all. Compound keys with a second
 * array are refused. An empty array counts as undefined at its own path, and as missing below it.
 * Used by indexes (index-key-generator.ts) and by sorting (sort-key.ts).
 */
import { CommandError } from '../common/errors.ts';
import { FieldCursor } from './field-cursor.ts';
import { EMPTY_DOCUMENT, getFieldAt } from './fields.ts';
import { inspect } from './inspect.ts';
import type { MultikeyPaths } from './multikey-paths.ts';
import { parsePath, type FieldPath } from './path.ts';
import type { RawValue } from './raw-value.ts';
import { BsonType } from './types.ts';
import { UNDEFINED_VALUE } from './values.ts';

/** One value per field of the pattern, undefined where the document has none. */
export type KeyValues = readonly (RawValue | undefined)[];

/** What a document has under a pattern. */
export interface ExpandedValues {
  /** In the document's order, with repetitions. */
  readonly tuples: readonly KeyValues[];
  /** Which parts of each field's path are arrays; undefined when none is. */
  readonly multikeyPaths: MultikeyPaths | undefined;
}

/** A field of the pattern on its way through the document. */
interface FieldState {
  readonly path: FieldPath;
  /** Parts of the path that are used up. */
  readonly depth: number;
  /** Whether `value` is what the field contributes; undefined for a missing one. */
  readonly done: boolean;
  readonly value: RawValue | undefined;
}

/** How far a path came without walking through an array. */
interface Step {
  readonly depth: number;
  /** The value at the path's end, or an array at its end or before; undefined when there is nothing. */
  readonly value: RawValue | undefined;
}

/** The element of an array that a path names by its index, and how far the path comes through it. */
interface IndexedElement {
  readonly element: RawValue;
  readonly array: RawValue;
  readonly step: Step;
}

interface Expansion {
  readonly tuples: KeyValues[];
  /** Of each field the components that are arrays; undefined as long as there is none. */
  multikeyPaths: number[][] | undefined;
  readonly fieldCount: number;
  readonly omitsAllMissing: boolean;
}

/** Compiles a pattern's paths. */
export class KeyPaths {
  private readonly paths: readonly FieldPath[];

  constructor(paths: readonly string[]) {
    this.paths = paths.map(parsePath);
  }

  /**
   * The values of the only entry of a document without arrays on these paths; undefined when there is an array, and
   * valuesOf must be asked.
   */
  tryPlain(document: Buffer): KeyValues | undefined {
    const values: (RawValue | undefined)[] = [];
    for (const path of this.paths) {
      const { value } = walk(document, 0, path, 0);
      if (value !== undefined && value.type === BsonType.array) return undefined;
      values.push(value);
    }
    return values;
  }

  /**
   * @param omitsAllMissing leave out tuples in which every field is missing (sparse indexes).
   * @throws CommandError CannotIndexParallelArrays (171); 16746 for an array whose element has the index as its name.
   */
  valuesOf(document: Buffer, omitsAllMissing: boolean): ExpandedValues {
    const expansion: Expansion = {
      tuples: [],
      multikeyPaths: undefined,
      fieldCount: this.paths.length,
      omitsAllMissing,
    };
    const states = this.paths.map((path) => ({ path, depth: 0, done: false, value: undefined }));
    expand(expansion, { bytes: document, start: 0 }, states, []);
    return { tuples: expansion.tuples, multikeyPaths: expansion.multikeyPaths };
  }
}

/** Follows `path` from its part `depth` on, through objects, until it ends or an array stands in the way. */
function walk(bytes: Buffer, start: number, path: FieldPath, depth: number): Step {
  const parts = path.parts;
  let value = getFieldAt(bytes, start, parts[depth]);
  let next = depth + 1;
  while (next < parts.length && value !== undefined && value.type === BsonType.object) {
    value = getFieldAt(value.bytes, value.start, parts[next]);
    next += 1;
  }
  const isWhole = next === parts.length;
  if (value === undefined || isWhole || value.type === BsonType.array) {
    return { value, depth: next };
  }
  return { value: undefined, depth: next };
}

/** Where an object stands. */
interface Place {
  readonly bytes: Buffer;
  readonly start: number;
}

const NOWHERE: Place = { bytes: EMPTY_DOCUMENT, start: 0 };

/**
 * Moves every field on from `object` and emits the tuples that come out.
 * @param indexed for fields whose next part names an element of the array that `object` is an element of.
 */
function expand(
  expansion: Expansion,
  object: Place,
  states: readonly FieldState[],
  indexed: readonly (IndexedElement | undefined)[],
): void {
  const next: FieldState[] = [];
  let array: RawValue | undefined;
  let arrayName = '';
  // An array that is itself an indexed element of an array is kept whole, once for each of its elements.
  let mayExpand = true;
  for (const [field, state] of states.entries()) {
    if (state.done) {
      next.push(state);
      continue;
    }
    const step = stepOf(object, state, indexed[field]);
    const value = step.value;
    const isArray = value !== undefined && value.type === BsonType.array;
    next.push({ path: state.path, depth: step.depth, done: !isArray, value });
    if (!isArray) continue;
    const name = state.path.parts[step.depth - 1];
    if (array === undefined) {
      array = value;
      arrayName = name;
    } else if (array.start !== value.start) {
      throw parallelArrays(name, arrayName);
    }
    if (indexed[field]?.element.type === BsonType.array) mayExpand = false;
  }
  if (array === undefined) emit(expansion, next);
  else expandArray(expansion, array, next, mayExpand);
}

function stepOf(object: Place, state: FieldState, indexed: IndexedElement | undefined): Step {
  if (indexed === undefined) return walk(object.bytes, object.start, state.path, state.depth);
  const name = state.path.parts[state.depth];
  if (getFieldAt(object.bytes, object.start, name) !== undefined) {
    throw ambiguousName(name, indexed.array);
  }
  return indexed.step;
}

function emit(expansion: Expansion, states: readonly FieldState[]): void {
  const tuple = states.map((state) => state.value);
  const isMissing = expansion.omitsAllMissing && tuple.every((value) => value === undefined);
  if (!isMissing) expansion.tuples.push(tuple);
}

/** Goes on in each element of `array`; the fields that are not done stand at it. */
function expandArray(
  expansion: Expansion,
  array: RawValue,
  states: readonly FieldState[],
  mayExpand: boolean,
): void {
  const cursor = new FieldCursor(array.bytes, array.start);
  if (!cursor.next()) {
    expandEmptyArray(expansion, states, mayExpand);
    return;
  }
  if (states.every((state) => state.done || isAtEnd(state))) {
    emitElements(expansion, cursor, array, states, mayExpand);
    return;
  }
  const indexed = states.map((state) => indexedElementOf(state, array));
  for (const [field, state] of states.entries()) {
    if (state.done || indexed[field] !== undefined) continue;
    if (!isAtEnd(state) || mayExpand) noteArray(expansion, field, state);
  }
  do {
    const element = cursor.value();
    const object = element.type === BsonType.object ? element : NOWHERE;
    expand(expansion, object, atElement(states, mayExpand ? element : array), indexed);
  } while (cursor.next());
}

/** The path's component that was used up last is an array, whose elements have keys of their own. */
function noteArray(expansion: Expansion, field: number, { depth }: FieldState): void {
  expansion.multikeyPaths ??= Array.from({ length: expansion.fieldCount }, () => []);
  const components = expansion.multikeyPaths[field];
  const component = depth - 1;
  if (components.at(-1) === component || components.includes(component)) return;
  components.push(component);
  components.sort((a, b) => a - b);
}

/** The frequent case that every path has ended: a tuple per element, and no further step. */
function emitElements(
  expansion: Expansion,
  cursor: FieldCursor,
  array: RawValue,
  states: readonly FieldState[],
  mayExpand: boolean,
): void {
  for (const [field, state] of states.entries()) {
    if (!state.done && mayExpand) noteArray(expansion, field, state);
  }
  do {
    const value = mayExpand ? cursor.value() : array;
    expansion.tuples.push(states.map((state) => (state.done ? state.value : value)));
  } while (cursor.next());
}

function expandEmptyArray(
  expansion: Expansion,
  states: readonly FieldState[],
  mayExpand: boolean,
): void {
  for (const [field, state] of states.entries()) {
    if (!state.done && mayExpand) noteArray(expansion, field, state);
  }
  expand(expansion, NOWHERE, atElement(states, UNDEFINED_VALUE), []);
}

/** The states with `value` for the fields whose path ends at the array. */
function atElement(states: readonly FieldState[], value: RawValue): FieldState[] {
  return states.map((state) =>
    !state.done && isAtEnd(state) ? { ...state, done: true, value } : state,
  );
}

function isAtEnd(state: FieldState): boolean {
  return state.depth === state.path.parts.length;
}

function indexedElementOf(state: FieldState, array: RawValue): IndexedElement | undefined {
  if (state.done || isAtEnd(state)) return undefined;
  const element = getFieldAt(array.bytes, array.start, state.path.parts[state.depth]);
  if (element === undefined) return undefined;
  return { element, array, step: walk(array.bytes, array.start, state.path, state.depth) };
}

function parallelArrays(name: string, other: string): CommandError {
  return new CommandError(
    'CannotIndexParallelArrays',
    `cannot index parallel arrays [${name}] [${other}]`,
  );
}

function ambiguousName(name: string, array: RawValue): CommandError {
  return new CommandError(
    16746,
    'Ambiguous field name found in array (do not use numeric field names in embedded elements ' +
      `in an array), field: '${name}' for array: ${inspect(array)}`,
  );
}
