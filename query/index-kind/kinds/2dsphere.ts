/**
 * 2dsphere indexes: geometries on the Earth by cells of the sphere, other fields in their order. Documents without a geometry have
 * no entry. Source: MongoDB's manual, "2dsphere Indexes"; versions: 1 to 3 differ in what they take; all are kept as 3 here.
 */
import { BsonType, fieldsOf, inspect, int32Value } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { geoScanShape, servesArea } from '../../geo-index/area-fields.ts';
import { geoValuesOf, SPHERE_KIND, sphereKeyGenerator } from '../../geo-index/sphere-keys.ts';
import type { IndexDescription } from '../../../storage/index.ts';
import type { IndexKind, IndexRequest } from '../index-kind.ts';
import { topLevelFields } from '../top-level-fields.ts';

const VERSION = 3;
/** A thousand vertices, whose covering takes some 10 ms. */
const LARGE_GEOMETRY_BYTES = 32 * 1024;

function holdsLargeGeometry({ fields }: IndexDescription, document: Buffer): boolean {
  return fields.some(
    ({ kind, path }) =>
      kind === SPHERE_KIND &&
      geoValuesOf(document, path).values.some(
        ({ start, end }) => end - start >= LARGE_GEOMETRY_BYTES,
      ),
  );
}

export const sphere: IndexKind = {
  name: SPHERE_KIND,

  complete(request: IndexRequest) {
    const { keyPattern } = request;
    const options = new Map(request.options);
    const wanted = options.get('2dsphereIndexVersion');
    uassert(
      wanted === undefined || wanted.asNumber() === VERSION,
      'CannotCreateIndex',
      `unsupported geo index version { 2dsphereIndexVersion : ${wanted === undefined ? '' : inspect(wanted)} }, only support versions: [3]`,
    );
    for (const option of ['coarsestIndexedLevel', 'finestIndexedLevel']) {
      uassert(
        !options.has(option),
        'NotImplemented',
        `The index option '${option}' is not supported by this version of FlintDB`,
      );
    }
    for (const [path, value] of fieldsOf(keyPattern)) {
      uassert(
        value.type === BsonType.string || value.isNumber,
        'CannotCreateIndex',
        `Cannot use non-number value for field '${path}' of a 2dsphere index`,
      );
    }
    options.set('2dsphereIndexVersion', int32Value(VERSION));
    return { keyPattern, options };
  },

  keyGenerator: (index, collator) => sphereKeyGenerator(index, collator),
  takesLong: (index, document) =>
    document.length >= LARGE_GEOMETRY_BYTES && holdsLargeGeometry(index, document),
  fieldsOfKeys: ({ fields }) => topLevelFields(fields.map(({ path }) => path)),

  scanShapes: (index, question) => {
    // Without a condition on a geometry the index would miss documents that have none.
    if (!servesArea(index, question, SPHERE_KIND, ({ sphere: shape }) => shape !== undefined)) {
      return [];
    }
    return [geoScanShape(index, question.collator)];
  },
};
