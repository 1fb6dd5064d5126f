/**
 * The order in which MongoDB tests the conditions of a conjunction, where it can be seen: in the position for `$`.
 */
import type { FilterNode } from './tree.ts';

/** MongoDB's order of conditions: by kind, then by path. */
const NODE_ORDER: readonly string[] = [
  'and',
  'or',
  'object',
  'value',
  '$size',
  '$eq',
  '$lte',
  '$lt',
  '$gt',
  '$gte',
  '$regex',
  '$mod',
  '$exists',
  '$in',
  '$bitsAllSet',
  '$bitsAllClear',
  '$bitsAnySet',
  '$bitsAnyClear',
  'not',
  'nor',
  '$type',
];

export function compareNodes(a: FilterNode, b: FilterNode): number {
  const order = NODE_ORDER.indexOf(kindOf(a)) - NODE_ORDER.indexOf(kindOf(b));
  if (order !== 0) return order;
  const [first, second] = [pathOf(a), pathOf(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}

function kindOf(node: FilterNode): string {
  if (node.kind === 'leaf') return node.operator;
  return node.kind === 'elemMatch' ? node.over : node.kind;
}

function pathOf(node: FilterNode): string {
  return node.kind === 'leaf' || node.kind === 'elemMatch' ? node.path : '';
}
