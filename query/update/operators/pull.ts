/**
 * $pull and $pullAll: remove the elements that satisfy a condition, or equal one of a list.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  canonicalKey,
  FieldCursor,
  valuesEqual,
  fieldsOf,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { compileElementCondition } from '../../matcher/compile.ts';
import { defineModifier, type Modifier } from '../modifier.ts';

export const $pull = defineModifier({
  name: '$pull',
  parse: ({ operand, context }) => cullingModifier(conditionOf(operand, context)),
});

/** A document is a condition on elements (or on their fields), a regex is searched for, all else is compared. */
function conditionOf(operand: RawValue, context: QueryContext): (element: RawValue) => boolean {
  if (operand.type === BsonType.object || operand.type === BsonType.regex) {
    const test = compileElementCondition(operand, context);
    return (element) => test(element.type, element.bytes, element.start, element.end);
  }
  return (element) => valuesEqual(element, operand, context.collator);
}

export const $pullAll = defineModifier({
  name: '$pullAll',
  parse: ({ operand, context: { collator } }) => {
    if (operand.type !== BsonType.array) {
      throw new CommandError(
        'BadValue',
        `$pullAll requires an array argument but was given a ${operand.typeName}`,
      );
    }
    const unwanted = new Set(
      Array.from(fieldsOf(operand.asDocument()), ([, value]) => canonicalKey(value, collator)),
    );
    return cullingModifier((element) => unwanted.has(canonicalKey(element, collator)));
  },
});

function cullingModifier(isUnwanted: (element: RawValue) => boolean): Modifier {
  return {
    update: (value) => {
      if (value.type !== BsonType.array) {
        throw new CommandError('BadValue', 'Cannot apply $pull to a non-array value');
      }
      return withoutElements(value, isUnwanted);
    },
    create: () => undefined,
    needsPath: true,
  };
}

function withoutElements(array: RawValue, isUnwanted: (element: RawValue) => boolean): RawValue {
  const cursor = new FieldCursor(array.bytes, array.start);
  const kept = new ArrayBuilder(array.end - array.start);
  let removed = 0;
  while (cursor.next()) {
    const element = cursor.value();
    if (isUnwanted(element)) removed += 1;
    else kept.push(element);
  }
  return removed === 0 ? array : arrayValue(kept.finish());
}
