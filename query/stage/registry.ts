/**
 * All pipeline stages by name.
 *
 * Owns: the one list of definitions. Refuses two definitions of a name.
 */
import { tassert } from '../../common/assert.ts';
import type { StageDefinition } from './definition.ts';
import { $addFields, $set } from './operators/add-fields.ts';
import { $bucketAuto } from './operators/bucket-auto.ts';
import { $bucket } from './operators/bucket.ts';
import { $count, $sortByCount } from './operators/count.ts';
import { $densify } from './operators/densify.ts';
import { $documents } from './operators/documents.ts';
import { $facet } from './operators/facet.ts';
import { $fill } from './operators/fill.ts';
import { $geoNear } from './operators/geo-near.ts';
import { $graphLookup } from './operators/graph-lookup.ts';
import { $group } from './operators/group.ts';
import { $_internalUnpackBucket } from './operators/internal-unpack-bucket.ts';
import { $limit, $skip } from './operators/limit-skip.ts';
import { $lookup } from './operators/lookup.ts';
import { $match } from './operators/match.ts';
import { $merge } from './operators/merge.ts';
import { $out } from './operators/out.ts';
import { $project, $unset } from './operators/project.ts';
import { $redact } from './operators/redact.ts';
import { $replaceRoot, $replaceWith } from './operators/replace-root.ts';
import { $sample } from './operators/sample.ts';
import { SERVER_SOURCES } from './operators/server-sources.ts';
import { $setWindowFields } from './operators/set-window-fields.ts';
import { $sort } from './operators/sort.ts';
import { $unionWith } from './operators/union-with.ts';
import { $unwind } from './operators/unwind.ts';

const DEFINITIONS: readonly StageDefinition[] = [
  ...SERVER_SOURCES,
  $_internalUnpackBucket,
  $addFields,
  $bucket,
  $bucketAuto,
  $count,
  $densify,
  $documents,
  $facet,
  $fill,
  $geoNear,
  $graphLookup,
  $group,
  $limit,
  $lookup,
  $match,
  $merge,
  $out,
  $project,
  $redact,
  $replaceRoot,
  $replaceWith,
  $sample,
  $set,
  $setWindowFields,
  $skip,
  $sort,
  $sortByCount,
  $unionWith,
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
