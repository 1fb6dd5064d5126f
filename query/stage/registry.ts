/**
 * All pipeline stages by name.
 *
 * Owns: the one list of definitions. Refuses two definitions of a name.
 */
import { tassert } from '../../common/assert.ts';
import type { StageDefinition } from './definition.ts';
import { $addFields, $set } from './operators/add-fields.ts';
import { $count, $sortByCount } from './operators/count.ts';
import { $group } from './operators/group.ts';
import { $limit, $skip } from './operators/limit-skip.ts';
import { $match } from './operators/match.ts';
import { $project, $unset } from './operators/project.ts';
import { $replaceRoot, $replaceWith } from './operators/replace-root.ts';
import { $sort } from './operators/sort.ts';
import { $unwind } from './operators/unwind.ts';

const DEFINITIONS: readonly StageDefinition[] = [
  $addFields,
  $count,
  $group,
  $limit,
  $match,
  $project,
  $replaceRoot,
  $replaceWith,
  $set,
  $skip,
  $sort,
  $sortByCount,
  $unset,
  $unwind,
];

const BY_NAME = new Map<string, StageDefinition>();
for (const definition of DEFINITIONS) {
  tassert(!BY_NAME.has(definition.name), 'stage registry: a name is defined twice');
  BY_NAME.set(definition.name, definition);
}

export function findStage(name: string): StageDefinition | undefined {
  return BY_NAME.get(name);
}

/** Names of all stages, for documentation and tests. */
export function stageNames(): readonly string[] {
  return [...BY_NAME.keys()].sort();
}
