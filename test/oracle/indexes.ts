/**
 * The kinds of index that the oracle creates, as a table: each new kind is one line.
 */
import type { SeededRandom } from '../../common/random.ts';
import { pick, type Plain } from './values.ts';

/** What a hint of the index must give. */
export type HintPromise =
  /** All matches. */
  | 'complete'
  /** Only documents that match, maybe not all: the index lacks documents. */
  | 'sound'
  /** The index cannot be hinted for any query. */
  | 'none';

export interface OracleIndex {
  readonly key: Plain;
  readonly options: Plain;
  readonly hinted: HintPromise;
}

const PATHS = ['a', 'b', 'c', 'd', 'a.x', 'a.y', 'b.x', 'b.y', 'a.x.y', 'a.0', '_id'];
const DIRECTIONS = [1, -1];

function pattern(random: SeededRandom, count: number): Plain {
  const key: Plain = {};
  while (Object.keys(key).length < count) key[pick(random, PATHS)] = pick(random, DIRECTIONS);
  // That one is there already, under its own name.
  if (count === 1 && key['_id'] === 1) key['_id'] = -1;
  return key;
}

export const COLLATIONS: readonly Plain[] = [
  { locale: 'en', strength: 1 },
  { locale: 'en', strength: 2 },
  { locale: 'de', numericOrdering: true },
];

interface IndexMaker {
  readonly weight: number;
  readonly make: (random: SeededRandom) => OracleIndex;
}

/** Names of kinds and options; a server that does not have one yet refuses it, and the case goes on without. */
export const INDEX_MAKERS: readonly IndexMaker[] = [
  { weight: 6, make: (random) => plain(pattern(random, 1)) },
  { weight: 8, make: (random) => plain(pattern(random, 2)) },
  { weight: 5, make: (random) => plain(pattern(random, 3)) },
  { weight: 6, make: (random) => plain(pick(random, OF_ELEMENTS)) },
  { weight: 2, make: (random) => ({ ...plain(pattern(random, 2)), options: { unique: true } }) },
  {
    weight: 3,
    make: (random) => ({
      key: pattern(random, 1 + random.below(2)),
      options: { sparse: true },
      hinted: 'sound',
    }),
  },
  {
    weight: 3,
    make: (random) => ({
      key: pattern(random, 1 + random.below(2)),
      options: { partialFilterExpression: pick(random, PARTIAL_FILTERS) },
      hinted: 'sound',
    }),
  },
  {
    weight: 3,
    make: (random) => ({
      ...plain(pattern(random, 1 + random.below(2))),
      options: { collation: pick(random, COLLATIONS) },
    }),
  },
  { weight: 2, make: (random) => plain({ [pick(random, ['a', 'b', 'c', 'a.x'])]: 'hashed' }) },
  { weight: 1, make: (random) => plain({ c: 1, [pick(random, ['a', 'b.x'])]: 'hashed' }) },
  {
    weight: 2,
    make: (random) => ({
      key: { [pick(random, ['$**', 'a.$**', 'b.$**'])]: 1 },
      options: {},
      hinted: 'sound',
    }),
  },
  { weight: 1, make: () => ({ key: { c: 1, 'a.$**': 1 }, options: {}, hinted: 'sound' }) },
  {
    weight: 2,
    make: (random) => ({
      ...pick(random, WILDCARDS),
      hinted: 'sound',
    }),
  },
  {
    weight: 2,
    make: (random) => ({
      key: pattern(random, 1 + random.below(2)),
      options: {
        collation: pick(random, COLLATIONS),
        ...pick<Plain>(random, [
          { sparse: true },
          { partialFilterExpression: pick(random, PARTIAL_FILTERS) },
        ]),
      },
      hinted: 'sound',
    }),
  },
  {
    weight: 1,
    make: (random) => ({
      key: { [pick(random, ['a', 'b.x'])]: 'hashed' },
      options: pick<Plain>(random, [
        { sparse: true },
        { collation: pick(random, COLLATIONS) },
        { partialFilterExpression: pick(random, PARTIAL_FILTERS) },
      ]),
      hinted: 'sound',
    }),
  },
  {
    weight: 1,
    make: (random) => ({ key: pattern(random, 1), options: { hidden: true }, hinted: 'none' }),
  },
  // Documents without a geometry, or a position, have no entry.
  { weight: 4, make: (random) => ({ key: pick(random, SPHERES), options: {}, hinted: 'sound' }) },
  { weight: 2, make: (random) => ({ key: pick(random, PLANES), options: {}, hinted: 'sound' }) },
  // A text index serves $text alone, which takes no hint.
  {
    weight: 4,
    make: (random) => ({
      key: pick(random, TEXTS),
      options: { default_language: 'none' },
      hinted: 'none',
    }),
  },
];

