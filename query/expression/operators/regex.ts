/**
 * $regexMatch, $regexFind, $regexFindAll. Positions in results count code points.
 */
import {
  arrayValue,
  booleanValue,
  BsonType,
  DocumentBuilder,
  documentValue,
  FALSE,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  compileRegularExpression,
  newMatchWork,
  type RegularExpression,
  type RegularExpressionMatch,
} from '../../matcher/regular-expression.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
  type Value,
} from '../definition.ts';
import { arrayOf } from '../elements.ts';
import type { Expression } from '../expression.ts';
import { namedArguments } from '../named-arguments.ts';
import type { Scope } from '../scope.ts';
import { isNullish, isString, typeNameOf } from '../types.ts';

/** What an operator makes of a text. */
type Use = (regex: RegularExpression, text: string) => RawValue;

/** Pattern and options, from a regular expression value or from strings. undefined: one of them is null. */
function regexOf(name: string, regex: Value, options: Value): RegularExpression | undefined {
  if (isNullish(regex)) return undefined;
  if (!isNullish(options) && !isString(options)) {
    throw new CommandError(51106, `${name} needs 'options' to be of type string`);
  }
  const given = isNullish(options) ? '' : options.asString();
  if (regex.type === BsonType.regex) {
    const { pattern, options: own } = regex.asRegex();
    if (own !== '' && given !== '') {
      throw new CommandError(
        51107,
        `${name}: found regex option(s) specified in both 'regex' and 'option' fields`,
      );
    }
    return compileRegularExpression(pattern, own === '' ? given : own);
  }
  if (!isString(regex)) {
    throw new CommandError(51105, `${name} needs 'regex' to be of type string or regex`);
  }
  return compileRegularExpression(regex.asString(), given);
}

function regexOperator(name: string, nothing: RawValue, use: Use): ExpressionDefinition {
  return defineExpression({
    name,
    args: 'special',
    isLong: true,
    compile: (argument, compiler) => compileRegex(argument, compiler, { name, nothing, use }),
  });
}

function compileRegex(
  argument: RawValue,
  compiler: ExpressionCompiler,
  { name, nothing, use }: { name: string; nothing: RawValue; use: Use },
): Expression {
  const given = namedArguments(argument, {
    name,
    required: ['input', 'regex'],
    optional: ['options'],
    codes: { notObject: 51103, unknown: 31024, missing: [31022, 31023] },
  });
  const input = compiler.compile(given.get('input')!);
  const regex = compiler.compile(given.get('regex')!);
  const optionsArgument = given.get('options');
  const options =
    optionsArgument === undefined
      ? compiler.constant(undefined)
      : compiler.compile(optionsArgument);
  // The usual case: the pattern is the same for all documents, and compiled once.
  const isFixed = regex.constant !== undefined && options.constant !== undefined;
  const fixed = isFixed ? regexOf(name, regex.constant?.value, options.constant?.value) : undefined;
  const regexFor = (scope: Scope): RegularExpression | undefined =>
    isFixed ? fixed : regexOf(name, regex.evaluate(scope), options.evaluate(scope));
  return compiler.combine([input, regex, options], (scope) => {
    const text = input.evaluate(scope);
    if (!isNullish(text) && !isString(text)) {
      throw new CommandError(
        51104,
        `${name} needs 'input' to be of type string, found: ${typeNameOf(text)}`,
      );
    }
    const compiled = regexFor(scope);
    return isNullish(text) || compiled === undefined ? nothing : use(compiled, text.asString());
  });
}

/** Appends {match, idx, captures}. @param codePointIndex where the match begins, counted in code points */
function appendMatch(
  out: DocumentBuilder,
  match: RegularExpressionMatch,
  codePointIndex: number,
): void {
  out.appendString('match', match.text).appendInt32('idx', codePointIndex).beginArray('captures');
  for (const [group, capture] of match.captures.entries()) {
    if (capture === undefined) out.appendNull(String(group));
    else out.appendString(String(group), capture);
  }
  out.end();
}

function findFirst(regex: RegularExpression, text: string): RawValue {
  const match = regex.find(text);
  if (match === undefined) return NULL;
  const out = new DocumentBuilder();
  appendMatch(out, match, countCodePoints(text, 0, match.index));
  return documentValue(out.finish());
}

/** Most bytes that $regexFindAll gives. Source: MongoDB's expression.cpp, ExpressionRegexFindAll. */
const MOST_FOUND_BYTES = 64 * 1024 * 1024;

function findAll(regex: RegularExpression, text: string): RawValue {
  const matches = new DocumentBuilder();
  const work = newMatchWork();
  let from = 0;
  let codePoints = 0;
  let countedTo = 0;
  for (let index = 0; from <= text.length; index += 1) {
    const match = regex.find(text, from, work);
    if (match === undefined) break;
    codePoints += countCodePoints(text, countedTo, match.index);
    countedTo = match.index;
    if (matches.byteLength + mostBytesOf(match) > MOST_FOUND_BYTES) {
      throw new CommandError(
        51151,
        '$regexFindAll: the size of buffer to store output exceeded the 64MB limit',
      );
    }
    matches.beginDocument(String(index));
    appendMatch(matches, match, codePoints);
    matches.end();
    // An empty match goes on behind the next character.
    const end = match.index + match.text.length;
    from = match.text === '' ? end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1) : end;
  }
  return arrayValue(matches.finish());
}

/** UTF-8 takes at most three bytes per UTF-16 unit; names and numbers take some more. */
function mostBytesOf({ text, captures }: RegularExpressionMatch): number {
  return captures.reduce(
    (bytes, capture) => bytes + 3 * (capture?.length ?? 0) + 16,
    3 * text.length + 64,
  );
}

/** Code points that begin in [from, to), UTF-16 indexes. */
function countCodePoints(text: string, from: number, to: number): number {
  let count = to - from;
  for (let index = from; index < to; index += 1) {
    const unit = text.charCodeAt(index);
    // The second half of a pair.
    if (unit >= 0xdc00 && unit <= 0xdfff) count -= 1;
  }
  return count;
}

export const REGEX: readonly ExpressionDefinition[] = [
  regexOperator('$regexMatch', FALSE, (regex, text) => booleanValue(regex.test(text))),
  regexOperator('$regexFind', NULL, findFirst),
  regexOperator('$regexFindAll', arrayOf([]), findAll),
];
