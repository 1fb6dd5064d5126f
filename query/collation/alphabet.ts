/**
 * The letters of a locale in their order, as Intl.Collator has it: what sort keys are numbered by. Intl gives no sort keys, only comparisons.
 *
 * Owns: which texts count as letters, and where any other text stands among them. Two letters of one rank differ in accents or case
 * alone. Built once per locale, in about 5 ms.
 */

/** Sequences that some locale counts as one letter. */
const DIGRAPHS =
  'aa ae ch cs ccs dd dh dz dzs dž ff gh gj gy għ hl ie ij lj ll ly ng nj ny oe ph rh rr sh sz th ts ty xh zh zs'.split(
    ' ',
  );

/** Below every letter; with it Intl.Collator compares "everything that begins with". */
export const HIGHEST = '\uffff';
/** Ignored in comparisons, but what it stands between is not one letter. */
export const JOINER = '\u034f';

/** Where a text stands: at the rank of a letter, or in the gap before the letter of that rank. */
export interface Standing {
  readonly rank: number;
  readonly isLetter: boolean;
}

export class Alphabet {
  /** One letter for each rank: the first of those that are equal but for accents and case. */
  readonly letters: readonly string[];
  /** For each rank its letters with all accents and forms, in order. */
  readonly variants: readonly (readonly string[])[];
  private readonly compare: (a: string, b: string) => number;

  /**
   * @param compare by the locale, accents and case aside
   * @param order by the locale, accents and case included
   * @param withHan its ideographs have an order of their own
   */
  constructor(
    compare: (a: string, b: string) => number,
    order: (a: string, b: string) => number,
    withHan: boolean,
  ) {
    this.compare = compare;
    const variants: string[][] = [];
    for (const letter of [...candidates(withHan), ...digraphs(compare)].sort(order)) {
      if (compare(letter, '') === 0) continue;
      const last = variants.at(-1);
      if (last === undefined || compare(last[0] + HIGHEST, letter) <= 0) variants.push([letter]);
      // What begins with a letter and is not it stands for several: no letter of its own.
      else if (compare(last[0], letter) === 0) last.push(letter);
    }
    this.variants = variants;
    this.letters = variants.map(([first]) => first);
  }

  /** Where `prefix + letter` becomes the text. */
  find(text: string, prefix = ''): Standing {
    const { letters, compare } = this;
    let low = 0;
    let high = letters.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compare(prefix + letters[middle], text);
      if (order === 0) return { rank: middle, isLetter: true };
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return { rank: low, isLetter: false };
  }
}

/** Code points that are letters, numbers, punctuation or symbols of alphabets in daily use. */
const RANGES: readonly (readonly [number, number])[] = [
  [0x20, 0x33ff],
  [0xa4d0, 0xabff],
  [0xfb00, 0xffdc],
];
const HAN_RANGE = [0x4e00, 0x9fff] as const;
const NO_LETTER = /[\p{M}\p{C}]/u;

function* candidates(withHan: boolean): Generator<string> {
  for (const [first, last] of withHan ? [...RANGES, HAN_RANGE] : RANGES) {
    for (let codePoint = first; codePoint <= last; codePoint += 1) {
      const text = String.fromCodePoint(codePoint);
      if (!NO_LETTER.test(text)) yield text;
    }
  }
}

/** Those that the locale counts as one letter, in all cases. */
function* digraphs(compare: (a: string, b: string) => number): Generator<string> {
  for (const small of DIGRAPHS) {
    const title = small[0].toUpperCase() + small.slice(1);
    const mixed = small[0] + small.slice(1).toUpperCase();
    for (const text of [small, title, mixed, small.toUpperCase()]) {
      if (compare(text, Array.from(text).join(JOINER)) !== 0) yield text;
    }
  }
}
