/**
 * What is left of a filter once the bounds of scans have decided a part of it.
 */
import { compileTree } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import { conjunction, type FilterNode } from '../matcher/tree.ts';
import { conjuncts } from './predicates.ts';

/** Whether the conditions that scans decide are all there are. */
export function isDecided(filter: Filter, decided: ReadonlySet<FilterNode>): boolean {
  return filter.isEmpty || conjuncts(filter.tree).every((node) => decided.has(node));
}

/** What is left to check on the document. */
export function residualOf(filter: Filter, decided: ReadonlySet<FilterNode>): Filter {
  if (decided.size === 0) return filter;
  return compileTree(conjunction(conjuncts(filter.tree).filter((node) => !decided.has(node))));
}
