/**
 * Update operators at the edges of values.
 *
 * Source of the results: MongoDB 8.0, src/mongo/db/update/*_node.cpp and src/mongo/util/safe_num.cpp.
 */
import { BSON } from 'mongodb';
import { documentValue } from '../../../bson/index.ts';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { compileUpdate } from '../../../query/update/compile.ts';
import { raw, testContext } from '../fixtures.ts';
import {
  ARRAYS,
  date,
  decimal,
  DECIMAL_INFINITE,
  DECIMAL_NAN,
  double,
  each,
  fails,
  INFINITE,
  INT_MAX,
  INT_MIN,
  type Line,
  long,
  LONG_MAX,
  LONG_MIN,
  MINUS_INFINITE,
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

interface Options {
  readonly filter?: object;
  readonly arrayFilters?: readonly object[];
}

function apply(update: object, document: object, { filter, arrayFilters = [] }: Options): string {
  return outcomeOf(() => {
    const context = testContext();
    const before = raw(document);
    const compiled = compileUpdate(documentValue(raw(update)), {
      context,
      arrayFilters: arrayFilters.map((each) => raw(each)),
    });
    const position =
      filter === undefined ? undefined : compileFilter(raw(filter), context).matchPosition(before);
    return shownField(compiled.apply(before, position));
  });
}

/** What becomes of documents whose `v` is the input. */
function updating(
  operator: string,
  update: object,
  lines: readonly Line[],
  options: Options = {},
): Table {
  return {
    operator,
    title: `${BSON.EJSON.stringify(update)} ${Object.values(options).length > 0 ? BSON.EJSON.stringify(options) : ''}`,
    lines,
    run: (input) => [apply(update, input === MISSING ? {} : { v: input }, options)],
  };
}

/** What an update with the input as an argument makes of one document. */
function updatedBy(
  operator: string,
  update: (input: unknown) => object,
  document: object,
  lines: readonly Line[],
): Table {
  return {
    operator,
    title: `${BSON.EJSON.stringify(update('...'))} on ${BSON.EJSON.stringify(document)}`,
    lines,
    run: (input) => [apply(update(input), document, {})],
  };
}

const NO_ARRAYS: readonly unknown[] = [null, ...NUMBERS, 'text', {}];

const ARITHMETIC: readonly Table[] = [
  updating('$inc', { $inc: { v: 1 } }, [
    ...each([null, ...ARRAYS, 'text', true], fails(14)),
    on(MISSING, 1),
    on(INT_MAX, long(2147483648)),
    on(INT_MIN, -2147483647),
    on(LONG_MAX, fails(2)),
    on(LONG_MIN, long('-9223372036854775807')),
    ...same([NAN, INFINITE, MINUS_INFINITE, DECIMAL_NAN, DECIMAL_INFINITE]),
    on(MINUS_ZERO, double(1)),
    on(decimal('1.50'), decimal('2.50')),
  ]),
  // What is equal to the old value is not written.
  updating('$inc', { $inc: { v: 0 } }, same([MINUS_ZERO, INT_MAX, LONG_MIN, decimal('1.50')])),
  updating('$inc', { $inc: { v: long(0) } }, [
    on(1, long(1)),
    on(MISSING, long(0)),
    on(INT_MAX, long(INT_MAX)),
  ]),
  updatedBy('$inc', (v) => ({ $inc: { v } }), { v: 1 }, [
    ...each([null, ...ARRAYS, '1', {}], fails(14)),
    on(INT_MAX, long(2147483648)),
    on(LONG_MAX, fails(2)),
    ...same([NAN, INFINITE, DECIMAL_NAN]),
    on(MINUS_ZERO, double(1)),
    on(decimal('0.50'), decimal('1.50')),
  ]),
  updatedBy('$inc', (v) => ({ $inc: { v } }), {}, same(NUMBERS)),
  updating('$mul', { $mul: { v: 2 } }, [
    ...each([null, ...ARRAYS, 'text'], fails(14)),
    on(MISSING, 0),
    on(INT_MAX, long(4294967294)),
    on(INT_MIN, long(-4294967296)),
    ...each([LONG_MAX, LONG_MIN], fails(2)),
    ...same([NAN, INFINITE, MINUS_INFINITE, MINUS_ZERO, DECIMAL_NAN, DECIMAL_INFINITE]),
    on(decimal('1.50'), decimal('3.00')),
  ]),
  updating('$mul', { $mul: { v: -1 } }, [
    on(double(0), double(0)),
    on(MINUS_ZERO, MINUS_ZERO),
    on(INT_MIN, long(2147483648)),
    on(LONG_MIN, fails(2)),
  ]),
  updatedBy('$mul', (v) => ({ $mul: { v } }), {}, [
    ...each([null, ...ARRAYS, '1'], fails(14)),
    on(INT_MAX, 0),
    on(LONG_MIN, long(0)),
    on(double(5), double(0)),
    ...each([NAN, INFINITE], NAN),
    on(MINUS_ZERO, MINUS_ZERO),
    on(decimal('1.50'), decimal('0.00')),
    on(DECIMAL_INFINITE, DECIMAL_NAN),
  ]),
  updating('$bit', { $bit: { v: { or: 1 } } }, [
    ...each(
      [null, ...ARRAYS, 'text', NAN, INFINITE, MINUS_ZERO, double(1), decimal('1')],
      fails(2),
    ),
    on(MISSING, 1),
    on(INT_MAX, INT_MAX),
    on(INT_MIN, -2147483647),
    on(LONG_MAX, LONG_MAX),
    on(LONG_MIN, long('-9223372036854775807')),
  ]),
  updatedBy('$bit', (operand) => ({ $bit: { v: { xor: operand } } }), { v: -1 }, [
    ...each([null, ...ARRAYS, NAN, MINUS_ZERO, decimal('1'), '1'], fails(2)),
    on(INT_MAX, INT_MIN),
    on(LONG_MAX, LONG_MIN),
    on(LONG_MIN, LONG_MAX),
  ]),
  updatedBy('$bit', (v) => ({ $bit: { v } }), { v: 1 }, [
    ...each([null, ...ARRAYS, ...NUMBERS, {}, { not: 1 }], fails(2)),
  ]),
  updatedBy('$bit', (operand) => ({ $bit: { v: { and: operand } } }), {}, [
    on(INT_MAX, 0),
    on(LONG_MAX, long(0)),
  ]),
];

const COMPARING: readonly Table[] = [
  updating('$min', { $min: { v: 0 } }, [
    ...each([MISSING, ...ARRAYS, 'text', {}, INT_MAX, LONG_MAX, INFINITE, decimal('0.1')], 0),
    ...same([null, INT_MIN, LONG_MIN, NAN, DECIMAL_NAN, MINUS_INFINITE]),
    // Equal is as good.
    ...same([MINUS_ZERO, decimal('0.00'), long(0)]),
  ]),
  updating('$max', { $max: { v: 0 } }, [
    ...each([MISSING, null, INT_MIN, LONG_MIN, NAN, DECIMAL_NAN, MINUS_INFINITE], 0),
    ...same([...ARRAYS, 'text', {}, INT_MAX, LONG_MAX, INFINITE, decimal('0.1')]),
    ...same([MINUS_ZERO, decimal('0.00'), long(0)]),
  ]),
  updatedBy('$min', (v) => ({ $min: { v } }), { v: 0 }, [
    ...same([null, NAN, INT_MIN, LONG_MIN, MINUS_INFINITE]),
    ...each([[], [[1]], INFINITE, MINUS_ZERO, decimal('0'), ''], 0),
  ]),
  updatedBy('$max', (v) => ({ $max: { v } }), { v: 0 }, [
    ...each([null, NAN, INT_MIN, LONG_MIN, MINUS_ZERO], 0),
    ...same([[], [[1]], INT_MAX, LONG_MAX, INFINITE, decimal('0.1'), '']),
  ]),
  ...['$min', '$max'].map((name) =>
    updatedBy(name, (v) => ({ [name]: { v } }), {}, same([null, ...ARRAYS, ...NUMBERS])),
  ),
  updatedBy('$max', (v) => ({ $max: { v } }), { v: LONG_MAX }, [
    on(double(2 ** 63), double(2 ** 63)),
    on(decimal('9223372036854775807'), LONG_MAX),
  ]),
];

const WRITING: readonly Table[] = [
  updating('$set', { $set: { v: null } }, each([null, MISSING, ...ARRAYS, ...NUMBERS], null)),
  updatedBy('$set', (v) => ({ $set: { v } }), { v: 0 }, same([null, ...ARRAYS, ...NUMBERS, {}])),
  updating('$set', { $set: { 'v.a': 1 } }, [
    on(MISSING, { a: 1 }),
    on({ b: [] }, { b: [], a: 1 }),
    ...each([null, ...ARRAYS, ...NUMBERS, 'text'], fails(28)),
  ]),
  updating('$set', { $set: { 'v.0': 1 } }, [
    on(MISSING, { 0: 1 }),
    on([], [1]),
    on([[2]], [1]),
    ...each([null, NAN], fails(28)),
  ]),
  updating('$set', { $set: { 'v.0.0': 1 } }, [
    on([[]], [[1]]),
    on([[[2]], 5], [[1], 5]),
    on([], [{ 0: 1 }]),
    ...each([[5], [null]], fails(28)),
  ]),
  updating('$set', { $set: { 'v.$': 0 } }, [on([1, 5], [1, 0]), on([[5], 5], [[5], 0])], {
    filter: { v: 5 },
  }),
  updating('$set', { $set: { 'v.$.0': 0 } }, [on([[5], [6]], [[5], [0]])], {
    filter: { v: { $elemMatch: { $elemMatch: { $eq: 6 } } } },
  }),
  updating('$set', { $set: { 'v.$[]': 0 } }, [
    on([], []),
    on([1, null, [2]], [0, 0, 0]),
    ...each([MISSING, null, 5, NAN, {}], fails(2)),
  ]),
  updating('$set', { $set: { 'v.$[].$[]': 0 } }, [
    on([], []),
    on([[], [1, [2]]], [[], [0, 0]]),
    ...each([[1], [null], [[1], {}]], fails(2)),
  ]),
  updating(
    '$set',
    { $set: { 'v.$[e]': 0 } },
    [
      on([], []),
      on([1, [7], NAN, null], [1, [7], NAN, null].with(1, 0)),
      on([5, 6, INFINITE], [5, 0, 0]),
      ...each([MISSING, null, 9, {}], fails(2)),
    ],
    { arrayFilters: [{ e: { $gt: 5 } }] },
  ),
  updating(
    '$setOnInsert',
    { $setOnInsert: { v: 1 } },
    same([null, MISSING, ...ARRAYS, ...NUMBERS]),
  ),
  updating('$unset', { $unset: { v: '' } }, each([null, MISSING, ...ARRAYS, ...NUMBERS], MISSING)),
  updating('$unset', { $unset: { 'v.0': '' } }, [
    ...same([null, MISSING, [], [null], ...NUMBERS, {}]),
    on([1, 2], [null, 2]),
    on([[1]], [null]),
    on({ 0: 1, 1: 2 }, { 1: 2 }),
  ]),
  updating('$unset', { $unset: { 'v.0.0': '' } }, [
    on([[1, 2]], [[null, 2]]),
    ...same([[], [[]], [5]]),
  ]),
  updatedBy('$unset', (operand) => ({ $unset: { v: operand } }), { v: 1 }, [
    ...each([null, ...ARRAYS, ...NUMBERS, true], MISSING),
  ]),
  updating('$rename', { $rename: { w: 'v' } }, same([null, MISSING, ...ARRAYS, ...NUMBERS])),
  updating(
    '$rename',
    { $rename: { v: 'w' } },
    each([null, MISSING, ...ARRAYS, ...NUMBERS], MISSING),
  ),
  updating('$rename', { $rename: { 'v.a': 'w' } }, [
    on({ a: null, b: 1 }, { b: 1 }),
    ...each([[{ a: 1 }], [], [[1]], null, 5, NAN], fails(28)),
    on(MISSING, MISSING),
  ]),
  updatedBy('$rename', (to) => ({ $rename: { w: to } }), { v: 1, w: 2 }, [
    ...each([null, ...ARRAYS, ...NUMBERS, 'w', 'w.a', 'v.$', 'v.$[]'], fails(2)),
    on('v', 2),
  ]),
  updating(
    '$currentDate',
    { $currentDate: { v: true } },
    each([null, MISSING, ...ARRAYS, ...NUMBERS], date(testContext().clock.wallMs())),
  ),
  updatedBy('$currentDate', (operand) => ({ $currentDate: { v: operand } }), {}, [
    ...each([null, ...ARRAYS, ...NUMBERS, 'date', {}, { $type: 9 }, { type: 'date' }], fails(2)),
    ...each([true, false, { $type: 'date' }], date(testContext().clock.wallMs())),
  ]),
];

const LISTS: readonly Table[] = [
  updating('$addToSet', { $addToSet: { v: 0 } }, [
    ...each(NO_ARRAYS, fails(2)),
    ...each([MISSING, []], [0]),
    ...same([[MINUS_ZERO], [decimal('0E+3')], [long(0), 1]]),
    on([[0]], [[0], 0]),
    on([NAN, null], [NAN, null, 0]),
  ]),
  updatedBy(
    '$addToSet',
    (v) => ({ $addToSet: { v } }),
    { v: [null, NAN, MINUS_ZERO, [1], INT_MAX] },
    [
      ...[null, NAN, DECIMAL_NAN, 0, decimal('0'), [1], [double(1)], long(INT_MAX)].map((value) =>
        on(value, [null, NAN, MINUS_ZERO, [1], INT_MAX]),
      ),
      ...[1, [], [[1]], LONG_MAX, INFINITE, decimal('0.1')].map((value) =>
        on(value, [null, NAN, MINUS_ZERO, [1], INT_MAX, value]),
      ),
    ],
  ),
  updatedBy('$addToSet', ($each) => ({ $addToSet: { v: { $each } } }), { v: [1] }, [
    ...each([null, ...NUMBERS, 'x', {}], fails(14)),
    on([], [1]),
    on([MINUS_ZERO, 0, double(1), [1], [long(1)], NAN, DECIMAL_NAN], [1, MINUS_ZERO, [1], NAN]),
  ]),
  updatedBy('$addToSet', ($each) => ({ $addToSet: { v: { $each } } }), {}, [
    on([], []),
    on([[1], [1], null, null], [[1], null]),
  ]),
  updating('$push', { $push: { v: null } }, [
    ...each(NO_ARRAYS, fails(2)),
    on(MISSING, [null]),
    on([[1]], [[1], null]),
    on([], [null]),
  ]),
  updatedBy(
    '$push',
    (v) => ({ $push: { v } }),
    { v: [0] },
    [null, ...ARRAYS, ...NUMBERS].map((value) => on(value, [0, value])),
  ),
  updatedBy('$push', ($each) => ({ $push: { v: { $each } } }), { v: [0] }, [
    ...each([null, ...NUMBERS, 'x', {}], fails(2)),
    on([], [0]),
    on([[1], null], [0, [1], null]),
  ]),
  ...['$slice', '$position'].map((clause) =>
    updatedBy('$push', (n) => ({ $push: { v: { $each: [], [clause]: n } } }), { v: [1, 2] }, [
      ...each([null, ...ARRAYS, NAN, INFINITE, double(0.5), DECIMAL_NAN, '1'], fails(2)),
      ...each([INT_MAX, LONG_MAX, INT_MIN], [1, 2]),
      on(MINUS_ZERO, clause === '$slice' ? [] : [1, 2]),
      on(decimal('1'), clause === '$slice' ? [1] : [1, 2]),
    ]),
  ),
  updatedBy('$push', ($position) => ({ $push: { v: { $each: [0], $position } } }), { v: [1, 2] }, [
    ...each([MINUS_ZERO, -2, INT_MIN], [0, 1, 2]),
    ...each([INT_MAX, LONG_MAX, 2], [1, 2, 0]),
    on(-1, [1, 0, 2]),
  ]),
  updatedBy('$push', ($sort) => ({ $push: { v: { $each: [], $sort } } }), { v: [2, 1] }, [
    ...each([null, ...ARRAYS, 0, NAN, LONG_MAX, 'x', {}, { a: 2 }, { '': 1 }], fails(2)),
    ...each([1, double(1), decimal('1')], [1, 2]),
    on(-1, [2, 1]),
  ]),
  updating('$push', { $push: { v: { $each: [], $sort: 1 } } }, [
    on(
      [[2], 'x', INFINITE, null, decimal('1.5'), NAN, [1], MINUS_INFINITE],
      [null, NAN, MINUS_INFINITE, decimal('1.5'), INFINITE, 'x', [1], [2]],
    ),
  ]),
  updating('$push', { $push: { v: { $each: [], $sort: { a: 1 } } } }, [
    on([{ a: [1] }, { a: 2 }, 5, { a: null }], [5, { a: null }, { a: 2 }, { a: [1] }]),
  ]),
  updating('$pop', { $pop: { v: 1 } }, [
    ...each(NO_ARRAYS, fails(14)),
    ...same([MISSING, []]),
    on([1, [2, 3]], [1]),
    on([[1, 2]], []),
  ]),
  updating('$pop', { $pop: { 'v.0': -1 } }, [
    on([[1, 2], 3], [[2], 3]),
    ...each([[1], [null]], fails(14)),
    ...same([[], MISSING, {}]),
    ...each([null, 5, NAN], fails(28)),
  ]),
  updatedBy('$pop', (v) => ({ $pop: { v } }), { v: [1, 2] }, [
    ...each([null, ...ARRAYS, ...NUMBERS, '1', 0, true], fails(9)),
    ...each([double(1), long(1), decimal('1')], [1]),
    on(decimal('-1'), [2]),
  ]),
  updating('$pull', { $pull: { v: 0 } }, [
    ...each(NO_ARRAYS, fails(2)),
    ...same([MISSING, [], [[0]], [NAN, null]]),
    on([MINUS_ZERO, long(0), [0], decimal('0.0'), 1], [[0], 1]),
  ]),
  updatedBy('$pull', (v) => ({ $pull: { v } }), { v: [null, NAN, MINUS_ZERO, [1], {}, LONG_MAX] }, [
    on(null, [NAN, MINUS_ZERO, [1], {}, LONG_MAX]),
    ...each([NAN, DECIMAL_NAN], [null, MINUS_ZERO, [1], {}, LONG_MAX]),
    on(0, [null, NAN, [1], {}, LONG_MAX]),
    on([1], [null, NAN, MINUS_ZERO, {}, LONG_MAX]),
    ...each(
      [[], [[1]], INT_MAX, INFINITE, decimal('0.1')],
      [null, NAN, MINUS_ZERO, [1], {}, LONG_MAX],
    ),
    on({}, [null, NAN, MINUS_ZERO, [1], LONG_MAX]),
  ]),
  // An operator enters an array that is an element.
  updating('$pull', { $pull: { v: { $gte: 5 } } }, [
    on([[6], 6, [1], INFINITE, NAN, null], [[1], NAN, null]),
    on([[[6]]], [[[6]]]),
    ...same([[], MISSING]),
  ]),
  updating('$pull', { $pull: { v: { $in: [null, [1]] } } }, [
    on([null, [1], [[1]], [null], 1, []], [1, []]),
  ]),
  updating('$pull', { $pull: { v: { a: null } } }, [
    on([{ a: null }, {}, { a: 1 }, null, [], [{}]], [{ a: 1 }, null, [], [{}]]),
  ]),
  updating('$pullAll', { $pullAll: { v: [0, null, [1], NAN] } }, [
    ...each(NO_ARRAYS, fails(2)),
    ...same([MISSING, [], [[0]], [[[1]]]]),
    on([MINUS_ZERO, null, [double(1)], DECIMAL_NAN, [null], LONG_MAX], [[null], LONG_MAX]),
  ]),
  ...['$pull', '$pullAll'].map((name) =>
    updating(name, { [name]: { 'v.a': [1] } }, [
      ...each([null, 5, ...ARRAYS, [{ a: [1] }], NAN], fails(28)),
      ...same([MISSING, {}]),
      on({ a: [1] }, { a: name === '$pull' ? [1] : [] }),
    ]),
  ),
  updatedBy('$pullAll', (v) => ({ $pullAll: { v } }), { v: [1, [1]] }, [
    ...each([null, ...NUMBERS, 'x', {}], fails(2)),
    ...each([[], [[]]], [1, [1]]),
    on([1], [[1]]),
    on([[1]], [1]),
  ]),
];

export const EDGES: readonly Table[] = [...ARITHMETIC, ...COMPARING, ...WRITING, ...LISTS];

describe('update operators at the edges', () => testTables(EDGES));
