/**
 * Named sets of characters of PCRE as members of a V8 character class: white space, POSIX classes, Unicode properties.
 *
 * Owns: the names, and their complements (a class cannot hold a negated set but by naming the rest).
 * Source: pcre2pattern(3), "Generic character types", "POSIX character classes", "Unicode character properties".
 */

/** The pattern is wrong, or uses what cannot be expressed. */
export class UnsupportedPatternError extends Error {}

export const SPACE = ' \\t-\\r';
export const HORIZONTAL_SPACE = ' \\t\\u00a0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000';
export const VERTICAL_SPACE = '\\n-\\r\\u0085\\u2028\\u2029';

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: SPACE,
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`\\{-~',
  xdigit: '0-9A-Fa-f',
  word: 'A-Za-z0-9_',
  cntrl: '\\x00-\\x1f\\x7f',
  graph: '!-~',
  print: ' -~',
  ascii: '\\x00-\\x7f',
};

const SCRIPT_NAME = /^[A-Z][a-z]/;

/** Members of a class for PCRE's name of a property: a general category, a script, or one of PCRE's own. */
export function propertyMembers(name: string): string {
  switch (name) {
    case 'Any':
      return '\\u{0}-\\u{10ffff}';
    case 'L&':
      return '\\p{Lu}\\p{Ll}\\p{Lt}';
    case 'Xan':
      return '\\p{L}\\p{N}';
    case 'Xwd':
      return '\\p{L}\\p{N}_';
    case 'Xsp':
    case 'Xps':
      return `${SPACE}\\u0085\\p{Z}`;
    default:
      return name.length > 2 && SCRIPT_NAME.test(name) ? `\\p{Script=${name}}` : `\\p{${name}}`;
  }
}

/** Everything but `members`, as members of a surrounding class. */
export function negatedMembers(members: string): string {
  switch (members) {
    case '0-9':
      return '\\D';
    case 'A-Za-z0-9_':
      return '\\W';
    case SPACE:
      return '\\x00-\\x08\\x0e-\\x1f!-\\u{10ffff}';
    case HORIZONTAL_SPACE:
      return '\\x00-\\x08\\n-\\x1f!-\\x9f\\u00a1-\\u167f\\u1681-\\u180d\\u180f-\\u1fff\\u200b-\\u202e\\u2030-\\u205e\\u2060-\\u2fff\\u3001-\\u{10ffff}';
    case VERTICAL_SPACE:
      return '\\x00-\\t\\x0e-\\x84\\u0086-\\u2027\\u202a-\\u{10ffff}';
    case '\\n':
      return '\\x00-\\t\\x0b-\\u{10ffff}';
    default:
      break;
  }
  const property = /^\\p(\{[^}]*\})$/.exec(members);
  if (property === null) {
    throw new UnsupportedPatternError('this negated property is not supported in a class');
  }
  return `\\P${property[1] ?? ''}`;
}

const POSIX_NEGATIONS: Readonly<Record<string, string>> = {
  alpha: '\\x00-@\\[-`\\{-\\u{10ffff}',
  digit: '\\D',
  alnum: '\\x00-\\/:-@\\[-`\\{-\\u{10ffff}',
  upper: '\\x00-@\\[-\\u{10ffff}',
  lower: '\\x00-`\\{-\\u{10ffff}',
  space: '\\x00-\\x08\\x0e-\\x1f!-\\u{10ffff}',
  blank: '\\x00-\\x08\\n-\\x1f!-\\u{10ffff}',
  punct: '\\x00- 0-9A-Za-z\\x7f-\\u{10ffff}',
  xdigit: '\\x00-\\/:-@G-`g-\\u{10ffff}',
  word: '\\W',
  cntrl: ' -~\\x80-\\u{10ffff}',
  graph: '\\x00- \\x7f-\\u{10ffff}',
  print: '\\x00-\\x1f\\x7f-\\u{10ffff}',
  ascii: '\\x80-\\u{10ffff}',
};

export function posixMembers(name: string, negated: boolean): string {
  const table = negated ? POSIX_NEGATIONS : POSIX_CLASSES;
  if (!Object.hasOwn(table, name)) throw new UnsupportedPatternError('unknown POSIX class name');
  return table[name];
}
