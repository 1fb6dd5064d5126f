/**
 * Which metadata a projection, a sort or a stage asks for by {$meta: name}, and whether the query has it.
 */
import { BsonType, fieldsOf } from '../bson/index.ts';
import { CommandError } from '../common/errors.ts';
import type { SpecialConditions } from './matcher/special-conditions.ts';
import type { MetadataName } from './projection/projection.ts';

/** As MongoDB calls what only some queries have. */
const CONDITIONAL: ReadonlyMap<string, { readonly name: MetadataName; readonly text: string }> =
  new Map([
    ['textScore', { name: 'textScore', text: 'text score' }],
    ['geoNearDistance', { name: 'geoNearDistance', text: '$geoNear distance' }],
    ['geoNearPoint', { name: 'geoNearPoint', text: '$geoNear point' }],
    ['searchScore', { name: 'searchScore', text: '$search score' }],
  ]);

/** Adds the names in a document, however deep, to `names`. Sub-pipelines have documents of their own. */
export function collectMetadata(document: Buffer, names: Set<string>): void {
  for (const [field, value] of fieldsOf(document)) {
    if (field === '$literal' || field === '$const' || field === 'pipeline') continue;
    if (field === '$meta' && value.type === BsonType.string) names.add(value.asString());
    else if (value.type === BsonType.object || value.type === BsonType.array) {
      collectMetadata(value.asDocument(), names);
    }
  }
}

/**
 * @returns whether documents must come out with what only their search knows.
 * @throws CommandError 40218 for metadata that the query does not have.
 */
export function checkMetadata(names: ReadonlySet<string>, special: SpecialConditions): boolean {
  let isWanted = false;
  for (const wanted of names) {
    const conditional = CONDITIONAL.get(wanted);
    if (conditional === undefined) continue;
    const isThere =
      conditional.name === 'textScore'
        ? special.text !== undefined
        : conditional.name !== 'searchScore' && special.near !== undefined;
    if (!isThere) {
      throw new CommandError(
        40218,
        `query requires ${conditional.text} metadata, but it is not available`,
      );
    }
    isWanted = true;
  }
  return isWanted;
}

const OF_ROWS: ReadonlySet<string> = new Set<MetadataName>(['recordId', 'indexKey', 'sortKey']);

/** Whether it is known of the row in which a plan finds or sorts a document. */
export function isOfRows(name: string): boolean {
  return OF_ROWS.has(name);
}
