/**
 * Whether bytes are UTF-8, fast for the short ASCII texts that most are.
 *
 * Source: RFC 3629: shortest forms only, no surrogates, nothing above U+10FFFF.
 */
import { isUtf8 } from 'node:buffer';

/** From here on the runtime's vectorised check wins over a loop, its call and the view it needs included. */
const LONG_TEXT = 96;

export function isUtf8Text(bytes: Buffer, start: number, end: number): boolean {
  if (end - start >= LONG_TEXT) return isUtf8(bytes.subarray(start, end));
  let at = start;
  while (at < end && bytes[at] < 0x80) at += 1;
  return at === end || isShortUtf8(bytes, at, end);
}

function isShortUtf8(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const size = sequenceBytes(bytes, at);
    if (size === 0 || at + size > end) return false;
    at += size;
  }
  return true;
}

/** Bytes of the character at `at`, 0 if it is malformed. A byte past the end of the text is never a continuation: it is a NUL. */
function sequenceBytes(bytes: Buffer, at: number): number {
  const lead = bytes[at];
  if (lead < 0x80) return 1;
  const second = bytes[at + 1];
  if (lead < 0xc2 || !isContinuation(second)) return 0;
  if (lead < 0xe0) return 2;
  if (!isContinuation(bytes[at + 2])) return 0;
  if (lead < 0xf0) {
    const overlong = lead === 0xe0 && second < 0xa0;
    const surrogate = lead === 0xed && second >= 0xa0;
    return overlong || surrogate ? 0 : 3;
  }
  const outOfRange = (lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second >= 0x90);
  return lead > 0xf4 || outOfRange || !isContinuation(bytes[at + 3]) ? 0 : 4;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
