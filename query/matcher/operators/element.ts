/**
 * $exists, $type and $size: what kind of value stands at a path, if any.
 */
import { BsonType, FieldCursor, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { defineFieldOperator } from '../definition.ts';
import { negation, type LeafNode, type ValueTest } from '../tree.ts';
import { inspectValue, isTrueInFilter } from '../operand.ts';
import { parseTypeSet } from '../type-set.ts';

const isPresent: ValueTest = (type) => type !== 0;

export const $exists = defineFieldOperator({
  name: '$exists',
  parse: ({ path, operand }) => {
    const node = existsNode(path, operand);
    return isTrueInFilter(operand) ? node : negation(node);
  },
});

export function existsNode(path: string, operand: RawValue): LeafNode {
  return {
    kind: 'leaf',
    path,
    operator: '$exists',
    operands: [operand],
    test: isPresent,
    wholeArrayOnly: false,
  };
}

export const $type = defineFieldOperator({
  name: '$type',
  parse: ({ path, operand }): LeafNode => {
    const types = parseTypeSet(operand);
    uassert(types.size > 0, 'FailedToParse', `${path} must match at least one type`);
    return {
      kind: 'leaf',
      path,
      operator: '$type',
      operands: [operand],
      test: (type) => types.has(type),
      wholeArrayOnly: false,
    };
  },
});

export const $size = defineFieldOperator({
  name: '$size',
  parse: ({ path, operand }): LeafNode => {
    const size = parseSize(operand);
    return {
      kind: 'leaf',
      path,
      operator: '$size',
      operands: [operand],
      test: (type, bytes, start) =>
        type === BsonType.array && hasElementCount(new FieldCursor(bytes, start), size),
      wholeArrayOnly: true,
    };
  },
});

function parseSize(operand: RawValue): number {
  uassert(
    operand.isNumber,
    'BadValue',
    `Failed to parse $size. Expected a number in: $size: ${inspectValue(operand)}`,
  );
  const size = operand.asNumber();
  uassert(
    Number.isInteger(size),
    'BadValue',
    `Failed to parse $size. Expected an integer: $size: ${inspectValue(operand)}`,
  );
  uassert(
    size <= 0x7fff_ffff,
    'BadValue',
    `Failed to parse $size. Cannot represent as an int: $size: ${inspectValue(operand)}`,
  );
  uassert(
    size >= 0,
    'BadValue',
    `Failed to parse $size. Expected a non-negative number in: $size: ${inspectValue(operand)}`,
  );
  return size;
}

function hasElementCount(cursor: FieldCursor, wanted: number): boolean {
  let count = 0;
  while (cursor.next()) {
    count += 1;
    if (count > wanted) return false;
  }
  return count === wanted;
}
