/**
 * Whether a document, found by a term in the index, satisfies a whole text query.
 */
import type { TextIndex } from './text-index.ts';
import { textElementsOf, type TextElement } from './text-elements.ts';
import type { TextQuery } from './text-query.ts';
import { comparablePhrase, tokensOf } from './tokenizer.ts';

/** A term of each document is known to be in the index; so only what the index does not tell is looked at. */
export function textMatcher(query: TextQuery, index: TextIndex): (document: Buffer) => boolean {
  const isStrict = query.caseSensitive || query.diacriticSensitive;
  const asksMore =
    isStrict || query.negatedTerms.size + query.phrases.length + query.negatedPhrases.length > 0;
  if (!asksMore) return () => true;
  return (document) => {
    const elements = [...textElementsOf(document, index)];
    return (
      (!isStrict || holdsTerm(elements, query.terms, query)) &&
      !holdsTerm(elements, query.negatedTerms, query) &&
      query.phrases.every((phrase) => holdsPhrase(elements, phrase, query)) &&
      !query.negatedPhrases.some((phrase) => holdsPhrase(elements, phrase, query))
    );
  };
}

function holdsTerm(
  elements: readonly TextElement[],
  terms: ReadonlySet<string>,
  { caseSensitive, diacriticSensitive }: TextQuery,
): boolean {
  if (terms.size === 0) return false;
  const options = { filterStopWords: false, caseSensitive, diacriticSensitive };
  for (const { text, language } of elements) {
    for (const token of tokensOf(text, language, options)) {
      if (terms.has(token)) return true;
    }
  }
  return false;
}

/** A phrase is a part of one text, whatever stands before and behind it. */
function holdsPhrase(elements: readonly TextElement[], phrase: string, query: TextQuery): boolean {
  return elements.some(({ text, language }) =>
    comparablePhrase(text, language, query).includes(comparablePhrase(phrase, language, query)),
  );
}
