/**
 * Reading arrays: elements, ends, slices, positions, size.
 */
import {
  booleanValue,
  BsonType,
  canonicalKey,
  compareValues,
  FALSE,
  getField,
  int32Value,
  NULL,
  type RawValue,
  TRUE,
  valuesEqual,
  fieldCount,
  fieldsOf,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
  type Value,
} from '../definition.ts';
import { arrayOf, elementsOf } from '../elements.ts';
import type { Expression } from '../expression.ts';
import { int32Of } from '../integers.ts';
import { namedArguments } from '../named-arguments.ts';
import { isArray, isNullish, typeNameOf } from '../types.ts';

function requireArray(value: RawValue, code: number, message: string): RawValue {
  if (value.type === BsonType.array) return value;
  throw new CommandError(code, `${message}${typeNameOf(value)}`);
}

function elementAt(array: RawValue, index: number): Value {
  if (index >= 0) return getField(array.asDocument(), String(index));
  return elementsOf(array).at(index);
}

function arrayElemAt(array: RawValue, position: RawValue): Value {
  requireArray(array, 28689, "$arrayElemAt's first argument must be an array, but is ");
  if (!position.isNumber) {
    throw new CommandError(
      28690,
      `$arrayElemAt's second argument must be a numeric value, but is ${typeNameOf(position)}`,
    );
  }
  const index = int32Of(position);
  if (index === undefined) {
    throw new CommandError(
      28691,
      `$arrayElemAt's second argument must be representable as a 32-bit integer: ${position.asNumber()}`,
    );
  }
  return elementAt(array, index);
}

function end(name: '$first' | '$last', index: 0 | -1): ExpressionDefinition {
  return defineExpression({
    name,
    isLong: true,
    args: 1,
    nullish: 'null',
    evaluate: (value: RawValue) =>
      elementAt(requireArray(value, 28689, `${name}'s argument must be an array, but is `), index),
  });
}

function slice(values: readonly Value[]): Value {
  const [array, second, third] = values;
  if (isNullish(array) || isNullish(second)) return NULL;
  requireArray(array, 28724, 'First argument to $slice must be an array, but is of type: ');
  const position = sliceNumber(second, 28725, 28726, 'Second');
  const elements = elementsOf(array);
  if (values.length === 2) {
    return arrayOf(position >= 0 ? elements.slice(0, position) : elements.slice(position));
  }
  if (isNullish(third)) return NULL;
  const count = sliceNumber(third, 28727, 28728, 'Third');
  if (count <= 0) {
    throw new CommandError(28729, `Third argument to $slice must be positive: ${count}`);
  }
  const start = position >= 0 ? position : Math.max(0, elements.length + position);
  return arrayOf(elements.slice(start, start + count));
}

function sliceNumber(
  value: RawValue,
  wrongType: number,
  notInteger: number,
  which: string,
): number {
  if (!value.isNumber) {
    throw new CommandError(
      wrongType,
      `${which} argument to $slice must be numeric, but is of type: ${typeNameOf(value)}`,
    );
  }
  const number = int32Of(value);
  if (number !== undefined) return number;
  throw new CommandError(
    notInteger,
    `${which} argument to $slice can't be represented as a 32-bit integer: ${value.asNumber()}`,
  );
}

function isIn(value: Value, array: Value, context: QueryContext): Value {
  if (!isArray(array)) {
    throw new CommandError(
      40081,
      `$in requires an array as a second argument, found: ${typeNameOf(array)}`,
    );
  }
  if (value === undefined) return FALSE;
  for (const element of elementsOf(array)) {
    if (valuesEqual(value, element, context.collator)) return TRUE;
  }
  return FALSE;
}

