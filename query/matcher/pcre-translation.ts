/**
 * Rewrites a PCRE pattern as a pattern for V8's RegExp in unicode mode.
 *
 * Owns: PCRE's syntax. One pass from left to right; the options i m s x may change inside a group.
 * Promises: what it cannot express it refuses (UnsupportedPatternError); it never guesses.
 * Source: pcre2syntax(3), pcre2pattern(3).
 */

import {
  HORIZONTAL_SPACE,
  negatedMembers,
  posixMembers,
  propertyMembers,
  SPACE,
  UnsupportedPatternError,
  VERTICAL_SPACE,
} from './pcre-sets.ts';

export interface Translation {
  readonly source: string;
  readonly ignoreCase: boolean;
  /** For each capturing group of the pattern, its number in `source`. */
  readonly groups: readonly number[];
}

interface Modes {
  readonly ignoreCase: boolean;
  readonly multiline: boolean;
  readonly dotAll: boolean;
  readonly extended: boolean;
}

/** What the last piece of output is, which decides how a quantifier may follow. */
type Atom = { readonly start: number; readonly isAssertion: boolean } | undefined;

interface Reference {
  readonly group: number;
}

const END = '(?=\\n?$)';
const LINE_START = '(?:^|(?<=\\n)(?=[^]))';
const LINE_END = '(?![^\\n])';

/** @throws UnsupportedPatternError. @param options of i m s x u; others are the caller's to refuse. */
export function translatePattern(pattern: string, options: string): Translation {
  return new Translator(pattern, options).translate();
}

class Translator {
  private readonly pattern: string;
  private position = 0;
  private modes: Modes;
  private readonly globalIgnoreCase: boolean;
  private unicodeProperties = false;
  private readonly output: (string | Reference)[] = [];
  private readonly groups: number[] = [];
  private readonly names = new Map<string, number>();
  private jsGroups = 0;

  constructor(pattern: string, options: string) {
    this.pattern = pattern;
    this.skipLeadingVerbs();
    let modes: Modes = {
      ignoreCase: options.includes('i'),
      multiline: options.includes('m'),
      dotAll: options.includes('s'),
      extended: options.includes('x'),
    };
    // (?i) at the very beginning is the common way to write the option; it then holds for the whole pattern.
    const leading = /^\(\?([imsx]+)\)/.exec(pattern.slice(this.position));
    if (leading !== null) {
      this.position += leading[0].length;
      modes = changedModes(modes, leading[1] ?? '', '');
    }
    this.globalIgnoreCase = modes.ignoreCase;
    this.modes = modes;
  }

  translate(): Translation {
    this.alternatives();
    if (this.position < this.pattern.length) {
      throw new UnsupportedPatternError('unmatched closing parenthesis');
    }
    const source = this.output.map((piece) => this.resolve(piece)).join('');
    return { source, ignoreCase: this.globalIgnoreCase, groups: this.groups };
  }

  private resolve(piece: string | Reference): string {
    if (typeof piece === 'string') return piece;
    const group = this.groups[piece.group - 1];
    if (group === undefined) {
      throw new UnsupportedPatternError('reference to non-existent subpattern');
    }
    return `(?:\\${group})`;
  }

  private skipLeadingVerbs(): void {
    for (;;) {
      const verb = /^\(\*(UTF8?|UCP|LF|ANYCRLF|NO_AUTO_POSSESS|NO_START_OPT)\)/.exec(
        this.pattern.slice(this.position),
      );
      if (verb === null) return;
      if (verb[1] === 'UCP') this.unicodeProperties = true;
      this.position += verb[0].length;
    }
  }

  /** Everything up to the closing parenthesis of this group, or the end. Mode changes end with the group. */
  private alternatives(): void {
    const outer = this.modes;
    let atom: Atom;
    while (this.position < this.pattern.length) {
      const character = this.peek();
      if (character === ')') break;
      if (character === '|') {
        this.position += 1;
        this.output.push('|');
        atom = undefined;
        continue;
      }
      if (this.skipInsignificant()) continue;
      atom = isQuantifier(this.pattern, this.position) ? this.quantify(atom) : this.atom();
    }
    this.modes = outer;
  }

