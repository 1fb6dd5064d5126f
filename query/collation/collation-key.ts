/**
 * Sort keys of texts under a collation: texts whose order by code unit is the collation's order of what they stand for.
 *
 * A key is the weights of its letters, then of its accents, of its forms, and for the highest strengths of what was ignored and of
 * the text itself, as far as the strength asks; levels are parted by U+0001, and common weights at their ends are left out.
 * Keys are on disk in indexes with a collation: KEY_VERSION names what they depend on. docs/format/index-keys.md#collations
 */
import { codePointsOf, COMMON, type CollationWeights } from './collation-weights.ts';

/** Which levels a key has. */
export interface KeyLevels {
  readonly accents: boolean;
  readonly forms: boolean;
  /** Accents count from the end of the text. */
  readonly backwards: boolean;
  /** Runs of digits count as numbers. */
  readonly numeric: boolean;
  /** Left out of all levels but `ignoredText`. */
  readonly ignored: RegExp | undefined;
  readonly ignoredText: boolean;
  readonly identical: boolean;
}

/** Changes with whatever changes keys: ICU's data, and the way they are made. */
export const COLLATION_KEY_VERSION = `1/${process.versions.icu ?? ''}/${process.versions.unicode ?? ''}`;

const LEVEL_END = '\u0001';
const NUMBER_START = '0';

export function collationKey(text: string, weights: CollationWeights, levels: KeyLevels): string {
  const plain = isAscii(text) ? text : text.normalize('NFD');
  const compared = levels.ignored === undefined ? plain : plain.replace(levels.ignored, '');
  const made = new KeyBuilder(weights, levels.numeric);
  made.add(compared);
  let key = made.letters;
  if (levels.accents) {
    const accents = levels.backwards ? made.accents.reverse() : made.accents;
    key += LEVEL_END + trimmed(accents.join(''));
  }
  if (levels.forms) key += LEVEL_END + trimmed(made.forms);
  if (levels.ignoredText && levels.ignored !== undefined) {
    key += LEVEL_END + ignoredLevel(plain, levels.ignored);
  }
  if (levels.identical) key += LEVEL_END + codePointsOf(plain);
  return key;
}

class KeyBuilder {
  letters = '';
  readonly accents: string[] = [];
  forms = '';
  private readonly weights: CollationWeights;
  private readonly numeric: boolean;

  constructor(weights: CollationWeights, numeric: boolean) {
    this.weights = weights;
    this.numeric = numeric;
  }

  add(text: string): void {
    for (let index = 0; index < text.length;) {
      index =
        this.numeric && isDigit(text, index)
          ? this.addNumber(text, index)
          : this.addLetter(text, index);
    }
  }

  private addLetter(text: string, start: number): number {
    const { weights } = this;
    let end = characterEnd(text, start);
    let letter = text.slice(start, end);
    while (end < text.length) {
      const next = characterEnd(text, end);
      const following = text.slice(end, next);
      if (!weights.isPair(letter, following)) break;
      letter += following;
      end = next;
    }
    const found = weights.of(letter);
    this.letters += found.letter;
    this.accents.push(...found.accents);
    this.forms += found.forms;
    return end;
  }

  /** All numbers stand where digits do, shorter ones first; zeros in front do not count. */
  private addNumber(text: string, start: number): number {
    let end = start;
    while (end < text.length && isDigit(text, end)) end += 1;
    let first = start;
    while (first < end - 1 && text.charCodeAt(first) === ZERO) first += 1;
    const digits = text.slice(first, end);
    this.letters += this.weights.of(NUMBER_START).letter + lengthWeight(digits.length) + digits;
    this.accents.push(COMMON);
    this.forms += COMMON;
    return end;
  }
}

const ZERO = 0x30;

function isDigit(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= ZERO && code <= 0x39;
}

/** Lengths beyond 16 MB do not come. */
function lengthWeight(length: number): string {
  return String.fromCharCode(0x20 + (length >> 12), 0x20 + (length & 0xfff));
}

function characterEnd(text: string, start: number): number {
  const code = text.codePointAt(start)!;
  return start + (code > 0xffff ? 2 : 1);
}

/** Each ignored character as itself, each other one above them all. */
function ignoredLevel(text: string, ignored: RegExp): string {
  let level = '';
  for (const character of text) {
    level += character.replace(ignored, '') === '' ? codePointsOf(character) : NOT_IGNORED;
  }
  return level;
}

const NOT_IGNORED = '\ud7ff';

function trimmed(level: string): string {
  let end = level.length;
  while (end > 0 && level[end - 1] === COMMON) end -= 1;
  return level.slice(0, end);
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return false;
  }
  return true;
}
