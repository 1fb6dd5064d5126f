/**
 * Random queries for the oracle: filters of all operators that an index may serve, sorts, projections.
 */
import type { SeededRandom } from '../../common/random.ts';
import { COLLATIONS } from './indexes.ts';
import { pick, type Plain, scalar, value, weighted } from './values.ts';

export interface OracleQuery {
  readonly filter: Plain;
  readonly sort: Plain | undefined;
  readonly projection: Plain | undefined;
  readonly skip: number;
  /** 0: none. */
  readonly limit: number;
  readonly collation: Plain | undefined;
  /** Plans let go and go on between batches. */
  readonly batchSize: number;
}

const PATHS = ['a', 'b', 'c', 'd', 'a.x', 'a.y', 'b.x', 'b.y', 'a.0', 'a.0.x', 'a.x.y', '_id'];
const TYPES = ['number', 'int', 'string', 'null', 'object', 'array', 'date', 'bool', 'double'];
const PATTERNS = ['^a', '^ab', '^a.*c$', 'b', '^', '^\\Qab\\E', '^a?b', '^(a|b)', '^é', '^1'];

/** An operand for an equality: a regular expression would be a pattern. */
function operand(random: SeededRandom): unknown {
  const made = random.below(6) === 0 ? value(random) : scalar(random);
  return made instanceof RegExp ? 1 : made;
}

function comparison(random: SeededRandom): Plain {
  return { [pick(random, ['$gt', '$gte', '$lt', '$lte'])]: operand(random) };
}

function condition(random: SeededRandom, depth = 0): unknown {
  return weighted<unknown>(random, [
    [8, () => operand(random)],
    [6, () => comparison(random)],
    [3, () => ({ ...comparison(random), ...comparison(random) })],
    [4, () => ({ $in: Array.from({ length: random.below(4) }, () => operand(random)) })],
    [1, () => ({ $in: ['a', new RegExp(pick(random, PATTERNS)), null] })],
    [2, () => ({ $ne: operand(random) })],
    [2, () => ({ $nin: [operand(random), operand(random)] })],
    [2, () => ({ $exists: random.below(2) === 0 })],
    [2, () => ({ $type: pick(random, TYPES) })],
    [1, () => ({ $type: [pick(random, TYPES), pick(random, TYPES)] })],
    [
      2,
      () => ({
        $regex: pick(random, PATTERNS),
        ...(random.below(3) === 0 ? { $options: 'i' } : {}),
      }),
    ],
    [1, () => ({ $not: comparison(random) })],
    [1, () => ({ $not: { $in: [operand(random), null] } })],
    [1, () => ({ $not: new RegExp(pick(random, PATTERNS)) })],
    [1, () => ({ $mod: [2, random.below(2)] })],
    [1, () => ({ $size: random.below(3) })],
    [1, () => ({ $bitsAllSet: 1 })],
    [1, () => ({ $all: [operand(random), operand(random)] })],
    [1, () => ({ $all: [{ $elemMatch: comparison(random) }] })],
    [2, () => ({ $elemMatch: { ...comparison(random), ...comparison(random) } })],
    [
      depth > 1 ? 1 : 3,
      () => ({ $elemMatch: { x: condition(random, depth + 1), y: condition(random, depth + 1) } }),
    ],
    [1, () => ({ $elemMatch: { $or: [{ x: operand(random) }, { y: comparison(random) }] } })],
    [1, () => ({ $eq: null, $exists: true })],
    [1, () => ({ $not: { $elemMatch: comparison(random) } })],
    [1, () => ({ $elemMatch: { $not: comparison(random) } })],
    [1, () => ({ $elemMatch: { $nin: [operand(random), null] } })],
    [1, () => ({ $elemMatch: { $elemMatch: comparison(random) } })],
    [1, () => ({ $not: { $not: comparison(random) } })],
    [1, () => ({ $not: { $type: pick(random, TYPES) } })],
    [1, () => ({ $not: { $mod: [2, 1] }, $exists: true })],
    [1, () => ({ $gte: operand(random), $ne: operand(random), $lt: operand(random) })],
    [1, () => ({ $in: [[], [operand(random)], null, {}] })],
  ]);
}

function simple(random: SeededRandom): Plain {
  const filter: Plain = {};
  const count = 1 + random.below(3);
  for (let made = 0; made < count; made += 1) filter[pick(random, PATHS)] = condition(random);
  return filter;
}

