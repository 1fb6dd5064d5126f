/**
 * All aggregation operators by name.
 *
 * Owns: the one list of definitions. Refuses two definitions of a name.
 */
import { tassert } from '../../common/assert.ts';
import type { ExpressionDefinition } from './definition.ts';
import { ARITHMETIC } from './operators/arithmetic.ts';
import { ARRAY_ACCESS } from './operators/array-access.ts';
import { ARRAY_MAKING } from './operators/array-making.ts';
import { BITWISE } from './operators/bitwise.ts';
import { BOOLEAN } from './operators/boolean.ts';
import { COMPARISON } from './operators/comparison.ts';
import { CONDITIONAL } from './operators/conditional.ts';
import { CONVERSION } from './operators/convert.ts';
import { DATE_ARITHMETIC } from './operators/date-arithmetic.ts';
import { DATE_CONVERSION } from './operators/date-conversion.ts';
import { DATE_PARTS } from './operators/date-parts.ts';
import { OBJECTS } from './operators/objects.ts';
import { OVER_LISTS } from './operators/over-lists.ts';
import { REGEX } from './operators/regex.ts';
import { SCRIPTS } from './operators/scripts.ts';
import { SETS } from './operators/sets.ts';
import { STRINGS } from './operators/strings.ts';
import { TRIGONOMETRY } from './operators/trigonometry.ts';
import { VARIABLES } from './operators/variables.ts';

const FAMILIES: readonly (readonly ExpressionDefinition[])[] = [
  ARITHMETIC,
  ARRAY_ACCESS,
  ARRAY_MAKING,
  BITWISE,
  BOOLEAN,
  COMPARISON,
  CONDITIONAL,
  CONVERSION,
  DATE_ARITHMETIC,
  DATE_CONVERSION,
  DATE_PARTS,
  OBJECTS,
  OVER_LISTS,
  REGEX,
  SCRIPTS,
  SETS,
  STRINGS,
  TRIGONOMETRY,
  VARIABLES,
];

const BY_NAME = new Map<string, ExpressionDefinition>();
for (const definition of FAMILIES.flat()) {
  tassert(!BY_NAME.has(definition.name), 'expression registry: a name is defined twice');
  BY_NAME.set(definition.name, definition);
}

export function findExpression(name: string): ExpressionDefinition | undefined {
  return BY_NAME.get(name);
}

/** Names of all operators, for documentation and tests. */
export function expressionNames(): readonly string[] {
  return [...BY_NAME.keys()].sort();
}
