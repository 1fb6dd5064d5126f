/**
 * The table of update operators that stand at one path. $rename concerns two paths and is built by compile.ts.
 */
import { invariant } from '../../common/assert.ts';
import type { ModifierDefinition } from './modifier.ts';
import { $addToSet } from './operators/addToSet.ts';
import { arithmeticModifiers } from './operators/arithmetic.ts';
import { $bit } from './operators/bit.ts';
import { comparisonModifiers } from './operators/comparison.ts';
import { $currentDate } from './operators/currentDate.ts';
import { $pop } from './operators/pop.ts';
import { $pull, $pullAll } from './operators/pull.ts';
import { $push } from './operators/push.ts';
import { $set, $setOnInsert, $unset } from './operators/set.ts';

const DEFINITIONS: readonly ModifierDefinition[] = [
  $addToSet,
  ...arithmeticModifiers,
  $bit,
  ...comparisonModifiers,
  $currentDate,
  $pop,
  $pull,
  $pullAll,
  $push,
  $set,
  $setOnInsert,
  $unset,
];

export const MODIFIERS: ReadonlyMap<string, ModifierDefinition> = new Map(
  DEFINITIONS.map((definition) => [definition.name, definition]),
);

invariant(MODIFIERS.size === DEFINITIONS.length, 'update operators: a name is defined twice');
