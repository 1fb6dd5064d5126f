import assert from 'node:assert/strict';
import { Decimal128, Double, Int32, Long } from 'bson';
import { binaryEqual, type RawValue } from '../../bson/index.ts';
import { addNumbers, multiplyNumbers, subtractNumbers } from '../../query/arithmetic.ts';
import { rawValue } from './fixtures.ts';

type Operation = (a: RawValue, b: RawValue) => RawValue | undefined;

const int = (value: number): Int32 => new Int32(value);
const long = (text: string): Long => Long.fromString(text);
const double = (value: number): Double => new Double(value);
const decimal = (text: string): Decimal128 => Decimal128.fromString(text);

const MAX_LONG = '9223372036854775807';
const MIN_LONG = '-9223372036854775808';

/** Operands, and the result with its type; undefined where an int64 overflows. */
const CASES: [name: string, operation: Operation, a: unknown, b: unknown, result: unknown][] = [
  ['int + int', addNumbers, int(1), int(2), int(3)],
  ['int + int beyond int', addNumbers, int(2147483647), int(1), long('2147483648')],
  ['int + int below int', addNumbers, int(-2147483648), int(-1), long('-2147483649')],
  ['int + long', addNumbers, int(1), long('2'), long('3')],
  [
    'long + long, exactly',
    addNumbers,
    long('9007199254740993'),
    long('2'),
    long('9007199254740995'),
  ],
  ['long + int beyond long', addNumbers, long(MAX_LONG), int(1), undefined],
  ['int + double', addNumbers, int(1), double(0.5), double(1.5)],
  [
    'long + double rounds',
    addNumbers,
    long('9007199254740993'),
    double(0),
    double(9007199254740992),
  ],
  ['int + decimal', addNumbers, int(1), decimal('0.10'), decimal('1.10')],
  ['double + decimal', addNumbers, double(0.1), decimal('1'), decimal('1.100000000000000')],
  ['double + NaN', addNumbers, double(1), double(NaN), double(NaN)],
  ['infinity - infinity', subtractNumbers, double(Infinity), double(Infinity), double(NaN)],
  ['-0 + -0', addNumbers, double(-0), double(-0), double(-0)],
  ['int - int', subtractNumbers, int(1), int(3), int(-2)],
  ['int - int beyond int', subtractNumbers, int(2147483647), int(-1), long('2147483648')],
  ['long - long beyond long', subtractNumbers, long(MIN_LONG), long('1'), undefined],
  ['int * int', multiplyNumbers, int(6), int(-7), int(-42)],
  ['int * int that is zero', multiplyNumbers, int(0), int(-7), int(0)],
  [
    'int * int beyond int, exactly',
    multiplyNumbers,
    int(2147483647),
    int(2147483647),
    long('4611686014132420609'),
  ],
  ['long * long beyond long', multiplyNumbers, long('4611686018427387904'), long('2'), undefined],
  ['the smallest long * -1', multiplyNumbers, long(MIN_LONG), int(-1), undefined],
  ['long * double', multiplyNumbers, long('3'), double(0.5), double(1.5)],
  ['decimal * int', multiplyNumbers, decimal('1.5'), int(2), decimal('3.0')],
];

describe('arithmetic over four types of numbers', () => {
  for (const [name, operation, a, b, expected] of CASES) {
    it(name, () => {
      const result = operation(rawValue(a), rawValue(b));
      if (expected === undefined) assert.equal(result, undefined);
      else
        assert.ok(
          result !== undefined && binaryEqual(result, rawValue(expected)),
          String(result?.typeName),
        );
    });
  }
});
