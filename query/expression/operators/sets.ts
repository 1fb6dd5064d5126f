/**
 * Arrays as sets: order and repetition do not count. Results are in MongoDB's order of values.
 */
import {
  booleanValue,
  BsonType,
  canonicalKey,
  compareValues,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { defineExpression, type ExpressionDefinition, type Value } from '../definition.ts';
import { arrayOf, elementsOf } from '../elements.ts';
import { isArray, isNullish, typeNameOf } from '../types.ts';

type SetMap = Map<string, RawValue>;

function setOf(array: RawValue, context: QueryContext): SetMap {
  const set: SetMap = new Map();
  for (const element of elementsOf(array)) {
    const key = canonicalKey(element, context.collator);
    if (!set.has(key)) set.set(key, element);
  }
  return set;
}

function sortedArray(values: Iterable<RawValue>, context: QueryContext): RawValue {
  return arrayOf([...values].sort((a, b) => compareValues(a, b, context.collator)));
}

function requireArrays(
  values: readonly Value[],
  code: number,
  message: (value: Value) => string,
): asserts values is readonly RawValue[] {
  for (const value of values) {
    if (!isArray(value)) throw new CommandError(code, message(value));
  }
}

function intersection(values: readonly Value[], context: QueryContext): Value {
  if (values.some(isNullish)) return NULL;
  requireArrays(
    values,
    17047,
    (value) =>
      `All operands of $setIntersection must be arrays. One argument is of type: ${typeNameOf(value)}`,
  );
  const [first, ...others] = values.map((value) => setOf(value, context));
  if (first === undefined) return arrayOf([]);
  const common = [...first].filter(([key]) => others.every((other) => other.has(key)));
  return sortedArray(
    common.map(([, value]) => value),
    context,
  );
}

function union(values: readonly Value[], context: QueryContext): Value {
  if (values.some(isNullish)) return NULL;
  requireArrays(
    values,
    17043,
    (value) =>
      `All operands of $setUnion must be arrays. One argument is of type: ${typeNameOf(value)}`,
  );
  const all: SetMap = new Map();
  for (const value of values) {
    for (const [key, element] of setOf(value, context)) if (!all.has(key)) all.set(key, element);
  }
  return sortedArray(all.values(), context);
}

function difference(a: RawValue, b: RawValue, context: QueryContext): Value {
  for (const [value, which, code] of [
    [a, 'First', 17048],
    [b, 'Second', 17049],
  ] as const) {
    if (value.type !== BsonType.array) {
      throw new CommandError(
        code,
        `both operands of $setDifference must be arrays. ${which} argument is of type: ${typeNameOf(value)}`,
      );
    }
  }
  const removed = setOf(b, context);
  const kept = [...setOf(a, context)].filter(([key]) => !removed.has(key));
  return arrayOf(kept.map(([, value]) => value));
}

function setEquals(values: readonly Value[], context: QueryContext): Value {
  requireArrays(
    values,
    17044,
    (value) =>
      `All operands of $setEquals must be arrays. One argument is of type: ${typeNameOf(value)}`,
  );
  const [first, ...others] = values.map((value) => setOf(value, context));
  return booleanValue(
    others.every(
      (other) => other.size === first.size && [...other.keys()].every((key) => first.has(key)),
    ),
  );
}

function isSubset(a: Value, b: Value, context: QueryContext): Value {
  requireArrays(
    [a],
    17046,
    (value) =>
      `both operands of $setIsSubset must be arrays. First argument is of type: ${typeNameOf(value)}`,
  );
  requireArrays(
    [b],
    17042,
    (value) =>
      `both operands of $setIsSubset must be arrays. Second argument is of type: ${typeNameOf(value)}`,
  );
  const whole = setOf(b!, context);
  return booleanValue([...setOf(a!, context).keys()].every((key) => whole.has(key)));
}

function elementsTrue(
  name: string,
  code: number,
  holds: (elements: RawValue[]) => boolean,
): ExpressionDefinition {
  return defineExpression({
    name,
    isLong: true,
    args: 1,
    nullish: 'pass',
    evaluate: (value: Value) => {
      if (!isArray(value)) {
        throw new CommandError(
          code,
          `${name}'s argument must be an array, but is ${typeNameOf(value)}`,
        );
      }
      return booleanValue(holds(elementsOf(value)));
    },
  });
}

const ANY_NUMBER: readonly [number, number] = [0, Infinity];

export const SETS: readonly ExpressionDefinition[] = [
  defineExpression({
    name: '$setIntersection',
    isLong: true,
    args: ANY_NUMBER,
    nullish: 'pass',
    evaluate: intersection,
  }),
  defineExpression({
    name: '$setUnion',
    isLong: true,
    args: ANY_NUMBER,
    nullish: 'pass',
    evaluate: union,
  }),
  defineExpression({
    name: '$setDifference',
    isLong: true,
    args: 2,
    nullish: 'null',
    evaluate: difference,
  }),
  defineExpression({
    name: '$setEquals',
    isLong: true,
    args: [2, Infinity],
    nullish: 'pass',
    evaluate: setEquals,
  }),
  defineExpression({
    name: '$setIsSubset',
    isLong: true,
    args: 2,
    nullish: 'pass',
    evaluate: isSubset,
  }),
  elementsTrue('$allElementsTrue', 17040, (elements) =>
    elements.every((element) => element.isTruthy()),
  ),
  elementsTrue('$anyElementTrue', 17041, (elements) =>
    elements.some((element) => element.isTruthy()),
  ),
];
