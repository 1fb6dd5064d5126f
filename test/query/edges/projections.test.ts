/**
 * Projections at the edges of values.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/exec/projection_executor_utils.cpp, projection_node.cpp and
 * db/query/projection_parser.cpp; its manual, "Project Fields to Return from Query".
 */
import { BSON } from 'mongodb';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { compileProjection } from '../../../query/projection/compile.ts';
import { raw, testContext } from '../fixtures.ts';
import {
  ARRAYS,
  decimal,
  double,
  each,
  fails,
  INFINITE,
  INT_MAX,
  INT_MIN,
  type Line,
  LONG_MAX,
  LONG_MIN,
  MINUS_ZERO,
  MISSING,
  NAN,
  NUMBERS,
  on,
  outcomeOf,
  same,
  shownField,
  type Table,
  testTables,
} from './edge.ts';

function project(projection: object, document: object, filter?: object): string {
  return outcomeOf(() => {
    const context = testContext();
    const bytes = raw(document);
    const compiled = filter && compileFilter(raw(filter), context);
    const options = compiled === undefined ? { context } : { context, filter: compiled };
    const position = compiled?.matchPosition(bytes);
    return shownField(compileProjection(raw(projection), options).apply(bytes, position));
  });
}

/** What is left of documents whose `v` is the input. */
function projecting(
  operator: string,
  projection: object,
  lines: readonly Line[],
  filter?: object,
): Table {
  return {
    operator,
    title: BSON.EJSON.stringify(projection),
    lines,
    run: (input) => [project(projection, input === MISSING ? {} : { v: input }, filter)],
  };
}

/** What a projection with the input as an argument leaves of one document. */
function projectedBy(
  operator: string,
  projection: (input: unknown) => object,
  document: object,
  lines: readonly Line[],
): Table {
  return {
    operator,
    title: `${BSON.EJSON.stringify(projection('...'))} on ${BSON.EJSON.stringify(document)}`,
    lines,
    run: (input) => [project(projection(input), document)],
  };
}

const ANY = [null, 0, NAN, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, INFINITE, decimal('1.50'), [0]];

export const EDGES: readonly Table[] = [
  projecting('inclusion', { v: 1 }, same([null, MISSING, ...ARRAYS, ...NUMBERS, {}])),
  projecting('inclusion', { 'v.a': 1 }, [
    // Of what is no document nothing is left; arrays stay, however deep.
    ...each([null, MISSING, ...NUMBERS, 'text'], MISSING),
    ...same([[], [[]], [[[]]], {}]),
    on([1, null, [2]], [[]]),
    on([{ a: 1, b: 2 }, 5, [{ a: [null] }, 6]], [{ a: 1 }, [{ a: [null] }]]),
    on({ a: null, b: 1 }, { a: null }),
  ]),
  projectedBy('inclusion', (v) => ({ v }), { v: 5 }, [
    ...each([INT_MAX, LONG_MIN, INFINITE, NAN, decimal('0.1'), true], 5),
    on(null, null),
    on([], []),
    on([[1]], [[1]]),
    on(['$v', '$missing'], [5, null]),
  ]),
  projecting('exclusion', { v: 0 }, each([null, MISSING, ...ARRAYS, ...NUMBERS], MISSING)),
  projecting('exclusion', { 'v.a': 0 }, [
    ...same([null, MISSING, ...ARRAYS, ...NUMBERS, 'text', {}, [1, null]]),
    on([{ a: 1, b: 2 }, 5, [{ a: 1 }, 6]], [{ b: 2 }, 5, [{}, 6]]),
  ]),
  projectedBy('exclusion', (v) => ({ v }), { v: 5 }, [
    ...each([0, MINUS_ZERO, decimal('0'), decimal('-0E+3'), false], MISSING),
  ]),
  projecting(
    '$',
    { 'v.$': 1 },
    [
      ...same([null, MISSING, NAN, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, INFINITE, MINUS_ZERO]),
      on(decimal('1.50'), decimal('1.50')),
      on([5, 0], [0]),
      on([5, [0], 0], [[0]]),
      on([5, MINUS_ZERO], [MINUS_ZERO]),
      on([1, null, 0], [null]),
    ],
    { v: { $in: ANY } },
  ),
  projecting('$elemMatch', { v: { $elemMatch: { $gte: 0 } } }, [
    ...each([null, MISSING, ...NUMBERS, [], [null], [NAN], [INT_MIN], 'text', {}], MISSING),
    // An array that is an element is no number.
    on([[1]], MISSING),
    on([-1, MINUS_ZERO, 5], [MINUS_ZERO]),
    on([[1], decimal('0.5')], [decimal('0.5')]),
  ]),
  projecting('$elemMatch', { v: { $elemMatch: { a: null } } }, [
    ...each([null, MISSING, {}, [1], [null]], MISSING),
    on([{ a: 1 }, {}, { a: null }], [{}]),
    on([5, []], [[]]),
  ]),
  projectedBy('$elemMatch', ($elemMatch) => ({ v: { $elemMatch } }), { v: [1] }, [
    ...each([null, ...ARRAYS, ...NUMBERS, 'x'], fails(31274)),
    on({}, MISSING),
  ]),
  projecting('$slice', { v: { $slice: 1 } }, [
    ...same([null, MISSING, [], [1], [[1, 2]], ...NUMBERS, 'text', {}]),
    on([[1, 2], 3], [[1, 2]]),
    on([null, 1], [null]),
  ]),
  projecting('$slice', { v: { $slice: [-2, 1] } }, [
    ...same([null, MISSING, [], NAN]),
    on([1, [2], 3], [[2]]),
    on([1], [1]),
  ]),
  projecting('$slice', { 'v.a': { $slice: -1 } }, [
    ...same([null, MISSING, [], 5, {}, [5]]),
    on({ a: [1, [2, 3]] }, { a: [[2, 3]] }),
    on([{ a: [1, 2] }, 5, { a: 5 }], [{ a: [2] }, 5, { a: 5 }]),
  ]),
  projectedBy('$slice', ($slice) => ({ v: { $slice } }), { v: [1, 2, 3] }, [
    ...each([null, true, {}, 'x'], fails(31273)),
    ...each([0, MINUS_ZERO, decimal('0.4'), double(0.9)], []),
    ...each([INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, INFINITE], [1, 2, 3]),
    on([0, INT_MAX], [1, 2, 3]),
    on([MINUS_ZERO, decimal('1')], [1]),
    ...each(
      [
        [0, 0],
        [1, -1],
        [0, MINUS_ZERO],
      ],
      fails(28724),
    ),
    ...each([[], [1]], fails(28667)),
  ]),
  projectedBy('$meta', ($meta) => ({ v: { $meta } }), { v: 1 }, [
    ...each([null, ...ARRAYS, ...NUMBERS], fails(17307)),
    on('nothing', fails(17308)),
  ]),
];

describe('projections at the edges', () => testTables(EDGES));
