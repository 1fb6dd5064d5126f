/**
 * $inc and $mul.
 *
 * Promises: the result's type is the wider of the two; an int32 that overflows becomes an int64; an int64 that overflows
 * is an error and changes nothing.
 */
import { binaryEqual, BsonType, int32Value, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { addNumbers, multiplyNumbers } from '../../arithmetic.ts';
import { describeDocument, describeField, lastName } from '../messages.ts';
import { defineModifier, type ModifierDefinition } from '../modifier.ts';

interface ArithmeticOperator {
  readonly name: string;
  readonly verb: string;
  readonly combine: (value: RawValue, operand: RawValue) => RawValue | undefined;
  readonly ofMissing: (operand: RawValue) => RawValue;
}

const OPERATORS: readonly ArithmeticOperator[] = [
  { name: '$inc', verb: 'increment', combine: addNumbers, ofMissing: (operand) => operand },
  { name: '$mul', verb: 'multiply', combine: multiplyNumbers, ofMissing: zeroLike },
];

export const arithmeticModifiers: readonly ModifierDefinition[] = OPERATORS.map(
  ({ name, verb, combine, ofMissing }) =>
    defineModifier({
      name,
      parse: ({ path, operand }) => {
        if (!operand.isNumber) {
          throw new CommandError(
            'TypeMismatch',
            `Cannot ${verb} with non-numeric argument: {${describeField(path, operand)}}`,
          );
        }
        return {
          update: (value, { path: place, application: { document } }) => {
            if (!value.isNumber) throw notNumeric(name, value, place, document);
            const result = combine(value, operand);
            if (result === undefined) throw overflow(name, value, document);
            return isSameNumber(value, result) ? value : result;
          },
          create: () => ofMissing(operand),
          needsPath: true,
        };
      },
    }),
);

/** Zero times a number: zero of its type. It never overflows. */
/** -0 and 0 are the same double: what is equal to the old value is not written. */
function isSameNumber(value: RawValue, result: RawValue): boolean {
  if (value.type !== BsonType.double || result.type !== BsonType.double) {
    return binaryEqual(value, result);
  }
  return value.asNumber() === result.asNumber();
}

function zeroLike(operand: RawValue): RawValue {
  return multiplyNumbers(int32Value(0), operand) ?? operand;
}

function notNumeric(name: string, value: RawValue, path: string, document: Buffer): CommandError {
  return new CommandError(
    'TypeMismatch',
    `Cannot apply ${name} to a value of non-numeric type. ${describeDocument(document)} has the field '${lastName(path)}' of non-numeric type ${value.typeName}`,
  );
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  int: 'NumberInt',
  long: 'NumberLong',
  double: 'NumberDouble',
  decimal: 'NumberDecimal',
};

function overflow(name: string, value: RawValue, document: Buffer): CommandError {
  const shown = `(${TYPE_WORDS[value.typeName] ?? value.typeName})${value.asInt64()}`;
  return new CommandError(
    'BadValue',
    `Failed to apply ${name} operations to current value (${shown}) for document ${describeDocument(document)}`,
  );
}
