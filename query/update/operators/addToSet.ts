/**
 * $addToSet: appends values that the array does not hold yet.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  canonicalKey,
  EMPTY_DOCUMENT,
  fieldsOf,
  firstFieldName,
  inspect,
  type Collator,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
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

function addTo(array: RawValue, values: readonly RawValue[], collator?: Collator): RawValue {
  const elements = Array.from(fieldsOf(array.asDocument()), ([, element]) => element);
  const present = new Set(elements.map((element) => canonicalKey(element, collator)));
  const added = values.filter((value) => !present.has(canonicalKey(value, collator)));
  if (added.length === 0 && elements.length > 0) return array;
  const result = new ArrayBuilder(array.end - array.start + 64);
  for (const element of [...elements, ...added]) result.push(element);
  return arrayValue(result.finish());
}
