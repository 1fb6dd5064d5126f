/**
 * Weights of single letters under a collation, found by asking Intl.Collator: first by letter, then by accents, then by case and form.
 *
 * Promises: texts of weights compare by code unit as the collation compares what they stand for, letters of daily use exactly. Whatever
 * stands in no alphabet here (rare scripts, pictures) comes in the order of its code points, at the place that the locale gives it.
 * Weights of a level are compared only where all levels before are equal, so that a letter's accents and forms need only be told
 * from those of the same letter.
 */
import { Alphabet, HIGHEST, JOINER } from './alphabet.ts';

/** The weights of a letter, or of a sequence that counts as one. Empty levels are ignored in comparisons. */
export interface LetterWeights {
  readonly letter: string;
  /** One weight for each letter that it stands for, and one for each accent. */
  readonly accents: readonly string[];
  readonly forms: string;
}

/** Comparisons by parts of the strength. */
export interface LevelCollators {
  readonly letters: Intl.Collator;
  readonly accents: Intl.Collator;
  /** By case, or by case and form. */
  readonly forms: Intl.Collator;
  /** By all of them. */
  readonly order: Intl.Collator;
}

/** Weights begin above what separates and ends levels; surrogates are no weights. */
const FIRST_WEIGHT = 0x20;
/** In the place of an accent or form: none. It is the least weight. */
export const COMMON = weight(0);
/** More letters than these no sequence stands for. */
const MAX_EXPANSION = 18;

const IGNORED: LetterWeights = { letter: '', accents: [], forms: '' };

export class CollationWeights {
  private readonly collators: LevelCollators;
  private readonly withHan: boolean;
  private readonly known = new Map<string, LetterWeights>();
  private readonly pairs = new Map<string, boolean>();
  private alphabet: Alphabet | undefined;
  private markOrder: readonly string[] | undefined;

  /** @param withHan the locale orders ideographs */
  constructor(collators: LevelCollators, withHan: boolean) {
    this.collators = collators;
    this.withHan = withHan;
  }

  /** Whether two texts side by side count as one letter. */
  isPair(left: string, right: string): boolean {
    const text = left + right;
    let known = this.pairs.get(text);
    if (known === undefined) {
      known = this.collators.letters.compare(text, left + JOINER + right) !== 0;
      // What clients send must not fill the memory: letters of one language are few.
      if (this.pairs.size >= MAX_KNOWN) this.pairs.clear();
      this.pairs.set(text, known);
    }
    return known;
  }

  of(text: string): LetterWeights {
    let known = this.known.get(text);
    if (known === undefined) {
      known = this.find(text);
      if (this.known.size >= MAX_KNOWN) this.known.clear();
      this.known.set(text, known);
    }
    return known;
  }

  private find(text: string): LetterWeights {
    const { letters, accents, forms } = this.collators;
    if (forms.compare(text, '') === 0 && accents.compare(text, '') === 0) return IGNORED;
    if (letters.compare(text, '') === 0) return this.mark(text);
    const { weights, spelled, variants } = this.spell(text);
    // One common accent for each letter.
    const plain = weights.map(() => COMMON);
    const isPlain = accents.compare(text, spelled) === 0;
    return {
      letter: weights.join(''),
      accents: isPlain ? plain : [...plain, this.accentWeight(spelled, text, text.toLowerCase())],
      forms: this.form(text, variants) + plain.slice(1).join(''),
    };
  }

  /** The letters of the alphabet that a text is, accents and case aside. */
  private spell(text: string): Spelling {
    const { collators } = this;
    this.alphabet ??= new Alphabet(
      collators.letters.compare,
      collators.order.compare,
      this.withHan,
    );
    const { alphabet } = this;
    const weights: string[] = [];
    let spelled = '';
    while (weights.length < MAX_EXPANSION) {
      const { rank, isLetter } = alphabet.find(text, spelled);
      if (isLetter) {
        const variants = spelled === '' ? alphabet.variants[rank] : [];
        spelled += alphabet.letters[rank];
        return { weights: [...weights, weight(2 * rank + 1)], spelled, variants };
      }
      const before = alphabet.letters[rank - 1];
      const beginsWithIt =
        before !== undefined && collators.letters.compare(spelled + before + HIGHEST, text) > 0;
      if (!beginsWithIt) {
        return { weights: [...weights, gap(rank, text)], spelled: text, variants: [] };
      }
      weights.push(weight(2 * rank - 1));
      spelled += before;
    }
    return { weights: [...weights, codePointsOf(text)], spelled: text, variants: [] };
  }

  /** An accent, or another sign without a letter. */
  private mark(text: string): LetterWeights {
    return { letter: '', accents: [this.accentWeight('a', `a${text}`, text)], forms: COMMON };
  }

  /** Which accent makes `accented` of `plain`, or between which two it stands. */
  private accentWeight(plain: string, accented: string, text: string): string {
    const { accents } = this.collators;
    const marks = this.marks();
    let low = 0;
    let high = marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = accents.compare(plain + marks[middle], accented);
      if (order === 0) return weight(2 * middle + 2);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return weight(2 * low + 1) + codePointsOf(text);
  }

  private marks(): readonly string[] {
    if (this.markOrder === undefined) {
      const { letters, accents } = this.collators;
      const marks: string[] = [];
      for (let codePoint = 0x300; codePoint <= 0x3099; codePoint += 1) {
        const mark = String.fromCodePoint(codePoint);
        if (!/\p{M}/u.test(mark) || letters.compare(`a${mark}`, 'a') !== 0) continue;
        if (accents.compare(`a${mark}`, 'a') !== 0) marks.push(mark);
      }
      marks.sort((left, right) => accents.compare(`a${left}`, `a${right}`));
      this.markOrder = marks.filter(
        (mark, index) => index === 0 || accents.compare(`a${marks[index - 1]}`, `a${mark}`) !== 0,
      );
    }
    return this.markOrder;
  }

  /** Its place among the letter's variants; else before or after what the other case is. */
  private form(text: string, variants: readonly string[]): string {
    const { forms } = this.collators;
    const place = variants.findIndex((variant) => forms.compare(variant, text) === 0);
    if (place >= 0) return weight(place);
    const small = text.toLowerCase();
    const capital = text.toUpperCase();
    const first = forms.compare(small, capital) <= 0 ? small : capital;
    if (forms.compare(text, first) === 0) return COMMON;
    const second = first === small ? capital : small;
    const order = forms.compare(text, second);
    if (order === 0) return weight(2);
    return weight(order < 0 ? 1 : 3) + codePointsOf(text);
  }
}

interface Spelling {
  readonly weights: readonly string[];
  /** The letters themselves; the text when some of it is in no alphabet. */
  readonly spelled: string;
  /** Of the letter when the text is a single one. */
  readonly variants: readonly string[];
}

/** Letters and pairs that are remembered. */
const MAX_KNOWN = 20_000;

function gap(rank: number, text: string): string {
  return weight(2 * rank) + codePointsOf(text);
}

/** A text as weights that sort as its code points do. */
export function codePointsOf(text: string): string {
  let weights = '';
  for (const character of text) {
    const codePoint = character.codePointAt(0)!;
    weights += weight(codePoint >> 12) + weight(codePoint & 0xfff);
  }
  return weights;
}

function weight(value: number): string {
  return String.fromCharCode(FIRST_WEIGHT + value);
}
