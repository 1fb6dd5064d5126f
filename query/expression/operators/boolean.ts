/**
 * $and, $or, $not by aggregation's truth: false, null, missing and zeros are false, all else is true.
 *
 * $and and $or stop at the first operand that decides: what stands behind it is not evaluated.
 */
import { BsonType, booleanValue, fieldsOf, type RawValue } from '../../../bson/index.ts';
import { defineExpression, type ExpressionDefinition, type Value } from '../definition.ts';

export function isTrue(value: Value): boolean {
  return value !== undefined && value.isTruthy();
}

function operands(argument: RawValue): RawValue[] {
  if (argument.type !== BsonType.array) return [argument];
  return [...fieldsOf(argument.asDocument())].map(([, item]) => item);
}

/** @param decisive the truth value of an operand that settles the result. */
function junction(name: string, decisive: boolean): ExpressionDefinition {
  return defineExpression({
    name,
    args: 'special',
    compile: (argument, compiler) => {
      const parts = operands(argument).map((operand) => compiler.compile(operand));
      const decided = booleanValue(decisive);
      const open = booleanValue(!decisive);
      return compiler.combine(parts, (scope) => {
        for (const part of parts) {
          if (isTrue(part.evaluate(scope)) === decisive) return decided;
        }
        return open;
      });
    },
  });
}

export const BOOLEAN: readonly ExpressionDefinition[] = [
  junction('$and', false),
  junction('$or', true),
  defineExpression({
    name: '$not',
    args: 1,
    nullish: 'pass',
    evaluate: (value) => booleanValue(!isTrue(value)),
  }),
];