/** A constant list is searched by hash: {$in: ['$a', [1, 2, 3, ...]]}. */
function compileIn(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const operands = argument.type === BsonType.array ? elementsOf(argument) : [argument];
  if (operands.length !== 2) {
    throw new CommandError(
      16020,
      `Expression $in takes exactly 2 arguments. ${operands.length} were passed in.`,
    );
  }
  const { context } = compiler;
  const [value, list] = operands.map((operand) => compiler.compile(operand));
  const constant = list.constant?.value;
  if (!isArray(constant)) {
    return compiler.combine([value, list], (scope) =>
      isIn(value.evaluate(scope), list.evaluate(scope), context),
    );
  }
  const keys = new Set(
    elementsOf(constant).map((element) => canonicalKey(element, context.collator)),
  );
  return compiler.combine([value, list], (scope) => {
    const wanted = value.evaluate(scope);
    return booleanValue(wanted !== undefined && keys.has(canonicalKey(wanted, context.collator)));
  });
}

function indexOfArray(values: readonly Value[], context: QueryContext): Value {
  const [array, wanted, from, to] = values;
  if (isNullish(array)) return NULL;
  requireArray(array, 40090, '$indexOfArray requires an array as a first argument, found: ');
  const elements = elementsOf(array);
  const start = values.length < 3 ? 0 : position('$indexOfArray', from, 'starting');
  const stop = values.length < 4 ? elements.length : position('$indexOfArray', to, 'ending');
  for (let index = start; index < Math.min(stop, elements.length); index += 1) {
    if (wanted !== undefined && valuesEqual(elements[index], wanted, context.collator)) {
      return int32Value(index);
    }
  }
  return int32Value(-1);
}

/** A starting or ending position of the $indexOf operators. */
export function position(name: string, value: Value, which: string): number {
  const index = int32Of(value);
  if (index === undefined) {
    throw new CommandError(
      40096,
      `${name} requires an integral ${which} index, found a value of type: ${typeNameOf(value)}`,
    );
  }
  if (index < 0) {
    throw new CommandError(40097, `${name} requires a nonnegative ${which} index, found: ${index}`);
  }
  return index;
}

function size(value: Value): Value {
  if (!isArray(value)) {
    throw new CommandError(
      17124,
      `The argument to $size must be an array, but was of type: ${typeNameOf(value)}`,
    );
  }
  return int32Value(fieldCount(value.asDocument()));
}

type Choose = (elements: RawValue[], n: number, context: QueryContext) => RawValue[];

/** $firstN, $lastN, $minN, $maxN: {input, n}. */
function chosen(name: string, notObject: number, choose: Choose): ExpressionDefinition {
  return defineExpression({
    name,
    isLong: true,
    args: 'special',
    compile: (argument, compiler) => {
      const given = namedArguments(argument, {
        name,
        required: ['n', 'input'],
        codes: { notObject, unknown: 5787901, missing: [5787906, 5787907] },
      });
      const n = compiler.compile(given.get('n')!);
      const input = compiler.compile(given.get('input')!);
      return compiler.combine([n, input], (scope) => {
        const count = countOf(name, n.evaluate(scope));
        const array = input.evaluate(scope);
        if (!isArray(array)) throw new CommandError(5788200, 'Input must be an array');
        return arrayOf(choose(elementsOf(array), count, compiler.context));
      });
    },
  });
}

/** The `n` of $firstN and its like: a positive whole number. */
export function countOf(name: string, value: Value): number {
  const isNumber = value?.isNumber === true;
  const count = isNumber ? value.asNumber() : Number.NaN;
  if (!Number.isInteger(count)) {
    throw new CommandError(
      isNumber ? 5787903 : 5787902,
      `Value for 'n' must be of integral type, but found ${typeNameOf(value)} in ${name}`,
    );
  }
  if (count <= 0) {
    throw new CommandError(5787908, `'n' must be greater than 0, found ${count}`);
  }
  return count;
}

function sorted(elements: RawValue[], sign: 1 | -1, context: QueryContext): RawValue[] {
  return elements
    .filter((element) => !element.isNullish)
    .sort((a, b) => sign * compareValues(a, b, context.collator));
}

