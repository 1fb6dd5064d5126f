/**
 * $regexFindAll on random texts, against the matches that JavaScript finds.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deserialize } from 'bson';
import { DocumentBuilder } from '../../../bson/index.ts';
import { evaluate } from './cases.ts';

const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀', '\n'), maxLength: 30 });
/** What PCRE and JavaScript understand alike. */
const pattern = fc.constantFrom(
  'a',
  '',
  'a*',
  '(a)|(b)',
  '(?:a|aa)+',
  '😀',
  '[é😀]+',
  'b?(a)?',
  '^a',
  'a|',
  '(.)b',
  '(?=a)',
);

interface Found {
  readonly match: string;
  readonly idx: number;
  readonly captures: readonly (string | null)[];
}

function expected(given: string, regex: string): Found[] {
  return Array.from(given.matchAll(new RegExp(regex, 'gu')), (match) => ({
    match: match[0],
    idx: Array.from(given.slice(0, match.index)).length,
    captures: match.slice(1).map((capture): string | null => capture ?? null),
  }));
}

describe('$regexFindAll on random texts', () => {
  it('finds what JavaScript finds, at places that count code points', () => {
    fc.assert(
      fc.property(text, pattern, (given, regex) => {
        const found = evaluate({ $regexFindAll: { input: '$t', regex } }, { t: given });
        assert.ok(found !== undefined);
        const { r } = deserialize(new DocumentBuilder().append('r', found).finish());
        assert.deepEqual(r, expected(given, regex));
      }),
      { numRuns: 2000 },
    );
  });
});
