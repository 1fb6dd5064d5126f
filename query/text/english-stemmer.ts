/**
 * Stems of English words, as MongoDB's text indexes have them: the Snowball project's English algorithm ("Porter2").
 *
 * Promises: linear in the length of the word; nothing is compiled per word. Source: snowballstem.org, "The English (Porter2) stemming
 * algorithm".
 */

/** Words with a stem of their own. */
const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ['skis', 'ski'],
  ['skies', 'sky'],
  ['dying', 'die'],
  ['lying', 'lie'],
  ['tying', 'tie'],
  ['idly', 'idl'],
  ['gently', 'gentl'],
  ['ugly', 'ugli'],
  ['early', 'earli'],
  ['only', 'onli'],
  ['singly', 'singl'],
  ...['sky', 'news', 'howe', 'atlas', 'cosmos', 'bias', 'andes'].map((word): [string, string] => [
    word,
    word,
  ]),
]);

/** Words that stay as they are once their plural is gone. */
const FINISHED: ReadonlySet<string> = new Set([
  'inning',
  'outing',
  'canning',
  'herring',
  'earring',
  'proceed',
  'exceed',
  'succeed',
]);

type Replacement = readonly [suffix: string, replacement: string];

/** Within each list the longest suffix that fits is the one that counts. */
function byLength(list: readonly Replacement[]): readonly Replacement[] {
  return list.toSorted(([a], [b]) => b.length - a.length);
}

