/**
 * How much each term of a document says about it: what a text index stores, and what $meta: 'textScore' sums up.
 *
 * Source: MongoDB's text index of version 3: a term's first occurrence in a field counts 1, each further one half of the one
 * before; short fields count more; a field that consists of the term alone gets a tenth more; weights multiply.
 */
import { tokensOf } from './tokenizer.ts';
import { textElementsOf, type TextElement } from './text-elements.ts';
import type { TextIndex } from './text-index.ts';

/** @throws CommandError 17261, 17262 for a language override that names no language. */
export function termScoresOf(document: Buffer, index: TextIndex): ReadonlyMap<string, number> {
  const scores = new Map<string, number>();
  for (const element of textElementsOf(document, index)) addScores(element, scores);
  return scores;
}

interface Occurrences {
  count: number;
  /** 1 + 1/2 + 1/4 + ... */
  frequency: number;
}

function addScores({ text, language, weight }: TextElement, scores: Map<string, number>): void {
  const terms = new Map<string, Occurrences>();
  let tokens = 0;
  for (const term of tokensOf(text, language, { filterStopWords: true })) {
    tokens += 1;
    const known = terms.get(term);
    if (known === undefined) {
      terms.set(term, { count: 1, frequency: 1 });
    } else {
      known.frequency += 2 ** -known.count;
      known.count += 1;
    }
  }
  for (const [term, { count, frequency }] of terms) {
    const share = (0.5 * count) / tokens + 0.5;
    const isWholeText = text.length === term.length && text.toLowerCase() === term;
    const score = weight * frequency * share * (isWholeText ? 1.1 : 1);
    scores.set(term, (scores.get(term) ?? 0) + score);
  }
}