  private peek(): string {
    return String.fromCodePoint(this.pattern.codePointAt(this.position) ?? 0);
  }

  /** Comments, and in extended mode white space. */
  private skipInsignificant(): boolean {
    if (this.pattern.startsWith('(?#', this.position)) {
      const end = this.pattern.indexOf(')', this.position);
      if (end < 0) throw new UnsupportedPatternError('missing ) after (?# comment');
      this.position = end + 1;
      return true;
    }
    if (this.pattern.startsWith('\\E', this.position)) {
      this.position += 2;
      return true;
    }
    if (!this.modes.extended) return false;
    const character = this.peek();
    if (/[ \t-\r]/.test(character)) {
      this.position += 1;
      return true;
    }
    if (character !== '#') return false;
    const end = this.pattern.indexOf('\n', this.position);
    this.position = end < 0 ? this.pattern.length : end + 1;
    return true;
  }

  private quantify(atom: Atom): Atom {
    if (atom === undefined) {
      throw new UnsupportedPatternError('quantifier does not follow a repeatable item');
    }
    const found = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(this.pattern.slice(this.position));
    const quantifier = found?.[0] ?? '';
    this.position += quantifier.length;
    const suffix = this.pattern[this.position];
    if (atom.isAssertion) {
      this.output.splice(atom.start, 0, '(?:');
      this.output.push(')');
    }
    this.output.push(quantifier);
    if (suffix === '?') {
      this.position += 1;
      this.output.push('?');
    }
    if (suffix === '+') {
      this.position += 1;
      // Possessive: X++ is the atomic group (?>X+). A group that is opened before others moves their numbers.
      this.makeAtomic(atom.start);
    }
    return { start: atom.start, isAssertion: false };
  }

  /**
   * V8 has no atomic groups: a lookahead that captures, then a reference to what it captured, is the same. The reference
   * is by name: numbers of groups inside are not yet final.
   */
  private makeAtomic(start: number): void {
    const name = `atomic${this.jsGroups}`;
    const moved = this.jsGroups - this.output.slice(start).filter(opensGroup).length;
    for (let index = 0; index < this.groups.length; index += 1) {
      const group = this.groups[index] ?? 0;
      if (group > moved) this.groups[index] = group + 1;
    }
    this.jsGroups += 1;
    this.output.splice(start, 0, `(?=(?<${name}>`);
    this.output.push(`))\\k<${name}>`);
  }

  private atom(): Atom {
    const start = this.output.length;
    const character = this.peek();
    switch (character) {
      case '(':
        return this.group(start);
      case '[':
        this.output.push(this.characterClass());
        return { start, isAssertion: false };
      case '\\':
        return this.escape(start);
      case '^':
        this.position += 1;
        this.output.push(this.modes.multiline ? LINE_START : '^');
        return { start, isAssertion: true };
      case '$':
        this.position += 1;
        this.output.push(this.modes.multiline ? LINE_END : END);
        return { start, isAssertion: true };
      case '.':
        this.position += 1;
        this.output.push(this.modes.dotAll ? '[^]' : '[^\\n]');
        return { start, isAssertion: false };
      default:
        this.position += character.length;
        this.output.push(this.literal(character));
        return { start, isAssertion: false };
    }
  }

  private literal(character: string): string {
    const mustSpell = this.modes.ignoreCase && !this.globalIgnoreCase;
    if (!mustSpell) return escapeLiteral(character);
    const variants = caseVariants(character);
    return variants.length === 1
      ? escapeLiteral(character)
      : `[${variants.map(escapeInClass).join('')}]`;
  }

