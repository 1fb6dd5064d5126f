import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CommandError } from '../../common/errors.ts';
import { Decimal } from '../../bson/index.ts';
import { decimal } from './arbitraries.ts';

const read = (text: string): Decimal => Decimal.fromString(text);

/** a, b, a + b, a * b, a / b: as an independent implementation of IEEE 754-2008 decimal128 gives them. */
const ARITHMETIC: readonly [
  a: string,
  b: string,
  sum: string,
  product: string,
  quotient: string,
][] = [
  ['1', '3', '4', '3', '0.3333333333333333333333333333333333'],
  ['2', '3', '5', '6', '0.6666666666666666666666666666666667'],
  ['1', '8', '9', '8', '0.125'],
  ['100', '25', '125', '2500', '4'],
  ['1E+3', '5E+2', '1.5E+3', '5E+5', '2'],
  [
    '9999999999999999999999999999999999',
    '1',
    '1.000000000000000000000000000000000E+34',
    '9999999999999999999999999999999999',
    '9999999999999999999999999999999999',
  ],
  [
    '9999999999999999999999999999999999',
    '0.5',
    '1.000000000000000000000000000000000E+34',
    '5000000000000000000000000000000000',
    '2.000000000000000000000000000000000E+34',
  ],
  ['1E+6144', '9E+6144', 'Infinity', 'Infinity', '0.1111111111111111111111111111111111'],
  ['1E-6176', '2', '2.000000000000000000000000000000000', '2E-6176', '0E-6176'],
  ['5E-6176', '-5E-6176', '0E-6176', '-0E-6176', '-1'],
  ['1', '1E-60', '1.000000000000000000000000000000000', '1E-60', '1E+60'],
  ['-1', '1E-60', '-1.000000000000000000000000000000000', '-1E-60', '-1E+60'],
  ['0.1', '0.2', '0.3', '0.02', '0.5'],
  ['-0', '0', '0', '-0', 'NaN'],
  ['-0', '-0', '-0', '0', 'NaN'],
  ['Infinity', '-Infinity', 'NaN', '-Infinity', 'NaN'],
  ['Infinity', '0', 'Infinity', 'NaN', 'Infinity'],
  ['NaN', '1', 'NaN', 'NaN', 'NaN'],
  ['0', '0', '0', '0', 'NaN'],
  ['1', '0', '1', '0', 'Infinity'],
  [
    '1234567890123456789012345678901234',
    '0.00000000000000005',
    '1234567890123456789012345678901234',
    '61728394506172839.45061728394506170',
    '2.469135780246913578024691357802468E+49',
  ],
  ['7', '-Infinity', '-Infinity', '-Infinity', '-0E-6176'],
  [
    '-25E-30',
    '43798144E-2',
    '437981.4400000000000000000000000000',
    '-1.094953600E-23',
    '-5.708004430507374924380357304638297E-35',
  ],
  [
    '5E+5858',
    '6E-27',
    '5.000000000000000000000000000000000E+5858',
    '3.0E+5832',
    '8.333333333333333333333333333333333E+5884',
  ],
  ['277', '-1.46', '275.54', '-404.42', '-189.7260273972602739726027397260274'],
  [
    '-2E-30',
    '-9999999999999999',
    '-9999999999999999.000000000000000000',
    '1.9999999999999998E-14',
    '2.000000000000000200000000000000020E-46',
  ],
  [
    '-55162359102003955E-2',
    '0.25',
    '-551623591020039.30',
    '-137905897755009.8875',
    '-2206494364080158.2',
  ],
  ['8003775E-7', '-8E-2', '0.7203775', '-0.064030200', '-10.00471875'],
  ['-7E+6111', '7E-6176', '-7.000000000000000000000000000000000E+6111', '-4.9E-64', '-Infinity'],
  ['1.5E-6170', '1E+6100', '1.000000000000000000000000000000000E+6100', '1.5E-70', '0E-6176'],
  ['1E+34', '-1', '9999999999999999999999999999999999', '-1E+34', '-1E+34'],
  [
    '3',
    '9.999999999999999999999999999999999E+6144',
    '9.999999999999999999999999999999999E+6144',
    'Infinity',
    '3.0000000000000000000000000000000E-6145',
  ],
];