const STEP_2 = byLength([
  ['tional', 'tion'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['abli', 'able'],
  ['entli', 'ent'],
  ['izer', 'ize'],
  ['ization', 'ize'],
  ['ational', 'ate'],
  ['ation', 'ate'],
  ['ator', 'ate'],
  ['alism', 'al'],
  ['aliti', 'al'],
  ['alli', 'al'],
  ['fulness', 'ful'],
  ['ousli', 'ous'],
  ['ousness', 'ous'],
  ['iveness', 'ive'],
  ['iviti', 'ive'],
  ['biliti', 'ble'],
  ['bli', 'ble'],
  ['ogi', 'og'],
  ['fulli', 'ful'],
  ['lessli', 'less'],
  ['li', ''],
]);

const STEP_3 = byLength([
  ['tional', 'tion'],
  ['ational', 'ate'],
  ['alize', 'al'],
  ['icate', 'ic'],
  ['iciti', 'ic'],
  ['ical', 'ic'],
  ['ful', ''],
  ['ness', ''],
  ['ative', ''],
]);

const STEP_4 = byLength(
  'al ance ence er ic able ible ant ement ment ent ism ate iti ous ive ize ion'
    .split(' ')
    .map((suffix): Replacement => [suffix, '']),
);

export function stemEnglish(word: string): string {
  if (word.length <= 2) return word;
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  let stem = withConsonantY(word.startsWith("'") ? word.slice(1) : word);
  const [r1, r2] = regionsOf(stem);
  stem = withoutPlural(withoutPossessive(stem));
  if (FINISHED.has(stem)) return stem;
  stem = withoutPast(stem, r1);
  stem = withFinalI(stem);
  stem = step2(stem, r1);
  stem = step3(stem, r1, r2);
  stem = step4(stem, r2);
  return step5(stem, r1, r2).replaceAll('Y', 'y');
}

function isVowel(letter: string | undefined): boolean {
  return letter !== undefined && letter !== '' && 'aeiouy'.includes(letter);
}

function hasVowel(text: string): boolean {
  for (const letter of text) if (isVowel(letter)) return true;
  return false;
}

/** A y at the beginning, or behind a vowel, is a consonant: it is written Y meanwhile. */
function withConsonantY(word: string): string {
  if (!word.includes('y')) return word;
  let result = '';
  for (const letter of word) {
    const isConsonant = letter === 'y' && (result === '' || isVowel(result.at(-1)));
    result += isConsonant ? 'Y' : letter;
  }
  return result;
}

/** Where the regions begin: each behind the first consonant that follows a vowel. */
function regionsOf(word: string): readonly [r1: number, r2: number] {
  const special = ['gener', 'commun', 'arsen'].find((prefix) => word.startsWith(prefix));
  const r1 = special?.length ?? regionAfter(word, 0);
  return [r1, regionAfter(word, r1)];
}

function regionAfter(word: string, start: number): number {
  let index = start;
  while (index < word.length && !isVowel(word[index])) index += 1;
  while (index < word.length && isVowel(word[index])) index += 1;
  return Math.min(index + 1, word.length);
}

function endsShort(word: string): boolean {
  const last = word.at(-1);
  if (isVowel(last) || !isVowel(word.at(-2))) return false;
  if (word.length === 2) return true;
  return !isVowel(word.at(-3)) && last !== 'w' && last !== 'x' && last !== 'Y';
}

function withoutPossessive(word: string): string {
  const suffix = ["'s'", "'s", "'"].find((ending) => word.endsWith(ending)) ?? '';
  return word.slice(0, word.length - suffix.length);
}

function withoutPlural(word: string): string {
  if (word.endsWith('sses')) return word.slice(0, -2);
  if (word.endsWith('ied') || word.endsWith('ies')) return word.slice(0, word.length > 4 ? -2 : -1);
  if (word.endsWith('us') || word.endsWith('ss') || !word.endsWith('s')) return word;
  return hasVowel(word.slice(0, -2)) ? word.slice(0, -1) : word;
}

function withoutPast(word: string, r1: number): string {
  for (const suffix of ['eedly', 'eed']) {
    if (!word.endsWith(suffix)) continue;
    const start = word.length - suffix.length;
    return start >= r1 ? `${word.slice(0, start)}ee` : word;
  }
  const suffix = ['ingly', 'edly', 'ing', 'ed'].find((ending) => word.endsWith(ending));
  if (suffix === undefined) return word;
  const rest = word.slice(0, -suffix.length);
  if (!hasVowel(rest)) return word;
  if (/(?:at|bl|iz)$/.test(rest)) return `${rest}e`;
  if (/(?:bb|dd|ff|gg|mm|nn|pp|rr|tt)$/.test(rest)) return rest.slice(0, -1);
  return rest.length <= r1 && endsShort(rest) ? `${rest}e` : rest;
}

function withFinalI(word: string): string {
  const last = word.at(-1);
  const isFinalY = last === 'y' || last === 'Y';
  return isFinalY && word.length > 2 && !isVowel(word.at(-2)) ? `${word.slice(0, -1)}i` : word;
}

function findSuffix(word: string, list: readonly Replacement[]): Replacement | undefined {
  return list.find(([suffix]) => word.endsWith(suffix));
}

function step2(word: string, r1: number): string {
  const found = findSuffix(word, STEP_2);
  if (found === undefined) return word;
  const [suffix, replacement] = found;
  const start = word.length - suffix.length;
  if (start < r1) return word;
  const before = word[start - 1] ?? '';
  if (suffix === 'ogi' && before !== 'l') return word;
  if (suffix === 'li' && (before === '' || !'cdeghkmnrt'.includes(before))) return word;
  return word.slice(0, start) + replacement;
}

function step3(word: string, r1: number, r2: number): string {
  const found = findSuffix(word, STEP_3);
  if (found === undefined) return word;
  const [suffix, replacement] = found;
  const start = word.length - suffix.length;
  return start < (suffix === 'ative' ? r2 : r1) ? word : word.slice(0, start) + replacement;
}

function step4(word: string, r2: number): string {
  const found = findSuffix(word, STEP_4);
  if (found === undefined) return word;
  const [suffix] = found;
  const start = word.length - suffix.length;
  if (start < r2) return word;
  if (suffix === 'ion' && word[start - 1] !== 's' && word[start - 1] !== 't') return word;
  return word.slice(0, start);
}

function step5(word: string, r1: number, r2: number): string {
  const rest = word.slice(0, -1);
  if (word.endsWith('e')) {
    return rest.length >= r2 || (rest.length >= r1 && !endsShort(rest)) ? rest : word;
  }
  return word.endsWith('ll') && rest.length >= r2 ? rest : word;
}
