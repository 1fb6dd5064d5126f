/**
 * Regular expressions with PCRE's syntax and meaning, on the engine of V8.
 *
 * Owns: the only place of this floor that compiles and runs a regular expression, and the choice of the engine. V8
 * backtracks: a hostile pattern, or a long text, could hold the event loop for minutes. Where the number of its steps may
 * exceed SAFE_STEPS, linear-matcher.ts decides instead, or the text is refused.
 * Promises: options and anchors mean what PCRE means by them: `.` stops at LF only, `$` also matches before a final LF,
 * `\s \d \w` are ASCII unless (*UCP), matching is by code point.
 * Never: supports recursion, conditional groups, callouts or backtracking verbs: they are refused with MongoDB's 51091.
 * Source: pcre2pattern(3), MongoDB's manual "$regex".
 */
import { CommandError } from '../../common/errors.ts';
import {
  compileLinear,
  type LinearMatcher,
  type MatchWork,
  newMatchWork,
} from './linear-matcher.ts';
import { isOnlyPrefix, literalPrefix } from './literal-prefix.ts';
import { UnsupportedPatternError } from './pcre-sets.ts';
import { translatePattern } from './pcre-translation.ts';
import { backtrackingRisk, parseRegexSource } from './regex-program.ts';

export { newMatchWork } from './linear-matcher.ts';

/** One match, as $regexFind reports it. */
export interface RegularExpressionMatch {
  /** UTF-16 index of the match. */
  readonly index: number;
  readonly text: string;
  /** The capturing groups in order; undefined for a group that took no part. */
  readonly captures: readonly (string | undefined)[];
}

/** MongoDB's kMaxPatternSize. */
const MAX_PATTERN_BYTES = 32_764;

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
  private readonly source: string;
  /** Texts of up to this many UTF-16 units are safe with V8. */
  private readonly safeLength: number;
  /** Made when it is first needed; 'none' when the pattern is not regular. */
  private linear: LinearMatcher | 'none' | undefined;

  /** @throws CommandError 51091 for a bad pattern, 51108 for a bad option, BadValue for a NUL byte or a long pattern. */
  constructor(pattern: string, options: string) {
    checkOptions(options);
    if (Buffer.byteLength(pattern) > MAX_PATTERN_BYTES) {
      throw new CommandError('BadValue', 'Regular expression is too long');
    }
    if (pattern.includes('\0')) {
      throw new CommandError('BadValue', 'Regular expression cannot contain an embedded null byte');
    }
    this.pattern = pattern;
    this.options = options;
    const translation = translateOrRefuse(pattern, options);
    this.engine = compileOrRefuse(translation.source, translation.ignoreCase);
    this.groups = translation.groups;
    this.source = translation.source;
    this.safeLength = safeLengthOf(translation.source);
    this.prefix = literalPrefix(pattern, options);
    this.isPrefixOnly = this.prefix !== undefined && isOnlyPrefix(pattern);
    this.prefixBytes = this.prefix === undefined ? undefined : Buffer.from(this.prefix);
  }

  /** A text in a document may take it long. */
  get takesLong(): boolean {
    return this.safeLength < LONGEST_TEXT;
  }

  /** @throws CommandError 51156 when no engine can decide the text in bounded time. */
  test(text: string): boolean {
    if (text.length > this.safeLength) return this.cautious().test(text);
    this.engine.lastIndex = 0;
    return this.engine.test(text);
  }

  private cautious(): LinearMatcher {
    this.linear ??= this.compileLinear();
    if (this.linear === 'none') {
      throw new CommandError(
        51156,
        'Error occurred while executing a regular expression: the pattern could take too long on a text of this length',
      );
    }
    return this.linear;
  }

  private compileLinear(): LinearMatcher | 'none' {
    const parsed = parseRegexSource(this.source);
    const { ignoreCase } = this.engine;
    return (parsed.isRegular ? compileLinear(parsed, ignoreCase) : undefined) ?? 'none';
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

  /**
   * The first match at or after the UTF-16 index `from`.
   * @param work shared by the searches of one text
   */
  find(text: string, from = 0, work = newMatchWork()): RegularExpressionMatch | undefined {
    if (text.length > this.safeLength) return this.findCautiously(text, from, work);
    this.engine.lastIndex = from;
    const found = this.engine.exec(text);
    if (found === null) return undefined;
    const captures = this.groups.map((group): string | undefined => found[group]);
    return { index: found.index, text: found[0], captures };
  }

  private findCautiously(
    text: string,
    from: number,
    work: MatchWork,
  ): RegularExpressionMatch | undefined {
    const slots = this.cautious().find(text, from, work);
    if (slots === undefined) return undefined;
    const textOf = (group: number): string | undefined =>
      slots[2 * group] < 0 ? undefined : text.slice(slots[2 * group], slots[2 * group + 1]);
    return { index: slots[0], text: textOf(0) ?? '', captures: this.groups.map(textOf) };
  }
}

/** No text in a document is longer. */
const LONGEST_TEXT = 16 * 1024 * 1024;

/** What V8 may take: some ten milliseconds. */
const SAFE_STEPS = 2e7;
/** A text this short is safe even if the number of steps doubles with each character. */
const SHORT_TEXT = 18;

function safeLengthOf(source: string): number {
  const { isExponential, degree } = backtrackingRisk(parseRegexSource(source).tree);
  if (isExponential) return SHORT_TEXT;
  return degree === 0 ? Infinity : Math.floor(SAFE_STEPS ** (1 / degree));
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
