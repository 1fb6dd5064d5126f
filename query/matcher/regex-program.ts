/**
 * Parses a translated pattern (pcre-translation.ts) into a tree, and says how costly backtracking over it may be.
 *
 * Owns: the little grammar that the translation writes. Sets of characters stay source text: V8 itself is asked once per
 * character whether it belongs to one (linear-matcher.ts).
 * Promises: knows which patterns only backtracking can decide: back references, atomic groups, look-around.
 */

import { tassert } from '../../common/assert.ts';

/** What must hold at a position; nothing is consumed. */
export type AssertionKind =
  'start' | 'end' | 'endOrFinalNewline' | 'lineStart' | 'lineEnd' | 'boundary' | 'noBoundary';

export type RegexNode =
  | { readonly kind: 'character'; readonly source: string }
  | { readonly kind: 'assertion'; readonly assertion: AssertionKind }
  | { readonly kind: 'sequence'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'choice'; readonly parts: readonly RegexNode[] }
  | {
      readonly kind: 'repeat';
      readonly part: RegexNode;
      readonly min: number;
      /** Infinity: without bound. */
      readonly max: number;
      /** As few as possible first. */
      readonly lazy: boolean;
    }
  /** A capturing group; the first is number 1. */
  | { readonly kind: 'group'; readonly number: number; readonly part: RegexNode };

/** How the number of steps of a backtracking engine grows with the length of the text. */
export interface BacktrackingRisk {
  /** A repetition in a repetition: the number of ways to split the text may double with each character. */
  readonly isExponential: boolean;
  /** Otherwise: the power of the text's length. */
  readonly degree: number;
}

export interface ParsedRegex {
  readonly tree: RegexNode;
  /** An automaton can decide it. Otherwise the tree serves the estimate only: it has references as characters. */
  readonly isRegular: boolean;
  readonly groupCount: number;
}

export function parseRegexSource(source: string): ParsedRegex {
  return new SourceParser(source).parse();
}

/** The forms in which the translation writes assertions, the longest first. */
const ASSERTIONS: readonly (readonly [source: string, assertion: AssertionKind])[] = [
  ['(?:^|(?<=\\n)(?=[^]))', 'lineStart'],
  ['(?=\\n?$)', 'endOrFinalNewline'],
  ['(?![^\\n])', 'lineEnd'],
  ['\\b', 'boundary'],
  ['\\B', 'noBoundary'],
  ['^', 'start'],
  ['$', 'end'],
];

const CHARACTER =
  /^(?:\[(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[^kbB1-9]|[^\\[\](){}*+?|^$])/u;

const REFERENCE = /^\\(?:k<\w+>|[1-9]\d*)/;
const GROUP = /^\((?:\?(?::|=|!|<=|<!|<\w+>))?/;

class SourceParser {
  private readonly source: string;
  private position = 0;
  private isRegular = true;
  private groups = 0;

  constructor(source: string) {
    this.source = source;
  }

  parse(): ParsedRegex {
    const tree = this.choice();
    tassert(
      this.position === this.source.length,
      'regular expression: the translation has another grammar',
    );
    return { tree, isRegular: this.isRegular, groupCount: this.groups };
  }

  private choice(): RegexNode {
    const parts = [this.sequence()];
    while (this.source[this.position] === '|') {
      this.position += 1;
      parts.push(this.sequence());
    }
    return parts.length === 1 ? parts[0] : { kind: 'choice', parts };
  }

  private sequence(): RegexNode {
    const parts: RegexNode[] = [];
    while (this.position < this.source.length && !'|)'.includes(this.source[this.position])) {
      parts.push(this.repetition(this.atom()));
    }
    return parts.length === 1 ? parts[0] : { kind: 'sequence', parts };
  }

  private atom(): RegexNode {
    const rest = this.source.slice(this.position);
    for (const [text, assertion] of ASSERTIONS) {
      if (!rest.startsWith(text)) continue;
      this.position += text.length;
      return { kind: 'assertion', assertion };
    }
    if (rest.startsWith('(')) return this.group(rest);
    const reference = REFERENCE.exec(rest)?.[0];
    if (reference !== undefined) this.isRegular = false;
    const character = reference ?? CHARACTER.exec(rest)?.[0];
    tassert(character !== undefined, 'regular expression: the translation has another grammar');
    this.position += character.length;
    return { kind: 'character', source: character };
  }

  private group(rest: string): RegexNode {
    const opening = GROUP.exec(rest)?.[0] ?? '(';
    const isCapture = opening === '(' || opening.startsWith('(?<a');
    if (opening !== '(' && opening !== '(?:') this.isRegular = false;
    if (isCapture) this.groups += 1;
    const number = this.groups;
    this.position += opening.length;
    const part = this.choice();
    tassert(this.source[this.position] === ')', 'regular expression: a group is not closed');
    this.position += 1;
    return isCapture ? { kind: 'group', number, part } : part;
  }

  private repetition(part: RegexNode): RegexNode {
    const found = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})(\??)/.exec(this.source.slice(this.position));
    if (found === null) return part;
    this.position += found[0].length;
    const [, sign, low, comma, high, suffix] = found;
    const lazy = suffix === '?';
    if (sign !== undefined) {
      const [min, max] = [sign === '+' ? 1 : 0, sign === '?' ? 1 : Infinity];
      return { kind: 'repeat', part, min, max, lazy };
    }
    const min = Number(low);
    const max = comma === '' ? min : high === '' ? Infinity : Number(high);
    return { kind: 'repeat', part, min, max, lazy };
  }
}

/** A bounded repetition of at least this many counts as one without bound. */
const MANY = 8;

/** A cautious estimate: the degree may be too high, never too low. */
export function backtrackingRisk(node: RegexNode): BacktrackingRisk {
  const degree = growthOf(node) + (beginsAtStart(node) ? 0 : 1);
  return { isExponential: isExponential(node), degree };
}

/** How many repetitions follow each other. */
function growthOf(node: RegexNode): number {
  switch (node.kind) {
    case 'character':
    case 'assertion':
      return 0;
    case 'sequence':
      return node.parts.reduce((total, part) => total + growthOf(part), 0);
    case 'choice':
      return Math.max(...node.parts.map(growthOf));
    case 'repeat':
      return growthOf(node.part) + (node.max >= MANY ? 1 : 0);
    case 'group':
      return growthOf(node.part);
  }
}

function isExponential(node: RegexNode): boolean {
  switch (node.kind) {
    case 'character':
    case 'assertion':
      return false;
    case 'repeat':
      return (node.max >= MANY && hasChoices(node.part)) || isExponential(node.part);
    case 'group':
      return isExponential(node.part);
    default:
      return node.parts.some(isExponential);
  }
}

/** Whether a text may be matched in more than one way, or in several lengths. */
function hasChoices(node: RegexNode): boolean {
  switch (node.kind) {
    case 'character':
    case 'assertion':
      return false;
    case 'choice':
      return true;
    case 'repeat':
      return node.min !== node.max || hasChoices(node.part);
    case 'group':
      return hasChoices(node.part);
    case 'sequence':
      return node.parts.some(hasChoices);
  }
}

function beginsAtStart(node: RegexNode): boolean {
  switch (node.kind) {
    case 'assertion':
      return node.assertion === 'start';
    case 'sequence':
      return node.parts.length > 0 && beginsAtStart(node.parts[0]);
    case 'choice':
      return node.parts.every(beginsAtStart);
    case 'group':
      return beginsAtStart(node.part);
    default:
      return false;
  }
}
