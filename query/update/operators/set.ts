/**
 * $set, $setOnInsert and $unset.
 */
import { binaryEqual, BsonType, NULL } from '../../../bson/index.ts';
import { defineModifier } from '../modifier.ts';

export const $set = defineModifier({
  name: '$set',
  parse: ({ operand }) => ({
    update: (value) => (binaryEqual(value, operand) ? value : operand),
    create: () => operand,
    needsPath: true,
  }),
});

export const $setOnInsert = defineModifier({
  name: '$setOnInsert',
  parse: ({ operand }) => ({
    update: (value) => (binaryEqual(value, operand) ? value : operand),
    create: () => operand,
    needsPath: true,
    onInsertOnly: true,
  }),
});

/** An element of an array cannot be removed without moving the others: it becomes null. */
export const $unset = defineModifier({
  name: '$unset',
  parse: () => ({
    update: (value, { inArray }) => {
      if (!inArray) return 'removed';
      return value.type === BsonType.null ? value : NULL;
    },
    create: () => undefined,
    needsPath: false,
  }),
});
