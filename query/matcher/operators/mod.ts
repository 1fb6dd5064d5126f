/**
 * $mod: the whole part of a number, divided, leaves a remainder.
 */
import { BsonType, fieldsOf, RawValue, type BsonTypeCode } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { defineFieldOperator } from '../definition.ts';
import { inspectValue } from '../operand.ts';
import type { LeafNode, ValueTest } from '../tree.ts';

export const $mod = defineFieldOperator({
  name: '$mod',
  parse: ({ path, operand }): LeafNode => {
    const { divisor, remainder } = parseMod(operand);
    return {
      kind: 'leaf',
      path,
      operator: '$mod',
      operands: [operand],
      test: modTest(divisor, remainder),
      wholeArrayOnly: false,
    };
  },
});

function parseMod(operand: RawValue): { divisor: bigint; remainder: bigint } {
  uassert(operand.type === BsonType.array, 'BadValue', 'malformed mod, needs to be an array');
  const [divisor, remainder, ...rest] = Array.from(
    fieldsOf(operand.asDocument()),
    ([, element]) => element,
  );
  uassert(divisor !== undefined, 'BadValue', 'malformed mod, not enough elements');
  uassert(divisor.isNumber, 'BadValue', 'malformed mod, divisor not a number');
  uassert(remainder !== undefined, 'BadValue', 'malformed mod, not enough elements');
  uassert(rest.length === 0, 'BadValue', 'malformed mod, too many elements');
  uassert(remainder.isNumber, 'BadValue', 'malformed mod, remainder not a number');
  const parsed = {
    divisor: truncate(divisor, 'divisor'),
    remainder: truncate(remainder, 'remainder'),
  };
  uassert(parsed.divisor !== 0n, 'BadValue', 'divisor cannot be 0');
  return parsed;
}

function truncate(value: RawValue, what: string): bigint {
  const whole = wholePart(value);
  uassert(
    whole !== undefined,
    'BadValue',
    `malformed mod, ${what} value is invalid :: caused by :: Unable to coerce NaN/Inf or out of range value to integral type: ${inspectValue(value)}`,
  );
  return whole;
}

/** The number cut towards zero; undefined when it is not finite or no int64. */
function wholePart(value: RawValue): bigint | undefined {
  if (value.type === BsonType.int32 || value.type === BsonType.int64) return value.asInt64();
  const number = value.asNumber();
  if (!Number.isFinite(number)) return undefined;
  const whole =
    value.type === BsonType.decimal128 ? value.asDecimal().toBigInt() : BigInt(Math.trunc(number));
  return whole !== undefined && BigInt.asIntN(64, whole) === whole ? whole : undefined;
}

function modTest(divisor: bigint, remainder: bigint): ValueTest {
  const isSmall =
    divisor >= -0x7fff_ffffn &&
    divisor <= 0x7fff_ffffn &&
    BigInt.asIntN(32, remainder) === remainder;
  const smallDivisor = Number(divisor);
  const smallRemainder = Number(remainder);
  return (type, bytes, start, end) => {
    switch (type) {
      case BsonType.int32:
      case BsonType.double:
      case BsonType.int64:
      case BsonType.decimal128:
        break;
      default:
        return false;
    }
    const value = new RawValue(type as BsonTypeCode, bytes, start, end);
    if (isSmall && type !== BsonType.decimal128) {
      const number = Math.trunc(value.asNumber());
      if (Number.isSafeInteger(number)) return number % smallDivisor === smallRemainder;
    }
    const whole = wholePart(value);
    return whole !== undefined && whole % divisor === remainder;
  };
}
