/**
 * $bit: and, or, xor of integers.
 */
import {
  binaryEqual,
  BsonType,
  fieldsOf,
  int32Value,
  int64Value,
  isEmpty,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { describeField, describeId, lastName } from '../messages.ts';
import { defineModifier } from '../modifier.ts';

type BitOperation = (a: bigint, b: bigint) => bigint;

const OPERATIONS: ReadonlyMap<string, BitOperation> = new Map<string, BitOperation>([
  ['and', (a, b) => a & b],
  ['or', (a, b) => a | b],
  ['xor', (a, b) => a ^ b],
]);

interface BitStep {
  readonly operation: BitOperation;
  readonly operand: RawValue;
}

export const $bit = defineModifier({
  name: '$bit',
  parse: ({ operand }) => {
    const steps = parseSteps(operand);
    return {
      update: (value, { path, application: { document } }) => {
        if (!isInteger(value)) throw notIntegral(value, path, document);
        const result = applySteps(steps, value);
        return binaryEqual(value, result) ? value : result;
      },
      create: () => applySteps(steps, int32Value(0)),
      needsPath: true,
    };
  },
});

function parseSteps(argument: RawValue): BitStep[] {
  if (argument.type !== BsonType.object) {
    throw new CommandError(
      'BadValue',
      `The $bit modifier is not compatible with a ${argument.typeName}. You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}`,
    );
  }
  uassert(
    !isEmpty(argument.asDocument()),
    'BadValue',
    'You must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}',
  );
  return Array.from(fieldsOf(argument.asDocument()), ([name, operand]) => {
    const operation = OPERATIONS.get(name);
    if (operation === undefined) {
      throw new CommandError(
        'BadValue',
        `The $bit modifier only supports 'and', 'or', and 'xor', not '${name}' which is an unknown operator: {${describeField(name, operand)}}`,
      );
    }
    if (!isInteger(operand)) {
      throw new CommandError(
        'BadValue',
        `The $bit modifier field must be an Integer(32/64 bit); a '${operand.typeName}' is not supported here: {${describeField(name, operand)}}`,
      );
    }
    return { operation, operand };
  });
}

function isInteger(value: RawValue): boolean {
  return value.type === BsonType.int32 || value.type === BsonType.int64;
}

/** An int64 on either side makes the result an int64. */
function applySteps(steps: readonly BitStep[], start: RawValue): RawValue {
  let value = start;
  for (const { operation, operand } of steps) {
    const bits = operation(value.asInt64(), operand.asInt64());
    const isWide = value.type === BsonType.int64 || operand.type === BsonType.int64;
    value = isWide ? int64Value(bits) : int32Value(Number(bits));
  }
  return value;
}

function notIntegral(value: RawValue, path: string, document: Buffer): CommandError {
  return new CommandError(
    'BadValue',
    `Cannot apply $bit to a value of non-integral type.${describeId(document)} has the field ${lastName(path)} of non-integer type ${value.typeName}`,
  );
}
