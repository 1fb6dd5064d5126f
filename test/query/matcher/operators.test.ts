import assert from 'node:assert/strict';
import {
  BSONRegExp,
  BSONSymbol,
  Binary,
  Code,
  DBRef,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  type Document,
} from 'bson';
import { documentOf, UNDEFINED_VALUE } from '../../../bson/index.ts';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { errorOf, raw, testContext } from '../fixtures.ts';

/** The `_id`s of the documents that match. */
function find(documents: readonly Document[], filter: Document): unknown[] {
  const compiled = compileFilter(raw(filter), testContext());
  return documents.filter((document) => compiled.matches(raw(document))).map(({ _id }) => _id);
}

interface Case {
  readonly name: string;
  readonly documents: readonly Document[];
  readonly filter: Document;
  readonly ids: readonly unknown[];
}

/** `values` become documents { _id: 0.., a: value }. */
function values(...list: readonly unknown[]): Document[] {
  return list.map((a, _id) => ({ _id, a }));
}

const N: Document[] = [
  { _id: 1, a: 1 },
  { _id: 2, a: 2 },
  { _id: 3, a: 3 },
  { _id: 4, a: null },
  { _id: 5 },
  { _id: 6, a: 'x' },
  { _id: 7, a: [2, 9] },
];
const OBJECTS: Document[] = [
  { _id: 1, o: { x: 1, y: 2 } },
  { _id: 2, o: { y: 2, x: 1 } },
  { _id: 3, o: { x: 1, y: 2, z: 3 } },
  { _id: 4, o: [{ x: 1, y: 2 }] },
];
const RESULTS: Document[] = [
  {
    _id: 1,
    r: [
      { p: 'abc', s: 10 },
      { p: 'xyz', s: 5 },
    ],
  },
  {
    _id: 2,
    r: [
      { p: 'abc', s: 8 },
      { p: 'xyz', s: 7 },
    ],
  },
  {
    _id: 3,
    r: [
      { p: 'abc', s: 7 },
      { p: 'xyz', s: 8 },
    ],
  },
];
const id = new ObjectId('5ab9cbfa31c2ab715d42129e');
const otherId = new ObjectId('5ab9cbfa31c2ab715d42129f');
const binary = (...bytes: number[]): Binary => new Binary(Buffer.from(bytes));
const BITS: Document[] = [
  { _id: 1, a: 54 },
  { _id: 2, a: 20 },
  { _id: 3, a: new Double(20) },
  { _id: 4, a: binary(0x66) },
  { _id: 5, a: 'x' },
  { _id: 6, a: new Double(20.5) },
  { _id: 7, a: -1 },
  { _id: 8, a: Decimal128.fromString('54') },
  { _id: 9, a: Long.fromString('9223372036854775807') },
];

