/**
 * Compiles a filter to closures over raw documents.
 *
 * Owns: how a tree becomes tests. Conditions about top-level fields that stand in one conjunction are found in a single
 * walk over the document; the rest follows one after the other.
 * Promises: no value is decoded that a test can decide from its bytes; nothing is allocated per document unless an
 * operator has to. A compiled filter keeps the position of its last match, so it must not be entered twice at a time.
 */
import {
  BsonType,
  DocumentBuilder,
  firstFieldName,
  readInt32,
  valueEndOf,
  type RawValue,
} from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import type { LongWork } from '../expression/long-work.ts';
import type { FilterFeatures } from './definition.ts';
import type { Filter } from './filter.ts';
import { compareNodes } from './node-order.ts';
import { parseFilter } from './parse.ts';
import { allFieldsTest, type FieldCondition } from './field-walk.ts';
import { compileFieldTest, type MatchedPosition } from './path-test.ts';
import { FIELD_OPERATORS } from './registry.ts';
import {
  ALWAYS_FALSE,
  ALWAYS_TRUE,
  type DocumentTest,
  type FilterNode,
  splitPrepared,
  longWorkOf,
  usesScripts,
  type ValueTest,
} from './tree.ts';

/** @throws CommandError as MongoDB does for a bad filter. */
export function compileFilter(
  filter: Buffer,
  context: QueryContext,
  features?: FilterFeatures,
): Filter {
  return compileTree(parseFilter(filter, context, features));
}

/** The filter of a query that is planned: it may have conditions that only an index answers ($text, $near). */
export function compileQueryFilter(filter: Buffer, context: QueryContext): Filter {
  return compileFilter(filter, context, { text: true, near: true });
}

/** A filter for a tree that was parsed before, or changed by the planner. */
export function compileTree(tree: FilterNode): Filter {
  return new CompiledFilter(tree);
}

/**
 * A condition on elements of an array, as $pull has it: operators ({ $gt: 1 }) and regular expressions are about the
 * element itself, any other document is a filter for elements that are documents.
 */
export function compileElementCondition(condition: RawValue, context: QueryContext): ValueTest {
  if (condition.type === BsonType.object) {
    const filter = condition.asDocument();
    const isAboutElement = FIELD_OPERATORS.has(firstFieldName(filter) ?? '');
    if (!isAboutElement) return ofDocuments(compileFilter(filter, context, ELEMENT_FEATURES));
  }
  const wrapped = new DocumentBuilder().append('', condition).finish();
  return compileRootedTest(parseFilter(wrapped, context, ELEMENT_FEATURES));
}

/** Conditions on elements are about values, not about the document. */
const ELEMENT_FEATURES: FilterFeatures = { expr: false, javascript: false };

function ofDocuments(filter: Filter): ValueTest {
  return (type, bytes, start, end) =>
    type === BsonType.object && filter.matches(bytes.subarray(start, end));
}

/** The test of single elements of `{ path: { $elemMatch: condition } }`, for projections that pick one. */
export function compileElemMatch(
  condition: RawValue,
  context: QueryContext,
): (element: RawValue) => boolean {
  const wrapped = new DocumentBuilder().beginDocument('').append('$elemMatch', condition).end();
  const tree = parseFilter(wrapped.finish(), context, ELEMENT_FEATURES);
  const { child, over } = tree.kind === 'elemMatch' ? tree : { child: ALWAYS_FALSE, over: 'value' };
  const position: Compilation = { index: -1, inOrder: false };
  const test =
    over === 'value' ? valueTest(child, position) : ofContainers(documentTest(child, position));
  return ({ type, bytes, start, end }) => test(type, bytes, start, end);
}

/** Tests the value of the field that all paths of `tree` begin with: conditions of array filters. */
export function compileRootedTest(tree: FilterNode): ValueTest {
  return rootedTest(tree, { index: -1 });
}

class CompiledFilter implements Filter {
  readonly tree: FilterNode;
  readonly usesScripts: boolean;
  readonly longWork: LongWork | undefined;
  readonly isEmpty: boolean;
  /** Made when the first document comes: many a filter is only planned with. */
  private made: DocumentTest | undefined;
  /** Made when the position is first asked for. */
  private positional:
    { readonly position: MatchedPosition; readonly test: DocumentTest } | undefined;

  constructor(tree: FilterNode) {
    this.tree = tree;
    this.usesScripts = usesScripts(tree);
    this.longWork = longWorkOf(tree);
    this.isEmpty = tree.kind === 'and' && tree.children.length === 0;
  }

