/**
 * Puts a changed document together: untouched bytes are copied in runs, never decoded.
 *
 * Promises: the result is allocated once, at its exact size.
 */
import { readInt32, type RawValue } from '../../bson/index.ts';

/** A change of one element: its bytes are `[elementStart, elementEnd)` of the container's buffer. */
export interface Edit {
  readonly elementStart: number;
  readonly elementEnd: number;
  /** Where the element's value starts. */
  readonly valueStart: number;
  /** undefined: the element is removed. */
  readonly value: RawValue | undefined;
}

/** A field that is added at the end. */
export interface Addition {
  readonly name: string;
  readonly value: RawValue;
}

/**
 * A new document (or array) from the one that starts at `start`, with edits in order of position, and additions behind.
 */
export function splice(
  bytes: Buffer,
  start: number,
  edits: readonly Edit[],
  additions: readonly Addition[],
): Buffer {
  const end = start + readInt32(bytes, start) - 1;
  const result = Buffer.allocUnsafe(splicedSize(end - start + 1, edits, additions));
  let at = 4;
  let copied = start + 4;
  for (const { elementStart, elementEnd, valueStart, value } of edits) {
    // A changed element keeps its name; its type byte is written over.
    const kept = value === undefined ? elementStart : valueStart;
    const typeAt = at + (elementStart - copied);
    at = copyBytes(bytes, copied, kept, result, at);
    if (value !== undefined) {
      result[typeAt] = value.type;
      at = copyBytes(value.bytes, value.start, value.end, result, at);
    }
    copied = elementEnd;
  }
  at = copyBytes(bytes, copied, end, result, at);
  for (const { name, value } of additions) {
    result[at] = value.type;
    at = writeName(name, result, at + 1);
    result[at] = 0;
    at += 1;
    at = copyBytes(value.bytes, value.start, value.end, result, at);
  }
  result[at] = 0;
  result.writeInt32LE(result.length, 0);
  return result;
}

/** Beyond this a call into the runtime is faster than a loop. */
const LOOP_BYTES = 24;

/** Writes a name's UTF-8. @returns where it ends. */
function writeName(name: string, target: Buffer, at: number): number {
  if (name.length > LOOP_BYTES) return at + target.write(name, at);
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code > 127) return at + target.write(name, at);
    target[at + index] = code;
  }
  return at + name.length;
}

/** Copies `source[start, end)` to `at`. @returns where the copy ends. */
function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  const size = end - start;
  if (size > LOOP_BYTES) return at + source.copy(target, at, start, end);
  for (let index = 0; index < size; index += 1) target[at + index] = source[start + index];
  return at + size;
}

function splicedSize(size: number, edits: readonly Edit[], additions: readonly Addition[]): number {
  let total = size;
  for (const { elementStart, elementEnd, valueStart, value } of edits) {
    total -= value === undefined ? elementEnd - elementStart : elementEnd - valueStart;
    if (value !== undefined) total += value.end - value.start;
  }
  for (const { name, value } of additions) {
    total += 2 + Buffer.byteLength(name) + value.end - value.start;
  }
  return total;
}
