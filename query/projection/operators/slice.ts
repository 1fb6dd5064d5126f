/**
 * find's `$slice`: a number, or [skip, limit].
 */
import {
  BsonType,
  fieldsOf,
  type DocumentBuilder,
  FieldCursor,
  indexName,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import type { SliceNode } from '../tree.ts';

/** @returns undefined when the argument does not have the form of find's `$slice`: then it is the expression's. */
export function parseSlice(argument: RawValue): SliceNode | undefined {
  if (argument.isNumber) return { kind: 'slice', skip: undefined, limit: toInt32(argument) };
  uassert(
    argument.type === BsonType.array,
    31273,
    '$slice only supports numbers and [skip, limit] arrays',
  );
  const [skip, limit, ...rest] = Array.from(
    fieldsOf(argument.asDocument()),
    ([, element]) => element,
  );
  const isFind = skip?.isNumber === true && limit?.isNumber === true && rest.length === 0;
  if (!isFind) return undefined;
  const count = toInt32(limit);
  uassert(
    count > 0,
    28724,
    `First argument to $slice must be an array, but is of type: ${skip.typeName}`,
  );
  return { kind: 'slice', skip: toInt32(skip), limit: count };
}

/** Numbers are cut and held at the ends of int32, as MongoDB reads them. */
function toInt32(value: RawValue): number {
  const number = Math.trunc(value.asNumber());
  if (Number.isNaN(number)) return 0;
  return Math.max(-0x8000_0000, Math.min(0x7fff_ffff, number));
}

/** Writes the sliced array as `name`; a value that is no array is written as it is. */
export function appendSliced(
  builder: DocumentBuilder,
  name: string,
  value: RawValue,
  node: SliceNode,
): void {
  if (value.type !== BsonType.array) {
    builder.append(name, value);
    return;
  }
  const length = countElements(new FieldCursor(value.bytes, value.start));
  const { from, to } = bounds(node, length);
  builder.beginArray(name);
  const cursor = new FieldCursor(value.bytes, value.start);
  for (let index = 0; index < to && cursor.next(); index += 1) {
    if (index >= from) builder.append(indexName(index - from), cursor.value());
  }
  builder.end();
}

function countElements(cursor: FieldCursor): number {
  let count = 0;
  while (cursor.next()) count += 1;
  return count;
}

function bounds({ skip, limit }: SliceNode, length: number): { from: number; to: number } {
  if (skip === undefined) {
    return limit >= 0
      ? { from: 0, to: Math.min(limit, length) }
      : { from: Math.max(0, length + limit), to: length };
  }
  const from = skip >= 0 ? Math.min(skip, length) : Math.max(0, length + skip);
  return { from, to: Math.min(from + limit, length) };
}