export const CASES: Case[] = [
  // $eq
  { name: '$eq with a number', documents: N, filter: { a: { $eq: 2 } }, ids: [2, 7] },
  { name: 'null equals null and missing', documents: N, filter: { a: null }, ids: [4, 5] },
  {
    name: 'null equals null in an array',
    documents: values(null, 1, [null], [1], []),
    filter: { a: null },
    ids: [0, 2],
  },
  {
    name: 'a document equals by field order',
    documents: OBJECTS,
    filter: { o: { x: 1, y: 2 } },
    ids: [1, 4],
  },
  {
    name: 'a dotted path enters arrays',
    documents: OBJECTS,
    filter: { 'o.x': 1 },
    ids: [1, 2, 3, 4],
  },
  {
    name: 'numbers are equal across types',
    documents: values(5, new Double(5), Long.fromNumber(5), Decimal128.fromString('5.0'), '5', 6),
    filter: { a: 5 },
    ids: [0, 1, 2, 3],
  },
  {
    name: 'a double equals the other types',
    documents: values(5, new Double(5), Long.fromNumber(5), Decimal128.fromString('5.00')),
    filter: { a: new Double(5) },
    ids: [0, 1, 2, 3],
  },
  {
    name: 'a decimal equals the other types',
    documents: values(5, new Double(5), Long.fromNumber(5), Decimal128.fromString('5.00'), 6),
    filter: { a: Decimal128.fromString('5') },
    ids: [0, 1, 2, 3],
  },
  {
    name: 'int64 beyond 2^53 is compared exactly',
    documents: values(
      Long.fromString('9007199254740993'),
      Long.fromString('9007199254740992'),
      new Double(9007199254740992),
    ),
    filter: { a: Long.fromString('9007199254740993') },
    ids: [0],
  },
  {
    name: 'NaN equals NaN',
    documents: values(NaN, 1, Decimal128.fromString('NaN')),
    filter: { a: NaN },
    ids: [0, 2],
  },
  {
    name: '-0 equals 0',
    documents: values(new Double(-0), 0, new Double(0)),
    filter: { a: 0 },
    ids: [0, 1, 2],
  },
  {
    name: 'a number in a path indexes an array',
    documents: [
      { _id: 1, a: [5, 6] },
      { _id: 2, a: [6, 5] },
    ],
    filter: { 'a.1': 6 },
    ids: [1],
  },
  {
    name: 'a whole array equals an array and an element',
    documents: values([1, 2], [[1, 2]], [2, 1]),
    filter: { a: [1, 2] },
    ids: [0, 1],
  },
  {
    name: 'a string equals a symbol',
    documents: values('x', new BSONSymbol('x'), 'y'),
    filter: { a: 'x' },
    ids: [0, 1],
  },
  {
    name: 'strings of equal length differ by bytes',
    documents: values('abc', 'abd', 'ab', 'äb'),
    filter: { a: 'abc' },
    ids: [0],
  },
  {
    name: 'a long string',
    documents: values('k'.repeat(100), 'k'.repeat(99) + 'j'),
    filter: { a: 'k'.repeat(100) },
    ids: [0],
  },
  {
    name: 'booleans are not numbers',
    documents: values(true, false, 1, 0),
    filter: { a: true },
    ids: [0],
  },
  {
    name: 'an ObjectId',
    documents: values(id, otherId, id.toHexString()),
    filter: { a: id },
    ids: [0],
  },
  {
    name: 'a date',
    documents: values(new Date(5), new Date(6), 5),
    filter: { a: new Date(5) },
    ids: [0],
  },
  {
    name: 'a timestamp is no date',
    documents: values(new Timestamp({ t: 0, i: 5 }), new Date(5)),
    filter: { a: new Timestamp({ t: 0, i: 5 }) },
    ids: [0],
  },
  {
    name: 'binary data with its subtype',
    documents: values(binary(1, 2), new Binary(Buffer.from([1, 2]), 4), binary(1)),
    filter: { a: binary(1, 2) },
    ids: [0],
  },
  {
    name: 'MinKey and MaxKey equal themselves',
    documents: values(new MinKey(), new MaxKey(), null),
    filter: { a: new MinKey() },
    ids: [0],
  },
  { name: 'code', documents: values(new Code('f'), 'f'), filter: { a: new Code('f') }, ids: [0] },
  {
    name: '$eq with a regex means the regex itself',
    documents: values(new BSONRegExp('^a', 'i'), 'abc', new BSONRegExp('^a')),
    filter: { a: { $eq: new BSONRegExp('^a', 'i') } },
    ids: [0],
  },
  { name: 'the empty document', documents: values({}, { x: 1 }, []), filter: { a: {} }, ids: [0] },
  {
    name: 'a field named by a number in a document',
    documents: values({ '0': 5 }, [5]),
    filter: { 'a.0': 5 },
    ids: [0, 1],
  },
  {
    name: 'a number in a path does not open the array there',
    documents: values([[5, 6]], [5]),
    filter: { 'a.0': 5 },
    ids: [1],
  },
  {
    name: 'numbers in a path go through nested arrays',
    documents: values([[{ b: 1 }]], [{ b: 1 }]),
    filter: { 'a.0.b': 1 },
    ids: [0, 1],
  },
  {
    name: 'arrays directly inside arrays are not entered',
    documents: values([[{ b: 1 }]], [{ b: 1 }]),
    filter: { 'a.b': 1 },
    ids: [1],
  },
  {
    name: 'a missing field below documents of an array is null',
    documents: values([{ b: 1 }, { c: 1 }], [1, 2], [], [{ b: 1 }]),
    filter: { 'a.b': null },
    ids: [0],
  },
  {
    name: 'a path through a scalar is missing',
    documents: values(5, { b: 5 }, null),
    filter: { 'a.b': null },
    ids: [0, 2],
  },
  {
    name: 'a document at an index as a field and as an element',
    documents: values([{ '1': 7 }, { b: 8 }]),
    filter: { 'a.1.b': 8 },
    ids: [0],
  },
  {
    name: 'the first of two fields with one name counts',
    documents: [{ _id: 1, a: 1 }],
    filter: { a: 1 },
    ids: [1],
  },
  // $ne, $gt, ...
  { name: '$ne', documents: N, filter: { a: { $ne: 2 } }, ids: [1, 3, 4, 5, 6] },
  { name: '$ne null', documents: N, filter: { a: { $ne: null } }, ids: [1, 2, 3, 6, 7] },
  { name: '$gt', documents: N, filter: { a: { $gt: 2 } }, ids: [3, 7] },
  { name: '$gte', documents: N, filter: { a: { $gte: 2 } }, ids: [2, 3, 7] },
  { name: '$lt', documents: N, filter: { a: { $lt: 2 } }, ids: [1] },
  { name: '$lte', documents: N, filter: { a: { $lte: 2 } }, ids: [1, 2, 7] },
  {
    name: '$lt compares within one kind of value',
    documents: values(1, '0', true, new Date(0), null, undefined),
    filter: { a: { $lt: 5 } },
    ids: [0],
  },
  { name: '$lte null', documents: N, filter: { a: { $lte: null } }, ids: [4, 5] },
  { name: '$gt null matches nothing', documents: N, filter: { a: { $gt: null } }, ids: [] },
  {
    name: '$gt MinKey matches all, missing too',
    documents: N,
    filter: { a: { $gt: new MinKey() } },
    ids: [1, 2, 3, 4, 5, 6, 7],
  },
  {
    name: '$lt MaxKey matches all but MaxKey',
    documents: values(1, new MaxKey(), 'x'),
    filter: { a: { $lt: new MaxKey() } },
    ids: [0, 2],
  },
  {
    name: '$gte MaxKey',
    documents: values(1, new MaxKey()),
    filter: { a: { $gte: new MaxKey() } },
    ids: [1],
  },
  {
    name: 'NaN is ordered to nothing',
    documents: values(NaN, 1, -Infinity),
    filter: { a: { $lt: 5 } },
    ids: [1, 2],
  },
  {
    name: '$gte NaN matches NaN only',
    documents: values(NaN, 1, Decimal128.fromString('NaN')),
    filter: { a: { $gte: NaN } },
    ids: [0, 2],
  },
  {
    name: '$lt NaN matches nothing',
    documents: values(NaN, 1),
    filter: { a: { $lt: NaN } },
    ids: [],
  },
  {
    name: 'ranges over all number types',
    documents: values(
      1,
      new Double(2.5),
      Long.fromNumber(3),
      Decimal128.fromString('3.5'),
      Decimal128.fromString('NaN'),
    ),
    filter: { a: { $gt: 2 } },
    ids: [1, 2, 3],
  },
  {
    name: 'ranges at the edge of int64',
    documents: values(Long.MAX_VALUE, Long.fromString('9223372036854775806'), new Double(2 ** 63)),
    filter: { a: { $gt: Long.fromString('9223372036854775806') } },
    ids: [0, 2],
  },
  {
    name: 'ranges over strings are by bytes',
    documents: values('a', 'b', 'B', 'ba', 'é'),
    filter: { a: { $gte: 'b' } },
    ids: [1, 3, 4],
  },
  {
    name: 'ranges over dates',
    documents: values(new Date(-5), new Date(0), new Date(5)),
    filter: { a: { $gt: new Date(-1) } },
    ids: [1, 2],
  },
  {
    name: 'ranges over arrays compare whole arrays',
    documents: values([1, 2], [3], 5, [[4]]),
    filter: { a: { $gt: [2] } },
    ids: [1, 3],
  },
  {
    name: 'two ends of a range met by different elements',
    documents: values([1, 10], [7]),
    filter: { a: { $gt: 5, $lt: 6 } },
    ids: [0],
  },
  {
    name: 'booleans have an order',
    documents: values(false, true),
    filter: { a: { $gt: false } },
    ids: [1],
  },
  // $in, $nin
  { name: '$in', documents: N, filter: { a: { $in: [1, 'x'] } }, ids: [1, 6] },
  {
    name: '$in with a regex and null',
    documents: [{ _id: 1, a: 'abc' }, { _id: 2, a: 'xbc' }, { _id: 3 }],
    filter: { a: { $in: [new BSONRegExp('^a'), null] } },
    ids: [1, 3],
  },
  {
    name: '$in with a long list',
    documents: values(
      1,
      new Double(2),
      Long.fromNumber(3),
      Decimal128.fromString('4'),
      'x',
      'y',
      null,
      undefined,
      id,
      9,
      NaN,
      [7, 5],
    ),
    filter: { a: { $in: [1, 2, 3, 4, 5, 'x', id, new Double(NaN)] } },
    ids: [0, 1, 2, 3, 4, 8, 10, 11],
  },
  {
    name: '$in with a long list and null',
    documents: [...values(1, null), { _id: 9 }],
    filter: { a: { $in: [2, 3, 4, 5, null] } },
    ids: [1, 9],
  },
  {
    name: '$in with arrays',
    documents: values([1, 2], [[1, 2]], 1),
    filter: { a: { $in: [[1, 2]] } },
    ids: [0, 1],
  },
  { name: '$in with nothing', documents: N, filter: { a: { $in: [] } }, ids: [] },
  { name: '$nin', documents: N, filter: { a: { $nin: [1, 2] } }, ids: [3, 4, 5, 6] },
  { name: '$nin null', documents: N, filter: { a: { $nin: [null] } }, ids: [1, 2, 3, 6, 7] },
  // logic
  {
    name: '$and',
    documents: N,
    filter: { $and: [{ a: { $gt: 1 } }, { a: { $lt: 3 } }] },
    ids: [2, 7],
  },
  { name: '$or', documents: N, filter: { $or: [{ a: 1 }, { a: 'x' }] }, ids: [1, 6] },
  {
    name: '$nor',
    documents: N,
    filter: { $nor: [{ a: 1 }, { a: { $type: 'string' } }] },
    ids: [2, 3, 4, 5, 7],
  },
  { name: '$not', documents: N, filter: { a: { $not: { $gt: 1 } } }, ids: [1, 4, 5, 6] },
  {
    name: '$not over two operators',
    documents: N,
    filter: { a: { $not: { $gt: 1, $lt: 3 } } },
    ids: [1, 3, 4, 5, 6],
  },
  {
    name: '$not with a regex',
    documents: values('apple', 'pear', undefined),
    filter: { a: { $not: new BSONRegExp('^a') } },
    ids: [1, 2],
  },
  {
    name: '$not with $regex',
    documents: values('apple', 'pear'),
    filter: { a: { $not: { $regex: '^A', $options: 'i' } } },
    ids: [1],
  },
  { name: 'two $not', documents: N, filter: { a: { $not: { $not: { $eq: 1 } } } }, ids: [1] },
  {
    name: 'conditions on several fields',
    documents: [
      { _id: 1, a: 1, b: 2, c: 3 },
      { _id: 2, a: 1, b: 3, c: 3 },
      { _id: 3, b: 2, c: 3 },
    ],
    filter: { c: 3, a: 1, b: { $lt: 3 } },
    ids: [1],
  },
  {
    name: 'conditions with missing fields',
    documents: [
      { _id: 1, a: 1 },
      { _id: 2, a: 1, b: 0 },
    ],
    filter: { a: 1, b: null },
    ids: [1],
  },
  { name: 'the empty filter', documents: N, filter: {}, ids: [1, 2, 3, 4, 5, 6, 7] },
  // elements
  { name: '$exists', documents: N, filter: { a: { $exists: true } }, ids: [1, 2, 3, 4, 6, 7] },
  { name: '$exists: false', documents: N, filter: { a: { $exists: false } }, ids: [5] },
  { name: '$exists: 0', documents: N, filter: { a: { $exists: 0 } }, ids: [5] },
  {
    name: '$exists over the empty array',
    documents: values([]),
    filter: { a: { $exists: true } },
    ids: [0],
  },
  {
    name: '$exists below an array',
    documents: values([{ b: 1 }, {}], [{}], [1]),
    filter: { 'a.b': { $exists: true } },
    ids: [0],
  },
  { name: '$type number', documents: N, filter: { a: { $type: 'number' } }, ids: [1, 2, 3, 7] },
  { name: '$type with a list', documents: N, filter: { a: { $type: ['null', 2] } }, ids: [4, 6] },
  { name: '$type array', documents: N, filter: { a: { $type: 'array' } }, ids: [7] },
  {
    name: '$type by number',
    documents: values(1, new Double(1), Long.fromNumber(1), new MinKey()),
    filter: { a: { $type: [16, -1] } },
    ids: [0, 3],
  },
  {
    name: '$type missing matches nothing',
    documents: [{ _id: 1 }],
    filter: { a: { $type: 'null' } },
    ids: [],
  },
  {
    name: '$size',
    documents: values([], [1, 2], 2, [[1, 2]]),
    filter: { a: { $size: 2 } },
    ids: [1],
  },
  {
    name: '$size 0',
    documents: [...values([], [1]), { _id: 9 }],
    filter: { a: { $size: 0 } },
    ids: [0],
  },
  {
    name: '$size of an element by its number',
    documents: values([[1, 2]], [1, 2]),
    filter: { 'a.0': { $size: 2 } },
    ids: [0],
  },
  // $mod
  {
    name: '$mod',
    documents: values(
      0,
      5,
      12,
      -4,
      '4',
      4.9,
      NaN,
      Infinity,
      Decimal128.fromString('8.5'),
      Long.fromString('9223372036854775804'),
    ),
    filter: { a: { $mod: [4, 0] } },
    ids: [0, 2, 3, 5, 8, 9],
  },
  {
    name: '$mod with a remainder of negative numbers',
    documents: values(-5, 5),
    filter: { a: { $mod: [4, -1] } },
    ids: [0],
  },
  {
    name: '$mod cuts fractions of its arguments',
    documents: values(8, 9),
    filter: { a: { $mod: [4.9, 0.5] } },
    ids: [0],
  },
  // $regex
  {
    name: '$regex',
    documents: values('Apple', 'apple', 'pear', 5),
    filter: { a: { $regex: '^a' } },
    ids: [1],
  },
  {
    name: 'a regex value',
    documents: values('Apple', ['x', 'apple'], 'pear'),
    filter: { a: new BSONRegExp('^a', 'i') },
    ids: [0, 1],
  },
  {
    name: '$options i and m',
    documents: values('Apple', 'pear\nApple', 'pear'),
    filter: { a: { $regex: '^apple', $options: 'im' } },
    ids: [0, 1],
  },
  {
    name: '$options x and s',
    documents: values('a\nb', 'ab'),
    filter: { a: { $regex: 'a . b # any char', $options: 'xs' } },
    ids: [0],
  },
  {
    name: '$options before $regex',
    documents: values('APPLE'),
    filter: { a: { $options: 'i', $regex: 'apple' } },
    ids: [0],
  },
  {
    name: '$regex beside another operator',
    documents: values('apple', 'avocado'),
    filter: { a: { $regex: '^a', $ne: 'apple' } },
    ids: [1],
  },
  {
    name: 'a regex matches the same regex',
    documents: values(new BSONRegExp('a', 'i'), new BSONRegExp('a')),
    filter: { a: new BSONRegExp('a', 'i') },
    ids: [0],
  },
  // arrays
  {
    name: '$all',
    documents: values(['a', 'b', 'c'], ['a'], 'a'),
    filter: { a: { $all: ['a', 'b'] } },
    ids: [0],
  },
  {
    name: '$all with one value matches a scalar',
    documents: values(['a', 'b'], ['b'], 'a'),
    filter: { a: { $all: ['a'] } },
    ids: [0, 2],
  },
  {
    name: '$all with nothing matches nothing',
    documents: values([], 1),
    filter: { a: { $all: [] } },
    ids: [],
  },
  {
    name: '$all with null',
    documents: [...values(null, [null, 1]), { _id: 9 }],
    filter: { a: { $all: [null] } },
    ids: [0, 1, 9],
  },
  {
    name: '$all with a regex',
    documents: values(['abc', 'x'], ['b']),
    filter: { a: { $all: [new BSONRegExp('^a'), 'x'] } },
    ids: [0],
  },
  {
    name: '$all with an array',
    documents: values([[1, 2]], [1, 2]),
    filter: { a: { $all: [[1, 2]] } },
    ids: [0, 1],
  },
  {
    name: '$all with $elemMatch',
    documents: RESULTS,
    filter: {
      r: {
        $all: [
          { $elemMatch: { p: 'abc', s: { $gt: 7 } } },
          { $elemMatch: { p: 'xyz', s: { $lt: 6 } } },
        ],
      },
    },
    ids: [1],
  },
  {
    name: '$elemMatch',
    documents: RESULTS,
    filter: { r: { $elemMatch: { p: 'xyz', s: { $gte: 8 } } } },
    ids: [3],
  },
  {
    name: '$elemMatch over scalars',
    documents: values([82, 85, 88], [75, 88, 89]),
    filter: { a: { $elemMatch: { $gte: 80, $lt: 85 } } },
    ids: [0],
  },
  {
    name: '$elemMatch matches no scalar field',
    documents: values(82, [82]),
    filter: { a: { $elemMatch: { $gte: 80 } } },
    ids: [1],
  },
  {
    name: '$elemMatch in $elemMatch',
    documents: values([[1, 5]], [1, 5], [[1], [2]]),
    filter: { a: { $elemMatch: { $elemMatch: { $gt: 4 } } } },
    ids: [0],
  },
  {
    name: '$elemMatch with $not',
    documents: values([1, 5], [5, 6]),
    filter: { a: { $elemMatch: { $not: { $gt: 4 } } } },
    ids: [0],
  },
  {
    name: '$elemMatch with $in',
    documents: values(['a', 'b'], ['c']),
    filter: { a: { $elemMatch: { $in: ['b', new BSONRegExp('^x')] } } },
    ids: [0],
  },
  {
    name: '$elemMatch with $or',
    documents: values([{ x: 1 }], [{ y: 2 }], [{ z: 3 }]),
    filter: { a: { $elemMatch: { $or: [{ x: 1 }, { y: 2 }] } } },
    ids: [0, 1],
  },
  {
    name: '$elemMatch with null and missing',
    documents: values([{ x: 1 }], [{ x: null }], [{}], [1]),
    filter: { a: { $elemMatch: { x: null } } },
    ids: [1, 2],
  },
  {
    name: '$elemMatch below an array',
    documents: values([{ b: [1, 2] }, { b: [7] }]),
    filter: { 'a.b': { $elemMatch: { $gt: 5 } } },
    ids: [0],
  },
  {
    name: '$elemMatch takes an array in the array for a document',
    documents: values([[7, 8]]),
    filter: { a: { $elemMatch: { '1': 8 } } },
    ids: [0],
  },
  {
    name: '$elemMatch with an empty condition takes documents',
    documents: values([{}], [1], []),
    filter: { a: { $elemMatch: {} } },
    ids: [0],
  },
  // bits
  {
    name: '$bitsAllSet',
    documents: BITS,
    filter: { a: { $bitsAllSet: [1, 5] } },
    ids: [1, 4, 7, 8, 9],
  },
  { name: '$bitsAllClear', documents: BITS, filter: { a: { $bitsAllClear: [1, 5] } }, ids: [2, 3] },
  {
    name: '$bitsAnySet',
    documents: BITS,
    filter: { a: { $bitsAnySet: 34 } },
    ids: [1, 4, 7, 8, 9],
  },
  {
    name: '$bitsAnyClear',
    documents: BITS,
    filter: { a: { $bitsAnyClear: binary(0x22) } },
    ids: [2, 3],
  },
  {
    name: '$bitsAllSet beyond 64 bits looks at the sign',
    documents: BITS,
    filter: { a: { $bitsAllSet: [200] } },
    ids: [7],
  },
  // whole documents
  { name: '$comment', documents: N, filter: { a: 1, $comment: 'who asks' }, ids: [1] },
  { name: '$sampleRate 1', documents: N, filter: { $sampleRate: 1 }, ids: [1, 2, 3, 4, 5, 6, 7] },
  { name: '$sampleRate 0', documents: N, filter: { $sampleRate: 0 }, ids: [] },
  { name: '$alwaysTrue', documents: N, filter: { $alwaysTrue: 1 }, ids: [1, 2, 3, 4, 5, 6, 7] },
  { name: '$alwaysFalse', documents: N, filter: { $alwaysFalse: 1 }, ids: [] },
  {
    name: '$ref',
    documents: [
      { _id: 1, r: new DBRef('c', id) },
      { _id: 2, r: new DBRef('d', id) },
    ],
    filter: { 'r.$ref': 'c' },
    ids: [1],
  },
  {
    name: '$id',
    documents: [
      { _id: 1, r: new DBRef('c', id) },
      { _id: 2, r: new DBRef('c', otherId) },
    ],
    filter: { 'r.$id': otherId },
    ids: [2],
  },
  {
    name: '$db',
    documents: [
      { _id: 1, r: new DBRef('c', id, 'x') },
      { _id: 2, r: new DBRef('c', id) },
    ],
    filter: { 'r.$db': 'x' },
    ids: [1],
  },
  {
    name: 'a whole DBRef',
    documents: [
      { _id: 1, r: new DBRef('c', id) },
      { _id: 2, r: new DBRef('d', id) },
    ],
    filter: { r: new DBRef('c', id) },
    ids: [1],
  },
  {
    name: '$expr',
    documents: [
      { _id: 1, spent: 5, budget: 4 },
      { _id: 2, spent: 1, budget: 4 },
    ],
    filter: { $expr: { $gt: ['$spent', '$budget'] } },
    ids: [1],
  },
  {
    name: '$expr beside a field',
    documents: [
      { _id: 1, a: 1, b: 1 },
      { _id: 2, a: 2, b: 1 },
    ],
    filter: { b: 1, $expr: { $eq: ['$a', '$b'] } },
    ids: [1],
  },
];

