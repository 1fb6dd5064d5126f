/**
 * The languages of text search: how they stem, which words they leave out, how they fold case.
 *
 * Owns: the table of languages and their aliases. A language's stemmer and stop words are loaded when it is first used, so
 * that a server without text indexes pays nothing for them. Source: MongoDB's manual, "Text Search Languages".
 */
import { createRequire } from 'node:module';
import { stemEnglish } from './english-stemmer.ts';

export interface TextLanguage {
  /** English name in small letters; 'none' neither stems nor leaves words out. */
  readonly name: string;
  stem(word: string): string;
  /** @param word in small letters, with its diacritics. */
  isStopWord(word: string): boolean;
  /** Small letters, as words of this language are compared. */
  fold(text: string): string;
}

/** Two-letter names, as ISO 639-1 has them. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['da', 'danish'],
  ['nl', 'dutch'],
  ['en', 'english'],
  ['fi', 'finnish'],
  ['fr', 'french'],
  ['de', 'german'],
  ['hu', 'hungarian'],
  ['it', 'italian'],
  ['nb', 'norwegian'],
  ['pt', 'portuguese'],
  ['ro', 'romanian'],
  ['ru', 'russian'],
  ['es', 'spanish'],
  ['sv', 'swedish'],
  ['tr', 'turkish'],
]);

const NAMES: ReadonlySet<string> = new Set([...ALIASES.values(), 'none']);

const LOADED = new Map<string, TextLanguage>();

/** The language of a name or two-letter alias, in any case; undefined when there is no such language. */
export function findLanguage(name: string): TextLanguage | undefined {
  const lower = name.toLowerCase();
  const full = ALIASES.get(lower) ?? lower;
  if (!NAMES.has(full)) return undefined;
  let language = LOADED.get(full);
  if (language === undefined) {
    language = full === 'none' ? withoutRules() : load(full);
    LOADED.set(full, language);
  }
  return language;
}

function withoutRules(): TextLanguage {
  return { name: 'none', stem: (word) => word, isStopWord: () => false, fold: foldCase };
}

/** A stemmer's rules look at a word's end again and again: what is longer than this is no word of a language. */
const MAX_STEMMED_LENGTH = 100;

function load(name: string): TextLanguage {
  // Loaded in place, because an index's keys are made without waiting.
  const require = createRequire(import.meta.url);
  const stemmer = name === 'english' ? stemEnglish : stemmerOf(require(`@orama/stemmers/${name}`));
  const stopWords = new Set(stopWordsOf(require(`@orama/stopwords/${name}`)));
  return {
    name,
    stem: (word) => (word.length > MAX_STEMMED_LENGTH ? word : stemmer(word)),
    isStopWord: (word) => stopWords.has(word),
    fold: name === 'turkish' ? (text) => text.toLocaleLowerCase('tr') : foldCase,
  };
}

/** The two forms of the Greek sigma are one letter. */
function foldCase(text: string): string {
  const lower = text.toLowerCase();
  return lower.includes('ς') ? lower.replaceAll('ς', 'σ') : lower;
}

function stemmerOf(module: unknown): (word: string) => string {
  if (typeof module === 'object' && module !== null && 'stemmer' in module) {
    const { stemmer } = module;
    if (typeof stemmer === 'function') return (word) => String(stemmer(word));
  }
  throw new Error('a language has no stemmer');
}

function stopWordsOf(module: unknown): string[] {
  if (typeof module === 'object' && module !== null && 'stopwords' in module) {
    const { stopwords } = module;
    if (Array.isArray(stopwords)) return stopwords.map(String);
  }
  throw new Error('a language has no stop words');
}
