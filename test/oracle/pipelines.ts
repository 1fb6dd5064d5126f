/**
 * Random pipelines for the oracle: all that the planner may push down to an index, or answer from one.
 */
import type { SeededRandom } from '../../common/random.ts';
import { anyFilter } from './queries.ts';
import { pick, type Plain, scalar, weighted } from './values.ts';

export interface OraclePipeline {
  /** @param from the collection that $lookup and its like read. */
  readonly stages: (from: string) => readonly Plain[];
  /** The answer has one order. */
  readonly ordered: boolean;
  /** Equal values of different types may stand for one another. */
  readonly loose: boolean;
}

const PATHS = ['a', 'b', 'c', 'd', 'a.x', 'b.x', 'b.y'];

const direction = (random: SeededRandom): 1 | -1 => pick(random, [1, -1]);

/** Without ties. */
function totalSort(random: SeededRandom): Plain {
  return { $sort: { [pick(random, PATHS)]: direction(random), _id: direction(random) } };
}

function window(random: SeededRandom): Plain[] {
  const limit = { $limit: 1 + random.below(8) };
  return random.below(3) === 0 ? [{ $skip: random.below(4) }, limit] : [limit];
}

function fixed(
  stages: readonly Plain[],
  options: { readonly ordered?: boolean; readonly loose?: boolean } = {},
): OraclePipeline {
  return {
    stages: () => stages,
    ordered: options.ordered ?? false,
    loose: options.loose ?? false,
  };
}

function grouped(random: SeededRandom, mayTie: boolean): OraclePipeline {
  const key = pick(random, PATHS);
  const value = pick(random, PATHS);
  const match = { $match: random.below(3) === 0 ? {} : anyFilter(random) };
  const by = direction(random);
  return pick<() => OraclePipeline>(random, [
    () => fixed([{ $group: { _id: `$${key}` } }], { loose: true }),
    () => fixed([match, { $group: { _id: `$${key}` } }], { loose: true }),
    () =>
      fixed(
        [
          match,
          {
            $group: {
              _id: `$${key}`,
              n: { $sum: 1 },
              low: { $min: `$${value}` },
              high: { $max: `$${value}` },
            },
          },
        ],
        { loose: true },
      ),
    () => {
      const first = random.below(2) === 0 ? '$first' : '$last';
      return fixed(
        [
          match,
          { $sort: { [key]: by, [value]: direction(random), _id: by } },
          { $group: { _id: `$${key}`, one: { [first]: `$${value}` }, id: { [first]: '$_id' } } },
        ],
        { loose: true },
      );
    },
    () =>
      fixed(
        [
          ...(random.below(2) === 0 ? [] : [match]),
          // Of arrays that begin alike either may come first.
          {
            $sort: {
              [key]: by,
              ...(key === value ? {} : { [value]: by }),
              ...(mayTie ? {} : { _id: by }),
            },
          },
          { $group: { _id: `$${key}`, one: { $first: `$${value}` } } },
        ],
        { loose: true },
      ),
  ])();
}

function joined(random: SeededRandom): OraclePipeline {
  const localField = pick(random, PATHS);
  const foreignField = pick(random, [...PATHS, '_id']);
  const inner = random.below(2) === 0 ? [] : [{ $match: anyFilter(random) }];
  const match = { $match: { _id: { $lt: 12 } } };
  const lookup = pick<(from: string) => Plain>(random, [
    (from) => ({ from, localField, foreignField, as: 'joined' }),
    (from) => ({ from, localField, foreignField, pipeline: inner, as: 'joined' }),
    (from) => ({
      from,
      let: { wanted: `$${localField}` },
      pipeline: [{ $match: { $expr: { $eq: [`$${foreignField}`, '$$wanted'] } } }, ...inner],
      as: 'joined',
    }),
    (from) => ({
      from,
      localField,
      foreignField,
      pipeline: [totalSort(random), { $limit: 2 }],
      as: 'joined',
    }),
  ]);
  const after = pick<Plain[]>(random, [
    [],
    [{ $unwind: '$joined' }],
    [{ $unwind: '$joined' }, { $match: { 'joined.c': { $gt: scalar(random) } } }],
    [{ $match: { 'joined.a': pick(random, [1, 2, 'a']) } }],
  ]);
  const made = new Map<string, Plain>();
  return {
    // Both answers must be asked for with the same random choices.
    stages: (from) => {
      if (made.size === 0) made.set('', lookup('?'));
      return [match, { $lookup: { ...made.get('')!, from } }, ...after];
    },
    ordered: false,
    loose: false,
  };
}

/** @param hasArrays sorts by two fields leave ties between values that are not equal. */
export function anyPipeline(random: SeededRandom, hasArrays: boolean): OraclePipeline {
  const match = { $match: anyFilter(random) };
  return weighted<OraclePipeline>(random, [
    [4, () => fixed([match, totalSort(random), ...window(random)], { ordered: true })],
    [2, () => fixed([totalSort(random), match, ...window(random)], { ordered: true })],
    [2, () => fixed([match, { $count: 'n' }])],
    [
      2,
      () => fixed([match, { $project: { a: 1, c: 1, b: '$b.x' } }, { $match: { c: { $gte: 1 } } }]),
    ],
    [
      1,
      () =>
        fixed([
          { $addFields: { e: '$a' } },
          { $match: { e: pick(random, [1, 'a', null]) } },
          match,
        ]),
    ],
    [
      2,
      () =>
        fixed([
          match,
          { $unwind: { path: '$a', includeArrayIndex: 'at' } },
          { $match: { a: { $gte: scalar(random) }, b: { $exists: true } } },
        ]),
    ],
    [
      1,
      () => ({
        stages: (from) => [match, { $unionWith: { coll: from, pipeline: [match] } }],
        ordered: false,
        loose: false,
      }),
    ],
    [
      1,
      () => ({
        stages: (from) => [
          { $match: { _id: { $lt: 6 } } },
          {
            $graphLookup: {
              from,
              startWith: '$a',
              connectFromField: 'b',
              connectToField: 'c',
              as: 'joined',
              maxDepth: 2,
            },
          },
        ],
        ordered: false,
        loose: false,
      }),
    ],
    [6, () => grouped(random, !hasArrays)],
    [5, () => joined(random)],
  ]);
}
