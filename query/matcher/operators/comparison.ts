/**
 * $gt, $gte, $lt, $lte: compare values of the same kind only.
 *
 * Promises: a value of another kind (number, string, date, ...) never matches, except against MinKey and MaxKey; NaN is
 * ordered to nothing but itself; null is equal to a missing field.
 * Source: MongoDB's manual, "Comparison/Sort Order", "Comparison Query Operators".
 */
import {
  BsonType,
  compareValues,
  readInt32,
  RawValue,
  typeOrderOf,
  type BsonTypeCode,
  type Collator,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { uassert } from '../../../common/assert.ts';
import { defineFieldOperator, type FieldOperatorDefinition } from '../definition.ts';
import type { LeafNode, LeafOperator, ValueTest } from '../tree.ts';
import { isNullOrMissing } from './equality.ts';

type RangeOperator = LeafOperator & ('$gt' | '$gte' | '$lt' | '$lte');

/** For each operator: whether "less", "equal" and "greater" satisfy it. */
const ACCEPTED: Readonly<
  Record<RangeOperator, { less: boolean; equal: boolean; greater: boolean }>
> = {
  $gt: { less: false, equal: false, greater: true },
  $gte: { less: false, equal: true, greater: true },
  $lt: { less: true, equal: false, greater: false },
  $lte: { less: true, equal: true, greater: false },
};

const RANGE_OPERATORS: readonly RangeOperator[] = ['$gt', '$gte', '$lt', '$lte'];

export const comparisonOperators: readonly FieldOperatorDefinition[] = RANGE_OPERATORS.map((name) =>
  defineFieldOperator({
    name,
    parse: ({ path, operand, context }) => rangeNode(path, name, operand, context.collator),
  }),
);

function rangeNode(
  path: string,
  operator: RangeOperator,
  operand: RawValue,
  collator?: Collator,
): LeafNode {
  if (operand.type === BsonType.regex) {
    throw new CommandError(
      'BadValue',
      `Can't have RegEx as arg to predicate over field '${path}'.`,
    );
  }
  uassert(operand.type !== BsonType.undefined, 'BadValue', 'cannot compare to undefined');
  const test = rangeTest(operator, operand, collator);
  return { kind: 'leaf', path, operator, operands: [operand], test, wholeArrayOnly: false };
}

/** The test of a range operator against a constant. */
export function rangeTest(
  operator: RangeOperator,
  operand: RawValue,
  collator?: Collator,
): ValueTest {
  const accepted = ACCEPTED[operator];
  switch (operand.type) {
    case BsonType.null:
      return accepted.equal ? isNullOrMissing : never;
    case BsonType.minKey:
      return boundaryTest(BsonType.minKey, accepted.equal, accepted.greater);
    case BsonType.maxKey:
      return boundaryTest(BsonType.maxKey, accepted.equal, accepted.less);
    case BsonType.double:
    case BsonType.int32:
    case BsonType.int64:
    case BsonType.decimal128:
      return numberTest(operator, operand);
    default:
      return comparisonTest(accepted, operand, collator);
  }
}

const never: ValueTest = () => false;

/** MinKey and MaxKey compare with values of every type, missing ones included. */
function boundaryTest(boundary: BsonTypeCode, equal: boolean, beyond: boolean): ValueTest {
  return (type) => (type === boundary ? equal : beyond);
}

function numberTest(operator: RangeOperator, operand: RawValue): ValueTest {
  const number = operand.asNumber();
  if (Number.isNaN(number)) return ACCEPTED[operator].equal ? isNaNValue : never;
  const exact = comparisonTest(ACCEPTED[operator], operand);
  const isExact =
    operand.type === BsonType.double ||
    operand.type === BsonType.int32 ||
    (operand.type === BsonType.int64 && Number.isSafeInteger(number));
  if (!isExact)
    return (type, bytes, start, end) =>
      !isNaNValue(type, bytes, start, end) && exact(type, bytes, start, end);
  switch (operator) {
    case '$gt':
      return withNumber((value) => value > number, exact);
    case '$gte':
      return withNumber((value) => value >= number, exact);
    case '$lt':
      return withNumber((value) => value < number, exact);
    case '$lte':
      return withNumber((value) => value <= number, exact);
  }
}

/** Doubles and int32 are compared as doubles; `exact` handles int64 and decimal128. */
function withNumber(compare: (value: number) => boolean, exact: ValueTest): ValueTest {
  return (type, bytes, start, end) => {
    switch (type) {
      case BsonType.int32:
        return compare(readInt32(bytes, start));
      case BsonType.double:
        return compare(bytes.readDoubleLE(start));
      case BsonType.int64:
        return exact(type, bytes, start, end);
      case BsonType.decimal128:
        return !isNaNValue(type, bytes, start, end) && exact(type, bytes, start, end);
      default:
        return false;
    }
  };
}

const isNaNValue: ValueTest = (type, bytes, start, end) =>
  (type === BsonType.double || type === BsonType.decimal128) &&
  Number.isNaN(new RawValue(type, bytes, start, end).asNumber());

function comparisonTest(
  accepted: { less: boolean; equal: boolean; greater: boolean },
  operand: RawValue,
  collator?: Collator,
): ValueTest {
  const order = typeOrderOf(operand.type);
  return (type, bytes, start, end) => {
    if (type === 0 || typeOrderOf(type as BsonTypeCode) !== order) return false;
    const value = new RawValue(type as BsonTypeCode, bytes, start, end);
    const difference = compareValues(value, operand, collator);
    if (difference === 0) return accepted.equal;
    return difference < 0 ? accepted.less : accepted.greater;
  };
}
