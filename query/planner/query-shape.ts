/**
 * The shape of a query: its filter without the values, its sort, its projection and its collation. Queries of one shape share a plan.
 *
 * Promises: queries of different shape have different texts. The order of conditions does not matter.
 * Source: MongoDB's manual, "Query Plans" (plan cache query shape).
 */
import { BsonType, fieldsOf, inspect, isEmpty } from '../../bson/index.ts';
import { collationSpecOf } from '../collation/collation.ts';
import type { QueryContext } from '../context.ts';
import type { FilterNode, LeafNode } from '../matcher/tree.ts';

export interface ShapeParts {
  readonly tree: FilterNode;
  readonly sort: Buffer | undefined;
  readonly projection: Buffer | undefined;
  readonly context: QueryContext;
}

/** One line of text. */
export function shapeOf({ tree, sort, projection, context }: ShapeParts): string {
  let shape = shapeOfFilter(tree);
  if (sort !== undefined && !isEmpty(sort)) shape += `~${inspect(sort)}`;
  if (projection !== undefined && !isEmpty(projection)) {
    shape += `|${shapeOfProjection(projection)}`;
  }
  const collation = collationSpecOf(context.collator);
  if (collation !== undefined) shape += `#${inspect(collation)}`;
  return shape;
}

function shapeOfFilter(node: FilterNode): string {
  switch (node.kind) {
    case 'leaf':
      return shapeOfLeaf(node);
    case 'elemMatch':
      return `em(${quoted(node.path)},${shapeOfFilter(node.child)})`;
    case 'document':
      if (node.special?.kind === 'near') return `gn:${quoted(node.special.near.path)}`;
      return `${node.operator}(${node.operator === '$expr' ? inspect(node.operand) : ''})`;
    case 'constant':
      return node.value ? 'true' : 'false';
    case 'not':
      return `nt(${shapeOfFilter(node.child)})`;
    case 'and':
    case 'or':
    case 'nor':
      return `${node.kind}(${node.children.map(shapeOfFilter).sort().join(',')})`;
  }
}

function shapeOfLeaf({ operator, path, operands }: LeafNode): string {
  const options = operator === '$regex' ? operands[0]?.asRegex().options : '';
  const hasRegex = operator === '$in' && operands.some(({ type }) => type === BsonType.regex);
  return `${operator.slice(1)}${hasRegex ? '_re' : ''}${options === '' ? '' : `/${options}/`}:${quoted(path)}`;
}

/** Names may hold the signs that shapes are made of. */
function quoted(path: string): string {
  return /[(),:~|#\n"]/.test(path) ? JSON.stringify(path) : path;
}

/** Only the fields that a projection names matter, not what it computes for them. */
function shapeOfProjection(projection: Buffer): string {
  const parts: string[] = [];
  for (const [name, value] of fieldsOf(projection)) {
    const isFlag = value.isNumber || value.type === BsonType.bool;
    parts.push(`${quoted(name)}:${isFlag ? (value.isTruthy() ? '1' : '0') : inspect(value)}`);
  }
  return parts.join(',');
}

/** Eight upper-case hexadecimal digits (FNV-1a), as queryHash and planCacheKey are shown. */
export function hashOf(text: string): string {
  let hash = 0x811c_9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  }
  return (hash >>> 0).toString(16).toUpperCase().padStart(8, '0');
}
