/**
 * Regular expressions with PCRE's syntax and meaning, on the engine of V8.
 *
 * Owns: the only place of this floor that compiles and runs a regular expression, so that another engine (a linear-time
 * one above all: V8 backtracks, and a hostile pattern can be slow) can take its place.
 * Promises: options and anchors mean what PCRE means by them: `.` stops at LF only, `$` also matches before a final LF,
 * `\s \d \w` are ASCII unless (*UCP), matching is by code point.
 * Never: supports recursion, conditional groups, callouts or backtracking verbs: they are refused with MongoDB's 51091.
 * Source: pcre2pattern(3), MongoDB's manual "$regex".
 */
import { CommandError } from '../../common/errors.ts';
import { translatePattern, UnsupportedPatternError } from './pcre-translation.ts';

/** One match, as $regexFind reports it. */
export interface RegularExpressionMatch {
  /** UTF-16 index of the match. */
  readonly index: number;
  readonly text: string;
  /** The capturing groups in order; undefined for a group that took no part. */
  readonly captures: readonly (string | undefined)[];
}

/** A compiled pattern with its options. */
export class RegularExpression {
  readonly pattern: string;
  readonly options: string;
  /** A match must begin with this text at the start of the string; undefined if nothing is known. Case-sensitive. */
  readonly prefix: string | undefined;
  /** A string matches if, and only if, it begins with `prefix`. */
  readonly isPrefixOnly: boolean;
  private readonly engine: RegExp;
  private readonly groups: readonly number[];
  private readonly prefixBytes: Buffer | undefined;

  /** @throws CommandError 51091 for a bad pattern, 51108 for a bad option, BadValue for a NUL byte. */
  constructor(pattern: string, options: string) {
    checkOptions(options);
    if (pattern.includes('\0')) {
      throw new CommandError('BadValue', 'Regular expression cannot contain an embedded null byte');
    }
    this.pattern = pattern;
    this.options = options;
    const translation = translateOrRefuse(pattern, options);
    this.engine = compileOrRefuse(translation.source, translation.ignoreCase);
    this.groups = translation.groups;
    this.prefix = literalPrefix(pattern, options);
    this.isPrefixOnly = this.prefix !== undefined && isOnlyPrefix(pattern);
    this.prefixBytes = this.prefix === undefined ? undefined : Buffer.from(this.prefix);
  }

  test(text: string): boolean {
    this.engine.lastIndex = 0;
    return this.engine.test(text);
  }

  /** Tests the UTF-8 text in `bytes[start, end)`. A known prefix is compared before anything is decoded. */
  testBytes(bytes: Buffer, start: number, end: number): boolean {
    const prefix = this.prefixBytes;
    if (prefix !== undefined) {
      if (!startsWith(bytes, start, end, prefix)) return false;
      if (this.isPrefixOnly) return true;
    }
    return this.test(bytes.toString('utf8', start, end));
  }

  /** The first match at or after the UTF-16 index `from`. */
  find(text: string, from = 0): RegularExpressionMatch | undefined {
    this.engine.lastIndex = from;
    const found = this.engine.exec(text);
    if (found === null) return undefined;
    const captures = this.groups.map((group): string | undefined => found[group]);
    return { index: found.index, text: found[0], captures };
  }
}

/** @throws CommandError 51091, 51108 or BadValue; see the class. */
export function compileRegularExpression(pattern: string, options: string): RegularExpression {
  return new RegularExpression(pattern, options);
}

function checkOptions(options: string): void {
  for (const option of options) {
    if (!'imsxu'.includes(option)) {
      throw new CommandError(51108, `invalid flag in regex options: ${option}`);
    }
  }
}

function translateOrRefuse(pattern: string, options: string): ReturnType<typeof translatePattern> {
  try {
    return translatePattern(pattern, options);
  } catch (cause) {
    if (!(cause instanceof UnsupportedPatternError)) throw cause;
    throw new CommandError(51091, `Regular expression is invalid: ${cause.message}`, { cause });
  }
}

function compileOrRefuse(source: string, ignoreCase: boolean): RegExp {
  try {
    return new RegExp(source, ignoreCase ? 'giu' : 'gu');
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const reason = text.slice(text.lastIndexOf(': ') + 2);
    throw new CommandError(51091, `Regular expression is invalid: ${reason}`, { cause });
  }
}

function startsWith(bytes: Buffer, start: number, end: number, prefix: Buffer): boolean {
  if (end - start < prefix.length) return false;
  for (let index = 0; index < prefix.length; index += 1) {
    if (bytes[start + index] !== prefix[index]) return false;
  }
  return true;
}

const METACHARACTERS = '\\^$.[]|()?*+{}';

/** The literal text after a leading `^` or `\A`; undefined when a match may begin with something else. */
function literalPrefix(pattern: string, options: string): string | undefined {
  if (/[imx]/.test(options)) return undefined;
  if (/(?<!\\)(?:\\\\)*\||\\Q/.test(pattern)) return undefined;
  let position = anchorLength(pattern);
  if (position === 0) return undefined;
  let prefix = '';
  while (position < pattern.length) {
    const [character, length] = literalAt(pattern, position);
    if (character === undefined) break;
    const next = pattern[position + length];
    // The character may be repeated zero times, or more often than once: the prefix ends before it.
    if (next !== undefined && '?*{'.includes(next)) break;
    prefix += character;
    position += length;
    if (next === '+') break;
  }
  return prefix === '' ? undefined : prefix;
}

function anchorLength(pattern: string): number {
  if (pattern.startsWith('^')) return 1;
  return pattern.startsWith('\\A') ? 2 : 0;
}

/** The literal character written at `position` and the length of its notation; undefined for anything else. */
function literalAt(pattern: string, position: number): [string | undefined, number] {
  const character = String.fromCodePoint(pattern.codePointAt(position) ?? 0);
  if (character === '\\') {
    const escaped = pattern[position + 1];
    const isLiteral = escaped !== undefined && /[^A-Za-z0-9]/.test(escaped) && escaped < '\x7f';
    return [isLiteral ? escaped : undefined, 2];
  }
  return [METACHARACTERS.includes(character) ? undefined : character, character.length];
}

/** After the anchor there are literals only, or literals and a final `.*` (which then changes nothing). */
function isOnlyPrefix(pattern: string): boolean {
  let position = anchorLength(pattern);
  while (position < pattern.length) {
    if (pattern.slice(position) === '.*') return true;
    const [character, length] = literalAt(pattern, position);
    if (character === undefined) return false;
    const next = pattern[position + length];
    if (next !== undefined && '?*{+'.includes(next)) return false;
    position += length;
  }
  return true;
}
