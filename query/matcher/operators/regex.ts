/**
 * $regex with $options, and regex values in the place of a value.
 *
 * Promises: strings and symbols are searched; a stored regex matches when pattern and options are the same.
 */
import {
  booleanValue,
  BsonType,
  documentOf,
  documentValue,
  fieldsOf,
  NULL,
  RawValue,
  regexValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { defineFieldOperator } from '../definition.ts';
import type { LongCall } from '../../expression/evaluation-threads.ts';
import { LARGE_VALUE_BYTES, runLongCall } from '../../expression/long-work.ts';
import { compileRegularExpression, type RegularExpression } from '../regular-expression.ts';
import type { LeafNode, ValueTest } from '../tree.ts';

export const $regex = defineFieldOperator({
  name: '$regex',
  parse: ({ path, siblings }) => {
    const { pattern, options } = readRegexDocument(siblings);
    return regexNode(path, pattern, options);
  },
});

/** $options belongs to the $regex beside it, which may stand before or after. */
export const $options = defineFieldOperator({
  name: '$options',
  parse: ({ siblings }) => {
    const hasRegex = Array.from(fieldsOf(siblings), ([name]) => name).includes('$regex');
    uassert(hasRegex, 'BadValue', '$options needs a $regex');
    return undefined;
  },
});

function readRegexDocument(document: Buffer): { pattern: string; options: string } {
  let pattern = '';
  let options = '';
  for (const [name, value] of fieldsOf(document)) {
    if (name === '$options') {
      uassert(value.type === BsonType.string, 'BadValue', '$options has to be a string');
      uassert(options === '', 51075, 'options set in both $regex and $options');
      options = value.asString();
    } else if (name === '$regex' && value.type === BsonType.regex) {
      const written = value.asRegex();
      pattern = written.pattern;
      uassert(
        written.options === '' || options === '',
        51074,
        'options set in both $regex and $options',
      );
      options = written.options === '' ? options : written.options;
    } else if (name === '$regex') {
      uassert(value.type === BsonType.string, 'BadValue', '$regex has to be a string');
      pattern = value.asString();
    }
  }
  return { pattern, options };
}

/** A leaf for a regular expression. @throws CommandError 51091, 51108, BadValue. */
export function regexNode(path: string, pattern: string, options: string): LeafNode {
  return {
    kind: 'leaf',
    path,
    operator: '$regex',
    operands: [regexValue(pattern, options)],
    wholeArrayOnly: false,
    ...regexTest(pattern, options),
  };
}

/** The test of a regular expression, and whether it may take long. */
export function regexTest(pattern: string, options: string): Pick<LeafNode, 'test' | 'longWork'> {
  const expression = compileRegularExpression(pattern, options);
  const owner = {};
  const test: ValueTest = (type, bytes, start, end) => {
    if (type === BsonType.string || type === BsonType.symbol) {
      // A string is its length (4 bytes), its text, and a NUL.
      const run = (): boolean => expression.testBytes(bytes, start + 4, end - 1);
      if (!expression.takesLong || end - start <= LARGE_VALUE_BYTES) return run();
      const describe = (): LongCall => matchCall(new RawValue(type, bytes, start, end), expression);
      return isTrue(runLongCall(bytes, owner, describe, () => booleanValue(run())));
    }
    if (type !== BsonType.regex) return false;
    const stored = new RawValue(type, bytes, start, end).asRegex();
    return stored.pattern === pattern && stored.options === options;
  };
  return { test, longWork: expression.takesLong ? 'large' : undefined };
}

const MATCH_ARGUMENT = documentValue(documentOf({ input: NULL, regex: NULL }));

/** The same question, as the expression {$regexMatch: {input, regex}}. */
function matchCall(text: RawValue, { pattern, options }: RegularExpression): LongCall {
  return {
    operator: '$regexMatch',
    argument: MATCH_ARGUMENT,
    operands: [text, regexValue(pattern, options)],
    collation: undefined,
  };
}

function isTrue(value: RawValue | undefined): boolean {
  return value?.isTruthy() === true;
}