const SPHERES: readonly Plain[] = [
  { g: '2dsphere' },
  { g: '2dsphere', c: 1 },
  { c: -1, g: '2dsphere' },
  { p: '2dsphere', a: 1 },
  { g: '2dsphere', 'b.x': 1, 'b.y': 1 },
];
const PLANES: readonly Plain[] = [{ p: '2d' }, { p: '2d', c: 1 }, { p: '2d', 'b.x': -1 }];
const TEXTS: readonly Plain[] = [
  { t: 'text' },
  { '$**': 'text' },
  { c: 1, t: 'text' },
  { t: 'text', a: 1 },
];

const OF_ELEMENTS: readonly Plain[] = [
  { 'a.x': 1, 'a.y': 1 },
  { 'a.y': -1, 'a.x': 1 },
  { 'a.x': 1 },
  { 'a.x.y': 1, 'a.x.z': 1, 'a.y': 1 },
  { 'a.y': 1, 'a.x.z': -1, 'a.x.y': 1 },
  { c: 1, 'b.x': 1, 'b.y': 1 },
  { 'b.y': 1, 'b.x': -1 },
];

function plain(key: Plain): OracleIndex {
  return { key, options: {}, hinted: 'complete' };
}

const WILDCARDS: readonly Pick<OracleIndex, 'key' | 'options'>[] = [
  { key: { '$**': 1 }, options: { wildcardProjection: { a: 1, 'b.x': 1 } } },
  { key: { '$**': 1 }, options: { wildcardProjection: { a: 0, 'b.y': 0 } } },
  { key: { '$**': -1 }, options: { wildcardProjection: { _id: 1, 'a.x': 1 } } },
  { key: { '$**': 1, c: -1 }, options: { wildcardProjection: { c: 0 } } },
  { key: { d: -1, 'b.$**': -1, c: 1 }, options: {} },
  { key: { '$**': 1 }, options: { collation: { locale: 'en', strength: 2 } } },
  { key: { '$**': 1 }, options: { partialFilterExpression: { b: { $gt: 1 } } } },
  { key: { c: 1, 'a.$**': 1 }, options: { partialFilterExpression: { a: { $exists: true } } } },
];

const PARTIAL_FILTERS: readonly Plain[] = [
  { a: { $exists: true } },
  { b: { $gt: 1 } },
  { c: { $type: 'string' } },
  { c: { $lte: 'b' } },
  { a: 1 },
  { $and: [{ a: { $gte: 0 } }, { b: { $exists: true } }] },
  { d: { $in: [1, 2, 'a'] } },
  { $or: [{ a: { $lt: 3 } }, { 'b.x': { $exists: true } }] },
  { 'a.x': { $gte: 1, $lt: 4 } },
  { b: null },
  { c: { $gte: 'a', $lt: 'b' } },
];

export function anyIndex(random: SeededRandom): OracleIndex {
  let place = random.below(INDEX_MAKERS.reduce((sum, { weight }) => sum + weight, 0));
  for (const { weight, make } of INDEX_MAKERS) {
    if (place < weight) return make(random);
    place -= weight;
  }
  throw new Error('weights are positive');
}