/** Value and square root, from the same source. */
const ROOTS: readonly [value: string, root: string][] = [
  ['2', '1.414213562373095048801688724209698'],
  ['4', '2'],
  ['0.25', '0.5'],
  ['1E+3', '31.62277660168379331998893544432719'],
  ['1E-6176', '1E-3088'],
  ['9.999999999999999999999999999999999E+6144', '3.162277660168379331998893544432718E+3072'],
  ['-1', 'NaN'],
  ['-0E-7', '-0.0000'],
  ['Infinity', 'Infinity'],
  ['NaN', 'NaN'],
  ['12345678901234567890', '3513641828.820144253093654172555782'],
  ['400', '20'],
];

/** Value, exponent, and the value quantized half to even, down, to the floor, to the ceiling. */
const QUANTIZED: readonly [value: string, exponent: number, ...results: string[]][] = [
  ['2.345', -2, '2.34', '2.34', '2.34', '2.35'],
  ['2.355', -2, '2.36', '2.35', '2.35', '2.36'],
  ['-2.5', 0, '-2', '-2', '-3', '-2'],
  ['2.5', 0, '2', '2', '2', '3'],
  ['3.5', 0, '4', '3', '3', '4'],
  ['-2.1', 0, '-2', '-2', '-3', '-2'],
  ['2.1', 0, '2', '2', '2', '3'],
  ['7', -3, '7.000', '7.000', '7.000', '7.000'],
  ['123456', 3, '1.23E+5', '1.23E+5', '1.23E+5', '1.24E+5'],
  ['499', 3, '0E+3', '0E+3', '0E+3', '1E+3'],
  ['500', 3, '0E+3', '0E+3', '0E+3', '1E+3'],
  ['501', 3, '1E+3', '0E+3', '0E+3', '1E+3'],
  ['0', -5, '0.00000', '0.00000', '0.00000', '0.00000'],
  ['9999999999999999999999999999999999', -1, 'NaN', 'NaN', 'NaN', 'NaN'],
  ['0.00001', 0, '0', '0', '0', '1'],
];

