/**
 * Making arrays: of other arrays, of ranges, by mapping, filtering, folding, sorting.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  FieldCursor,
  int32Value,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { elementOrderFrom } from '../../element-order.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
  type Value,
} from '../definition.ts';
import { arrayOf, elementsOf } from '../elements.ts';
import type { Expression } from '../expression.ts';
import { int32Of } from '../integers.ts';
import { compileLoop, GrowingArray, type LoopState } from '../long-work.ts';
import { namedArguments } from '../named-arguments.ts';
import type { Scope } from '../scope.ts';
import { isNullish, typeNameOf } from '../types.ts';
import { checkUserVariable } from '../variable-name.ts';
import { isTrue } from './boolean.ts';

function concatArrays(values: readonly Value[]): Value {
  const joined = new ArrayBuilder();
  const cursor = new FieldCursor();
  for (const value of values) {
    if (isNullish(value)) return NULL;
    if (value.type !== BsonType.array) {
      throw new CommandError(28664, `$concatArrays only supports arrays, not ${typeNameOf(value)}`);
    }
    cursor.reset(value.bytes, value.start);
    while (cursor.next()) joined.push(cursor.value());
  }
  return arrayValue(joined.finish());
}

/** What the array of $range may take, and what each of its elements does. Source: internalQueryMaxRangeBytes. */
const MAX_RANGE_BYTES = 100 * 1024 * 1024;
const RANGE_ELEMENT_BYTES = 16;

/** Elements that $range makes in one round. */
const RANGE_ROUND = 256;

function compileRange(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const operands = argument.type === BsonType.array ? elementsOf(argument) : [argument];
  if (operands.length < 2 || operands.length > 3) {
    throw new CommandError(
      28667,
      `Expression $range takes at least 2 arguments, and at most 3, but ${operands.length} were passed in.`,
    );
  }
  const parts = operands.map((operand) => compiler.compile(operand));
  return compileLoop(compiler, parts, (scope) => range(parts.map((part) => part.evaluate(scope))));
}

function range(values: readonly Value[]): LoopState {
  const start = rangeNumber(values[0], 34443, 34444, 'starting');
  const end = rangeNumber(values[1], 34445, 34446, 'ending');
  const step = values.length < 3 ? 1 : rangeNumber(values[2], 34447, 34448, 'step');
  if (step === 0) throw new CommandError(34449, '$range requires a non-zero step value');
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (length * RANGE_ELEMENT_BYTES > MAX_RANGE_BYTES) {
    throw new CommandError(
      'ExceededMemoryLimit',
      '$range would use too much memory and cannot spill to disk',
    );
  }
  const made = new ArrayBuilder();
  return {
    count: Math.ceil(length / RANGE_ROUND),
    round: () => {
      const end = Math.min(length, made.length + RANGE_ROUND);
      while (made.length < end) made.push(int32Value(start + made.length * step));
      return true;
    },
    finish: () => arrayValue(made.finish()),
  };
}

function rangeNumber(value: Value, wrongType: number, notInteger: number, which: string): number {
  if (value === undefined || !value.isNumber) {
    throw new CommandError(
      wrongType,
      `$range requires a numeric ${which} value, found value of type: ${typeNameOf(value)}`,
    );
  }
  const number = int32Of(value);
  if (number !== undefined) return number;
  throw new CommandError(
    notInteger,
    `$range requires a ${which} value that can be represented as a 32-bit integer, found value: ${value.asNumber()}`,
  );
}

function reverseArray(value: RawValue): Value {
  if (value.type !== BsonType.array) {
    throw new CommandError(
      34435,
      `The argument to $reverseArray must be an array, but was of type: ${typeNameOf(value)}`,
    );
  }
  return arrayOf(elementsOf(value).reverse());
}

/** The name that `as` gives, or the default one. */
function variableName(
  given: ReadonlyMap<string, RawValue>,
  key: string,
  otherwise: string,
): string {
  const value = given.get(key);
  if (value === undefined) return otherwise;
  const name = value.asString();
  checkUserVariable(name);
  return name;
}

function compileMap(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$map',
    required: ['input', 'in'],
    optional: ['as'],
    codes: { notObject: 16878, unknown: 16879, missing: [16880, 16882] },
  });
  const input = compiler.compile(given.get('input')!);
  const inner = compiler.withVariables([variableName(given, 'as', 'this')]);
  const body = inner.compiler.compile(given.get('in')!);
  const [slot] = inner.slots;
  const start = (scope: Scope): LoopState | Value => {
    const array = input.evaluate(scope);
    if (isNullish(array)) return NULL;
    if (array.type !== BsonType.array) {
      throw new CommandError(16883, `input to $map must be an array not ${typeNameOf(array)}`);
    }
    const cursor = new FieldCursor(array.bytes, array.start);
    const values = new GrowingArray('$map');
    return {
      // An evaluation that stops in the middle begins the round again: the cursor moves after it.
      count: cursor.next() ? Infinity : 0,
      round: () => {
        scope.slots[slot] = cursor.value();
        values.push(body.evaluate(scope));
        return cursor.next();
      },
      finish: () => values.finish(),
    };
  };
  return compileLoop(compiler, [input, body], start);
}

