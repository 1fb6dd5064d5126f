/**
 * Operators about whole documents: $expr, $comment, $alwaysTrue, $alwaysFalse, $sampleRate, and the parts of a DBRef.
 */
import { BsonType, documentValue, RawValue, readInt32 } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { compileExpression } from '../../expression/compile.ts';
import { Scope } from '../../expression/scope.ts';
import { defineTopLevelOperator } from '../definition.ts';
import { meetsLongWork } from '../../expression/long-work.ts';
import { meetsScripts } from '../../script/scripts.ts';
import { parseInteger } from '../operand.ts';
import type { DocumentTest, FilterNode } from '../tree.ts';
import { equalityNode } from './equality.ts';

export const $comment = defineTopLevelOperator({ name: '$comment', parse: () => undefined });

export const $expr = defineTopLevelOperator({
  name: '$expr',
  parse: ({ operand, context, parser, nested }) => {
    uassert(!nested, 'BadValue', '$expr can only be applied to the top-level document');
    uassert(
      parser.features.expr !== false,
      'QueryFeatureNotAllowed',
      '$expr is not allowed in this context',
    );
    const { result: compiled, longWork } = meetsLongWork(() =>
      meetsScripts(context.scripts, () => compileExpression(operand, context)),
    );
    const { result: expression, session } = compiled;
    const scope = new Scope(EMPTY);
    const test: DocumentTest = (bytes, start) => {
      scope.document = documentAt(bytes, start);
      return expression.evaluate(scope)?.isTruthy() === true;
    };
    const usesScripts = session === undefined ? {} : { usesScripts: true };
    return {
      kind: 'document',
      operator: '$expr',
      operand,
      test,
      ...usesScripts,
      longWork,
    };
  },
});

const EMPTY = Buffer.of(5, 0, 0, 0, 0);

/** The document that starts at `start`; the buffer itself when it is nothing else. */
export function documentAt(bytes: Buffer, start: number): Buffer {
  const size = readInt32(bytes, start);
  return start === 0 && size === bytes.length ? bytes : bytes.subarray(start, start + size);
}

export const alwaysOperators = [
  { name: '$alwaysTrue', value: true },
  { name: '$alwaysFalse', value: false },
].map(({ name, value }) =>
  defineTopLevelOperator({
    name,
    parse: ({ operand }): FilterNode => {
      uassert(
        parseInteger(name, operand) === 1n,
        'FailedToParse',
        `${name} must be an integer value of 1`,
      );
      return { kind: 'constant', value };
    },
  }),
);

export const $sampleRate = defineTopLevelOperator({
  name: '$sampleRate',
  parse: ({ operand, context }): FilterNode => {
    uassert(operand.isNumber, 'BadValue', 'argument to $sampleRate must be a numeric type');
    const rate = operand.asNumber();
    uassert(
      rate >= 0 && rate <= 1,
      'BadValue',
      'numeric argument to $sampleRate must be in [0, 1]',
    );
    if (rate === 0 || rate === 1) return { kind: 'constant', value: rate === 1 };
    const test: DocumentTest = () => context.random.next() < rate;
    return { kind: 'document', operator: '$sampleRate', operand, test };
  },
});

/** $ref, $id and $db are field names that happen to begin with a dollar. Only $id heeds the collation. */
export const dbRefFields = ['$ref', '$id', '$db'].map((name) =>
  defineTopLevelOperator({
    name,
    parse: ({ operand, context }) =>
      equalityNode(name, operand, name === '$id' ? context.collator : undefined),
  }),
);

/** A document inside a buffer as a value. */
export function valueOfDocumentAt(bytes: Buffer, start: number): RawValue {
  return start === 0
    ? documentValue(documentAt(bytes, start))
    : new RawValue(BsonType.object, bytes, start, start + readInt32(bytes, start));
}
