/**
 * $push with $each, $position, $sort and $slice.
 *
 * Promises: insertion, then sorting (stable), then slicing, whatever the order in which they are written.
 */
import {
  arrayValue,
  binaryEqual,
  BsonType,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  type Collator,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { elementOrderFrom, type ElementOrder } from '../../element-order.ts';
import { exactInteger } from '../../matcher/operand.ts';
import { arrayOf, elementCount, elementsOf, withAppended } from '../array-elements.ts';
import { describeDocument } from '../messages.ts';
import { defineModifier, type Place } from '../modifier.ts';

interface Push {
  readonly values: readonly RawValue[];
  readonly position: number;
  readonly slice: number | undefined;
  readonly order: ElementOrder | undefined;
}

export const $push = defineModifier({
  name: '$push',
  parse: ({ operand, context }) => {
    const push = parsePush(operand, context.collator);
    const apply = (array: RawValue): RawValue => {
      const result = pushInto(array, push);
      return binaryEqual(array, result) ? array : result;
    };
    return {
      update: (value, place) => {
        if (value.type !== BsonType.array) throw notAnArray(value, place);
        return apply(value);
      },
      create: () => apply(arrayValue(EMPTY_DOCUMENT)),
      needsPath: true,
    };
  },
});

function notAnArray(value: RawValue, { path, application }: Place): CommandError {
  return new CommandError(
    'BadValue',
    `The field '${path}' must be an array but is of type ${value.typeName} in document ${describeDocument(application.document)}`,
  );
}

function pushInto(array: RawValue, { values, position, slice, order }: Push): RawValue {
  if (order === undefined && slice === undefined && position === AT_THE_END) {
    return withAppended(array, elementCount(array), values);
  }
  const before = elementsOf(array);
  // slice counts from the end for negative positions, and stops at both ends, as $position does.
  const elements = [...before.slice(0, position), ...values, ...before.slice(position)];
  if (order !== undefined) elements.sort(order);
  const kept = slice === undefined ? elements : sliced(elements, slice);
  return arrayOf(kept, array.end - array.start + 64);
}

/** The first `slice` elements, or the last -`slice`. */
function sliced<T>(elements: readonly T[], slice: number): readonly T[] {
  return slice >= 0 ? elements.slice(0, slice) : elements.slice(slice);
}

/** Where values go without $position. */
const AT_THE_END = Number.MAX_SAFE_INTEGER;

const CLAUSES = ['$each', '$slice', '$sort', '$position'];

function parsePush(operand: RawValue, collator: Collator | undefined): Push {
  const each =
    operand.type === BsonType.object ? getField(operand.asDocument(), '$each') : undefined;
  if (each === undefined) {
    return {
      values: [operand],
      position: AT_THE_END,
      slice: undefined,
      order: undefined,
    };
  }
  const clauses = readClauses(operand.asDocument());
  if (each.type !== BsonType.array) {
    throw new CommandError(
      'BadValue',
      `The argument to $each in $push must be an array but it was of type: ${each.typeName}`,
    );
  }
  const sort = clauses.get('$sort');
  return {
    values: Array.from(fieldsOf(each.asDocument()), ([, value]) => value),
    position:
      clauseInteger(
        clauses.get('$position'),
        'The value for $position must be an integer value, not of type: ',
      ) ?? AT_THE_END,
    slice: clauseInteger(
      clauses.get('$slice'),
      'The value for $slice must be an integer value but was given type: ',
    ),
    order: sort === undefined ? undefined : elementOrderFrom(sort, collator),
  };
}

function readClauses(document: Buffer): Map<string, RawValue> {
  const clauses = new Map<string, RawValue>();
  for (const [name, value] of fieldsOf(document)) {
    uassert(CLAUSES.includes(name), 'BadValue', `Unrecognized clause in $push: ${name}`);
    uassert(!clauses.has(name), 'BadValue', `Only one ${name} is supported.`);
    clauses.set(name, value);
  }
  return clauses;
}

function clauseInteger(value: RawValue | undefined, message: string): number | undefined {
  if (value === undefined) return undefined;
  const whole = exactInteger(value);
  if (whole === undefined) throw new CommandError('BadValue', `${message}${value.typeName}`);
  return Number(whole);
}
