/**
 * Words of a text: cut at delimiters, without stop words, stemmed, without diacritics.
 *
 * Promises: the order is that of the text index of version 3: stop words are looked up and words stemmed with their
 * diacritics, which are taken away last. Source: Unicode's property list; MongoDB's manual, "Text Index Versions".
 */
import type { TextLanguage } from './language.ts';

export interface TokenOptions {
  /** Leave out stop words. */
  readonly filterStopWords: boolean;
  readonly caseSensitive?: boolean;
  readonly diacriticSensitive?: boolean;
}

/** Characters between words. JavaScript has no property Hyphen: its members that are no dashes stand for themselves. */
const DELIMITERS =
  '\\p{White_Space}\\p{Dash}\\p{Quotation_Mark}\\p{Terminal_Punctuation}\\p{Pattern_Syntax}\\p{Sentence_Terminal}\\u00ad\\u30fb\\uff65';

const WORD = new RegExp(`[^${DELIMITERS}]+`, 'gu');
/** English words keep their apostrophe: "don't" is one word. */
const ENGLISH_WORD = new RegExp(`(?:'|[^${DELIMITERS}])+`, 'gu');

export function* tokensOf(
  text: string,
  language: TextLanguage,
  options: TokenOptions,
): Generator<string> {
  const pattern = language.name === 'english' ? ENGLISH_WORD : WORD;
  for (const [word] of text.matchAll(pattern)) {
    const folded = language.fold(word);
    if (options.filterStopWords && language.isStopWord(folded)) continue;
    const stem = language.stem(options.caseSensitive === true ? word : folded);
    yield options.diacriticSensitive === true ? stem : withoutDiacritics(stem);
  }
}

// eslint-disable-next-line no-control-regex -- The range of ASCII.
const ASCII = /^[\u0000-\u007f]*$/;

export function withoutDiacritics(text: string): string {
  if (ASCII.test(text)) return text;
  return text
    .normalize('NFD')
    .replaceAll(/\p{Diacritic}/gu, '')
    .normalize('NFC');
}

export interface PhraseOptions {
  readonly caseSensitive: boolean;
  readonly diacriticSensitive: boolean;
}

/** A text as phrases are looked for in it. */
export function comparablePhrase(
  text: string,
  language: TextLanguage,
  options: PhraseOptions,
): string {
  const folded = options.caseSensitive ? text : language.fold(text);
  return options.diacriticSensitive ? folded : withoutDiacritics(folded);
}
