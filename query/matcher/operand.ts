/**
 * Reading operands: truth, integers, and how a value looks in a message.
 */
import { inspect, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';

/** Truth as the query language sees it: false, zero, null and undefined are false. */
export function isTrueInFilter(value: RawValue): boolean {
  return value.isTruthy();
}

/** A value as messages show it, such as `"x"` or `{ a: 1 }`. */
export function inspectValue(value: RawValue): string {
  return inspect(value);
}

/** `name: value`, as messages show an element. */
export function inspectElement(name: string, value: RawValue): string {
  return `${name}: ${inspectValue(value)}`;
}

/**
 * The value as a whole number in the range of int64.
 * @throws CommandError FailedToParse for anything else; `name` is the operator or keyword for the message.
 */
export function parseInteger(name: string, value: RawValue): bigint {
  const fail = (what: string): never => {
    throw new CommandError('FailedToParse', `${what}: ${inspectElement(name, value)}`);
  };
  if (!value.isNumber) return fail('Expected a number in');
  if (value.typeName === 'int' || value.typeName === 'long') return value.asInt64();
  if (Number.isNaN(value.asNumber())) return fail('Expected an integer, but found NaN in');
  const whole = exactInteger(value);
  if (whole === undefined) return fail('Expected an integer');
  if (whole !== BigInt.asIntN(64, whole)) return fail('Cannot represent as a 64-bit integer');
  return whole;
}

/** The same, refusing negative numbers. */
export function parseNonNegativeInteger(name: string, value: RawValue): bigint {
  const parsed = parseInteger(name, value);
  if (parsed < 0n) {
    throw new CommandError(
      'FailedToParse',
      `Expected a non-negative number in: ${inspectElement(name, value)}`,
    );
  }
  return parsed;
}

/** The number exactly, when it is whole and finite. */
export function exactInteger(value: RawValue): bigint | undefined {
  if (value.typeName === 'int' || value.typeName === 'long') return value.asInt64();
  if (value.typeName === 'double') {
    const number = value.asNumber();
    return Number.isInteger(number) ? BigInt(number) : undefined;
  }
  if (value.typeName !== 'decimal') return undefined;
  const decimal = value.asDecimal();
  return decimal.roundToInteger('down').compare(decimal) === 0 ? decimal.toBigInt() : undefined;
}
