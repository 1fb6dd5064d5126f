/**
 * The find that a $geoNear stage stands for.
 */
import { ArrayBuilder, DocumentBuilder, isEmpty } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { PLANE_KIND } from '../geo-index/plane-keys.ts';
import { SPHERE_KIND } from '../geo-index/sphere-keys.ts';
import type { GeoNearSearch } from '../stage/definition.ts';
import type { CollectionDescription } from '../../storage/index.ts';
import { isHidden } from './index-usability.ts';

/** @throws CommandError NamespaceNotFound; IndexNotFound when it is not clear which index is meant. */
export function geoNearFilter(
  { key, query, condition }: GeoNearSearch,
  collection: CollectionDescription | undefined,
  namespace: string,
): Buffer {
  if (collection === undefined) {
    throw new CommandError('NamespaceNotFound', `${namespace} does not exist`);
  }
  const path = key ?? onlyGeoPath(collection);
  const near = new DocumentBuilder().appendDocument(path, condition).finish();
  if (isEmpty(query)) return near;
  const both = new ArrayBuilder().pushDocument(query).pushDocument(near).finish();
  return new DocumentBuilder().appendArray('$and', both).finish();
}

/** The path of the only 2d index; without one, that of the only 2dsphere index. */
function onlyGeoPath(collection: CollectionDescription): string {
  for (const wanted of [PLANE_KIND, SPHERE_KIND]) {
    const paths = collection.indexes
      .filter((index) => index.ready && !isHidden(index))
      .map(({ fields }) => fields.find(({ kind }) => kind === wanted)?.path)
      .filter((path) => path !== undefined);
    if (paths.length > 1) {
      throw new CommandError(
        'IndexNotFound',
        `There is more than one ${wanted} index on ${collection.namespace}; unsure which to use for $geoNear`,
      );
    }
    if (paths[0] !== undefined) return paths[0];
  }
  throw new CommandError(
    'IndexNotFound',
    '$geoNear requires a 2d or 2dsphere index, but none were found',
  );
}
