/**
 * The search string of $text: words, "phrases", and -negations.
 *
 * Owns: how it is cut. Source: MongoDB's manual, "$text", "Behavior".
 */
import { ArrayBuilder, DocumentBuilder, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { findLanguage, type TextLanguage } from './language.ts';
import { tokensOf } from './tokenizer.ts';

/** `{$text: {...}}` as the client wrote it. */
export interface TextSearch {
  readonly search: string;
  /** undefined: the index's default language. */
  readonly language: string | undefined;
  readonly caseSensitive: boolean;
  readonly diacriticSensitive: boolean;
}

export interface TextQuery extends TextSearch {
  /** Terms to look up in the index: always without case and diacritics. */
  readonly lookedUp: ReadonlySet<string>;
  /** Terms of which a document must have one. */
  readonly terms: ReadonlySet<string>;
  readonly negatedTerms: ReadonlySet<string>;
  readonly phrases: readonly string[];
  readonly negatedPhrases: readonly string[];
}

/** @throws CommandError BadValue for a language that there is not. */
export function parseTextQuery(request: TextSearch, defaultLanguage: TextLanguage): TextQuery {
  const language = languageFor(request, defaultLanguage);
  const parts = cut(request.search);
  const { caseSensitive, diacriticSensitive } = request;
  const strict = { filterStopWords: true, caseSensitive, diacriticSensitive };
  return {
    ...request,
    language: language.name,
    lookedUp: new Set(tokensOf(parts.wanted, language, { filterStopWords: true })),
    terms: new Set(tokensOf(parts.wanted, language, strict)),
    negatedTerms: new Set(tokensOf(parts.negated, language, strict)),
    phrases: parts.phrases,
    negatedPhrases: parts.negatedPhrases,
  };
}

function languageFor({ language }: TextSearch, fallback: TextLanguage): TextLanguage {
  if (language === undefined) return fallback;
  const found = findLanguage(language);
  if (found !== undefined) return found;
  throw new CommandError(
    'BadValue',
    `unsupported language: "${language}" for text index version 3`,
  );
}

interface Parts {
  wanted: string;
  negated: string;
  readonly phrases: string[];
  readonly negatedPhrases: string[];
}

/** Words, and the two characters that mean something. Tab is no white space here, as in MongoDB. */
const PIECE = /[-"]|[^\n\v\f\r "-]+/g;
const WHITE_SPACE = /[\n\v\f\r ]/;

/**
 * A negation lasts until the next white space. Words of a phrase that is wanted count as terms, too.
 */
function cut(search: string): Parts {
  const parts: Parts = { wanted: '', negated: '', phrases: [], negatedPhrases: [] };
  let isNegated = false;
  let phraseStart = -1;
  for (const match of search.matchAll(PIECE)) {
    const [piece] = match;
    const at = match.index;
    const afterSpace = at === 0 || WHITE_SPACE.test(search[at - 1]!);
    const inPhrase = phraseStart >= 0;
    if (piece === '-') {
      if (!inPhrase && afterSpace) isNegated = true;
    } else if (piece !== '"') {
      if (inPhrase && isNegated) continue;
      if (afterSpace) isNegated = false;
      if (isNegated) parts.negated += `${piece} `;
      else parts.wanted += `${piece} `;
    } else if (inPhrase) {
      (isNegated ? parts.negatedPhrases : parts.phrases).push(search.slice(phraseStart, at));
      phraseStart = -1;
    } else {
      if (afterSpace) isNegated = false;
      phraseStart = at + 1;
    }
  }
  return parts;
}

/** explain's parsedTextQuery. */
export function showTextQuery(query: TextQuery): Buffer {
  const list = (items: Iterable<string>): Buffer => {
    const builder = new ArrayBuilder();
    for (const item of items) builder.push(stringValue(item));
    return builder.finish();
  };
  return new DocumentBuilder()
    .appendArray('terms', list([...query.terms].sort()))
    .appendArray('negatedTerms', list([...query.negatedTerms].sort()))
    .appendArray('phrases', list(query.phrases))
    .appendArray('negatedPhrases', list(query.negatedPhrases))
    .finish();
}