function compileFilter(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$filter',
    required: ['input', 'cond'],
    optional: ['as', 'limit'],
    codes: { notObject: 28646, unknown: 28647, missing: [28648, 28650] },
  });
  const input = compiler.compile(given.get('input')!);
  const limitArgument = given.get('limit');
  const limit = limitArgument === undefined ? undefined : compiler.compile(limitArgument);
  const inner = compiler.withVariables([variableName(given, 'as', 'this')]);
  const condition = inner.compiler.compile(given.get('cond')!);
  const [slot] = inner.slots;
  const parts = limit === undefined ? [input, condition] : [input, condition, limit];
  const start = (scope: Scope): LoopState | Value => {
    const array = input.evaluate(scope);
    if (isNullish(array)) return NULL;
    if (array.type !== BsonType.array) {
      throw new CommandError(28651, `input to $filter must be an array not ${typeNameOf(array)}`);
    }
    const most = filterLimit(limit?.evaluate(scope));
    const cursor = new FieldCursor(array.bytes, array.start);
    const kept = new GrowingArray('$filter');
    return {
      count: cursor.next() ? Infinity : 0,
      round: () => {
        const element = cursor.value();
        scope.slots[slot] = element;
        if (isTrue(condition.evaluate(scope))) kept.push(element);
        return kept.length < most && cursor.next();
      },
      finish: () => kept.finish(),
    };
  };
  return compileLoop(compiler, parts, start);
}

function filterLimit(value: Value): number {
  if (isNullish(value)) return Infinity;
  const limit = int32Of(value);
  if (limit === undefined) {
    throw new CommandError(
      327391,
      `$filter: limit must be represented as a 32-bit integral value: ${typeNameOf(value)}`,
    );
  }
  if (limit < 1) {
    throw new CommandError(327392, `$filter: limit must be greater than 0: ${limit}`);
  }
  return limit;
}

function compileReduce(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$reduce',
    required: ['input', 'initialValue', 'in'],
    codes: { notObject: 40075, unknown: 40076, missing: [40077, 40078, 40079] },
  });
  const input = compiler.compile(given.get('input')!);
  const initial = compiler.compile(given.get('initialValue')!);
  const inner = compiler.withVariables(['this', 'value']);
  const body = inner.compiler.compile(given.get('in')!);
  const [thisSlot, valueSlot] = inner.slots;
  const start = (scope: Scope): LoopState | Value => {
    const array = input.evaluate(scope);
    if (isNullish(array)) return NULL;
    if (array.type !== BsonType.array) {
      throw new CommandError(
        40080,
        `$reduce requires that 'input' be an array, found: ${typeNameOf(array)}`,
      );
    }
    let value = initial.evaluate(scope);
    const cursor = new FieldCursor(array.bytes, array.start);
    return {
      count: cursor.next() ? Infinity : 0,
      round: () => {
        scope.slots[thisSlot] = cursor.value();
        scope.slots[valueSlot] = value;
        value = body.evaluate(scope);
        return cursor.next();
      },
      finish: () => value,
    };
  };
  return compileLoop(compiler, [input, initial, body], start);
}

function compileSortArray(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$sortArray',
    required: ['input', 'sortBy'],
    codes: { notObject: 2942500, unknown: 2942501, missing: [2942502, 2942503] },
  });
  const input = compiler.compile(given.get('input')!);
  const order = elementOrderFrom(given.get('sortBy')!, compiler.context.collator);
  return compiler.combine([input], (scope) => {
    const array = input.evaluate(scope);
    if (isNullish(array)) return NULL;
    if (array.type !== BsonType.array) {
      throw new CommandError(
        2942504,
        `The input argument to $sortArray must be an array, but was of type: ${typeNameOf(array)}`,
      );
    }
    return arrayOf(elementsOf(array).sort(order));
  });
}

export const ARRAY_MAKING: readonly ExpressionDefinition[] = [
  defineExpression({
    name: '$concatArrays',
    isLong: true,
    args: [0, Infinity],
    nullish: 'pass',
    evaluate: concatArrays,
  }),
  defineExpression({ name: '$range', args: 'special', compile: compileRange }),
  defineExpression({
    name: '$reverseArray',
    isLong: true,
    args: 1,
    nullish: 'null',
    evaluate: reverseArray,
  }),
  defineExpression({ name: '$map', args: 'special', compile: compileMap }),
  defineExpression({ name: '$filter', args: 'special', compile: compileFilter }),
  defineExpression({ name: '$reduce', args: 'special', compile: compileReduce }),
  defineExpression({
    name: '$sortArray',
    isLong: true,
    args: 'special',
    compile: compileSortArray,
  }),
];