function zip(values: readonly (readonly RawValue[])[], defaults: readonly Value[], length: number) {
  const rows: Value[] = [];
  for (let index = 0; index < length; index += 1) {
    rows.push(arrayOf(values.map((elements, column) => elements[index] ?? defaults[column])));
  }
  return arrayOf(rows);
}

function compileZip(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$zip',
    required: [],
    optional: ['inputs', 'defaults', 'useLongestLength'],
    codes: { notObject: 34460, unknown: 34464, missing: 34465 },
  });
  const longest = given.get('useLongestLength');
  if (longest !== undefined && longest.type !== BsonType.bool) {
    throw new CommandError(34463, `useLongestLength must be a bool, found ${typeNameOf(longest)}`);
  }
  const inputs = listOfExpressions(given.get('inputs'), 34461, 'inputs', compiler);
  const defaults = listOfExpressions(given.get('defaults'), 34462, 'defaults', compiler);
  if (inputs.length === 0) {
    throw new CommandError(34465, '$zip requires at least one input array');
  }
  const useLongest = longest?.asBoolean() ?? false;
  if (defaults.length > 0 && !useLongest) {
    throw new CommandError(34466, 'cannot specify defaults unless useLongestLength is true');
  }
  if (defaults.length > 0 && defaults.length !== inputs.length) {
    throw new CommandError(34467, 'defaults and inputs must have the same length');
  }
  return compiler.combine([...inputs, ...defaults], (scope) => {
    const columns: RawValue[][] = [];
    for (const input of inputs) {
      const array = input.evaluate(scope);
      if (isNullish(array)) return NULL;
      columns.push(
        elementsOf(requireArray(array, 34468, '$zip found a non-array expression in input: ')),
      );
    }
    const lengths = columns.map((column) => column.length);
    const length = useLongest ? Math.max(...lengths) : Math.min(...lengths);
    return zip(
      columns,
      defaults.map((expression) => expression.evaluate(scope)),
      length,
    );
  });
}

function listOfExpressions(
  list: RawValue | undefined,
  code: number,
  name: string,
  compiler: ExpressionCompiler,
): Expression[] {
  if (list === undefined) return [];
  if (list.type !== BsonType.array) {
    throw new CommandError(
      code,
      `${name} must be an array of expressions, found ${typeNameOf(list)}`,
    );
  }
  return Array.from(fieldsOf(list.asDocument()), ([, item]) => compiler.compile(item));
}

export const ARRAY_ACCESS: readonly ExpressionDefinition[] = [
  defineExpression({
    name: '$arrayElemAt',
    isLong: true,
    args: 2,
    nullish: 'null',
    evaluate: arrayElemAt,
  }),
  end('$first', 0),
  end('$last', -1),
  defineExpression({
    name: '$slice',
    isLong: true,
    args: [2, 3],
    nullish: 'pass',
    evaluate: slice,
  }),
  defineExpression({ name: '$in', isLong: true, args: 'special', compile: compileIn }),
  defineExpression({
    name: '$indexOfArray',
    isLong: true,
    args: [2, 4],
    nullish: 'pass',
    evaluate: indexOfArray,
  }),
  defineExpression({ name: '$size', args: 1, nullish: 'pass', evaluate: size }),
  defineExpression({
    name: '$isArray',
    args: 1,
    nullish: 'pass',
    evaluate: (value) => booleanValue(isArray(value)),
  }),
  chosen('$firstN', 5787801, (elements, n) => elements.slice(0, n)),
  chosen('$lastN', 5787801, (elements, n) => elements.slice(-n)),
  chosen('$minN', 5787900, (elements, n, context) => sorted(elements, 1, context).slice(0, n)),
  chosen('$maxN', 5787900, (elements, n, context) => sorted(elements, -1, context).slice(0, n)),
  defineExpression({ name: '$zip', isLong: true, args: 'special', compile: compileZip }),
];
