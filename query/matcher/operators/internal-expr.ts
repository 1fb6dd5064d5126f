/**
 * $_internalExprEq and its like: comparisons in MongoDB's whole order, across types, that an index can serve.
 *
 * The planner puts them on the extremes of time series buckets, where they say that a bucket *may* hold a match: an array
 * at the end of the path stands for elements of any order, and passes.
 */
import { BsonType, compareValues, RawValue, type Collator } from '../../../bson/index.ts';
import { defineFieldOperator, type FieldOperatorDefinition } from '../definition.ts';
import type { InternalExprOperator, LeafNode } from '../tree.ts';

const ACCEPTS: Readonly<Record<InternalExprOperator, (difference: number) => boolean>> = {
  $_internalExprEq: (difference) => difference === 0,
  $_internalExprGt: (difference) => difference > 0,
  $_internalExprGte: (difference) => difference >= 0,
  $_internalExprLt: (difference) => difference < 0,
  $_internalExprLte: (difference) => difference <= 0,
};

const OPERATORS: readonly InternalExprOperator[] = [
  '$_internalExprEq',
  '$_internalExprGt',
  '$_internalExprGte',
  '$_internalExprLt',
  '$_internalExprLte',
];

export const internalExprOperators: readonly FieldOperatorDefinition[] = OPERATORS.map((name) =>
  defineFieldOperator({
    name,
    parse: ({ path, operand, context }) => comparison(path, name, operand, context.collator),
  }),
);

function comparison(
  path: string,
  operator: InternalExprOperator,
  operand: RawValue,
  collator: Collator | undefined,
): LeafNode {
  const accepts = ACCEPTS[operator];
  return {
    kind: 'leaf',
    path,
    operator,
    operands: [operand],
    wholeArrayOnly: true,
    test: (type, bytes, start, end) => {
      if (type === BsonType.array) return true;
      // No value is less than any.
      if (type === 0) return accepts(-1);
      const value = new RawValue(type as RawValue['type'], bytes, start, end);
      return accepts(compareValues(value, operand, collator));
    },
  };
}
