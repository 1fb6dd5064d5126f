/**
 * $let, $literal, $rand, $meta: values that come from elsewhere than the operands.
 */
import { BsonType, doubleValue, fieldsOf, isEmpty, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { metadataValueOf } from '../../document-metadata.ts';
import { metadataNameOf } from '../../projection/operators/meta.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
} from '../definition.ts';
import type { Expression } from '../expression.ts';
import { namedArguments } from '../named-arguments.ts';
import { checkUserVariable } from '../variable-name.ts';

function compileLet(argument: RawValue, compiler: ExpressionCompiler): Expression {
  const given = namedArguments(argument, {
    name: '$let',
    required: ['vars', 'in'],
    codes: { notObject: 16874, unknown: 16875, missing: [16876, 16877] },
  });
  const vars = given.get('vars')!;
  uassert(vars.type === BsonType.object, 10065, 'invalid parameter: expected an object (vars)');
  const definitions = Array.from(fieldsOf(vars.asDocument()), ([name, value]) => {
    checkUserVariable(name, true);
    return { name, expression: compiler.compile(value) };
  });
  const inner = compiler.withVariables(definitions.map((definition) => definition.name));
  const body = inner.compiler.compile(given.get('in')!);
  const parts = [...definitions.map((definition) => definition.expression), body];
  return compiler.combine(parts, (scope) => {
    // All values before any slot: a variable of the same name outside is still meant.
    const values = definitions.map((definition) => definition.expression.evaluate(scope));
    inner.slots.forEach((slot, index) => {
      scope.slots[slot] = values[index];
    });
    return body.evaluate(scope);
  });
}

export const VARIABLES: readonly ExpressionDefinition[] = [
  defineExpression({ name: '$let', args: 'special', compile: compileLet }),
  ...['$literal', '$const'].map((name) =>
    defineExpression({
      name,
      args: 'special',
      compile: (argument, compiler) => compiler.constant(argument),
    }),
  ),
  defineExpression({
    name: '$meta',
    args: 'special',
    compile: (argument, compiler) => {
      const name = metadataNameOf(argument);
      return compiler.combine([], (scope) => metadataValueOf(scope.document, name), {
        pure: false,
      });
    },
  }),
  defineExpression({
    name: '$rand',
    args: 'special',
    compile: (argument, compiler) => {
      uassert(
        argument.type === BsonType.object || argument.type === BsonType.array,
        10065,
        'invalid parameter: expected an object ($rand)',
      );
      uassert(isEmpty(argument.asDocument()), 3040501, '$rand does not currently accept arguments');
      const { context } = compiler;
      // Asked for at each evaluation: a context with scripts repeats its numbers while they are prepared.
      return compiler.combine([], () => doubleValue(context.random.next()), { pure: false });
    },
  }),
];
