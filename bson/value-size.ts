/**
 * Where a value ends: the one place that knows how each type says its length.
 *
 * Promises: never reads past `limit` for its answer; an end past `limit`, a negative length or an unknown type throws.
 */
import { malformed } from './malformed.ts';
import { readInt32 } from './scalars.ts';
import { BsonType, VALUE_BYTES, VARIABLE_SIZE } from './types.ts';

/**
 * End of the value of type `type` that starts at `start`.
 * @param limit no byte at or after it belongs to the value; bytes[limit] must exist and be 0 when a document is walked.
 * @throws CommandError InvalidBSON when the value does not end at or before `limit`, or the type is unknown.
 */
export function valueEndOf(bytes: Uint8Array, type: number, start: number, limit: number): number {
  const fixed = VALUE_BYTES[type];
  const end = fixed >= 0 ? start + fixed : variableEnd(bytes, type, start, limit, fixed);
  if (end > limit) throw malformed('an element runs past the end of its document');
  return end;
}

function variableEnd(
  bytes: Uint8Array,
  type: number,
  start: number,
  limit: number,
  size: number,
): number {
  if (size !== VARIABLE_SIZE) throw malformed(`unknown BSON type ${type}`);
  if (type === BsonType.regex) return cstringEnd(bytes, cstringEnd(bytes, start, limit), limit);
  if (start + 4 > limit) throw malformed('an element runs past the end of its document');
  const length = readInt32(bytes, start);
  switch (type) {
    case BsonType.object:
    case BsonType.array:
      return start + atLeast(5, length);
    case BsonType.binData:
      return start + 5 + atLeast(0, length);
    case BsonType.dbPointer:
      return start + 16 + atLeast(1, length);
    case BsonType.javascriptWithScope:
      return start + atLeast(14, length);
    default:
      return start + 4 + atLeast(1, length);
  }
}

function atLeast(minimum: number, length: number): number {
  if (length < minimum) throw malformed('a length is too small');
  return length;
}

/** The place after the NUL that ends the cstring at `start`. */
function cstringEnd(bytes: Uint8Array, start: number, limit: number): number {
  let at = start;
  while (at < limit && bytes[at] !== 0) at += 1;
  return at + 1;
}
