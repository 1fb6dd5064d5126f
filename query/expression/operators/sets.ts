/**
 * Arrays as sets: order and repetition do not count. Results are in MongoDB's order of values.
 */
import {
  booleanValue,
  BsonType,
  canonicalKey,
  compareValues,
  FALSE,
  NULL,
  type RawValue,
  TRUE,
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

/** The sets of arrays, one after the other: what stands behind a null is not looked at. undefined: null. */
function setsOf(
  values: readonly Value[],
  code: number,
  name: string,
  context: QueryContext,
): SetMap[] | undefined {
  const sets: SetMap[] = [];
  for (const value of values) {
    if (isNullish(value)) return undefined;
    if (value.type !== BsonType.array) {
      throw new CommandError(
        code,
        `All operands of ${name} must be arrays. One argument is of type: ${typeNameOf(value)}`,
      );
    }
    sets.push(setOf(value, context));
  }
  return sets;
}

/** Of equal values, those of the smaller set stay. */
function common(a: SetMap, b: SetMap): SetMap {
  const [kept, other] = a.size > b.size ? [b, a] : [a, b];
  return new Map([...kept].filter(([key]) => other.has(key)));
}

function intersection(values: readonly Value[], context: QueryContext): Value {
  const sets = setsOf(values, 17047, '$setIntersection', context);
  if (sets === undefined) return NULL;
  const [first, ...others] = sets;
  return sortedArray(others.reduce(common, first ?? new Map()).values(), context);
}

function union(values: readonly Value[], context: QueryContext): Value {
  const sets = setsOf(values, 17043, '$setUnion', context);
  if (sets === undefined) return NULL;
  const all: SetMap = new Map();
  for (const set of sets) {
    for (const [key, element] of set) if (!all.has(key)) all.set(key, element);
  }
  return sortedArray(all.values(), context);
}

function difference(a: RawValue, b: RawValue, context: QueryContext): Value {
  for (const [value, which, code] of [
    [a, 'First', 17048],
    [b, 'Second', 17049],
  ] as const) {
    requireArray(value, code, `both operands of $setDifference must be arrays. ${which}`);
  }
  const removed = setOf(b, context);
  const kept = [...setOf(a, context)].filter(([key]) => !removed.has(key));
  return arrayOf(kept.map(([, value]) => value));
}

function requireArray(value: Value, code: number, message: string): asserts value is RawValue {
  if (isArray(value)) return;
  throw new CommandError(code, `${message} argument is of type: ${typeNameOf(value)}`);
}

/** Stops at the first set that is not equal: what stands behind it is not looked at. */
function setEquals(values: readonly Value[], context: QueryContext): Value {
  let first: SetMap | undefined;
  for (const value of values) {
    requireArray(value, 17044, 'All operands of $setEquals must be arrays. One');
    const set = setOf(value, context);
    if (first === undefined) first = set;
    else if (set.size !== first.size || ![...set.keys()].every((key) => first?.has(key))) {
      return FALSE;
    }
  }
  return TRUE;
}

function isSubset(a: Value, b: Value, context: QueryContext): Value {
  requireArray(a, 17046, 'both operands of $setIsSubset must be arrays. First');
  requireArray(b, 17042, 'both operands of $setIsSubset must be arrays. Second');
  const whole = setOf(b, context);
  return booleanValue([...setOf(a, context).keys()].every((key) => whole.has(key)));
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
