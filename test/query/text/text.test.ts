import assert from 'node:assert/strict';
import { findLanguage } from '../../../query/text/language.ts';
import { termScoresOf } from '../../../query/text/term-scores.ts';
import { textIndexOf } from '../../../query/text/text-index.ts';
import { textMatcher } from '../../../query/text/text-matcher.ts';
import { parseTextQuery, type TextQuery } from '../../../query/text/text-query.ts';
import { tokensOf } from '../../../query/text/tokenizer.ts';
import { raw } from '../fixtures.ts';

function language(name: string) {
  const found = findLanguage(name);
  assert.ok(found !== undefined);
  return found;
}

function tokens(text: string, name: string, filterStopWords = true): string[] {
  return [...tokensOf(text, language(name), { filterStopWords })];
}

function specOf(weights: Record<string, number>, options: Record<string, unknown> = {}): Buffer {
  return raw({ key: { _fts: 'text', _ftsx: 1 }, weights, ...options });
}

function scores(document: object, spec: Buffer): Record<string, number> {
  return Object.fromEntries(termScoresOf(raw(document), textIndexOf(spec)));
}

function query(search: string, options: object = {}): TextQuery {
  const request = {
    search,
    language: undefined,
    caseSensitive: false,
    diacriticSensitive: false,
    ...options,
  };
  return parseTextQuery(request, language('english'));
}

function matches(document: object, search: string, options: object = {}): boolean {
  const index = textIndexOf(specOf({ s: 1 }));
  return textMatcher(query(search, options), index)(raw(document));
}

describe('text: words', () => {
  it('cuts at delimiters, stems, and leaves stop words out', () => {
    assert.deepEqual(tokens('The quick, running foxes; and_dogs!', 'english'), [
      'quick',
      'run',
      'fox',
      'and_dog',
    ]);
  });

  it('keeps the apostrophe in English words alone', () => {
    assert.deepEqual(tokens("o'reilly", 'english'), ["o'reilli"]);
    assert.deepEqual(tokens("l'homme", 'none'), ['l', 'homme']);
  });

  it('takes diacritics away after stemming, and folds case by language', () => {
    assert.deepEqual(tokens('Café ÉCOLE', 'none'), ['cafe', 'ecole']);
    assert.deepEqual(tokens('ISPARTA', 'turkish', false)[0]?.startsWith('ı'), true);
  });

  it('knows every language of MongoDB by name and by its two letters', () => {
    const names =
      'danish dutch english finnish french german hungarian italian norwegian portuguese romanian russian spanish swedish turkish none';
    for (const name of names.split(' ')) {
      assert.equal(findLanguage(name.toUpperCase())?.name, name);
      assert.equal(typeof language(name).stem('example'), 'string');
    }
    for (const alias of 'da nl en fi fr de hu it nb pt ro ru es sv tr'.split(' ')) {
      assert.notEqual(findLanguage(alias), undefined, alias);
    }
    assert.equal(findLanguage('klingon'), undefined);
  });

  it('stems a word of a hundred thousand letters in no time', () => {
    const word = 'y'.repeat(100_000);
    assert.deepEqual(tokens(word, 'english'), [word]);
  });
});

describe('text: scores', () => {
  it('are those of MongoDB', () => {
    assert.deepEqual(scores({ s: 'coffee coffee cake' }, specOf({ s: 1 })), {
      coffe: (1 + 0.5) * (0.5 * (2 / 3) + 0.5),
      cake: 0.5 * (1 / 3) + 0.5,
    });
    assert.deepEqual(scores({ s: 'tea' }, specOf({ s: 10 })), { tea: 11 });
  });

  it('add up over fields and elements of arrays', () => {
    const spec = specOf({ 'a.b': 2, c: 1 });
    const got = scores({ a: [{ b: 'red' }, { b: 'red' }], c: ['blue', ['green']], d: 'no' }, spec);
    assert.deepEqual(got, { red: 4.4, blue: 1.1 });
  });

  it('of a wildcard index come from every string but the language', () => {
    const spec = specOf({ '$**': 1, x: 3 });
    const got = scores({ x: 'one', y: { z: [['two']] }, language: 'none' }, spec);
    assert.deepEqual(got, { one: 3 * 1.1, two: 1.1 });
  });

  it('heed a language that a nested document names', () => {
    const spec = specOf({ 's.t': 1 });
    const got = scores({ s: [{ language: 'fr', t: 'les chevaux' }, { t: 'the horses' }] }, spec);
    assert.deepEqual(Object.keys(got).sort(), ['cheval', 'hors']);
  });

  it('refuse a language override that is none', () => {
    const spec = specOf({ s: 1 });
    assert.throws(() => scores({ s: 'x', language: 'klingon' }, spec), { code: 17262 });
    assert.throws(() => scores({ s: 'x', language: 1 }, spec), { code: 17261 });
  });
});

describe('text: queries', () => {
  it('are terms, phrases and negations', () => {
    const parsed = query('"java beans" -tea coffee -"hot milk" well-known');
    assert.deepEqual([...parsed.terms].sort(), ['bean', 'coffe', 'java', 'known', 'well']);
    assert.deepEqual([...parsed.negatedTerms], ['tea']);
    assert.deepEqual(parsed.phrases, ['java beans']);
    assert.deepEqual(parsed.negatedPhrases, ['hot milk']);
  });

  it('negate until the next white space only', () => {
    assert.deepEqual([...query('-foo-bar baz').negatedTerms], ['foo', 'bar']);
    assert.deepEqual([...query('- foo').terms], ['foo']);
    assert.deepEqual([...query('pre-foo').negatedTerms], []);
  });

  it('leave an unfinished phrase to its words', () => {
    const parsed = query('"java coffee');
    assert.deepEqual(parsed.phrases, []);
    assert.deepEqual([...parsed.terms], ['java', 'coffe']);
  });

  it('match phrases as parts of texts, without case and diacritics unless asked', () => {
    assert.equal(matches({ s: 'A Java Coffee shop' }, '"java coffee"'), true);
    assert.equal(matches({ s: 'coffee java' }, '"java coffee"'), false);
    assert.equal(matches({ s: 'Café crème' }, '"cafe creme"'), true);
    assert.equal(matches({ s: 'Café crème' }, '"cafe creme"', { diacriticSensitive: true }), false);
    assert.equal(matches({ s: 'Coffee' }, 'coffee', { caseSensitive: true }), false);
    assert.equal(matches({ s: 'Coffee' }, 'Coffee', { caseSensitive: true }), true);
    assert.equal(matches({ s: 'coffee tea' }, 'coffee -tea'), false);
    assert.equal(matches({ s: 'coffee tea' }, 'coffee -"offee te"'), false);
  });

  it('refuse a language that there is not', () => {
    assert.throws(() => query('x', { language: 'klingon' }), { codeName: 'BadValue' });
  });
});
