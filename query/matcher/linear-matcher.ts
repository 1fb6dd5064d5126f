/**
 * Matches a regular expression by following all its possibilities at once, in order of preference: never more steps than
 * the length of the text times the size of the pattern.
 *
 * Owns: the automaton and its simulation. Used where backtracking could take too long (regular-expression.ts).
 * Promises: bounded work: a text that would take more than MAX_STEPS is refused, not waited for.
 * Source: K. Thompson, "Regular Expression Search Algorithm", 1968; R. Cox, "Regular Expression Matching Can Be Simple
 * And Fast", 2007.
 */
import { CommandError } from '../../common/errors.ts';
import type { AssertionKind, RegexNode } from './regex-program.ts';

/** About one second. */
const MAX_STEPS = 50_000_000;
/** A pattern whose counted repetitions unfold to more than this is left to backtracking. */
const MAX_STATES = 20_000;

/** Says for a code point whether it is one of a set. Answers are remembered. */
class CharacterSet {
  private readonly engine: RegExp;
  /** By ASCII code: 0 not asked yet, 1 outside, 2 inside. */
  private readonly ascii = new Uint8Array(128);
  private readonly others = new Map<number, boolean>();

  constructor(source: string, ignoreCase: boolean) {
    this.engine = new RegExp(`^${source}$`, ignoreCase ? 'iu' : 'u');
  }

  has(code: number): boolean {
    if (code < 128) {
      const known = this.ascii[code];
      if (known !== 0) return known === 2;
    } else {
      const known = this.others.get(code);
      if (known !== undefined) return known;
    }
    const inside = this.engine.test(String.fromCodePoint(code));
    if (code < 128) this.ascii[code] = inside ? 2 : 1;
    else if (this.others.size < 10_000) this.others.set(code, inside);
    return inside;
  }
}

type State =
  | { readonly kind: 'character'; readonly set: CharacterSet; next: number }
  | { readonly kind: 'assertion'; readonly assertion: AssertionKind; next: number }
  /** `next` is tried before `other`. */
  | { readonly kind: 'split'; next: number; other: number }
  /** Notes the position in a slot of the captures. */
  | { readonly kind: 'save'; readonly slot: number; next: number }
  | { readonly kind: 'match' };

/** Start and end of the match, then of each group; -1 for a group that took no part. */
export type Captures = readonly number[];

export interface LinearMatcher {
  test(text: string): boolean;
  /** The match that a backtracking engine would find first, at or after `from`. */
  find(text: string, from: number, work?: MatchWork): Captures | undefined;
}

/** Counts the steps of all searches in one text: together they stay below the limit. */
export interface MatchWork {
  steps: number;
}

export function newMatchWork(): MatchWork {
  return { steps: 0 };
}

/** @returns undefined when the automaton would be too large. */
export function compileLinear(
  { tree, groupCount }: { readonly tree: RegexNode; readonly groupCount: number },
  ignoreCase: boolean,
): LinearMatcher | undefined {
  const builder = new AutomatonBuilder(ignoreCase);
  const start = builder.build(tree);
  if (start === undefined) return undefined;
  const { states } = builder;
  return {
    test: (text) => new Simulation(states, text).test(start),
    find: (text, from, work) => new Simulation(states, text, work).find(start, from, groupCount),
  };
}

class AutomatonBuilder {
  readonly states: State[] = [{ kind: 'match' }];
  private readonly ignoreCase: boolean;
  private readonly sets = new Map<string, CharacterSet>();

  constructor(ignoreCase: boolean) {
    this.ignoreCase = ignoreCase;
  }

  /** Builds from the end to the start: each part knows the state that follows it. */
  build(node: RegexNode): number | undefined {
    const start = this.before(node, 0);
    return this.states.length <= MAX_STATES ? start : undefined;
  }

  private add(state: State): number {
    return this.states.push(state) - 1;
  }

  /** The state from which `node` leads to `next`. */
  private before(node: RegexNode, next: number): number {
    if (this.states.length > MAX_STATES) return next;
    switch (node.kind) {
      case 'character':
        return this.add({ kind: 'character', set: this.setOf(node.source), next });
      case 'assertion':
        return this.add({ kind: 'assertion', assertion: node.assertion, next });
      case 'sequence':
        return node.parts.reduceRight((following, part) => this.before(part, following), next);
      case 'choice':
        return node.parts
          .map((part) => this.before(part, next))
          .reduceRight((other, first) => this.add({ kind: 'split', next: first, other }));
      case 'group': {
        const end = this.add({ kind: 'save', slot: node.number * 2 + 1, next });
        return this.add({ kind: 'save', slot: node.number * 2, next: this.before(node.part, end) });
      }
      case 'repeat':
        return this.beforeRepeat(node, next);
    }
  }