describe('Decimal', () => {
  for (const [a, b, sum, product, quotient] of ARITHMETIC) {
    it(`calculates with ${a} and ${b}`, () => {
      assert.equal(read(a).add(read(b)).toString(), sum);
      assert.equal(read(b).add(read(a)).toString(), sum);
      assert.equal(read(a).subtract(read(b).negate()).toString(), sum);
      assert.equal(read(a).multiply(read(b)).toString(), product);
      assert.equal(read(a).divide(read(b)).toString(), quotient);
    });
  }

  for (const [value, root] of ROOTS) {
    it(`takes the square root of ${value}`, () => {
      assert.equal(read(value).squareRoot().toString(), root);
    });
  }

  for (const [value, exponent, halfEven, down, floor, ceiling] of QUANTIZED) {
    it(`rounds ${value} to 10^${exponent}`, () => {
      assert.equal(read(value).quantize(exponent).toString(), halfEven);
      assert.equal(read(value).quantize(exponent, 'down').toString(), down);
      assert.equal(read(value).quantize(exponent, 'floor').toString(), floor);
      assert.equal(read(value).quantize(exponent, 'ceiling').toString(), ceiling);
    });
  }

  it('takes remainders with the sign of the dividend, however far apart the two are', () => {
    assert.equal(read('10').remainder(read('3')).toString(), '1');
    assert.equal(read('-10').remainder(read('3')).toString(), '-1');
    assert.equal(read('5.5').remainder(read('-2')).toString(), '1.5');
    assert.equal(read('1E+6000').remainder(read('7')).toString(), String(10n ** 6000n % 7n));
    assert.equal(read('5').remainder(read('Infinity')).toString(), '5');
    for (const [a, b] of [
      ['5', '0'],
      ['Infinity', '2'],
      ['NaN', '1'],
      ['1', 'NaN'],
    ]) {
      assert.equal(read(a).remainder(read(b)).toString(), 'NaN');
    }
  });

  it('rounds to whole numbers', () => {
    assert.equal(read('2.5').roundToInteger().toString(), '2');
    assert.equal(read('-2.5').roundToInteger('floor').toString(), '-3');
    assert.equal(read('1E+3').roundToInteger().toString(), '1E+3');
    assert.equal(read('Infinity').roundToInteger().toString(), 'Infinity');
  });

  it('keeps its bytes', () => {
    fc.assert(
      fc.property(decimal, (value) => {
        const again = Decimal.fromBytes(value.toBytes());
        assert.deepEqual(again, value);
        if (!value.isNaN) assert.deepEqual(read(value.toString()), value);
      }),
    );
  });

  it('converts doubles with 15 digits, as MongoDB does', () => {
    const cases: [number, string][] = [
      [2.5, '2.50000000000000'],
      [0.1, '0.100000000000000'],
      [1, '1.00000000000000'],
      [-1e20, '-1.00000000000000E+20'],
      [5e-324, '4.94065645841247E-324'],
      [-0, '-0'],
      [NaN, 'NaN'],
      [-Infinity, '-Infinity'],
    ];
    for (const [value, text] of cases) assert.equal(Decimal.fromNumber(value).toString(), text);
  });

  it('gives the nearest double', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        assert.equal(read(Object.is(value, -0) ? '-0' : String(value)).toNumber(), value);
      }),
    );
    assert.equal(read('1E+400').toNumber(), Infinity);
    assert.equal(read('-1E-400').toNumber(), -0);
  });

  it('refuses texts that are no decimals', () => {
    for (const text of [
      '',
      '.',
      '1e',
      'e5',
      '+-1',
      '1 ',
      '0x1',
      '1..2',
      'Inf1',
      'nanx',
      '1'.repeat(5000),
    ]) {
      assert.throws(() => read(text), CommandError, text);
      assert.equal(Decimal.tryExact(text), undefined);
    }
    assert.equal(Decimal.tryExact('1'.repeat(35)), undefined);
    assert.equal(
      Decimal.tryExact(`${'1'.repeat(34)}0`)?.toString(),
      '1.111111111111111111111111111111111E+34',
    );
    assert.equal(read('1E+999999999999').toString(), 'Infinity');
    assert.equal(read('-1E-999999999999').toString(), '-0E-6176');
  });

  it('orders all values, NaN lowest', () => {
    const texts = [
      'NaN',
      '-Infinity',
      '-1E+6000',
      '-1',
      '-1E-6176',
      '0',
      '1E-6176',
      '0.9',
      '1',
      '10',
      'Infinity',
    ];
    for (const [left, a] of texts.entries()) {
      for (const [right, b] of texts.entries()) {
        assert.equal(read(a).compare(read(b)), Math.sign(left - right));
      }
    }
    assert.equal(read('1.0').compare(read('1.000')), 0);
    assert.equal(read('-0').compare(read('0E+10')), 0);
  });

  it('gives its whole part', () => {
    assert.equal(read('-12.99').toBigInt(), -12n);
    assert.equal(read('1E+3').toBigInt(), 1000n);
    assert.equal(read('0E+6000').toBigInt(), 0n);
    assert.equal(read('1E-6000').toBigInt(), 0n);
    assert.equal(read('1E+41').toBigInt(), undefined);
    assert.equal(Decimal.NAN.toBigInt(), undefined);
  });
});
