/**
 * Decides whether a regular expression matches by following all its possibilities at once: never more steps than the
 * length of the text times the size of the pattern.
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
  | { readonly kind: 'split'; next: number; other: number }
  | { readonly kind: 'match' };

/** @returns undefined when the automaton would be too large. */
export function compileLinear(
  node: RegexNode,
  ignoreCase: boolean,
): ((text: string) => boolean) | undefined {
  const compiler = new AutomatonBuilder(ignoreCase);
  const start = compiler.build(node);
  if (start === undefined) return undefined;
  const { states } = compiler;
  return (text) => new Simulation(states, text).run(start);
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
          .reduce((other, first) => this.add({ kind: 'split', next: first, other }));
      case 'repeat':
        return this.beforeRepeat(node, next);
    }
  }

  private beforeRepeat({ part, min, max }: RegexNode & { kind: 'repeat' }, next: number): number {
    let following = next;
    if (max === Infinity) {
      const loop: State = { kind: 'split', next: 0, other: next };
      following = this.add(loop);
      loop.next = this.before(part, following);
    } else {
      for (let count = min; count < max && this.states.length <= MAX_STATES; count += 1) {
        following = this.add({
          kind: 'split',
          next: this.before(part, following),
          other: next,
        });
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

class Simulation {
  private readonly states: readonly State[];
  private readonly text: string;
  /** For each state the position at which it was last reached, so that it is followed once per position. */
  private readonly reachedAt: Int32Array;
  private current: number[] = [];
  private following: number[] = [];
  private steps = 0;
  private isMatch = false;

  constructor(states: readonly State[], text: string) {
    this.states = states;
    this.text = text;
    this.reachedAt = new Int32Array(states.length).fill(-1);
  }

  run(start: number): boolean {
    let position = 0;
    let before = NONE;
    for (;;) {
      const code = this.text.codePointAt(position) ?? NONE;
      // A match may begin anywhere.
      this.reach(start, position, before, code, this.current);
      if (this.isMatch) return true;
      if (code === NONE) return false;
      const next = position + (code > 0xffff ? 2 : 1);
      this.consume(code, next);
      if (this.isMatch) return true;
      position = next;
      before = code;
    }
  }

  /** Moves every state over the character, to `next`. */
  private consume(code: number, next: number): void {
    const after = this.text.codePointAt(next) ?? NONE;
    for (const index of this.current) {
      const state = this.states[index];
      if (state.kind !== 'character' || !state.set.has(code)) continue;
      this.reach(state.next, next, code, after, this.following);
    }
    this.current.length = 0;
    [this.current, this.following] = [this.following, this.current];
  }

  /** Follows what consumes nothing; states that wait for a character are put into `into`. */
  private reach(
    from: number,
    position: number,
    before: number,
    after: number,
    into: number[],
  ): void {
    const open = [from];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (this.reachedAt[index] === position) continue;
      this.reachedAt[index] = position;
      this.countStep();
      const state = this.states[index];
      switch (state.kind) {
        case 'match':
          this.isMatch = true;
          return;
        case 'character':
          into.push(index);
          break;
        case 'split':
          open.push(state.other, state.next);
          break;
        case 'assertion':
          if (this.holds(state.assertion, position, before, after)) open.push(state.next);
          break;
      }
    }
  }

  private countStep(): void {
    this.steps += 1;
    if (this.steps > MAX_STEPS) {
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

function isWord(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95
  );
}