  private beforeRepeat(
    { part, min, max, lazy }: RegexNode & { kind: 'repeat' },
    next: number,
  ): number {
    let following = next;
    if (max === Infinity) {
      const loop: State = { kind: 'split', next, other: next };
      following = this.add(loop);
      const body = this.before(part, following);
      if (lazy) loop.other = body;
      else loop.next = body;
    } else {
      for (let count = min; count < max && this.states.length <= MAX_STATES; count += 1) {
        const body = this.before(part, following);
        following = this.add(
          lazy ? { kind: 'split', next, other: body } : { kind: 'split', next: body, other: next },
        );
      }
    }
    for (let count = 0; count < min && this.states.length <= MAX_STATES; count += 1) {
      following = this.before(part, following);
    }
    return following;
  }

  private setOf(source: string): CharacterSet {
    const known = this.sets.get(source);
    if (known !== undefined) return known;
    const made = new CharacterSet(source, this.ignoreCase);
    this.sets.set(source, made);
    return made;
  }
}

const NEWLINE = 10;
/** Before the first and after the last character. */
const NONE = -1;

/** A possibility that waits for a character, or has reached the end; with what it captured on its way. */
interface Thread {
  readonly state: number;
  readonly captures: Captures;
}

const NO_CAPTURES: Captures = [];

class Simulation {
  private readonly states: readonly State[];
  private readonly text: string;
  /** For each state the position at which it was last reached, so that it is followed once per position. */
  private readonly reachedAt: Int32Array;
  private readonly work: MatchWork;

  constructor(states: readonly State[], text: string, work = newMatchWork()) {
    this.states = states;
    this.work = work;
    // Each search begins by clearing its notes: cheap, but not free.
    work.steps += states.length >> 4;
    this.text = text;
    this.reachedAt = new Int32Array(states.length).fill(-1);
  }

  test(start: number): boolean {
    return this.run(start, 0, NO_CAPTURES, true) !== undefined;
  }

  find(start: number, from: number, groupCount: number): Captures | undefined {
    const captures = Array.from({ length: 2 * (groupCount + 1) }, () => -1);
    return this.run(start, from, captures, false);
  }

  /** Threads stand in order of preference: when one has matched, those behind it are dropped. */
  private run(
    start: number,
    from: number,
    empty: Captures,
    anyMatch: boolean,
  ): Captures | undefined {
    let current: Thread[] = [];
    let following: Thread[] = [];
    let found: Captures | undefined;
    let before = from === 0 ? NONE : (this.text.codePointAt(from - 1) ?? NONE);
    for (let position = from; ;) {
      const code = this.text.codePointAt(position) ?? NONE;
      // A match may begin anywhere, but one that began further left is preferred.
      if (found === undefined) {
        const captures = anyMatch ? empty : withSlot(empty, 0, position);
        this.reach({ state: start, captures }, position, before, code, current);
      }
      if (current.length === 0 && (found !== undefined || code === NONE)) return found;
      const next = position + (code > 0xffff ? 2 : 1);
      const after = this.text.codePointAt(next) ?? NONE;
      for (const { state, captures } of current) {
        const at = this.states[state];
        if (at.kind === 'match') {
          found = anyMatch ? captures : withSlot(captures, 1, position);
          break;
        }
        if (at.kind !== 'character' || code === NONE || !at.set.has(code)) continue;
        this.reach({ state: at.next, captures }, next, code, after, following);
      }
      if (code === NONE || (anyMatch && found !== undefined)) return found;
      [current, following] = [following, current];
      following.length = 0;
      position = next;
      before = code;
    }
  }

  /** Follows what consumes nothing; threads that wait for a character, or have matched, are put into `into`. */
  private reach(
    thread: Thread,
    position: number,
    before: number,
    after: number,
    into: Thread[],
  ): void {
    const open = [thread];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { state: index, captures } = next;
      if (this.reachedAt[index] === position) continue;
      this.reachedAt[index] = position;
      this.countStep();
      const state = this.states[index];
      switch (state.kind) {
        case 'match':
        case 'character':
          into.push(next);
          break;
        case 'split':
          open.push({ state: state.other, captures }, { state: state.next, captures });
          break;
        case 'save':
          open.push({
            state: state.next,
            captures: captures.length === 0 ? captures : withSlot(captures, state.slot, position),
          });
          break;
        case 'assertion':
          if (this.holds(state.assertion, position, before, after)) {
            open.push({ state: state.next, captures });
          }
          break;
      }
    }
  }

  private countStep(): void {
    this.work.steps += 1;
    if (this.work.steps > MAX_STEPS) {
      throw new CommandError(
        51156,
        'Error occurred while executing a regular expression: match limit exceeded',
      );
    }
  }

  private holds(
    assertion: AssertionKind,
    position: number,
    before: number,
    after: number,
  ): boolean {
    switch (assertion) {
      case 'start':
        return before === NONE;
      case 'end':
        return after === NONE;
      case 'endOrFinalNewline':
        return after === NONE || (after === NEWLINE && position + 1 === this.text.length);
      case 'lineStart':
        return before === NONE || (before === NEWLINE && after !== NONE);
      case 'lineEnd':
        return after === NONE || after === NEWLINE;
      case 'boundary':
        return isWord(before) !== isWord(after);
      case 'noBoundary':
        return isWord(before) === isWord(after);
    }
  }
}

function withSlot(captures: Captures, slot: number, position: number): Captures {
  return captures.with(slot, position);
}

function isWord(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95
  );
}