export const ERRORS: { name: string; filter: Document; code: number; message?: RegExp }[] = [
  {
    name: 'an unknown operator',
    filter: { a: { $nope: 1 } },
    code: 2,
    message: /^unknown operator: \$nope$/,
  },
  {
    name: 'an unknown operator at the top',
    filter: { $nope: 1 },
    code: 2,
    message: /^unknown top level operator: \$nope/,
  },
  { name: '$where without an engine', filter: { $where: 'true' }, code: 6_108_304 },
  { name: '$and without entries', filter: { $and: [] }, code: 2, message: /nonempty array/ },
  {
    name: '$or with something else',
    filter: { $or: 1 },
    code: 2,
    message: /^\$or must be an array$/,
  },
  { name: '$nor with a scalar', filter: { $nor: [1] }, code: 2, message: /full objects/ },
  {
    name: '$in with a scalar',
    filter: { a: { $in: 1 } },
    code: 2,
    message: /^\$in needs an array$/,
  },
  {
    name: '$in with operators',
    filter: { a: { $in: [{ $gt: 1 }] } },
    code: 2,
    message: /cannot nest \$ under \$in/,
  },
  {
    name: '$nin with a scalar',
    filter: { a: { $nin: 1 } },
    code: 2,
    message: /^\$nin needs an array$/,
  },
  {
    name: '$not with a scalar',
    filter: { a: { $not: 1 } },
    code: 2,
    message: /needs a regex or a document/,
  },
  { name: '$not with nothing', filter: { a: { $not: {} } }, code: 2, message: /cannot be empty/ },
  {
    name: '$gt with a regex',
    filter: { a: { $gt: new BSONRegExp('x') } },
    code: 2,
    message: /^Can't have RegEx as arg to predicate over field 'a'\.$/,
  },
  {
    name: '$ne with a regex',
    filter: { a: { $ne: new BSONRegExp('x') } },
    code: 2,
    message: /^Can't have regex as arg to \$ne\.$/,
  },
  {
    name: 'an unknown type',
    filter: { a: { $type: 'nope' } },
    code: 2,
    message: /^Unknown type name alias: nope$/,
  },
  {
    name: 'an unknown type number',
    filter: { a: { $type: 99 } },
    code: 2,
    message: /^Invalid numerical type code: 99$/,
  },
  { name: 'no type', filter: { a: { $type: [] } }, code: 9 },
  { name: 'a type that is no name', filter: { a: { $type: {} } }, code: 14 },
  { name: '$size with a negative number', filter: { a: { $size: -1 } }, code: 2 },
  { name: '$size with a fraction', filter: { a: { $size: 1.5 } }, code: 2 },
  { name: '$size with a string', filter: { a: { $size: '1' } }, code: 2 },
  {
    name: '$mod with one number',
    filter: { a: { $mod: [4] } },
    code: 2,
    message: /not enough elements/,
  },
  {
    name: '$mod with three numbers',
    filter: { a: { $mod: [4, 0, 1] } },
    code: 2,
    message: /too many elements/,
  },
  {
    name: '$mod by zero',
    filter: { a: { $mod: [0, 0] } },
    code: 2,
    message: /divisor cannot be 0/,
  },
  {
    name: '$mod by a string',
    filter: { a: { $mod: ['x', 0] } },
    code: 2,
    message: /divisor not a number/,
  },
  { name: '$mod by NaN', filter: { a: { $mod: [NaN, 0] } }, code: 2 },
  {
    name: '$regex with a number',
    filter: { a: { $regex: 1 } },
    code: 2,
    message: /\$regex has to be a string/,
  },
  {
    name: '$options without $regex',
    filter: { a: { $options: 'i' } },
    code: 2,
    message: /\$options needs a \$regex/,
  },
  {
    name: 'options twice',
    filter: { a: { $regex: new BSONRegExp('a', 'i'), $options: 'm' } },
    code: 51075,
  },
  { name: 'an unknown option', filter: { a: { $regex: 'a', $options: 'q' } }, code: 51108 },
  { name: 'a malformed pattern', filter: { a: { $regex: '(' } }, code: 51091 },
  {
    name: '$all with a scalar',
    filter: { a: { $all: 1 } },
    code: 2,
    message: /\$all needs an array/,
  },
  {
    name: '$all with operators',
    filter: { a: { $all: [{ $gt: 1 }] } },
    code: 2,
    message: /no \$ expressions in \$all/,
  },
  {
    name: '$all that mixes',
    filter: { a: { $all: [{ $elemMatch: { x: 1 } }, 5] } },
    code: 2,
    message: /has to be consistent/,
  },
  {
    name: '$elemMatch with a scalar',
    filter: { a: { $elemMatch: 1 } },
    code: 2,
    message: /\$elemMatch needs an Object/,
  },
  { name: 'bits with a string', filter: { a: { $bitsAllSet: 'x' } }, code: 2 },
  { name: 'bits with a negative mask', filter: { a: { $bitsAllSet: -1 } }, code: 9 },
  { name: 'bits with a negative position', filter: { a: { $bitsAllSet: [-1] } }, code: 2 },
  { name: '$alwaysTrue: 2', filter: { $alwaysTrue: 2 }, code: 9 },
  { name: '$sampleRate: 2', filter: { $sampleRate: 2 }, code: 2 },
  {
    name: '$expr below $elemMatch',
    filter: { a: { $elemMatch: { $expr: true } } },
    code: 2,
    message: /top-level document/,
  },
  {
    name: '$where on a field',
    filter: { a: { $where: 'x' } },
    code: 2,
    message: /\$where cannot be applied to a field/,
  },
  { name: '$jsonSchema with a scalar', filter: { $jsonSchema: 1 }, code: 14 },
];

