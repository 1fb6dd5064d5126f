/**
 * Whether bytes are UTF-8, fast for the short ASCII texts that most are.
 *
 * Source: RFC 3629: shortest forms only, no surrogates, nothing above U+10FFFF.
 */
import { isUtf8 } from 'node:buffer';

/** From here on the runtime's vectorised check wins over a loop, its call and the view it needs included. */
const LONG_TEXT = 176;

export function isUtf8Text(bytes: Buffer, start: number, end: number): boolean {
  if (end - start >= LONG_TEXT) return isUtf8(bytes.subarray(start, end));
  let at = start;
  // Eight bytes per step: most texts are ASCII to their end.
  while (at + 8 <= end) {
    const low = bytes[at] | bytes[at + 1] | bytes[at + 2] | bytes[at + 3];
    const high = bytes[at + 4] | bytes[at + 5] | bytes[at + 6] | bytes[at + 7];
    if ((low | high) > 127) break;
    at += 8;
  }
  while (at < end && bytes[at] < 128) at += 1;
  return at === end || isShortUtf8(bytes, at, end);
}

/** The byte after the text is a NUL, never a continuation: so a sequence that runs past the end is malformed. */
function isShortUtf8(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const lead = bytes[at];
    if (lead < 0x80) {
      at += 1;
    } else if (lead < 0xe0) {
      if (lead < 0xc2 || !isContinuation(bytes[at + 1])) return false;
      at += 2;
    } else if (lead < 0xf0) {
      const second = bytes[at + 1];
      if (!isContinuation(second) || !isContinuation(bytes[at + 2])) return false;
      // Overlong forms and surrogates.
      if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second >= 0xa0)) return false;
      at += 3;
    } else {
      if (!isFourByteSequence(bytes, at)) return false;
      at += 4;
    }
  }
  return true;
}

function isFourByteSequence(bytes: Buffer, at: number): boolean {
  const lead = bytes[at];
  const second = bytes[at + 1];
  if (lead > 0xf4 || (lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second >= 0x90)) {
    return false;
  }
  return isContinuation(second) && isContinuation(bytes[at + 2]) && isContinuation(bytes[at + 3]);
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
