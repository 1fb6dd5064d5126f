/**
 * Words of a text: cut at delimiters, without stop words, stemmed, without diacritics.
 *
 * Promises: the order is that of the text index of version 3: stop words are looked up and words stemmed with their
 * diacritics, which are taken away last. A text is cut in one pass over its characters; what a word becomes is remembered, because words
 * repeat. Source: Unicode's property list; MongoDB's manual, "Text Index Versions".
 */
import type { TextLanguage } from './language.ts';

export interface TokenOptions {
  /** Leave out stop words. */
  readonly filterStopWords: boolean;
  readonly caseSensitive?: boolean;
  readonly diacriticSensitive?: boolean;
}

export function* tokensOf(
  text: string,
  language: TextLanguage,
  options: TokenOptions,
): Generator<string> {
  const isSensitive = options.caseSensitive === true || options.diacriticSensitive === true;
  const known = KNOWN.get(language) ?? remember(language);
  for (const word of wordsOf(text, language)) {
    if (isSensitive) {
      const token = sensitiveToken(word, language, options);
      if (token !== undefined) yield token;
      continue;
    }
    let entry = known.get(word);
    if (entry === undefined) {
      // A part of a text keeps all of it alive: what is remembered is a copy.
      const copy = Buffer.from(word).toString();
      entry = makeEntry(copy, language);
      if (known.size >= MAX_KNOWN_WORDS) known.clear();
      if (copy.length <= MAX_KNOWN_LENGTH) known.set(copy, entry);
    }
    if (!(entry.isStopWord && options.filterStopWords)) yield entry.token;
  }
}

/** What a word becomes when neither case nor diacritics count. */
interface KnownWord {
  readonly token: string;
  readonly isStopWord: boolean;
}

/** Per language; a few megabytes at most. */
const MAX_KNOWN_WORDS = 60_000;
const MAX_KNOWN_LENGTH = 64;

const KNOWN = new WeakMap<TextLanguage, Map<string, KnownWord>>();

function remember(language: TextLanguage): Map<string, KnownWord> {
  const words = new Map<string, KnownWord>();
  KNOWN.set(language, words);
  return words;
}

function makeEntry(word: string, language: TextLanguage): KnownWord {
  const folded = language.fold(word);
  const token = withoutDiacritics(language.stem(folded));
  return { token, isStopWord: language.isStopWord(folded) };
}

function sensitiveToken(
  word: string,
  language: TextLanguage,
  { filterStopWords, caseSensitive, diacriticSensitive }: TokenOptions,
): string | undefined {
  const folded = language.fold(word);
  if (filterStopWords && language.isStopWord(folded)) return undefined;
  const stem = language.stem(caseSensitive === true ? word : folded);
  return diacriticSensitive === true ? stem : withoutDiacritics(stem);
}

/** Characters between words. JavaScript has no property Hyphen: its members that are no dashes stand for themselves. */
const DELIMITER =
  /[\p{White_Space}\p{Dash}\p{Quotation_Mark}\p{Terminal_Punctuation}\p{Pattern_Syntax}\p{Sentence_Terminal}\u00ad\u30fb\uff65]/u;

/** For each UTF-16 code unit: 0 not looked up yet, 1 part of a word, 2 a delimiter, 3 half of a character. */
const CODE_UNITS = new Uint8Array(0x1_0000);
const DELIMITS = 2;
const IS_HALF = 3;

const APOSTROPHE = 0x27;

function* wordsOf(text: string, language: TextLanguage): Generator<string> {
  // English words keep their apostrophe: "don't" is one word.
  const keepsApostrophe = language.name === 'english';
  let start = -1;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    let kind = CODE_UNITS[unit];
    if (kind === 0) kind = CODE_UNITS[unit] = kindOf(unit);
    const isDelimiter =
      kind === DELIMITS
        ? !(keepsApostrophe && unit === APOSTROPHE)
        : kind === IS_HALF && isDelimiterAt(text, index);
    if (!isDelimiter) {
      if (start < 0) start = index;
    } else if (start >= 0) {
      yield text.slice(start, index);
      start = -1;
    }
  }
  if (start >= 0) yield text.slice(start);
}

function kindOf(unit: number): number {
  if (unit >= 0xd800 && unit <= 0xdfff) return IS_HALF;
  return DELIMITER.test(String.fromCharCode(unit)) ? DELIMITS : 1;
}

/** For either half of a character beyond the first 65,536. */
function isDelimiterAt(text: string, index: number): boolean {
  const isSecond = (text.charCodeAt(index) & 0xfc00) === 0xdc00;
  const point = text.codePointAt(isSecond ? index - 1 : index) ?? 0;
  return point > 0xffff && DELIMITER.test(String.fromCodePoint(point));
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
