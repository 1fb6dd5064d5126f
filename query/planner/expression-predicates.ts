/**
 * Conditions inside $expr that an index can serve: comparisons of a path with a constant.
 *
 * That is what a $lookup with `let` makes of its variables, so it decides between one look-up and one scan per document.
 */
import { BsonType, FieldCursor, type RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import { compileExpression } from '../expression/compile.ts';
import { elementsOf } from '../expression/elements.ts';
import type { Expression } from '../expression/expression.ts';
import type { DocumentNode } from '../matcher/tree.ts';
import { orderInterval } from './interval.ts';
import type { Predicate } from './predicate.ts';

const MIRRORED: Readonly<Record<string, string>> = {
  $eq: '$eq',
  $gt: '$lt',
  $gte: '$lte',
  $lt: '$gt',
  $lte: '$gte',
};

export function predicatesOfExpression(
  node: DocumentNode,
  context: QueryContext,
): readonly Predicate[] {
  return comparisonsIn(node.operand).flatMap((comparison) =>
    predicateOf(comparison, node, context),
  );
}

interface Comparison {
  readonly operator: string;
  readonly operands: readonly RawValue[];
}

/** The comparisons that must all hold: the expression itself, or the members of its $and. */
function comparisonsIn(value: RawValue): readonly Comparison[] {
  if (value.type !== BsonType.object) return [];
  const cursor = new FieldCursor(value.asDocument());
  if (!cursor.next()) return [];
  const operator = cursor.name;
  const argument = cursor.value();
  if (argument.type !== BsonType.array) return [];
  const operands = elementsOf(argument);
  if (operator === '$and') return operands.flatMap(comparisonsIn);
  return operator in MIRRORED && operands.length === 2 ? [{ operator, operands }] : [];
}

function predicateOf(
  { operator, operands }: Comparison,
  node: DocumentNode,
  context: QueryContext,
): readonly Predicate[] {
  const [left, right] = operands.map((operand) => compileExpression(operand, context));
  return (
    comparison(left, operator, right, node) ??
    comparison(right, MIRRORED[operator], left, node) ??
    []
  );
}

function comparison(
  path: Expression,
  operator: string,
  constant: Expression,
  node: DocumentNode,
): readonly Predicate[] | undefined {
  const value = constant.constant?.value;
  if (path.fieldPath === undefined || value === undefined) return undefined;
  // Missing and null differ in expressions and are one in an index; arrays are compared as a whole.
  if (value.isNullish || value.type === BsonType.array) return undefined;
  const intervals = [orderInterval(operator, value)];
  const bounds = { intervals, exact: false };
  return [{ path: path.fieldPath, bounds, node, within: [], withoutArrays: true }];
}