  matches(document: Buffer): boolean {
    return (this.made ??= this.compiled())(document, 0);
  }

  matchesAt(bytes: Buffer, start: number): boolean {
    return (this.made ??= this.compiled())(bytes, start);
  }

  private compiled(): DocumentTest {
    return documentTest(this.tree, { index: -1, inOrder: false });
  }

  matchPosition(document: Buffer): number | undefined {
    // JavaScript says nothing about the element that matched, and its results are gone by now.
    const { position, test } = (this.positional ??= positionalTest(
      splitPrepared(this.tree).plain ?? ALWAYS_TRUE,
    ));
    position.index = -1;
    return test(document, 0) && position.index >= 0 ? position.index : undefined;
  }
}

function positionalTest(tree: FilterNode): { position: MatchedPosition; test: DocumentTest } {
  const position = { index: -1, inOrder: true };
  return { position, test: documentTest(tree, position) };
}

/** How a tree is compiled. */
interface Compilation extends MatchedPosition {
  /**
   * Conditions of a conjunction are tested one after the other in MongoDB's order, so that the last one that matched
   * through an array decides the position, as in MongoDB.
   */
  readonly inOrder: boolean;
}

/** The most fields that one walk looks for: their marks share an int32. */
const FIELDS_PER_WALK = 30;

function documentTest(node: FilterNode, position: Compilation): DocumentTest {
  switch (node.kind) {
    case 'leaf':
    case 'elemMatch':
      return allFieldsTest([fieldCondition(node, position)]);
    case 'document':
      return node.test;
    case 'constant':
      return () => node.value;
    case 'and':
      return conjunctionTest(node.children, position);
    case 'or':
      return orTest(node.children.map((child) => documentTest(child, position)));
    case 'nor': {
      const any = orTest(node.children.map((child) => documentTest(child, position)));
      return withoutPosition((bytes, start) => !any(bytes, start), position);
    }
    case 'not': {
      const field = fieldConditionOf(node, position);
      if (field !== undefined) return allFieldsTest([field]);
      const child = documentTest(node.child, position);
      return withoutPosition((bytes, start) => !child(bytes, start), position);
    }
  }
}

function conjunctionTest(children: readonly FilterNode[], position: Compilation): DocumentTest {
  if (position.inOrder) {
    const sorted = children.toSorted(compareNodes);
    return allOf(
      sorted.map((child) => documentTest(child, position)),
      position,
    );
  }
  const conditions: FieldCondition[] = [];
  const others: DocumentTest[] = [];
  for (const child of children) {
    const condition = fieldConditionOf(child, position);
    if (condition === undefined) others.push(documentTest(child, position));
    else conditions.push(condition);
  }
  const merged = mergedByField(conditions);
  const walks: DocumentTest[] = [];
  for (let first = 0; first < merged.length; first += FIELDS_PER_WALK) {
    walks.push(allFieldsTest(merged.slice(first, first + FIELDS_PER_WALK)));
  }
  return allOf([...walks, ...others], position);
}

function mergedByField(conditions: readonly FieldCondition[]): FieldCondition[] {
  const byField = new Map<string, ValueTest[]>();
  for (const { field, test } of conditions) {
    const tests = byField.get(field);
    if (tests === undefined) byField.set(field, [test]);
    else tests.push(test);
  }
  return Array.from(byField, ([field, tests]) => ({ field, test: allValueTests(tests) }));
}

function allValueTests(tests: readonly ValueTest[]): ValueTest {
  const [first, second] = tests;
  if (tests.length === 1) return first;
  if (tests.length === 2) {
    return (type, bytes, start, end) =>
      first(type, bytes, start, end) && second(type, bytes, start, end);
  }
  return (type, bytes, start, end) => {
    for (const test of tests) {
      if (!test(type, bytes, start, end)) return false;
    }
    return true;
  };
}

function allOf(tests: readonly DocumentTest[], position: MatchedPosition): DocumentTest {
  const [first] = tests;
  if (first === undefined) return () => true;
  if (tests.length === 1) return first;
  return (bytes, start) => {
    const before = position.index;
    for (const test of tests) {
      if (test(bytes, start)) continue;
      position.index = before;
      return false;
    }
    return true;
  };
}

function orTest(tests: readonly DocumentTest[]): DocumentTest {
  return (bytes, start) => {
    for (const test of tests) {
      if (test(bytes, start)) return true;
    }
    return false;
  };
}

/** What is negated says nothing about the element that matched. */
function withoutPosition(test: DocumentTest, position: MatchedPosition): DocumentTest {
  return (bytes, start) => {
    const before = position.index;
    const passes = test(bytes, start);
    position.index = before;
    return passes;
  };
}

