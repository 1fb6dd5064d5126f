/**
 * $bitAnd, $bitOr, $bitXor, $bitNot over int and long.
 */
import { BsonType, int32Value, int64Value, NULL, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineExpression, type ExpressionDefinition, type Value } from '../definition.ts';
import { isNullish, NUMERIC, typeNameOf } from '../types.ts';

function requireInteger(name: string, value: RawValue): void {
  if (value.type === BsonType.int32 || value.type === BsonType.int64) return;
  throw new CommandError(
    'TypeMismatch',
    `${name} only supports int and long operands, not ${typeNameOf(value)}.`,
  );
}

function fold(
  name: string,
  start: bigint,
  step: (a: bigint, b: bigint) => bigint,
): ExpressionDefinition {
  return defineExpression({
    name,
    args: [0, Infinity],
    nullish: 'pass',
    evaluate: (values: readonly Value[]) => {
      let result = start;
      let isLong = false;
      let hasNull = false;
      for (const value of values) {
        if (isNullish(value)) {
          hasNull = true;
          continue;
        }
        requireInteger(name, value);
        isLong ||= value.type === BsonType.int64;
        result = step(result, value.asInt64());
      }
      if (hasNull) return NULL;
      return isLong ? int64Value(result) : int32Value(Number(result));
    },
  });
}

export const BITWISE: readonly ExpressionDefinition[] = [
  fold('$bitAnd', -1n, (a, b) => a & b),
  fold('$bitOr', 0n, (a, b) => a | b),
  fold('$bitXor', 0n, (a, b) => a ^ b),
  defineExpression({
    name: '$bitNot',
    args: 1,
    nullish: 'null',
    accepts: NUMERIC,
    wrongType: 28765,
    evaluate: (value: RawValue) => {
      requireInteger('$bitNot', value);
      return value.type === BsonType.int64
        ? int64Value(~value.asInt64())
        : int32Value(~value.asNumber());
    },
  }),
];
