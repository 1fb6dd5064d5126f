/**
 * Whatever a client writes as a geometry, a near search, a text search or their indexes: it gets an answer or an error with a code.
 */
import fc from 'fast-check';
import { CommandError } from '../../../common/errors.ts';
import { parseIndexSpecification } from '../../../server/catalog/index-specification.ts';
import { bytes, type Plain, TestStore } from '../executor/store.ts';

const number = fc.oneof(
  fc.integer({ min: -200, max: 200 }),
  fc.double(),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, 1e308, 180, 90, -180, -90),
);
const leaf: fc.Arbitrary<unknown> = fc.oneof(
  number,
  fc.string(),
  fc.constantFrom<unknown>(null, true, 'Point', 'text', '2dsphere', 'english', '$$ROOT', /x/),
);
const pair = fc.tuple(number, number);
const ring = fc.array(pair, { maxLength: 6 }).map((pairs) => [...pairs, ...pairs.slice(0, 1)]);
const geometry = fc.oneof(
  fc.record(
    {
      type: fc.constantFrom('Point', 'LineString', 'Polygon', 'MultiPolygon', 'Foo'),
      coordinates: fc.oneof(pair, ring, fc.array(ring, { maxLength: 3 }), leaf),
    },
    { requiredKeys: ['type'] },
  ),
  pair,
  fc.array(leaf, { maxLength: 4 }),
  leaf,
);
const near = (operator: '$near' | '$nearSphere'): fc.Arbitrary<Plain> =>
  fc
    .tuple(
      fc.oneof(geometry, fc.record({ $geometry: geometry, $minDistance: number })),
      fc.record({ $maxDistance: number }, { requiredKeys: [] }),
    )
    .map(([center, limits]) => ({ [operator]: center, ...limits }));
const within = fc.record({
  $geoWithin: fc.oneof(
    fc.record({ $geometry: geometry }),
    fc.record({ $box: fc.tuple(pair, pair) }),
    fc.record({ $polygon: fc.array(pair, { maxLength: 5 }) }),
    fc.record({ $centerSphere: fc.tuple(pair, number) }),
    leaf,
  ),
});
const path = fc.constantFrom('g', 'f');
const filter: fc.Arbitrary<Plain> = fc.oneof(
  fc
    .tuple(path, fc.oneof(near('$near'), near('$nearSphere'), within))
    .map(([name, condition]) => ({ [name]: condition })),
  fc
    .record(
      {
        $search: fc.oneof(fc.string(), fc.constantFrom('tea -x', '"a b" c', '"')),
        $language: leaf,
      },
      { requiredKeys: ['$search'] },
    )
    .map(($text) => ({ $text })),
);
const specification = fc.record(
  {
    key: fc.dictionary(
      fc.constantFrom('a', 'b', '_fts', '_ftsx', '$**', 'a..b'),
      fc.constantFrom<unknown>(1, -1, 'text', '2d', '2dsphere', 0.5),
      { minKeys: 1, maxKeys: 4 },
    ),
    name: fc.constant('n'),
    weights: fc.dictionary(fc.constantFrom('a', '$**', 'x..y'), leaf),
    default_language: leaf,
    bits: number,
    min: number,
    max: number,
  },
  { requiredKeys: ['key', 'name'] },
);

async function answers(run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
  }
}

describe('text and geospatial input of any shape', function () {
  this.timeout(20_000);

  it('gets an answer or an error with a code', async () => {
    const store = await TestStore.open(
      [],
      [
        { v: 2, key: { g: '2dsphere', n: 1 }, name: 'g' },
        { v: 2, key: { f: '2d' }, name: 'f' },
        {
          v: 2,
          key: { _fts: 'text', _ftsx: 1 },
          name: 't',
          weights: { '$**': 1 },
          default_language: 'english',
          language_override: 'language',
        },
      ],
    );
    let _id = 0;
    const insert = async (document: Plain): Promise<void> => {
      _id += 1;
      const write = store.engine.begin();
      try {
        write.insert(write.collection(store.namespace)!, bytes({ _id, ...document }));
        write.commit();
      } finally {
        write.close();
      }
    };
    await fc.assert(
      fc.asyncProperty(geometry, leaf, async (shape, s) => {
        await answers(() => insert({ g: shape, s }));
        await answers(() => insert({ f: shape }));
      }),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(filter, (query) => answers(() => store.find({ filter: query, limit: 20 }))),
      { numRuns: 500 },
    );
    const stage = fc.dictionary(
      fc.constantFrom('near', 'key', 'maxDistance', 'query', 'includeLocs', 'distanceField', 'x'),
      fc.oneof(leaf, geometry),
    );
    await fc.assert(
      fc.asyncProperty(stage, (given) =>
        answers(() =>
          store.aggregate([{ $geoNear: { near: [0, 0], key: 'g', distanceField: 'd', ...given } }]),
        ),
      ),
      { numRuns: 200 },
    );
    await fc.assert(
      fc.asyncProperty(specification, (given) =>
        answers(() => parseIndexSpecification(bytes(given))),
      ),
      { numRuns: 300 },
    );
    await store.close();
  });
});
