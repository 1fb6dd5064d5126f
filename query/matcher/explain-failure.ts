/**
 * Says why a document does not match a filter: the `details` of a failed document validation (error 121).
 *
 * Owns: the shape of the report. It is made only for documents that failed, so it may be slow.
 * Source: MongoDB's manual, "Specify JSON Schema Validation", "View Validation Error Details".
 */
import {
  ArrayBuilder,
  arrayValue,
  booleanValue,
  DocumentBuilder,
  documentValue,
  forEachPathValue,
  int32Value,
  parsePath,
  stringValue,
  type RawValue,
} from '../../bson/index.ts';
import { compileTree } from './compile.ts';
import { isSchemaNode } from './operators/jsonSchema.ts';
import type { FilterNode, LeafNode } from './tree.ts';

/** The report on a document that does not match `tree`; undefined when it does match. */
export function explainFailure(tree: FilterNode, document: Buffer): Buffer | undefined {
  if (compileTree(tree).matches(document)) return undefined;
  return report(tree, document, false);
}

/** @param inverted the node matched, but should not have. */
function report(node: FilterNode, document: Buffer, inverted: boolean): Buffer {
  switch (node.kind) {
    case 'leaf':
      return leafReport(node, document, inverted);
    case 'elemMatch':
      return simpleReport('$elemMatch', inverted, {
        usual: 'array did not satisfy the child predicate',
        inverted: 'array did satisfy the child predicate',
      });
    case 'document':
      return documentReport(node, document, inverted);
    case 'constant':
      return simpleReport(node.value ? '$alwaysTrue' : '$alwaysFalse', inverted, {
        usual: 'expression always evaluates to false',
        inverted: 'expression always evaluates to true',
      });
    case 'not':
      return notReport(node.child, document, inverted);
    default:
      return logicalReport(node.kind, node.children, document, inverted);
  }
}

interface Reasons {
  readonly usual: string;
  readonly inverted: string;
}

function simpleReport(operator: string, inverted: boolean, reasons: Reasons): Buffer {
  return new DocumentBuilder()
    .appendString('operatorName', operator)
    .appendString('reason', inverted ? reasons.inverted : reasons.usual)
    .finish();
}

const LEAF_REASONS: Readonly<Record<LeafNode['operator'], Reasons>> = {
  $_internalExprEq: comparison(),
  $_internalExprGt: comparison(),
  $_internalExprGte: comparison(),
  $_internalExprLt: comparison(),
  $_internalExprLte: comparison(),
  $eq: comparison(),
  $gt: comparison(),
  $gte: comparison(),
  $lt: comparison(),
  $lte: comparison(),
  $in: {
    usual: 'no matching value found in array',
    inverted: 'matching value found in array',
  },
  $exists: { usual: 'path does not exist', inverted: 'path does exist' },
  $type: { usual: 'type did not match', inverted: 'type did match' },
  $mod: {
    usual: '$mod did not evaluate to expected remainder',
    inverted: '$mod did evaluate to expected remainder',
  },
  $regex: {
    usual: 'regular expression did not match',
    inverted: 'regular expression did match',
  },
  $size: {
    usual: 'array length was not equal to given size',
    inverted: 'array length was equal to given size',
  },
  $bitsAllSet: bitTest(),
  $bitsAllClear: bitTest(),
  $bitsAnySet: bitTest(),
  $bitsAnyClear: bitTest(),
  $geoWithin: geometry(),
  $geoIntersects: geometry(),
};

function comparison(): Reasons {
  return { usual: 'comparison failed', inverted: 'comparison succeeded' };
}

function geometry(): Reasons {
  return {
    usual: 'no considered geometry satisfied the condition',
    inverted: 'a considered geometry satisfied the condition',
  };
}

function bitTest(): Reasons {
  return {
    usual: 'bitwise operator failed to match',
    inverted: 'bitwise operator matched successfully',
  };
}

