/**
 * What a plan reads may be gone when it goes on after a yield, or with the next batch of its cursor.
 *
 * Promises: nobody reads on in a collection that was dropped or renamed, or in an index that was dropped: such a tree is not
 * kept up any more. Source: MongoDB 8.0's messages of QueryPlanKilled.
 */
import { includesMultikeyPaths } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { CollectionDescription, IndexDescription, ReadView } from '../../storage/index.ts';

/** @throws CommandError QueryPlanKilled */
export function checkCollectionIsThere(view: ReadView, collection: CollectionDescription): void {
  const now = view.collectionByUuid(collection.uuid);
  const uuid = formatUuid(collection.uuid);
  if (now === undefined) {
    throw new CommandError('QueryPlanKilled', `collection dropped. UUID ${uuid}`);
  }
  if (now.namespace !== collection.namespace) {
    throw new CommandError(
      'QueryPlanKilled',
      `collection renamed from '${collection.namespace}' to '${now.namespace}'. UUID ${uuid}`,
    );
  }
}

/** @returns the index as the view has it. @throws CommandError QueryPlanKilled */
export function indexAsItIs(
  view: ReadView,
  collection: CollectionDescription,
  index: IndexDescription,
): IndexDescription {
  const indexes = view.collectionByUuid(collection.uuid)?.indexes ?? [];
  const now = indexes.find(({ ident }) => ident === index.ident);
  if (now !== undefined) return now;
  throw new CommandError('QueryPlanKilled', `query plan killed :: index '${index.name}' dropped`);
}

/**
 * Whether arrays are where there were none when a scan was planned: its keys may be less than whole values then.
 * Of a wildcard index, whose entries tell of paths with arrays, nobody looks again: it may.
 */
export function holdsMoreArrays(now: IndexDescription, planned: IndexDescription): boolean {
  if (!now.multikey) return false;
  if (!planned.multikey || now.fields.length !== planned.fields.length) return true;
  return !includesMultikeyPaths(planned.multikeyPaths, now.multikeyPaths);
}

/** As UUIDs are printed: 8-4-4-4-12 digits. */
function formatUuid(uuid: string): string {
  return uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
