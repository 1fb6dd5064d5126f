/**
 * Whether a query's conditions imply the filter of a partial index, so that the index holds all its matches.
 *
 * Promises: "yes" is proven; "no" may be wrong, then the index stays unused.
 */
import { valuesEqual } from '../../bson/index.ts';
import type { FilterNode, LeafNode } from '../matcher/tree.ts';
import { allPoints, intersect, type Interval } from './interval.ts';
import { boundsOfLeaf } from './leaf-bounds.ts';
import { conjuncts } from './predicates.ts';

export function implies(query: FilterNode, required: FilterNode): boolean {
  const known = conjuncts(query);
  return conjuncts(required).every((condition) =>
    known.some((node) => impliesCondition(node, condition)),
  );
}

function impliesCondition(node: FilterNode, required: FilterNode): boolean {
  if (required.kind === 'or') return required.children.some((child) => implies(node, child));
  if (required.kind === 'and') return implies(node, required);
  if (required.kind !== 'leaf' || node.kind !== 'leaf' || node.path !== required.path) return false;
  if (sameLeaf(node, required)) return true;
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

/** A value that may be missing: null stands for it in an index. */
export function holdsNull(intervals: readonly Interval[]): boolean {
  return intervals.some((interval) => interval.lower.isNullish || interval.lower.type === 255);
}

/** Each interval lies within the wanted ones: what both allow is the interval itself. */
function within(inner: readonly Interval[], outer: readonly Interval[]): boolean {
  return inner.every((interval) => {
    const both = intersect([interval], outer);
    const first = both[0];
    if (both.length !== 1 || first === undefined) return false;
    if (allPoints([interval])) return allPoints(both);
    return (
      valuesEqual(first.lower, interval.lower) &&
      valuesEqual(first.upper, interval.upper) &&
      first.lowerInclusive === interval.lowerInclusive &&
      first.upperInclusive === interval.upperInclusive
    );
  });
}