function expression(random: SeededRandom): Plain {
  const operator = pick(random, ['$eq', '$gt', '$gte', '$lt', '$lte']);
  const path = `$${pick(random, ['a', 'b', 'c', 'a.x'])}`;
  const constant = { $literal: operand(random) };
  return { $expr: { [operator]: random.below(4) === 0 ? [constant, path] : [path, constant] } };
}

/** Conditions on elements of arrays, which one element must meet, or may be met by several. */
function ofElements(random: SeededRandom): Plain {
  const number = (): number => random.below(5);
  const range = (): Plain => ({ $gte: number(), $lte: number() + 1 });
  const test = (): unknown => (random.below(2) === 0 ? number() : range());
  return weighted<Plain>(random, [
    [3, () => ({ a: { $elemMatch: { x: range() } } })],
    [3, () => ({ a: { $elemMatch: { x: test(), y: test() } } })],
    [2, () => ({ 'a.x': test(), 'a.y': test() })],
    [2, () => ({ 'b.x': test(), 'b.y': test(), c: test() })],
    [2, () => ({ a: { $elemMatch: { x: { $elemMatch: range() }, y: test() } } })],
    [2, () => ({ a: { $elemMatch: { 'x.y': test(), 'x.z': test(), y: test() } } })],
    [2, () => ({ a: { $elemMatch: { x: { $elemMatch: { y: test(), z: test() } }, y: test() } } })],
    [2, () => ({ 'a.x': { $elemMatch: { y: test(), z: test() } }, 'a.y': test() })],
    [
      2,
      () => ({
        $and: [{ a: { $elemMatch: { x: test() } } }, { a: { $elemMatch: { y: test() } } }],
      }),
    ],
    [1, () => ({ $and: [{ a: { $elemMatch: { x: range(), y: 1 } } }, { 'a.x': range() }] })],
    [1, () => ({ 'a.x.y': range(), 'a.x.z': test() })],
  ]);
}

export function anyFilter(random: SeededRandom): Plain {
  return weighted<Plain>(random, [
    [1, () => ({})],
    [12, () => simple(random)],
    [4, () => ofElements(random)],
    [1, () => ({ ...ofElements(random), ...simple(random) })],
    [2, () => expression(random)],
    [1, () => ({ ...expression(random), ...simple(random) })],
    [4, () => ({ $or: Array.from({ length: 1 + random.below(3) }, () => simple(random)) })],
    [2, () => ({ ...simple(random), $or: [simple(random), simple(random)] })],
    [2, () => ({ $and: [simple(random), simple(random)] })],
    [
      1,
      () => ({
        $and: [
          { $or: [simple(random), simple(random)] },
          { $or: [simple(random), simple(random)] },
        ],
      }),
    ],
    [1, () => ({ $nor: [simple(random)] })],
    [1, () => ({ $nor: [simple(random), simple(random)], ...simple(random) })],
    [
      2,
      () => ({
        $or: [
          { $and: [simple(random), { $or: [simple(random), simple(random)] }] },
          { ...simple(random), $or: [simple(random), simple(random)] },
        ],
      }),
    ],
    [
      1,
      () => ({
        $expr: { $and: [expression(random)['$expr'], expression(random)['$expr']] },
        ...simple(random),
      }),
    ],
  ]);
}

function anySort(random: SeededRandom): Plain {
  const sort: Plain = {};
  const count = 1 + random.below(3);
  for (let made = 0; made < count; made += 1) {
    sort[pick(random, ['a', 'b', 'c', 'd', 'a.x', 'b.x', 'a.y', '_id'])] = pick(random, [1, -1]);
  }
  return sort;
}

function anyProjection(random: SeededRandom): Plain {
  return pick<Plain>(random, [
    { _id: 0, a: 1 },
    { a: 1, b: 1 },
    { _id: 0, a: 1, c: 1 },
    { _id: 0, 'a.x': 1 },
    { 'a.x': 1, 'a.y': 1, c: 1, _id: 0 },
    { _id: 1 },
    { b: 0 },
    { c: 1, _id: 0 },
  ]);
}

export function anyQuery(random: SeededRandom): OracleQuery {
  const sort = random.below(2) === 0 ? anySort(random) : undefined;
  return {
    filter: anyFilter(random),
    sort,
    projection: random.below(3) === 0 ? anyProjection(random) : undefined,
    skip: random.below(4) === 0 ? random.below(4) : 0,
    limit: random.below(3) === 0 ? 1 + random.below(6) : 0,
    collation: random.below(6) === 0 ? pick(random, COLLATIONS) : undefined,
    batchSize: pick(random, [2, 5, 101]),
  };
}
