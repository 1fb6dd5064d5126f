/**
 * The conditions of a conjunction that an index can serve, by path.
 *
 * Owns: how $elemMatch and negations are seen through. Everything that is not listed stays a residual condition.
 */
import type { ElementNode, FilterNode } from '../matcher/tree.ts';
import { type Bounds, boundsOfLeaf, boundsOfNegation } from './leaf-bounds.ts';
import type { QueryContext } from '../context.ts';
import { predicatesOfExpression } from './expression-predicates.ts';
import { holdsNull, intersect } from './interval.ts';
import type { ElementScope, Predicate } from './predicate.ts';

/** The children of a filter that must all hold. */
export function conjuncts(tree: FilterNode): readonly FilterNode[] {
  return tree.kind === 'and' ? tree.children : [tree];
}

export function predicatesOf(tree: FilterNode, context: QueryContext): readonly Predicate[] {
  return conjuncts(tree).flatMap((node) =>
    node.kind === 'document' && node.operator === '$expr'
      ? predicatesOfExpression(node, context)
      : predicatesOfNode(node, node, '', { within: [], context }),
  );
}

interface Surroundings {
  /** Every $elemMatch over objects, the outermost first. */
  readonly within: readonly ElementScope[];
  readonly context: QueryContext;
}

function predicatesOfNode(
  node: FilterNode,
  origin: FilterNode,
  prefix: string,
  surroundings: Surroundings,
): readonly Predicate[] {
  const { within, context } = surroundings;
  switch (node.kind) {
    case 'leaf':
      return predicate(prefix + node.path, boundsOfLeaf(node), origin, within).map((each) =>
        node.operator.startsWith('$_internalExpr') ? { ...each, withoutArrays: true } : each,
      );
    case 'not':
      if (node.child.kind !== 'leaf') return [];
      return predicate(prefix + node.child.path, boundsOfNegation(node.child), origin, within).map(
        (each) => (excludesNull(node.child) ? { ...each, withoutArrays: true } : each),
      );
    case 'elemMatch':
      // What stands at a number of an array is no array for an index.
      if (hasNumericPart(node.path)) return [];
      return node.over === 'value'
        ? predicate(prefix + node.path, boundsOfElements(node, context), origin, within)
        : conjuncts(node.child).flatMap((child) =>
            predicatesOfNode(child, origin, `${prefix}${node.path}.`, {
              within: [...within, { node, depth: partsOf(prefix + node.path) }],
              context,
            }),
          );
    case 'and':
    case 'or':
    case 'nor':
    case 'document':
    case 'constant':
      return [];
  }
}

/**
 * $ne null, $nin with null. An empty array on the way to a path has null in an index on the path, and equals no null: bounds without
 * null would miss it.
 */
function excludesNull(child: FilterNode): boolean {
  return child.kind === 'leaf' && child.operands.some(({ isNullish }) => isNullish);
}

function predicate(
  path: string,
  bounds: Bounds | undefined,
  node: FilterNode,
  within: readonly ElementScope[],
): readonly Predicate[] {
  if (bounds === undefined) return [];
  // What stands inside an $elemMatch is only part of its condition.
  const isNegation = node.kind === 'not' && node.child.kind === 'leaf';
  const whole = (node.kind === 'leaf' || isNegation) && !hasNumericPart(path);
  if (whole) return [{ path, bounds, node, within }];
  // An index and a condition may differ in what they take a number for: all but some values is more than they agree on.
  if (isNegation) return [];
  const part = { ...bounds, exact: false, exactWithoutArrays: false, keyTest: undefined };
  // {'a.0': null} is also met by elements of a that are objects, which have no field "0"; the index has the element's own value.
  if (hasNumericPart(path) && holdsNull(bounds.intervals)) return [];
  return [{ path, bounds: part, node, within }];
}

/**
 * Conditions of an $elemMatch over values hold for one element, which is one index key: they may be intersected. Not so under a collation,
 * whose order of strings intervals do not know: then the first condition stands for all.
 */
function boundsOfElements(node: ElementNode, { collator }: QueryContext): Bounds | undefined {
  let result: Bounds | undefined;
  for (const child of conjuncts(node.child)) {
    const bounds =
      child.kind === 'leaf'
        ? boundsOfLeaf(child)
        : child.kind === 'not'
          ? boundsOfNegation(child.child)
          : undefined;
    if (bounds === undefined) continue;
    if (result !== undefined && collator !== undefined) return result;
    const intervals =
      result === undefined ? bounds.intervals : intersect(result.intervals, bounds.intervals);
    result = { intervals, exact: false, bytewise: bounds.bytewise === true };
  }
  return result;
}

function partsOf(path: string): number {
  return path.split('.').length;
}

function hasNumericPart(path: string): boolean {
  return /(^|\.)\d+(\.|$)/.test(path);
}
