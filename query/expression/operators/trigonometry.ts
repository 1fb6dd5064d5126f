/**
 * Trigonometry: doubles in, doubles out; a decimal gives a decimal.
 */
import type { RawValue } from '../../../bson/index.ts';
import { BsonType, type Decimal, decimalValue, doubleValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { widestNumberType } from '../../arithmetic.ts';
import {
  decimalAcos,
  decimalAcosh,
  decimalAsin,
  decimalAsinh,
  decimalAtan,
  decimalAtan2,
  decimalAtanh,
  decimalCos,
  decimalCosh,
  decimalSin,
  decimalSinh,
  decimalTan,
  decimalTanh,
  decimalToDegrees,
  decimalToRadians,
} from '../decimal-functions.ts';
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

function real(
  name: string,
  compute: (x: number) => number,
  exact: (x: Decimal) => Decimal,
  domain: Domain,
): ExpressionDefinition {
  const apply = realFunction(compute, exact);
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
  real('$sin', Math.sin, decimalSin, FINITE),
  real('$cos', Math.cos, decimalCos, FINITE),
  real('$tan', Math.tan, decimalTan, FINITE),
  real('$asin', Math.asin, decimalAsin, UNIT),
  real('$acos', Math.acos, decimalAcos, UNIT),
  real('$atan', Math.atan, decimalAtan, EVERYWHERE),
  real('$sinh', Math.sinh, decimalSinh, EVERYWHERE),
  real('$cosh', Math.cosh, decimalCosh, EVERYWHERE),
  real('$tanh', Math.tanh, decimalTanh, EVERYWHERE),
  real('$asinh', Math.asinh, decimalAsinh, EVERYWHERE),
  real('$acosh', Math.acosh, decimalAcosh, FROM_ONE),
  real('$atanh', Math.atanh, decimalAtanh, UNIT),
  real('$degreesToRadians', (x) => x * DEGREE, decimalToRadians, EVERYWHERE),
  real('$radiansToDegrees', (x) => x / DEGREE, decimalToDegrees, EVERYWHERE),
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
      return widestNumberType(y, x) === BsonType.decimal128
        ? decimalValue(decimalAtan2(y.asDecimal(), x.asDecimal()))
        : doubleValue(Math.atan2(y.asNumber(), x.asNumber()));
    },
  }),
];
