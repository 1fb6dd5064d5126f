/**
 * Whether a query's conditions imply the filter of a partial index, so that the index holds all its matches.
 *
 * Promises: "yes" is proven; "no" may be wrong, then the index stays unused.
 */
import { valuesEqual } from '../../bson/index.ts';
import { dependsOnCollation } from '../index-kind/collation.ts';
import type { FilterNode, LeafNode } from '../matcher/tree.ts';
import { holdsNull, intersect, type Interval, sameIntervals } from './interval.ts';
import { boundsOfLeaf } from './leaf-bounds.ts';
import { conjuncts } from './predicates.ts';

/** How query and index compare strings. */
export interface Collations {
  /** Both byte by byte. */
  readonly simple: boolean;
  /** Both by one collation. */
  readonly same: boolean;
}

const BYTES: Collations = { simple: true, same: true };

export function implies(
  query: FilterNode,
  required: FilterNode,
  collations: Collations = BYTES,
): boolean {
  const known = conjuncts(query);
  return conjuncts(required).every((condition) =>
    known.some((node) => impliesCondition(node, condition, collations)),
  );
}

function impliesCondition(node: FilterNode, required: FilterNode, collations: Collations): boolean {
  // A query for one of several values implies the condition if each of them does.
  if (node.kind === 'or') {
    return node.children.every((child) => implies(child, required, collations));
  }
  if (required.kind === 'or') {
    return required.children.some((child) => implies(node, child, collations));
  }
  if (required.kind === 'and') return implies(node, required, collations);
  if (required.kind !== 'leaf' || node.kind !== 'leaf' || node.path !== required.path) return false;
  const comparesText = required.operands.some(dependsOnCollation);
  if (comparesText && !collations.same) return false;
  if (sameLeaf(node, required)) return true;
  // Under a collation, intervals of strings are not what their bytes say.
  if (comparesText && !collations.simple) return false;
  const bounds = boundsOfLeaf(node);
  if (bounds === undefined) return false;
  if (required.operator === '$exists') {
    return required.operands[0]!.isTruthy() && !holdsNull(bounds.intervals);
  }
  const wanted = boundsOfLeaf(required);
  return wanted !== undefined && wanted.exact && within(bounds.intervals, wanted.intervals);
}

function sameLeaf(a: LeafNode, b: LeafNode): boolean {
  return (
    a.operator === b.operator &&
    a.operands.length === b.operands.length &&
    a.operands.every((operand, index) => valuesEqual(operand, b.operands[index]!))
  );
}

/** What both allow is all that the inner ones allow. */
function within(inner: readonly Interval[], outer: readonly Interval[]): boolean {
  return sameIntervals(intersect(inner, outer), inner);
}
