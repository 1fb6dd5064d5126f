/**
 * Trigonometry: doubles in, doubles out; a decimal gives a decimal.
 */
import type { RawValue } from '../../../bson/index.ts';
import { BsonType, Decimal, decimalValue, doubleValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { widestNumberType } from '../../arithmetic.ts';
import { defineExpression, type ExpressionDefinition } from '../definition.ts';
import { NUMERIC, typeNameOf } from '../types.ts';
import { realFunction } from './arithmetic.ts';

interface Domain {
  readonly shown: string;
  holds(x: number): boolean;
}

const EVERYWHERE: Domain = { shown: '(-inf,inf)', holds: () => true };
const FINITE: Domain = { shown: '(-inf,inf)', holds: (x) => Math.abs(x) !== Infinity };
const UNIT: Domain = { shown: '[-1,1]', holds: (x) => x >= -1 && x <= 1 };
const FROM_ONE: Domain = { shown: '[1,inf]', holds: (x) => x >= 1 };

function real(name: string, compute: (x: number) => number, domain: Domain): ExpressionDefinition {
  const apply = realFunction(compute);
  return defineExpression({
    name,
    args: 1,
    nullish: 'null',
    accepts: NUMERIC,
    wrongType: 28765,
    evaluate: (value: RawValue) => {
      const x = value.asNumber();
      if (Number.isNaN(x) || domain.holds(x)) return apply(value);
      throw new CommandError(
        50989,
        `cannot apply ${name} to ${x}, value must be in ${domain.shown}`,
      );
    },
  });
}

const DEGREE = Math.PI / 180;

export const TRIGONOMETRY: readonly ExpressionDefinition[] = [
  real('$sin', Math.sin, FINITE),
  real('$cos', Math.cos, FINITE),
  real('$tan', Math.tan, FINITE),
  real('$asin', Math.asin, UNIT),
  real('$acos', Math.acos, UNIT),
  real('$atan', Math.atan, EVERYWHERE),
  real('$sinh', Math.sinh, EVERYWHERE),
  real('$cosh', Math.cosh, EVERYWHERE),
  real('$tanh', Math.tanh, EVERYWHERE),
  real('$asinh', Math.asinh, EVERYWHERE),
  real('$acosh', Math.acosh, FROM_ONE),
  real('$atanh', Math.atanh, UNIT),
  real('$degreesToRadians', (x) => x * DEGREE, EVERYWHERE),
  real('$radiansToDegrees', (x) => x / DEGREE, EVERYWHERE),
  defineExpression({
    name: '$atan2',
    args: 2,
    nullish: 'null',
    evaluate: (y: RawValue, x: RawValue) => {
      for (const value of [y, x]) {
        if (!value.isNumber) {
          throw new CommandError(
            51044,
            `$atan2 only supports numeric types, not ${typeNameOf(value)}`,
          );
        }
      }
      const angle = Math.atan2(y.asNumber(), x.asNumber());
      return widestNumberType(y, x) === BsonType.decimal128
        ? decimalValue(Decimal.fromNumber(angle))
        : doubleValue(angle);
    },
  }),
];
