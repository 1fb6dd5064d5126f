/**
 * Random values of every type for property tests, made with bson/ itself, and helpers to name them in failures.
 */
import fc from 'fast-check';
import { exactDouble } from '../../bson/double-bits.ts';
import {
  ArrayBuilder,
  Decimal,
  DocumentBuilder,
  MAX_KEY,
  MIN_KEY,
  NULL,
  UNDEFINED_VALUE,
  arrayValue,
  binaryValue,
  booleanValue,
  dbPointerValue,
  decimalValue,
  documentValue,
  doubleValue,
  int32Value,
  int64Value,
  integerValue,
  javascriptValue,
  javascriptWithScopeValue,
  objectIdValue,
  rawValueFrom,
  regexValue,
  stringValue,
  symbolValue,
  timestampValue,
  BsonType,
  type RawValue,
} from '../../bson/index.ts';

/** Integers around the places where an encoding changes. */
const edgeInteger = fc
  .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: -3, max: 3 }), fc.boolean())
  .map(([bits, offset, negative]) => {
    const value = (1n << BigInt(bits)) + BigInt(offset);
    return BigInt.asIntN(64, negative ? -value : value);
  });

const integer = fc.oneof(
  fc.bigInt({ min: -300n, max: 300n }),
  edgeInteger,
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);

const double = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 5e-324, 2 ** 63, -(2 ** 63), 0.1, 0.5, 1.5),
  integer.map(Number),
  fc.integer({ min: -4000, max: 4000 }).map((n) => n / 8),
);

/** Decimals near integers and doubles, and anywhere. */
export const decimal: fc.Arbitrary<Decimal> = fc.oneof(
  fc
    .constantFrom('NaN', 'Infinity', '-Infinity', '0', '-0', '0E-20', '0.1', '0.10', '1E+3')
    .map((text) => Decimal.fromString(text)),
  integer.map((value) => Decimal.fromBigInt(value)),
  double.map((value) => Decimal.fromString(String(value))),
  fc
    .tuple(
      fc.bigInt({ min: 0n, max: 10n ** 34n - 1n }),
      fc.oneof(fc.integer({ min: -40, max: 5 }), fc.integer({ min: -6176, max: 6111 })),
      fc.boolean(),
    )
    .map(([coefficient, exponent, negative]) =>
      Decimal.of(negative ? -1 : 1, coefficient, exponent),
    ),
  fc
    .tuple(integer, fc.integer({ min: 1, max: 15 }), fc.bigInt({ min: -2n, max: 2n }))
    .map(([whole, places, offset]) =>
      Decimal.fromString(`${whole * 10n ** BigInt(places) + offset}E-${places}`),
    ),
);

export const numberValue: fc.Arbitrary<RawValue> = fc.oneof(
  fc.integer().map(int32Value),
  fc.integer({ min: -300, max: 300 }).map(int32Value),
  integer.map(int64Value),
  double.map(doubleValue),
  decimal.map(decimalValue),
  fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .map((bytes) => rawValueFrom(BsonType.decimal128, Buffer.from(bytes))),
  fc
    .uint8Array({ minLength: 8, maxLength: 8 })
    .map((bytes) => rawValueFrom(BsonType.double, Buffer.from(bytes))),
);

/** Two numbers of any types that lie close together, or are equal. */
export const closeNumbers: fc.Arbitrary<[RawValue, RawValue]> = fc
  .oneof(double, integer.map(Number))
  .filter((value) => Number.isFinite(value))
  .chain((value) => fc.tuple(near(value), near(value)));

function near(value: number): fc.Arbitrary<RawValue> {
  const offset = fc.bigInt({ min: -2n, max: 2n });
  const whole = BigInt(Math.trunc(Math.max(-9.2e18, Math.min(9.2e18, value))));
  const digits = firstDigits(value);
  return fc.oneof(
    fc
      .constantFrom(value, value * (1 + Number.EPSILON), value * (1 - Number.EPSILON))
      .map(doubleValue),
    offset.map((by) => int64Value(whole + by)),
    fc.constant(integerValue(Math.trunc(Math.max(-1e15, Math.min(1e15, value))))),
    offset.map((by) => {
      const coefficient = digits.coefficient + by;
      if (coefficient < 0n) return decimalValue(digits);
      return decimalValue(Decimal.of(digits.sign, coefficient, digits.exponent));
    }),
    offset.map((by) => decimalValue(Decimal.fromBigInt(whole + by))),
    fc.constant(decimalValue(Decimal.fromString(String(value)))),
  );
}

/** The first 34 of a double's exact digits, of which it has up to 767. */
function firstDigits(value: number): Decimal {
  const { mantissa, exponent } = exactDouble(Math.abs(value));
  const sign = value < 0 ? -1 : 1;
  if (exponent >= 0) return Decimal.of(sign, mantissa << BigInt(exponent), 0);
  return Decimal.of(sign, mantissa * 5n ** BigInt(-exponent), exponent);
}

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '\0', '\x01', '\x02', 'é', '😀'), maxLength: 5 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
);
const name = text.map((value) => value.replaceAll('\0', ''));
const bytes = fc.uint8Array({ maxLength: 12 }).map((value) => Buffer.from(value));
const twelveBytes = fc
  .uint8Array({ minLength: 12, maxLength: 12 })
  .map((value) => Buffer.from(value));

function scalars(): fc.Arbitrary<RawValue>[] {
  return [
    numberValue,
    text.map(stringValue),
    text.map(symbolValue),
    text.map(javascriptValue),
    fc.constantFrom(MIN_KEY, MAX_KEY, NULL, UNDEFINED_VALUE),
    fc.boolean().map(booleanValue),
    twelveBytes.map(objectIdValue),
    integer.map((value) => rawValueFrom(BsonType.date, int64Value(value).toBytes())),
    fc
      .tuple(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff))
      .map(([seconds, increment]) => timestampValue(seconds, increment)),
    fc
      .tuple(bytes, fc.constantFrom(0, 4, 128))
      .map(([content, subtype]) => binaryValue(content, subtype)),
    fc.integer({ min: 250, max: 260 }).map((length) => binaryValue(Buffer.alloc(length, length))),
    fc
      .tuple(name, fc.constantFrom('', 'i', 'im', 's', 'imsux'))
      .map(([pattern, options]) => regexValue(pattern, options)),
    fc.tuple(text, twelveBytes).map(([namespace, id]) => dbPointerValue(namespace, id)),
  ];
}

const nested = fc.letrec<{ value: RawValue; document: Buffer; array: Buffer }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    ...scalars(),
    tie('document').map(documentValue),
    tie('array').map(arrayValue),
    fc.tuple(text, tie('document')).map(([code, scope]) => javascriptWithScopeValue(code, scope)),
  ),
  document: fc
    .array(fc.tuple(fc.oneof(fc.constantFrom('a', 'b', ''), name), tie('value')), { maxLength: 4 })
    .map((fields) => {
      const builder = new DocumentBuilder();
      for (const [field, value] of fields) builder.append(field, value);
      return builder.finish();
    }),
  array: fc.array(tie('value'), { maxLength: 4 }).map((values) => {
    const builder = new ArrayBuilder();
    for (const value of values) builder.push(value);
    return builder.finish();
  }),
}));

/** A value of any type, nested ones included. */
export const anyValue: fc.Arbitrary<RawValue> = nested.value;
export const anyDocument: fc.Arbitrary<Buffer> = nested.document;
export const anyArray: fc.Arbitrary<Buffer> = nested.array;
