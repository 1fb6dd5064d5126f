/**
 * The conditions of a conjunction that an index can serve, by path.
 *
 * Owns: how $elemMatch and negations are seen through. Everything that is not listed stays a residual condition.
 */
import type { ElementNode, FilterNode } from '../matcher/tree.ts';
import { type Bounds, boundsOfLeaf, boundsOfNegation } from './leaf-bounds.ts';
import type { QueryContext } from '../context.ts';
import { predicatesOfExpression } from './expression-predicates.ts';
import { intersect } from './interval.ts';
import type { Predicate } from './predicate.ts';

/** The children of a filter that must all hold. */
export function conjuncts(tree: FilterNode): readonly FilterNode[] {
  return tree.kind === 'and' ? tree.children : [tree];
}

export function predicatesOf(tree: FilterNode, context: QueryContext): readonly Predicate[] {
  return conjuncts(tree).flatMap((node) =>
    node.kind === 'document' && node.operator === '$expr'
      ? predicatesOfExpression(node, context)
      : predicatesOfNode(node, node, '', undefined),
  );
}

function predicatesOfNode(
  node: FilterNode,
  origin: FilterNode,
  prefix: string,
  group: ElementNode | undefined,
): readonly Predicate[] {
  switch (node.kind) {
    case 'leaf':
      return predicate(prefix + node.path, boundsOfLeaf(node), origin, group).map((each) =>
        node.operator.startsWith('$_internalExpr') ? { ...each, withoutArrays: true } : each,
      );
    case 'not':
      if (node.child.kind !== 'leaf') return [];
      return predicate(prefix + node.child.path, boundsOfNegation(node.child), origin, group);
    case 'elemMatch':
      return node.over === 'value'
        ? predicate(prefix + node.path, boundsOfElements(node), origin, group)
        : conjuncts(node.child).flatMap((child) =>
            predicatesOfNode(child, origin, `${prefix}${node.path}.`, group ?? node),
          );
    case 'and':
    case 'or':
    case 'nor':
    case 'document':
    case 'constant':
      return [];
  }
}

function predicate(
  path: string,
  bounds: Bounds | undefined,
  node: FilterNode,
  group: ElementNode | undefined,
): readonly Predicate[] {
  if (bounds === undefined) return [];
  // What stands inside an $elemMatch or a negation is only part of its condition.
  const whole = node.kind === 'leaf' && !hasNumericPart(path);
  return [{ path, bounds: { ...bounds, exact: bounds.exact && whole }, node, group }];
}

/** Conditions of an $elemMatch over values hold for one element, which is one index key: they may be intersected. */
function boundsOfElements(node: ElementNode): Bounds | undefined {
  let result: Bounds | undefined;
  for (const child of conjuncts(node.child)) {
    const bounds = child.kind === 'leaf' ? boundsOfLeaf(child) : undefined;
    if (bounds === undefined) continue;
    const intervals =
      result === undefined ? bounds.intervals : intersect(result.intervals, bounds.intervals);
    result = { intervals, exact: false };
  }
  return result;
}

function hasNumericPart(path: string): boolean {
  return /(^|\.)\d+(\.|$)/.test(path);
}
