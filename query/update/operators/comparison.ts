/**
 * $min and $max: the operand replaces a larger (smaller) value, in the order of all BSON types.
 */
import { compareValues } from '../../../bson/index.ts';
import { defineModifier, type ModifierDefinition } from '../modifier.ts';

const OPERATORS = [
  { name: '$min', wins: (order: number) => order < 0 },
  { name: '$max', wins: (order: number) => order > 0 },
];

export const comparisonModifiers: readonly ModifierDefinition[] = OPERATORS.map(({ name, wins }) =>
  defineModifier({
    name,
    parse: ({ operand, context }) => ({
      update: (value) => (wins(compareValues(operand, value, context.collator)) ? operand : value),
      create: () => operand,
      needsPath: true,
    }),
  }),
);