/** The node as a condition on one top-level field, if it is one. */
function fieldConditionOf(node: FilterNode, position: MatchedPosition): FieldCondition | undefined {
  if (node.kind === 'leaf' || node.kind === 'elemMatch') return fieldCondition(node, position);
  if (node.kind !== 'not') return undefined;
  const child = negatable(node.child, position);
  if (child === undefined) return undefined;
  const { field, test } = child;
  const negated: ValueTest = (type, bytes, start, end) => {
    const before = position.index;
    const passes = !test(type, bytes, start, end);
    position.index = before;
    return passes;
  };
  return { field, test: negated };
}

/** A conjunction of conditions on one field counts as one condition: { $not: { $gt: 1, $lt: 5 } }. */
function negatable(node: FilterNode, position: MatchedPosition): FieldCondition | undefined {
  if (node.kind !== 'and') return fieldConditionOf(node, position);
  const conditions = node.children.map((child) => fieldConditionOf(child, position));
  const present = conditions.filter((condition) => condition !== undefined);
  const merged = mergedByField(present);
  return present.length === conditions.length && merged.length === 1 ? merged[0] : undefined;
}

function fieldCondition(node: PathNode, position: MatchedPosition): FieldCondition {
  if (node.kind === 'leaf') return compileFieldTest(node.path, node.test, node, position);
  const test = elementTest(node, position);
  return compileFieldTest(node.path, test, { wholeArrayOnly: true }, position);
}

/** $elemMatch on a value: some element passes. The position is the element's, whatever happened inside it. */
function elementTest(
  node: FilterNode & { kind: 'elemMatch' },
  position: MatchedPosition,
): ValueTest {
  const inner: Compilation = { index: -1, inOrder: false };
  const test =
    node.over === 'value'
      ? valueTest(node.child, inner)
      : ofContainers(documentTest(node.child, inner));
  return (type, bytes, start) => {
    if (type !== BsonType.array) return false;
    const limit = start + readInt32(bytes, start) - 1;
    let at = start + 4;
    for (let index = 0; at < limit; index += 1) {
      const elementType = bytes[at];
      let nameEnd = at + 1;
      while (bytes[nameEnd] > 0) nameEnd += 1;
      const end = valueEndOf(bytes, elementType, nameEnd + 1, limit);
      if (test(elementType, bytes, nameEnd + 1, end)) {
        position.index = index;
        return true;
      }
      at = end;
    }
    return false;
  };
}

/** An array inside the array is matched like a document whose fields are its indexes, as MongoDB does. */
function ofContainers(test: DocumentTest): ValueTest {
  return (type, bytes, start) =>
    (type === BsonType.object || type === BsonType.array) && test(bytes, start);
}

type PathNode = FilterNode & { kind: 'leaf' | 'elemMatch' };

/** A tree with empty paths, tested on one value without entering it. */
function valueTest(node: FilterNode, position: MatchedPosition): ValueTest {
  return logicalTest(node, (leaf) =>
    leaf.kind === 'leaf' ? leaf.test : elementTest(leaf, position),
  );
}

/** A tree whose paths begin with the same field, tested on the value of that field. */
function rootedTest(node: FilterNode, position: MatchedPosition): ValueTest {
  return logicalTest(node, (leaf) => fieldCondition(leaf, position).test);
}

function logicalTest(node: FilterNode, pathTest: (node: PathNode) => ValueTest): ValueTest {
  switch (node.kind) {
    case 'leaf':
    case 'elemMatch':
      return pathTest(node);
    case 'document':
      return () => false;
    case 'constant':
      return () => node.value;
    case 'and':
      return allOfValues(node.children.map((child) => logicalTest(child, pathTest)));
    case 'or':
      return anyOfValues(node.children.map((child) => logicalTest(child, pathTest)));
    case 'nor': {
      const any = anyOfValues(node.children.map((child) => logicalTest(child, pathTest)));
      return (type, bytes, start, end) => !any(type, bytes, start, end);
    }
    case 'not': {
      const child = logicalTest(node.child, pathTest);
      return (type, bytes, start, end) => !child(type, bytes, start, end);
    }
  }
}

function allOfValues(tests: readonly ValueTest[]): ValueTest {
  return tests.length === 0 ? () => true : allValueTests(tests);
}

function anyOfValues(tests: readonly ValueTest[]): ValueTest {
  return (type, bytes, start, end) => {
    for (const test of tests) {
      if (test(type, bytes, start, end)) return true;
    }
    return false;
  };
}
