/**
 * $bitsAllSet, $bitsAllClear, $bitsAnySet, $bitsAnyClear over integers and binary data.
 *
 * Promises: integers count as two's complement with the sign extended to the left; binary data has its lowest bit first
 * and zeros beyond its end; doubles and decimals count only when they are whole and fit an int64.
 */
import { BsonType, fieldsOf, RawValue, type BsonTypeCode } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineFieldOperator, type FieldOperatorDefinition } from '../definition.ts';
import { exactInteger, inspectElement, parseNonNegativeInteger } from '../operand.ts';
import type { LeafNode, LeafOperator, ValueTest } from '../tree.ts';

type BitsOperator = LeafOperator & `$bits${string}`;

/** `wanted`: which state of a bit counts; `every`: all bits must have it, or one is enough. */
const MEANINGS: Readonly<Record<BitsOperator, { wanted: boolean; every: boolean }>> = {
  $bitsAllSet: { wanted: true, every: true },
  $bitsAllClear: { wanted: false, every: true },
  $bitsAnySet: { wanted: true, every: false },
  $bitsAnyClear: { wanted: false, every: false },
};

const NAMES: readonly BitsOperator[] = [
  '$bitsAllSet',
  '$bitsAllClear',
  '$bitsAnySet',
  '$bitsAnyClear',
];

export const bitsOperators: readonly FieldOperatorDefinition[] = NAMES.map((name) =>
  defineFieldOperator({
    name,
    parse: ({ path, operand }): LeafNode => ({
      kind: 'leaf',
      path,
      operator: name,
      operands: [operand],
      test: bitsTest(parsePositions(name, path, operand), MEANINGS[name]),
      wholeArrayOnly: false,
    }),
  }),
);

function parsePositions(name: string, path: string, operand: RawValue): readonly number[] {
  if (operand.type === BsonType.array) {
    return Array.from(fieldsOf(operand.asDocument()), ([index, position]) =>
      parsePosition(index, position),
    );
  }
  if (operand.isNumber) {
    const mask = parseNonNegativeInteger(name, operand);
    return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (mask >> BigInt(bit)) & 1n);
  }
  if (operand.type === BsonType.binData) {
    const { bytes } = operand.asBinary();
    const bits = Array.from({ length: bytes.length * 8 }, (_, bit) => bit);
    return bits.filter((bit) => isSetInBinary(bytes, 0, bytes.length, bit));
  }
  throw new CommandError(
    'BadValue',
    `${path} takes an Array, a number, or a BinData but received: ${inspectElement(name, operand)}`,
  );
}

function parsePosition(index: string, value: RawValue): number {
  const shown = inspectElement(index, value);
  uassert(value.isNumber, 'BadValue', `bit positions must be an integer but got: ${shown}`);
  const position = value.asNumber();
  uassert(!Number.isNaN(position), 'BadValue', `bit positions cannot take a NaN: ${shown}`);
  uassert(
    position >= -0x8000_0000 && position <= 0x7fff_ffff,
    'BadValue',
    `bit positions cannot be represented as a 32-bit signed integer: ${shown}`,
  );
  uassert(
    Number.isInteger(position),
    'BadValue',
    `bit positions must be an integer but got: ${shown}`,
  );
  uassert(position >= 0, 'BadValue', `bit positions must be >= 0 but got: ${shown}`);
  return position;
}

function bitsTest(
  positions: readonly number[],
  { wanted, every }: { wanted: boolean; every: boolean },
): ValueTest {
  const decide = (isSet: (position: number) => boolean): boolean =>
    every
      ? positions.every((position) => isSet(position) === wanted)
      : positions.some((position) => isSet(position) === wanted);
  return (type, bytes, start, end) => {
    if (type === 0) return false;
    const value = new RawValue(type as BsonTypeCode, bytes, start, end);
    if (type === BsonType.binData) {
      // Length (4 bytes) and subtype (1 byte) stand before the content.
      return decide((position) => isSetInBinary(bytes, start + 5, end, position));
    }
    const whole = exactInteger(value);
    if (whole === undefined || BigInt.asIntN(64, whole) !== whole) return false;
    return decide((position) => ((whole >> BigInt(Math.min(position, 63))) & 1n) === 1n);
  };
}

function isSetInBinary(bytes: Buffer, start: number, end: number, position: number): boolean {
  const at = start + Math.floor(position / 8);
  return at < end && (bytes[at] & (1 << (position % 8))) !== 0;
}
