/**
 * All aggregation operators by name.
 *
 * Owns: the one list of definitions. Refuses two definitions of a name.
 */
import { tassert } from '../../common/assert.ts';
import type { ExpressionDefinition } from './definition.ts';
import { ARITHMETIC } from './operators/arithmetic.ts';
import { BOOLEAN } from './operators/boolean.ts';
import { COMPARISON } from './operators/comparison.ts';
import { CONDITIONAL } from './operators/conditional.ts';

const FAMILIES: readonly (readonly ExpressionDefinition[])[] = [
  ARITHMETIC,
  BOOLEAN,
  COMPARISON,
  CONDITIONAL,
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