function leafReport(node: LeafNode, document: Buffer, inverted: boolean): Buffer {
  const builder = new DocumentBuilder();
  builder.appendString('operatorName', node.operator);
  builder.appendDocument('specifiedAs', specification(node));
  const values = valuesAt(document, node.path);
  if (values.length === 0 && !inverted && node.operator !== '$exists') {
    return builder.appendString('reason', 'field was missing').finish();
  }
  const reasons = LEAF_REASONS[node.operator];
  builder.appendString('reason', inverted ? reasons.inverted : reasons.usual);
  if (node.operator === '$exists') return builder.finish();
  appendConsidered(builder, values);
  if (node.operator === '$type') appendTypes(builder, values);
  return builder.finish();
}

function specification(node: LeafNode): Buffer {
  const operand = node.operator === '$in' ? arrayOf(node.operands) : node.operands[0];
  return new DocumentBuilder()
    .beginDocument(node.path)
    .append(node.operator, operand)
    .end()
    .finish();
}

function arrayOf(values: readonly RawValue[]): RawValue {
  const array = new ArrayBuilder();
  for (const value of values) array.push(value);
  return arrayValue(array.finish());
}

/** All values that a leaf looked at, the elements of arrays and the arrays themselves. */
function valuesAt(document: Buffer, path: string): RawValue[] {
  const values: RawValue[] = [];
  const note = (value: RawValue | undefined): boolean => {
    if (value !== undefined) values.push(value);
    return false;
  };
  forEachPathValue(document, parsePath(path), note, { expandLeafArrays: true });
  return values;
}

function appendConsidered(builder: DocumentBuilder, values: readonly RawValue[]): void {
  const [only] = values;
  if (values.length === 1) builder.append('consideredValue', only);
  else builder.append('consideredValues', arrayOf(values));
}

function appendTypes(builder: DocumentBuilder, values: readonly RawValue[]): void {
  const types = [...new Set(values.map((value): string => value.typeName))];
  const [only] = types;
  if (types.length === 1) builder.appendString('consideredType', only);
  else builder.append('consideredTypes', arrayOf(types.toSorted().map(stringValue)));
}

function documentReport(
  node: FilterNode & { kind: 'document' },
  document: Buffer,
  inverted: boolean,
): Buffer {
  if (isSchemaNode(node) && !inverted) {
    const builder = new DocumentBuilder();
    builder.appendString('operatorName', '$jsonSchema');
    node.schema.appendTexts(builder);
    builder.append(
      'schemaRulesNotSatisfied',
      arrayValue(node.schema.reports(documentValue(document))),
    );
    return builder.finish();
  }
  const builder = new DocumentBuilder();
  builder.appendString('operatorName', node.operator);
  builder.beginDocument('specifiedAs').append(node.operator, node.operand).end();
  const isExpression = node.operator === '$expr';
  builder.appendString(
    'reason',
    inverted
      ? isExpression
        ? 'expression did match'
        : 'schema did match'
      : 'expression did not match',
  );
  if (isExpression) builder.append('expressionResult', booleanValue(inverted));
  return builder.finish();
}

function notReport(child: FilterNode, document: Buffer, inverted: boolean): Buffer {
  // { $ne: 1 } and { $exists: false } are negations of leaves: the leaf's own report, the other way round, says it all.
  if (child.kind === 'leaf') return leafReport(child, document, !inverted);
  return new DocumentBuilder()
    .appendString('operatorName', '$not')
    .appendDocument('details', report(child, document, !inverted))
    .finish();
}

function logicalReport(
  kind: 'and' | 'or' | 'nor',
  children: readonly FilterNode[],
  document: Buffer,
  inverted: boolean,
): Buffer {
  // $and and $or fail for clauses that do not match, $nor for clauses that do; inverted, it is the other way round.
  const blamesMatching = (kind === 'nor') !== inverted;
  const blamed = new ArrayBuilder();
  for (const [index, child] of children.entries()) {
    if (compileTree(child).matches(document) !== blamesMatching) continue;
    const entry = new DocumentBuilder();
    entry.append('index', int32Value(index));
    entry.appendDocument('details', report(child, document, blamesMatching));
    blamed.pushDocument(entry.finish());
  }
  return new DocumentBuilder()
    .appendString('operatorName', `$${kind}`)
    .append(
      blamesMatching ? 'clausesSatisfied' : 'clausesNotSatisfied',
      arrayValue(blamed.finish()),
    )
    .finish();
}