describe('query operators', () => {
  for (const { name, documents, filter, ids } of CASES) {
    it(`matches: ${name}`, () => {
      assert.deepEqual(find(documents, filter), ids);
    });
  }

  for (const { name, filter, code, message } of ERRORS) {
    it(`refuses: ${name}`, () => {
      const error = errorOf(() => compileFilter(raw(filter), testContext()));
      assert.equal(error.code, code);
      if (message !== undefined) assert.match(error.message, message);
    });
  }

  it('takes undefined for neither null nor missing, as MongoDB 8.0 does', () => {
    const document = documentOf({ a: UNDEFINED_VALUE });
    const matches = (filter: Document): boolean =>
      compileFilter(raw(filter), testContext()).matches(document);
    assert.equal(matches({ a: null }), false);
    assert.equal(matches({ a: { $in: [null, 1, 2, 3, 4] } }), false);
    assert.equal(matches({ a: { $exists: true } }), true);
    assert.equal(matches({ a: { $type: 'undefined' } }), true);
    const filter = documentOf({ a: UNDEFINED_VALUE });
    assert.equal(errorOf(() => compileFilter(filter, testContext())).code, 2);
  });

  it('samples about the share that $sampleRate asks for', () => {
    const filter = compileFilter(raw({ $sampleRate: 0.25 }), testContext());
    const document = raw({ a: 1 });
    let matched = 0;
    for (let round = 0; round < 4000; round += 1) matched += filter.matches(document) ? 1 : 0;
    assert.ok(matched > 850 && matched < 1150, `${matched} of 4000`);
  });

  it('tells how an array element matched, for positional updates', () => {
    const position = (filter: Document, document: Document): number | undefined =>
      compileFilter(raw(filter), testContext()).matchPosition(raw(document));
    assert.equal(position({ g: 80 }, { g: [70, 80, 90] }), 1);
    assert.equal(
      position({ g: { $elemMatch: { k: { $gt: 1 } } } }, { g: [{ k: 1 }, { k: 2 }] }),
      1,
    );
    assert.equal(position({ 'g.k': 2 }, { g: [{ k: 1 }, { k: [1, 2] }] }), 1);
    assert.equal(position({ 'g.1': 5 }, { g: [4, 5] }), undefined);
    assert.equal(position({ g: 80 }, { g: 80 }), undefined);
    assert.equal(position({ g: 80 }, { g: [1] }), undefined);
    assert.equal(position({ g: { $ne: 80 } }, { g: [1] }), undefined);
    assert.equal(position({ x: 1, g: { $gte: 5, $lt: 8 } }, { x: 1, g: [1, 9, 5] }), 1);
    assert.equal(position({ $or: [{ g: 1, x: 2 }, { x: 1 }] }, { x: 1, g: [1] }), undefined);
    assert.equal(position({ $or: [{ x: 2 }, { g: 3 }] }, { x: 1, g: [1, 3] }), 1);
    // Of two arrays the one whose condition comes last in MongoDB's order decides: by kind, then by path.
    const document = { z: [0, 1], a: [1, 2, 5], _id: 1 };
    assert.equal(position({ z: 1, a: 5 }, document), 1);
    assert.equal(position({ a: 5, z: 1 }, document), 1);
    assert.equal(position({ a: { $gt: 4 }, z: 1 }, document), 2);
  });

  it('normalises to $eq, $in, $exists, and, or, nor and not', () => {
    const tree = compileFilter(
      raw({ $and: [{ a: { $ne: 1 } }, { b: { $exists: false }, c: { $in: [3, 1, 1] } }] }),
      testContext(),
    ).tree;
    assert.equal(tree.kind, 'and');
    assert.ok(tree.kind === 'and');
    assert.deepEqual(
      tree.children.map((child) => (child.kind === 'not' ? ['not', child.child.kind] : child.kind)),
      [['not', 'leaf'], ['not', 'leaf'], 'leaf'],
    );
    const list = tree.children[2];
    assert.ok(list.kind === 'leaf');
    assert.deepEqual(
      list.operands.map((operand) => operand.asNumber()),
      [1, 3],
    );
  });

  it('lets Int32 and Double constants be told apart by no condition', () => {
    assert.deepEqual(find(values(new Int32(1), new Double(1)), { a: new Int32(1) }), [0, 1]);
  });
});
