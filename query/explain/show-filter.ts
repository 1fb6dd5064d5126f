/**
 * A filter's tree as a document again: explain's parsedQuery and filter.
 */
import {
  ArrayBuilder,
  arrayValue,
  DocumentBuilder,
  documentValue,
  type RawValue,
} from '../../bson/index.ts';
import type { FilterNode, LeafNode } from '../matcher/tree.ts';

export function showFilter(node: FilterNode): Buffer {
  const builder = new DocumentBuilder();
  switch (node.kind) {
    case 'leaf':
      builder.appendDocument(node.path, showLeaf(node));
      break;
    case 'elemMatch':
      builder.appendDocument(node.path, single('$elemMatch', documentValue(showInner(node.child))));
      break;
    case 'document':
      if (node.special?.kind === 'near') {
        builder.appendDocument(node.special.near.path, single(node.operator, node.operand));
      } else builder.append(node.operator, node.operand);
      break;
    case 'constant':
      builder.appendInt32(node.value ? '$alwaysTrue' : '$alwaysFalse', 1);
      break;
    case 'not':
      showNegation(builder, node.child);
      break;
    case 'and':
    case 'or':
    case 'nor':
      if (node.children.length > 0) builder.appendArray(`$${node.kind}`, list(node.children));
      break;
  }
  return builder.finish();
}

function list(nodes: readonly FilterNode[]): Buffer {
  const builder = new ArrayBuilder();
  for (const node of nodes) builder.pushDocument(showFilter(node));
  return builder.finish();
}

function single(name: string, value: RawValue): Buffer {
  const builder = new DocumentBuilder();
  builder.append(name, value);
  return builder.finish();
}

function showLeaf(leaf: LeafNode): Buffer {
  if (leaf.operator === '$in') {
    const members = new ArrayBuilder();
    for (const operand of leaf.operands) members.push(operand);
    return single('$in', arrayValue(members.finish()));
  }
  if (leaf.operator === '$regex') {
    const { pattern, options } = leaf.operands[0].asRegex();
    const builder = new DocumentBuilder();
    builder.appendString('$regex', pattern);
    if (options !== '') builder.appendString('$options', options);
    return builder.finish();
  }
  return single(leaf.operator, leaf.operands[0]);
}

/** Conditions inside an $elemMatch over values have no path: {$gt: 1, $lt: 5}. */
function showInner(node: FilterNode): Buffer {
  if (node.kind === 'leaf' && node.path === '') return showLeaf(node);
  if (node.kind !== 'and') return showFilter(node);
  const leaves = node.children.filter((child) => child.kind === 'leaf' && child.path === '');
  if (leaves.length !== node.children.length) return showFilter(node);
  const builder = new DocumentBuilder();
  for (const leaf of leaves) {
    if (leaf.kind === 'leaf') builder.append(leaf.operator, leaf.operands[0]);
  }
  return builder.finish();
}

function showNegation(builder: DocumentBuilder, child: FilterNode): void {
  if (child.kind === 'leaf') {
    builder.appendDocument(child.path, single('$not', documentValue(showLeaf(child))));
    return;
  }
  const nodes = new ArrayBuilder();
  nodes.pushDocument(showFilter(child));
  builder.appendArray('$nor', nodes.finish());
}
