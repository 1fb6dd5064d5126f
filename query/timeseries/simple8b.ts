/**
 * Simple-8b words of compressed columns: each word of 64 bits holds several whole numbers of one width, places without a value, or a
 * count of repetitions.
 *
 * Bits of a word, from the lowest: selector (4); with selector 7 or 8 an extension (4); then the numbers. All ones is a place without a
 * value. Selector 15 repeats the number before the word. An extension other than 0 gives each number a count of zeros, in its lowest
 * bits, that stand behind it.
 * Source: MongoDB's description of the format, src/mongo/bson/util/simple8b_constants.h.
 */
import { CommandError } from '../../common/errors.ts';

/** Bits of one number by selector. */
const WIDTHS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 60];

interface Extension {
  /** Bits of the number itself. */
  readonly width: number;
  /** Bits of the count of zeros. */
  readonly countBits: number;
  /** Zeros that one of the count stands for. */
  readonly zeros: number;
}

const extensions = (widths: readonly number[], countBits: number, zeros: number): Extension[] =>
  widths.map((width) => ({ width, countBits, zeros }));

/** By extension, which begins at 1, of selector 7 and of selector 8. */
const EXTENSIONS: Readonly<Record<number, readonly Extension[]>> = {
  7: extensions([2, 3, 4, 5, 7, 10, 14, 24, 52], 4, 1),
  8: [...extensions([4, 5, 7, 10, 14, 24, 52], 4, 4), ...extensions([4, 6, 9, 13, 23, 51], 5, 4)],
};

const REPEAT = 15;
const REPEAT_UNIT = 120;
const SELECTOR_BITS = 4;
const WORD_BITS = 64;

/** A number, or a place without one. */
export type Simple8bValue = bigint | undefined;

export function malformedColumn(what: string): CommandError {
  return new CommandError(6_067_602, `Invalid BSON Column encoding: ${what}`);
}

/**
 * The numbers of the words in bytes[start, end), a multiple of eight bytes.
 * @param before what stood before the first word: it may be repeated
 * @throws CommandError 6067602 for a word that is none
 */
export function* simple8bValues(
  bytes: Buffer,
  start: number,
  end: number,
  before: Simple8bValue,
): Generator<Simple8bValue> {
  let last = before;
  for (let at = start; at < end; at += 8) {
    const word = bytes.readBigUInt64LE(at);
    const selector = Number(word & 15n);
    const extension = Number((word >> 4n) & 15n);
    if (selector === REPEAT) {
      for (let left = (extension + 1) * REPEAT_UNIT; left > 0; left -= 1) yield last;
      continue;
    }
    const { width, countBits, zeros } = layoutOf(selector, extension);
    const isExtended = selector in EXTENSIONS;
    const total = width + countBits;
    const mask = (1n << BigInt(total)) - 1n;
    const countMask = (1n << BigInt(countBits)) - 1n;
    const first = SELECTOR_BITS * (isExtended ? 2 : 1);
    for (let shift = first; shift + total <= WORD_BITS; shift += total) {
      const slot = (word >> BigInt(shift)) & mask;
      const trailing = (slot & countMask) * BigInt(zeros);
      last = slot === mask ? undefined : (slot >> BigInt(countBits)) << trailing;
      yield last;
    }
  }
}

function layoutOf(selector: number, extension: number): Extension {
  const extended = EXTENSIONS[selector];
  if (extended !== undefined && extension > 0) {
    const found = extended[extension - 1];
    if (found === undefined) throw malformedColumn('a word with an unknown extension');
    return found;
  }
  if (selector === 0) throw malformedColumn('a word without a selector');
  return { width: WIDTHS[selector], countBits: 0, zeros: 0 };
}
