/**
 * $cond, $ifNull, $switch: only the branch that is taken is evaluated.
 */
import { BsonType, fieldsOf, getField, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
} from '../definition.ts';
import type { Expression } from '../expression.ts';
import { namedArguments } from '../named-arguments.ts';
import { isNullish } from '../types.ts';
import { isTrue } from './boolean.ts';

function condOperands(argument: RawValue): readonly RawValue[] {
  if (argument.type === BsonType.object) {
    const given = new Map(fieldsOf(argument.asDocument()));
    for (const key of given.keys()) {
      uassert(
        key === 'if' || key === 'then' || key === 'else',
        17083,
        `Unrecognized parameter to $cond: ${key}`,
      );
    }
    const [condition, then, otherwise] = ['if', 'then', 'else'].map((key) => given.get(key));
    uassert(condition !== undefined, 17080, "Missing 'if' parameter to $cond");
    uassert(then !== undefined, 17081, "Missing 'then' parameter to $cond");
    uassert(otherwise !== undefined, 17082, "Missing 'else' parameter to $cond");
    return [condition, then, otherwise];
  }
  const items =
    argument.type === BsonType.array
      ? [...fieldsOf(argument.asDocument())].map(([, item]) => item)
      : [argument];
  if (items.length === 3) return items;
  throw new CommandError(
    16020,
    `Expression $cond takes exactly 3 arguments. ${items.length} were passed in.`,
  );
}

function compileCond(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const [condition, then, otherwise] = condOperands(argument).map((operand) =>
    compiler.compile(operand),
  );
  if (condition.constant !== undefined) {
    return isTrue(condition.constant.value) ? then : otherwise;
  }
  return compiler.combine([condition, then, otherwise], (scope) =>
    isTrue(condition.evaluate(scope)) ? then.evaluate(scope) : otherwise.evaluate(scope),
  );
}

function compileIfNull(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const items =
    argument.type === BsonType.array
      ? [...fieldsOf(argument.asDocument())].map(([, item]) => item)
      : [argument];
  uassert(items.length >= 2, 1257300, '$ifNull needs at least two arguments');
  const parts = items.map((item) => compiler.compile(item));
  const last = parts.at(-1)!;
  return compiler.combine(parts, (scope) => {
    for (const part of parts) {
      const value = part.evaluate(scope);
      if (!isNullish(value)) return value;
    }
    return last.evaluate(scope);
  });
}

interface Branch {
  readonly when: Expression;
  readonly result: Expression;
}

function compileBranch(entry: RawValue, compiler: ExpressionCompiler): Branch {
  uassert(entry.type === BsonType.object, 40062, '$switch requires each branch to be an object');
  const branch = entry.asDocument();
  for (const [key] of fieldsOf(branch)) {
    uassert(
      key === 'case' || key === 'then',
      40063,
      `$switch found an unknown argument to a branch: ${key}`,
    );
  }
  const when = getField(branch, 'case');
  const then = getField(branch, 'then');
  uassert(when !== undefined, 40064, "$switch requires each branch have a 'case' expression");
  uassert(then !== undefined, 40065, "$switch requires each branch have a 'then' expression.");
  return { when: compiler.compile(when), result: compiler.compile(then) };
}

function compileSwitch(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$switch',
    required: [],
    optional: ['branches', 'default'],
    codes: { notObject: 40060, unknown: 40067, missing: 40068 },
  });
  const list = given.get('branches');
  uassert(
    list === undefined || list.type === BsonType.array,
    40061,
    "$switch expected an array for 'branches'",
  );
  const entries = list === undefined ? [] : [...fieldsOf(list.asDocument())];
  uassert(entries.length > 0, 40068, '$switch requires at least one branch.');
  const branches = entries.map(([, entry]) => compileBranch(entry, compiler));
  const fallback = given.get('default');
  const otherwise = fallback === undefined ? undefined : compiler.compile(fallback);
  const parts = branches.flatMap((branch) => [branch.when, branch.result]);
  return compiler.combine(otherwise === undefined ? parts : [...parts, otherwise], (scope) => {
    for (const branch of branches) {
      if (isTrue(branch.when.evaluate(scope))) return branch.result.evaluate(scope);
    }
    if (otherwise !== undefined) return otherwise.evaluate(scope);
    throw new CommandError(
      40066,
      '$switch could not find a matching branch for an input, and no default was specified.',
    );
  });
}

export const CONDITIONAL: readonly ExpressionDefinition[] = [
  defineExpression({ name: '$cond', args: 'special', compile: compileCond }),
  defineExpression({ name: '$ifNull', args: 'special', compile: compileIfNull }),
  defineExpression({ name: '$switch', args: 'special', compile: compileSwitch }),
];
