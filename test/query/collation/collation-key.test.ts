import assert from 'node:assert/strict';
import { compileCollation, type NamedCollator } from '../../../query/collation/collation.ts';
import { SeededRandom } from '../../../common/random.ts';
import { raw } from '../fixtures.ts';

/** Letters of a locale, with accents, case and sequences that count as one letter. */
const LETTERS: Readonly<Record<string, string>> = {
  en: 'abcABCxyzXYZ àéèêëôöüßæøåñ ÄÖÜ 0123456789 -_.,\'"!?()[]@#$%&*+/ αβγδ АБВгдеёжй 日本中 ぁあカか ½ﬁⅣ①',
  de: 'aäoöuüßszAÄ',
  sv: 'aåäözåÅywvü',
  cs: 'aábcčdďeéěfghchiíjklmnňoórřsštťuúůvwxyýzž CHChcHh',
  hu: 'aábcsdzdzsegylynysztyőöűü',
  da: 'aæøåaAz',
  tr: 'ıiIİgğsş',
  ru: 'абвгдеёжзийклмнопрстуфхцчшщъыьэюя',
  ja: 'あいうアイウかがカガ日本語漢字',
  zh: '中文你好世界汉字拼音',
  hr: 'abcčćddžđljnjsšzž',
  cy: 'acchddfflllrhth',
  th: 'กขคเแโใไาะ',
  ko: '가나다라한글漢字',
};

const collatorOf = (options: Record<string, unknown>): NamedCollator => {
  const collator = compileCollation(raw(options));
  assert.ok(collator !== undefined);
  return collator;
};

const SENSITIVITY = ['base', 'base', 'accent', 'variant'] as const;

describe('collation keys', () => {
  for (const [locale, letters] of Object.entries(LETTERS)) {
    it(`order texts of ${locale} as ICU does, at every strength`, () => {
      const random = new SeededRandom(7);
      const all = Array.from(letters);
      const text = (): string =>
        Array.from({ length: random.below(5) }, () => all[random.below(all.length)]).join('');
      for (const strength of [1, 2, 3]) {
        const collator = collatorOf({ locale, strength });
        const icu = new Intl.Collator(locale, { sensitivity: SENSITIVITY[strength] });
        for (let pair = 0; pair < 300; pair += 1) {
          const [a, b] = [text(), text()];
          const shown = JSON.stringify({ locale, strength, a, b });
          assert.equal(collator.compare(a, b), Math.sign(icu.compare(a, b)), shown);
          const order = Buffer.from(collator.key(a)).compare(Buffer.from(collator.key(b)));
          assert.equal(order, collator.compare(a, b), shown);
        }
      }
    });
  }

  it('count runs of digits as numbers, and upper case first, when they are asked to', () => {
    const numeric = collatorOf({ locale: 'en', numericOrdering: true });
    assert.ok(numeric.compare('a9b', 'a010b') < 0);
    assert.equal(numeric.compare('a010', 'a10'), 0);
    assert.ok(numeric.compare('9', 'a') < 0);
    assert.ok(collatorOf({ locale: 'en', caseFirst: 'upper' }).compare('É', 'é') < 0);
    assert.ok(collatorOf({ locale: 'en' }).compare('É', 'é') > 0);
  });

  it('tell what was ignored apart at strength 4, and all texts at strength 5', () => {
    const shifted = { locale: 'en', alternate: 'shifted' };
    assert.equal(collatorOf({ ...shifted, strength: 3 }).compare('a-b', 'ab'), 0);
    assert.notEqual(collatorOf({ ...shifted, strength: 4 }).compare('a-b', 'ab'), 0);
    assert.equal(collatorOf({ locale: 'en', strength: 4 }).compare('a\u0001', 'a'), 0);
    assert.notEqual(collatorOf({ locale: 'en', strength: 5 }).compare('a\u0001', 'a'), 0);
  });

  it('have the order of their bytes, whatever the text', () => {
    const collator = collatorOf({ locale: 'en', strength: 5 });
    const texts = ['', '\0', '\u0001', '😀', '\u{10ffff}', 'a\ud7ff', '\uffff', 'ﬀ', 'q̣̇', 'q̣̇'];
    for (const a of texts) {
      for (const b of texts) {
        const bytes = Buffer.from(collator.key(a)).compare(Buffer.from(collator.key(b)));
        assert.equal(bytes, collator.compare(a, b), JSON.stringify([a, b]));
      }
    }
  });
});