  private group(start: number): Atom {
    const rest = this.pattern.slice(this.position);
    if (rest.startsWith('(*')) {
      throw new UnsupportedPatternError('backtracking control verbs are not supported');
    }
    const modeChange = /^\(\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])/.exec(rest);
    if (modeChange !== null) return this.modeGroup(start, modeChange);
    const named = /^\(\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')/.exec(rest);
    if (named !== null) {
      this.names.set(named[1] ?? named[2] ?? '', this.groups.length + 1);
      return this.capture(start, named[0].length);
    }
    const byName = /^\(\?P=([A-Za-z_]\w*)\)/.exec(rest);
    if (byName !== null) {
      this.position += byName[0].length;
      return this.reference(start, this.groupNamed(byName[1] ?? ''));
    }
    const look = /^\(\?(?:=|!|<=|<!)/.exec(rest);
    if (look !== null) {
      this.output.push(look[0]);
      this.inside(look[0].length);
      this.output.push(')');
      return { start, isAssertion: true };
    }
    if (rest.startsWith('(?>')) {
      this.output.push('(?:');
      this.inside(3);
      this.output.push(')');
      this.makeAtomic(start);
      return { start, isAssertion: false };
    }
    if (rest.startsWith('(?')) {
      throw new UnsupportedPatternError(
        'recursion, conditional groups and callouts are not supported',
      );
    }
    return this.capture(start, 1);
  }

  private modeGroup(start: number, found: RegExpExecArray): Atom {
    const modes = changedModes(this.modes, found[1] ?? '', found[2] ?? '');
    if (found[3] === ')') {
      this.position += found[0].length;
      this.modes = modes;
      return undefined;
    }
    const outer = this.modes;
    this.modes = modes;
    this.output.push('(?:');
    this.inside(found[0].length);
    this.output.push(')');
    this.modes = outer;
    return { start, isAssertion: false };
  }

  private capture(start: number, opening: number): Atom {
    this.jsGroups += 1;
    this.groups.push(this.jsGroups);
    this.output.push('(');
    this.inside(opening);
    this.output.push(')');
    return { start, isAssertion: false };
  }

  private inside(opening: number): void {
    this.position += opening;
    this.alternatives();
    if (this.pattern[this.position] !== ')') {
      throw new UnsupportedPatternError('missing closing parenthesis');
    }
    this.position += 1;
  }

  private groupNamed(name: string): number {
    const group = this.names.get(name);
    if (group === undefined) {
      throw new UnsupportedPatternError('reference to non-existent subpattern');
    }
    return group;
  }

  private reference(start: number, group: number): Atom {
    this.output.push({ group });
    return { start, isAssertion: false };
  }

  private escape(start: number): Atom {
    const rest = this.pattern.slice(this.position);
    if (rest.startsWith('\\Q')) return this.quoted(start);
    const reference = this.referenceIn(rest);
    if (reference !== undefined) return this.reference(start, reference);
    const assertion = /^\\([bBAzZGK])/.exec(rest);
    if (assertion !== null) {
      this.position += 2;
      this.output.push(ASSERTIONS[assertion[1] ?? ''] ?? '');
      return { start, isAssertion: true };
    }
    if (rest.startsWith('\\R')) {
      this.position += 2;
      this.output.push(`(?:\\r\\n|[${VERTICAL_SPACE}])`);
      return { start, isAssertion: false };
    }
    const set = this.escapedSet();
    if (set !== undefined) {
      this.output.push(set.negated ? `[^${set.members}]` : `[${set.members}]`);
      return { start, isAssertion: false };
    }
    this.output.push(this.literal(this.escapedCharacter(false)));
    return { start, isAssertion: false };
  }

  private quoted(start: number): Atom {
    const end = this.pattern.indexOf('\\E', this.position);
    const text = this.pattern.slice(this.position + 2, end < 0 ? undefined : end);
    this.position = end < 0 ? this.pattern.length : end + 2;
    let last = start;
    for (const character of text) {
      last = this.output.length;
      this.output.push(this.literal(character));
    }
    return text === '' ? undefined : { start: last, isAssertion: false };
  }

  /** `\1`, `\g{1}`, `\g{-1}`, `\g1`, `\k<name>` and its variants. `\10` and above is a reference if that many groups are open. */
  private referenceIn(rest: string): number | undefined {
    const named = /^\\(?:k<(\w+)>|k'(\w+)'|k\{(\w+)\}|g\{([A-Za-z_]\w*)\})/.exec(rest);
    if (named !== null) {
      this.position += named[0].length;
      return this.groupNamed(named[1] ?? named[2] ?? named[3] ?? named[4] ?? '');
    }
    const numbered = /^\\g(?:\{(-?\d+)\}|(-?\d+))/.exec(rest);
    if (numbered !== null) {
      this.position += numbered[0].length;
      const group = Number(numbered[1] ?? numbered[2]);
      return group < 0 ? this.groups.length + 1 + group : group;
    }
    const digits = /^\\([1-9]\d*)/.exec(rest);
    const group = Number(digits?.[1] ?? 0);
    if (digits === null || (group > 9 && group > this.groups.length)) return undefined;
    this.position += digits[0].length;
    return group;
  }

  /** `\d \s \w \h \v \N \p{..}` and their negations; undefined when the escape is none of them. */
  private escapedSet(): { members: string; negated: boolean } | undefined {
    const rest = this.pattern.slice(this.position);
    const property = /^\\([pP])(?:\{(\^?)([A-Za-z_&]+)\}|([A-Z]))/.exec(rest);
    if (property !== null) {
      this.position += property[0].length;
      const negated = (property[1] === 'P') !== (property[2] === '^');
      return { members: propertyMembers(property[3] ?? property[4] ?? ''), negated };
    }
    const letter = /^\\([dDsSwWhHvVN])/.exec(rest)?.[1];
    if (letter === undefined) return undefined;
    this.position += 2;
    if (letter === 'N') return { members: '\\n', negated: true };
    const members = this.shorthand(letter.toLowerCase());
    return { members, negated: letter !== letter.toLowerCase() };
  }

  private shorthand(letter: string): string {
    switch (letter) {
      case 'd':
        return this.unicodeProperties ? '\\p{Nd}' : '0-9';
      case 's':
        return this.unicodeProperties ? `${SPACE}\\u0085\\p{Z}` : SPACE;
      case 'w':
        return this.unicodeProperties ? '\\p{L}\\p{N}_' : 'A-Za-z0-9_';
      case 'h':
        return HORIZONTAL_SPACE;
      default:
        return VERTICAL_SPACE;
    }
  }

  /** The one character that an escape stands for. */
  private escapedCharacter(inClass: boolean): string {
    const rest = this.pattern.slice(this.position);
    const hexadecimal = /^\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{0,2}))/.exec(rest);
    if (hexadecimal !== null) {
      this.position += hexadecimal[0].length;
      return fromCode(Number.parseInt(hexadecimal[1] ?? (hexadecimal[2] || '0'), 16));
    }
    const octal = /^\\(?:o\{([0-7]+)\}|([0-7]{1,3}))/.exec(rest);
    if (octal !== null) {
      this.position += octal[0].length;
      return fromCode(Number.parseInt(octal[1] ?? octal[2] ?? '0', 8));
    }
    const control = /^\\c([\x20-\x7e])/.exec(rest);
    if (control !== null) {
      this.position += 3;
      return fromCode((control[1] ?? '').toUpperCase().charCodeAt(0) ^ 64);
    }
    const escaped = rest.length < 2 ? '' : String.fromCodePoint(rest.codePointAt(1) ?? 0);
    if (escaped === '') throw new UnsupportedPatternError('\\ at end of pattern');
    this.position += 1 + escaped.length;
    if (inClass && escaped === 'b') return '\b';
    const simple = SIMPLE_ESCAPES[escaped];
    if (simple !== undefined) return simple;
    if (/[A-Za-z0-9]/.test(escaped)) {
      throw new UnsupportedPatternError('unrecognized character follows \\');
    }
    return escaped;
  }

  /** A bracketed class. `]` is a literal when it comes first. */
  private characterClass(): string {
    this.position += 1;
    const negated = this.pattern[this.position] === '^';
    if (negated) this.position += 1;
    let members = '';
    let isFirst = true;
    for (;;) {
      if (this.position >= this.pattern.length) {
        throw new UnsupportedPatternError('missing terminating ] for character class');
      }
      if (this.pattern[this.position] === ']' && !isFirst) break;
      isFirst = false;
      members += this.classMember();
    }
    this.position += 1;
    return `[${negated ? '^' : ''}${members}]`;
  }

  private classMember(): string {
    const rest = this.pattern.slice(this.position);
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(rest);
    if (posix !== null) {
      this.position += posix[0].length;
      return posixMembers(posix[2] ?? '', posix[1] === '^');
    }
    if (rest.startsWith('\\E')) {
      this.position += 2;
      return '';
    }
    if (rest.startsWith('\\Q')) {
      const end = this.pattern.indexOf('\\E', this.position);
      if (end < 0) throw new UnsupportedPatternError('missing terminating ] for character class');
      const text = this.pattern.slice(this.position + 2, end);
      this.position = end + 2;
      return Array.from(text, escapeInClass).join('');
    }
    const set = rest.startsWith('\\') ? this.escapedSet() : undefined;
    if (set !== undefined) return set.negated ? negatedMembers(set.members) : set.members;
    const first = this.classCharacter();
    const isRange = this.pattern[this.position] === '-' && this.pattern[this.position + 1] !== ']';
    if (!isRange || /^-(?:\[:|\\[dDsSwWhHvVpPN])/.test(this.pattern.slice(this.position))) {
      return this.classCase(first);
    }
    this.position += 1;
    return this.classRange(first, this.classCharacter());
  }

  private classCharacter(): string {
    const character = this.peek();
    if (character === '\\') return this.escapedCharacter(true);
    this.position += character.length;
    return character;
  }

  private classCase(character: string): string {
    const mustSpell = this.modes.ignoreCase && !this.globalIgnoreCase;
    return (mustSpell ? caseVariants(character) : [character]).map(escapeInClass).join('');
  }

  private classRange(first: string, last: string): string {
    if ((first.codePointAt(0) ?? 0) > (last.codePointAt(0) ?? 0)) {
      throw new UnsupportedPatternError('range out of order in character class');
    }
    const range = `${escapeInClass(first)}-${escapeInClass(last)}`;
    if (!this.modes.ignoreCase || this.globalIgnoreCase) return range;
    const letters = ['a-z', 'A-Z'].map((all) => overlap(first, last, all)).join('');
    return range + letters;
  }
}

