/**
 * Where a value ends: the one place that knows how each type says its length.
 *
 * Promises: the end lies within the limit, after the start; all else throws. Written to be inlined into the loops that
 * walk documents (bench/micro/bson/fields.bench.ts), so everything rare is a call away.
 */
import type { CommandError } from '../common/errors.ts';
import { malformed } from './malformed.ts';
import { readInt32 } from './scalars.ts';
import { CSTRINGS, MIN_LENGTH, VALUE_BYTES } from './types.ts';

/**
 * End of the value of type `type` that starts at `start`.
 * @param limit no byte at or after it belongs to the value.
 * @throws CommandError InvalidBSON when the value does not end at or before `limit`, or the type is unknown.
 */
export function valueEndOf(bytes: Uint8Array, type: number, start: number, limit: number): number {
  const size = VALUE_BYTES[type];
  const minLength = MIN_LENGTH[type];
  let end = start + size;
  if (minLength >= 0) {
    // Past the limit this reads garbage; every length that is allowed then ends past the limit, too.
    const length =
      bytes[start] | (bytes[start + 1] << 8) | (bytes[start + 2] << 16) | (bytes[start + 3] << 24);
    if (length < minLength) throw tooShort();
    end += length;
  } else if (size < 0) {
    end = rareEnd(bytes, type, start, limit);
  }
  if (end > limit) throw pastEnd();
  return end;
}

/**
 * Where the scope of a code with scope begins, whose value is bytes[start..end).
 * @throws CommandError InvalidBSON when the code does not end inside the value, with room for a document behind it.
 */
export function scopeStartOf(bytes: Uint8Array, start: number, end: number): number {
  const codeLength = readInt32(bytes, start + 4);
  const scope = start + 8 + codeLength;
  if (codeLength < 1 || scope + 5 > end) throw pastEnd();
  return scope;
}

function rareEnd(bytes: Uint8Array, type: number, start: number, limit: number): number {
  if (VALUE_BYTES[type] !== CSTRINGS) throw malformed(`Unrecognized BSON type ${type}`);
  return cstringEnd(bytes, cstringEnd(bytes, start, limit), limit);
}

/** The place after the NUL that ends the cstring at `start`; past the limit when there is none. */
function cstringEnd(bytes: Uint8Array, start: number, limit: number): number {
  let at = start;
  while (at < limit && bytes[at] !== 0) at += 1;
  return at + 1;
}

function tooShort(): CommandError {
  return malformed('a length inside of a BSON value is too small');
}

function pastEnd(): CommandError {
  return malformed('a BSON element runs past the end of its document');
}
