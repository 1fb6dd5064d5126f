/**
 * Trigonometry: doubles in, doubles out; a decimal gives a decimal.
 */
import type { RawValue } from '../../../bson/index.ts';
import { BsonType, Decimal, decimalValue, doubleValue, NULL } from '../../../bson/index.ts';
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
import { defineExpression, type ExpressionDefinition, type Value } from '../definition.ts';
import { isNullish, NUMERIC, typeNameOf } from '../types.ts';
import { realFunction } from './arithmetic.ts';

interface Domain {
  readonly shown: string;
  holds(x: number): boolean;
  /** A decimal beside the border may have the border's double. */
  holdsExactly(x: Decimal): boolean;
}

const EVERYWHERE: Domain = {
  shown: '(-inf,inf)',
  holds: () => true,
  holdsExactly: () => true,
};
const FINITE: Domain = {
  shown: '(-inf,inf)',
  holds: (x) => Math.abs(x) !== Infinity,
  holdsExactly: (x) => x.kind !== 'infinity',
};
const UNIT: Domain = {
  shown: '[-1,1]',
  holds: (x) => x >= -1 && x <= 1,
  holdsExactly: (x) => x.abs().compare(Decimal.ONE) <= 0,
};
const FROM_ONE: Domain = {
  shown: '[1,inf]',
  holds: (x) => x >= 1,
  holdsExactly: (x) => x.compare(Decimal.ONE) >= 0,
};

function isInside(value: RawValue, domain: Domain): boolean {
  if (value.type !== BsonType.decimal128) return domain.holds(value.asNumber());
  return domain.holdsExactly(value.asDecimal());
}

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
      if (Number.isNaN(x) || isInside(value, domain)) return apply(value);
      throw new CommandError(
        50989,
        `cannot apply ${name} to ${x}, value must be in ${domain.shown}`,
      );
    },
  });
}

const DEGREE = Math.PI / 180;
const RADIAN = 180 / Math.PI;

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
  real('$radiansToDegrees', (x) => x * RADIAN, decimalToDegrees, EVERYWHERE),
  defineExpression({ name: '$atan2', args: 2, nullish: 'pass', evaluate: arcTangent2 }),
];

/** The first argument is looked at, and refused, before the second. */
function arcTangent2(y: Value, x: Value): Value {
  if (isNullish(y)) return NULL;
  requireNumber(y, 51044);
  if (isNullish(x)) return NULL;
  requireNumber(x, 51045);
  return widestNumberType(y, x) === BsonType.decimal128
    ? decimalValue(decimalAtan2(y.asDecimal(), x.asDecimal()))
    : doubleValue(Math.atan2(y.asNumber(), x.asNumber()));
}

function requireNumber(value: RawValue, code: number): void {
  if (value.isNumber) return;
  throw new CommandError(code, `$atan2 only supports numeric types, not ${typeNameOf(value)}`);
}
