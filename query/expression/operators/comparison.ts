/**
 * Comparison across all types in MongoDB's order. A missing value sorts before all others and equals only itself.
 */
import { booleanValue, compareWithMissing, int32Value } from '../../../bson/index.ts';
import { defineExpression, type ExpressionDefinition, type Value } from '../definition.ts';

function comparison(name: string, holds: (order: number) => boolean): ExpressionDefinition {
  return defineExpression({
    name,
    args: 2,
    nullish: 'pass',
    evaluate: (a, b, context) => booleanValue(holds(compareWithMissing(a, b, context.collator))),
  });
}

const ORDERS = [int32Value(-1), int32Value(0), int32Value(1)] as const;

function orderValue(order: number): Value {
  return order < 0 ? ORDERS[0] : order > 0 ? ORDERS[2] : ORDERS[1];
}

export const COMPARISON: readonly ExpressionDefinition[] = [
  comparison('$eq', (order) => order === 0),
  comparison('$ne', (order) => order !== 0),
  comparison('$gt', (order) => order > 0),
  comparison('$gte', (order) => order >= 0),
  comparison('$lt', (order) => order < 0),
  comparison('$lte', (order) => order <= 0),
  defineExpression({
    name: '$cmp',
    args: 2,
    nullish: 'pass',
    evaluate: (a, b, context) => orderValue(compareWithMissing(a, b, context.collator)),
  }),
];
