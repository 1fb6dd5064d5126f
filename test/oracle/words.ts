/**
 * Texts for the oracle, and a search in them that knows nothing of indexes.
 */
import type { SeededRandom } from '../../common/random.ts';
import { pick, type Plain } from './values.ts';

const WORDS = ['river', 'stone', 'Harbour', 'lamp', 'LAMP', 'ärmel', 'north', 'seven7', 'x'];

function sentence(random: SeededRandom): string {
  return Array.from({ length: 1 + random.below(5) }, () => pick(random, WORDS)).join(
    pick(random, [' ', ', ', '; ']),
  );
}

/** A string, or several. */
export function words(random: SeededRandom, withArrays: boolean): unknown {
  if (withArrays && random.below(4) === 0) return [sentence(random), 5, sentence(random)];
  return sentence(random);
}

/** Words of which one must be there, words that must not, and a phrase. */
export interface WordSearch {
  readonly any: readonly string[];
  readonly none: readonly string[];
  readonly phrase: string | undefined;
}

export function wordSearch(random: SeededRandom): WordSearch {
  const some = (count: number): string[] =>
    Array.from({ length: count }, () => pick(random, WORDS).toLowerCase());
  return {
    any: some(1 + random.below(2)),
    none: random.below(3) === 0 ? some(1) : [],
    phrase: random.below(5) === 0 ? some(2).join(' ') : undefined,
  };
}

export function wordFilter({ any, none, phrase }: WordSearch): Plain {
  const parts = [...any, ...none.map((word) => `-${word}`)];
  if (phrase !== undefined) parts.push(`"${phrase}"`);
  return { $text: { $search: parts.join(' ') } };
}

/** Of a language without stemming and stop words; diacritics do not count. */
export function holdsWords({ any, none, phrase }: WordSearch, stored: unknown): boolean {
  const texts = (Array.isArray(stored) ? stored : [stored]).filter(
    (each): each is string => typeof each === 'string',
  );
  const plain = (from: string): string =>
    from.toLowerCase().normalize('NFD').replace(/\p{M}/gu, '');
  const held = new Set(texts.flatMap((each) => plain(each).split(/[ ,;]+/)));
  if (none.some((word) => held.has(plain(word)))) return false;
  if (phrase !== undefined && !texts.some((each) => plain(each).includes(plain(phrase)))) {
    return false;
  }
  const wanted = phrase === undefined ? any : [...any, ...phrase.split(' ')];
  return wanted.some((word) => held.has(plain(word)));
}
