/**
 * $addToSet: appends values that the array does not hold yet.
 */
import {
  arrayValue,
  BsonType,
  canonicalKey,
  EMPTY_DOCUMENT,
  FieldCursor,
  fieldsOf,
  firstFieldName,
  inspect,
  type Collator,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { equalityTest } from '../../matcher/operators/equality.ts';
import type { ValueTest } from '../../matcher/tree.ts';
import { elementsOf, withAppended } from '../array-elements.ts';
import { lastName } from '../messages.ts';
import { defineModifier } from '../modifier.ts';

export const $addToSet = defineModifier({
  name: '$addToSet',
  parse: ({ operand, context: { collator } }) => {
    const values = withoutDuplicates(parseValues(operand), collator);
    return {
      update: (value, { path }) => {
        if (value.type !== BsonType.array) {
          throw new CommandError(
            'BadValue',
            `Cannot apply $addToSet to non-array field. Field named '${lastName(path)}' has non-array type ${value.typeName}`,
          );
        }
        return addTo(value, values, collator);
      },
      create: () => addTo(arrayValue(EMPTY_DOCUMENT), values, collator),
      needsPath: true,
    };
  },
});

function parseValues(operand: RawValue): RawValue[] {
  const isEach =
    operand.type === BsonType.object && firstFieldName(operand.asDocument()) === '$each';
  if (!isEach) return [operand];
  const [each, unexpected] = Array.from(fieldsOf(operand.asDocument()), ([, value]) => value);
  uassert(
    unexpected === undefined,
    'BadValue',
    `Found unexpected fields after $each in $addToSet: ${inspect(operand)}`,
  );
  uassert(
    each.type === BsonType.array,
    'TypeMismatch',
    `The argument to $each in $addToSet must be an array but it was of type ${each.typeName}`,
  );
  return Array.from(fieldsOf(each.asDocument()), ([, value]) => value);
}

function withoutDuplicates(values: readonly RawValue[], collator?: Collator): RawValue[] {
  const seen = new Set<string>();
  return values.filter((value) => {
    const key = canonicalKey(value, collator);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Up to this many values are compared with each element; more are looked up. */
const FEW_VALUES = 4;

function addTo(array: RawValue, values: readonly RawValue[], collator?: Collator): RawValue {
  const { count, missing } =
    values.length <= FEW_VALUES
      ? missingByComparison(array, values, collator)
      : missingByKey(array, values, collator);
  return withAppended(array, count, missing);
}

interface Missing {
  /** Elements that the array has. */
  readonly count: number;
  readonly missing: readonly RawValue[];
}

function missingByComparison(
  array: RawValue,
  values: readonly RawValue[],
  collator?: Collator,
): Missing {
  let missing = values.map((value) => ({ value, isEqual: equalTo(value, collator) }));
  const cursor = new FieldCursor(array.bytes, array.start);
  let count = 0;
  for (; cursor.next(); count += 1) {
    const { type, bytes, valueStart, valueEnd } = cursor;
    const isThere = missing.some(({ isEqual }) => isEqual(type, bytes, valueStart, valueEnd));
    if (!isThere) continue;
    missing = missing.filter(({ isEqual }) => !isEqual(type, bytes, valueStart, valueEnd));
  }
  return { count, missing: missing.map(({ value }) => value) };
}

/** The matcher's test compares bytes; it refuses only undefined. */
function equalTo(value: RawValue, collator?: Collator): ValueTest {
  return value.type === BsonType.undefined
    ? (type) => type === BsonType.undefined
    : equalityTest(value, collator);
}

function missingByKey(array: RawValue, values: readonly RawValue[], collator?: Collator): Missing {
  const elements = elementsOf(array);
  const present = new Set(elements.map((element) => canonicalKey(element, collator)));
  const missing = values.filter((value) => !present.has(canonicalKey(value, collator)));
  return { count: elements.length, missing };
}