const ASSERTIONS: Readonly<Record<string, string>> = {
  b: '\\b',
  B: '\\B',
  A: '^',
  z: '$',
  Z: END,
  G: '^',
  K: '(?:)',
};

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  f: '\f',
  e: '\x1b',
  a: '\x07',
};

function changedModes(modes: Modes, on: string, off: string): Modes {
  for (const letter of on + off) {
    if (!'imsx'.includes(letter)) {
      throw new UnsupportedPatternError('unrecognized character after (? or (?-');
    }
  }
  const change = (letter: string, now: boolean): boolean =>
    (now || on.includes(letter)) && !off.includes(letter);
  return {
    ignoreCase: change('i', modes.ignoreCase),
    multiline: change('m', modes.multiline),
    dotAll: change('s', modes.dotAll),
    extended: change('x', modes.extended),
  };
}

function isQuantifier(pattern: string, position: number): boolean {
  const character = pattern[position] ?? '';
  if (character === '*' || character === '+' || character === '?') return true;
  return character === '{' && /^\{\d+(?:,\d*)?\}/.test(pattern.slice(position, position + 24));
}

function opensGroup(piece: string | Reference): boolean {
  return piece === '(' || (typeof piece === 'string' && piece.startsWith('(?=(?<atomic'));
}

function escapeLiteral(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

function escapeInClass(character: string): string {
  return /[\\\]^[-]/.test(character) ? `\\${character}` : character;
}

function caseVariants(character: string): string[] {
  const variants = new Set([character, character.toLowerCase(), character.toUpperCase()]);
  return [...variants].filter((variant) => Array.from(variant).length === 1);
}

/** The part of the letters `a-z` (or `A-Z`) that the range covers, in the other case. */
function overlap(first: string, last: string, all: string): string {
  const from = first > all[0]! ? first : all[0]!;
  const to = last < all[2]! ? last : all[2]!;
  if (from > to) return '';
  const isLower = all === 'a-z';
  const other = (letter: string): string => (isLower ? letter.toUpperCase() : letter.toLowerCase());
  return `${other(from)}-${other(to)}`;
}

function fromCode(code: number): string {
  if (code > 0x10ffff) {
    throw new UnsupportedPatternError('character code point value in \\x{} or \\o{} is too large');
  }
  return String.fromCodePoint(code);
}
