/**
 * Operators with named arguments: {$op: {input: ..., as: ...}}.
 *
 * Owns: the checks that all of them share. Each operator keeps its own error codes.
 */
import { BsonType, fieldsOf, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';

export interface NamedArgumentRules {
  readonly name: string;
  readonly required: readonly string[];
  readonly optional?: readonly string[];
  /** Codes of MongoDB's errors: argument is no object, unknown name, missing name. */
  readonly codes: {
    readonly notObject: number | 'FailedToParse';
    readonly unknown: number | 'FailedToParse';
    /** A list: one code for each of the required names. */
    readonly missing: number | 'FailedToParse' | readonly number[];
  };
}

export function namedArguments(
  argument: RawValue,
  rules: NamedArgumentRules,
): ReadonlyMap<string, RawValue> {
  const { name, required, optional = [], codes } = rules;
  if (argument.type !== BsonType.object) {
    throw new CommandError(
      codes.notObject,
      `${name} only supports an object as its argument, but found ${argument.typeName}`,
    );
  }
  const given = new Map(fieldsOf(argument.asDocument()));
  for (const key of given.keys()) {
    if (required.includes(key) || optional.includes(key)) continue;
    throw new CommandError(codes.unknown, `Unrecognized parameter to ${name}: ${key}`);
  }
  for (const [index, key] of required.entries()) {
    if (given.has(key)) continue;
    const { missing } = codes;
    const code = typeof missing === 'object' ? missing[index]! : missing;
    throw new CommandError(code, `Missing '${key}' parameter to ${name}`);
  }
  return given;
}
