import assert from 'node:assert/strict';
import { BSON, Decimal128, Double, Int32, Long, ObjectId, Timestamp, type Document } from 'bson';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { compileUpdate } from '../../../query/update/compile.ts';
import { documentValue } from '../../../bson/index.ts';
import { errorOf, plain, raw, testContext } from '../fixtures.ts';

interface Options {
  readonly filter?: Document;
  readonly arrayFilters?: readonly Document[];
}

function apply(before: Document, update: Document, options: Options = {}): Document {
  return plain(applyRaw(raw(before), update, options));
}

function applyRaw(before: Buffer, update: Document, { filter, arrayFilters }: Options): Buffer {
  const context = testContext();
  const compiled = compileUpdate(documentValue(raw(update)), {
    context,
    arrayFilters: (arrayFilters ?? []).map(raw),
  });
  const position =
    filter === undefined ? undefined : compileFilter(raw(filter), context).matchPosition(before);
  return compiled.apply(before, position);
}

interface Case extends Options {
  readonly name: string;
  readonly before: Document;
  readonly update: Document;
  /** Types and order of fields count. Absent: nothing changes, and the same Buffer comes back. */
  readonly after?: Document;
}

const long = (text: string): Long => Long.fromString(text);
const decimal = (text: string): Decimal128 => Decimal128.fromString(text);

export const CASES: Case[] = [
  // $set
  {
    name: '$set changes and makes fields',
    before: { a: 1 },
    update: { $set: { a: 2, 'b.c': 3 } },
    after: { a: 2, b: { c: 3 } },
  },
  {
    name: '$set keeps the place of a field',
    before: { a: 1, b: 2, c: 3 },
    update: { $set: { b: 'longer than before' } },
    after: { a: 1, b: 'longer than before', c: 3 },
  },
  {
    name: '$set changes a type',
    before: { a: 1, b: 2 },
    update: { $set: { a: new Double(1) } },
    after: { a: new Double(1), b: 2 },
  },
  {
    name: '$set to the same value changes nothing',
    before: { a: 1, b: { c: [1] } },
    update: { $set: { a: 1, 'b.c': [1] } },
  },
  {
    name: '$set of an array element',
    before: { a: [1, 2, 3] },
    update: { $set: { 'a.1': 9 } },
    after: { a: [1, 9, 3] },
  },
  {
    name: '$set beyond the array',
    before: { a: [1] },
    update: { $set: { 'a.3': 9 } },
    after: { a: [1, null, null, 9] },
  },
  {
    name: '$set of two elements beyond the array',
    before: { a: [] },
    update: { $set: { 'a.2': 'y', 'a.1': 'x' } },
    after: { a: [null, 'x', 'y'] },
  },
  {
    name: 'new fields come in order of name',
    before: { a: 1 },
    update: { $set: { z: 1, c: 1 } },
    after: { a: 1, c: 1, z: 1 },
  },
  {
    name: 'new fields with numeric names come in order of number',
    before: {},
    update: { $set: { 'x.10': 1, 'x.9': 1, 'x.b': 1 } },
    after: { x: { '9': 1, '10': 1, b: 1 } },
  },
  {
    name: 'new fields of several operators come in one order',
    before: {},
    update: { $set: { z: 1 }, $inc: { b: 2 }, $max: { m: 3 } },
    after: { b: 2, m: 3, z: 1 },
  },
  {
    name: '$set below documents of an array by index',
    before: { a: [{ b: 1 }, { b: 2 }] },
    update: { $set: { 'a.1.b': 5 } },
    after: { a: [{ b: 1 }, { b: 5 }] },
  },
  {
    name: '$set makes numbers into names when there is no array',
    before: {},
    update: { $set: { 'a.0': 1 } },
    after: { a: { '0': 1 } },
  },
  {
    name: '$set of several nested fields',
    before: { o: { x: 1, y: 2, z: 3 } },
    update: { $set: { 'o.x': 10, 'o.z': 30, 'o.n': 4 } },
    after: { o: { x: 10, y: 2, z: 30, n: 4 } },
  },
  {
    name: '$set of many fields',
    before: { f3: 0, other: 1 },
    update: { $set: Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`f${i}`, i])) },
    after: {
      f3: 3,
      other: 1,
      f0: 0,
      f1: 1,
      f10: 10,
      f11: 11,
      f2: 2,
      f4: 4,
      f5: 5,
      f6: 6,
      f7: 7,
      f8: 8,
      f9: 9,
    },
  },
  {
    name: '$set with dollars below the top',
    before: {},
    update: { $set: { 'a.$x': 1, b: { $y: 1 } } },
    after: { a: { $x: 1 }, b: { $y: 1 } },
  },
  { name: 'an empty operator changes nothing', before: { a: 1 }, update: { $set: {} } },
  {
    name: '$setOnInsert does nothing in an update',
    before: { a: 1 },
    update: { $setOnInsert: { a: 2, 'b.c': 1 } },
  },
  {
    name: '$setOnInsert through a scalar does nothing in an update',
    before: { a: 1 },
    update: { $setOnInsert: { 'a.b': 1 } },
  },
  // $unset
  {
    name: '$unset',
    before: { a: 1, b: { c: 1, d: 2 } },
    update: { $unset: { a: '', 'b.c': '' } },
    after: { b: { d: 2 } },
  },
  {
    name: '$unset of an array element leaves null',
    before: { a: [1, 2, 3] },
    update: { $unset: { 'a.1': '' } },
    after: { a: [1, null, 3] },
  },
  {
    name: '$unset of what is not there',
    before: { a: 1 },
    update: { $unset: { b: '', 'a.x': '', 'c.d': '' } },
  },
  {
    name: '$unset of adjacent fields',
    before: { a: 1, b: 2, c: 3 },
    update: { $unset: { a: 1, b: 1 } },
    after: { c: 3 },
  },
  { name: '$unset of all fields', before: { a: 1 }, update: { $unset: { a: 1 } }, after: {} },
  // $inc and $mul
  {
    name: '$inc',
    before: { a: 1, b: new Double(1.5) },
    update: { $inc: { a: 2, b: 1, c: -5 } },
    after: { a: 3, b: new Double(2.5), c: -5 },
  },
  { name: '$inc by 0 changes nothing', before: { a: 1 }, update: { $inc: { a: 0 } } },
  {
    name: '$inc of an int32 that overflows gives an int64',
    before: { a: 2147483647 },
    update: { $inc: { a: 1 } },
    after: { a: long('2147483648') },
  },
  {
    name: '$inc of an int32 that underflows gives an int64',
    before: { a: -2147483648 },
    update: { $inc: { a: -1 } },
    after: { a: long('-2147483649') },
  },
  {
    name: '$inc int32 by int64',
    before: { a: 1 },
    update: { $inc: { a: long('1') } },
    after: { a: long('2') },
  },
  {
    name: '$inc int64 by int32 is exact',
    before: { a: long('9007199254740993') },
    update: { $inc: { a: 1 } },
    after: { a: long('9007199254740994') },
  },
  {
    name: '$inc int32 by double',
    before: { a: 1 },
    update: { $inc: { a: new Double(0.5) } },
    after: { a: new Double(1.5) },
  },
  {
    name: '$inc double by 0.0 of an int changes its type',
    before: { a: 1 },
    update: { $inc: { a: new Double(0) } },
    after: { a: new Double(1) },
  },
  {
    name: '$inc int32 by decimal',
    before: { a: 1 },
    update: { $inc: { a: decimal('0.1') } },
    after: { a: decimal('1.1') },
  },
  {
    name: '$inc double by decimal',
    before: { a: new Double(0.1) },
    update: { $inc: { a: decimal('0.2') } },
    after: { a: decimal('0.300000000000000') },
  },
  // NaN is not even equal to itself: it is written again.
  { name: '$inc NaN', before: { a: NaN }, update: { $inc: { a: 1 } }, after: { a: NaN } },
  {
    name: '$mul',
    before: { a: 3, b: 10 },
    update: { $mul: { a: 4, b: new Double(0.5), c: 7 } },
    after: { a: 12, b: new Double(5), c: 0 },
  },
  {
    name: '$mul of a missing field gives zero of the type',
    before: {},
    update: { $mul: { a: new Double(2), b: long('2'), c: decimal('2') } },
    after: { a: new Double(0), b: long('0'), c: decimal('0') },
  },
  {
    name: '$mul of int32 that overflows gives an int64',
    before: { a: 65536 },
    update: { $mul: { a: 65536 } },
    after: { a: long('4294967296') },
  },
  {
    name: '$mul of large int32 is exact',
    before: { a: 2147483647 },
    update: { $mul: { a: 2147483647 } },
    after: { a: long('4611686014132420609') },
  },
  { name: '$mul by 1 changes nothing', before: { a: 3 }, update: { $mul: { a: 1 } } },
  // $min and $max
  {
    name: '$min',
    before: { a: 5, b: 5 },
    update: { $min: { a: 3, b: 9, c: 1 } },
    after: { a: 3, b: 5, c: 1 },
  },
  {
    name: '$max',
    before: { a: 5, b: 5 },
    update: { $max: { a: 3, b: 9, c: 1 } },
    after: { a: 5, b: 9, c: 1 },
  },
  { name: '$max across types', before: { a: 5 }, update: { $max: { a: 'x' } }, after: { a: 'x' } },
  { name: '$min of null', before: { a: null }, update: { $min: { a: 5 } } },
  {
    name: '$max of an equal number of another type keeps the old',
    before: { a: 5 },
    update: { $max: { a: new Double(5) } },
  },
  {
    name: '$min of a date',
    before: { a: new Date(10) },
    update: { $min: { a: new Date(5) } },
    after: { a: new Date(5) },
  },
  // $rename
  {
    name: '$rename',
    before: { a: 1, b: { c: 2 } },
    update: { $rename: { a: 'x', 'b.c': 'y' } },
    after: { b: {}, x: 1, y: 2 },
  },
  {
    name: '$rename over an existing field',
    before: { a: 1, b: 2 },
    update: { $rename: { a: 'b' } },
    after: { b: 1 },
  },
  { name: '$rename of a missing field', before: { b: 1 }, update: { $rename: { a: 'b' } } },
  {
    name: '$rename into a document',
    before: { a: 1, b: { c: 1 } },
    update: { $rename: { a: 'b.d' } },
    after: { b: { c: 1, d: 1 } },
  },
  // positional
  {
    name: '$',
    before: { g: [80, 85, 90] },
    update: { $set: { 'g.$': 82 } },
    filter: { g: 80 },
    after: { g: [82, 85, 90] },
  },
  {
    name: '$ below an element',
    before: {
      g: [
        { k: 1, m: 1 },
        { k: 2, m: 1 },
      ],
    },
    update: { $set: { 'g.$.m': 6 } },
    filter: { g: { $elemMatch: { k: { $gt: 1 } } } },
    after: {
      g: [
        { k: 1, m: 1 },
        { k: 2, m: 6 },
      ],
    },
  },
  {
    name: '$[]',
    before: { g: [1, 2, 3] },
    update: { $inc: { 'g.$[]': 10 } },
    after: { g: [11, 12, 13] },
  },
  {
    name: '$[] nested',
    before: { g: [{ q: [1, 2] }, { q: [3] }] },
    update: { $inc: { 'g.$[].q.$[]': 1 } },
    after: { g: [{ q: [2, 3] }, { q: [4] }] },
  },
  { name: '$[] over nothing', before: { g: [] }, update: { $inc: { 'g.$[]': 10 } } },
  {
    name: '$[id]',
    before: { g: [95, 102, 90, 150] },
    update: { $set: { 'g.$[e]': 100 } },
    arrayFilters: [{ e: { $gte: 100 } }],
    after: { g: [95, 100, 90, 100] },
  },
  {
    name: '$[id] below elements',
    before: {
      g: [
        { k: 1, m: 1 },
        { k: 2, m: 1 },
      ],
    },
    update: { $set: { 'g.$[e].m': 9 } },
    arrayFilters: [{ 'e.k': { $gt: 1 } }],
    after: {
      g: [
        { k: 1, m: 1 },
        { k: 2, m: 9 },
      ],
    },
  },
  {
    name: '$[id] with two conditions',
    before: {
      g: [
        { k: 1, n: 1 },
        { k: 1, n: 5 },
      ],
    },
    update: { $set: { 'g.$[e].hit': true } },
    arrayFilters: [{ 'e.k': 1, 'e.n': { $gt: 2 } }],
    after: {
      g: [
        { k: 1, n: 1 },
        { k: 1, n: 5, hit: true },
      ],
    },
  },
  {
    name: '$[id] with $or',
    before: { g: [1, 2, 3] },
    update: { $set: { 'g.$[e]': 0 } },
    arrayFilters: [{ $or: [{ e: 1 }, { e: 3 }] }],
    after: { g: [0, 2, 0] },
  },
  {
    name: 'two identifiers on one element',
    before: { g: [{ a: 1, b: 1 }] },
    update: { $set: { 'g.$[x].a': 2, 'g.$[y].b': 3 } },
    arrayFilters: [{ 'x.a': 1 }, { 'y.b': 1 }],
    after: { g: [{ a: 2, b: 3 }] },
  },
  {
    name: '$[id] with nothing to do',
    before: { g: [1] },
    update: { $set: { 'g.$[e]': 0 } },
    arrayFilters: [{ e: 5 }],
  },
  {
    name: '$unset of elements leaves null',
    before: { g: [1, 2] },
    update: { $unset: { 'g.$[e]': 1 } },
    arrayFilters: [{ e: 1 }],
    after: { g: [null, 2] },
  },
  // arrays
  {
    name: '$addToSet',
    before: { a: ['x'] },
    update: { $addToSet: { a: 'y' } },
    after: { a: ['x', 'y'] },
  },
  {
    name: '$addToSet of what is there',
    before: { a: ['x', { k: 1 }] },
    update: { $addToSet: { a: { k: 1 } } },
  },
  {
    name: '$addToSet of an equal number of another type',
    before: { a: [1] },
    update: { $addToSet: { a: new Double(1) } },
  },
  {
    name: '$addToSet to a missing field',
    before: {},
    update: { $addToSet: { a: 1 } },
    after: { a: [1] },
  },
  {
    name: '$addToSet keeps duplicates that are there',
    before: { a: [1, 1] },
    update: { $addToSet: { a: 2 } },
    after: { a: [1, 1, 2] },
  },
  {
    name: '$addToSet with $each',
    before: { a: [1] },
    update: { $addToSet: { a: { $each: [1, 2, 3, 2] } } },
    after: { a: [1, 2, 3] },
  },
  {
    name: '$addToSet with an empty $each makes an array',
    before: {},
    update: { $addToSet: { a: { $each: [] } } },
    after: { a: [] },
  },
  {
    name: '$addToSet of an array',
    before: { a: [[1]] },
    update: { $addToSet: { a: [1, 2] } },
    after: { a: [[1], [1, 2]] },
  },
  {
    name: '$push',
    before: { a: [1] },
    update: { $push: { a: 2, b: 'n' } },
    after: { a: [1, 2], b: ['n'] },
  },
  {
    name: '$push of an array',
    before: { a: [1] },
    update: { $push: { a: [2, 3] } },
    after: { a: [1, [2, 3]] },
  },
  {
    name: '$push with $each',
    before: { a: [1] },
    update: { $push: { a: { $each: [2, 3] } } },
    after: { a: [1, 2, 3] },
  },
  {
    name: '$push with an empty $each',
    before: { a: [1] },
    update: { $push: { a: { $each: [] } } },
  },
  {
    name: '$push with $position',
    before: { a: [1, 4] },
    update: { $push: { a: { $each: [2, 3], $position: 1 } } },
    after: { a: [1, 2, 3, 4] },
  },
  {
    name: '$push with a negative $position',
    before: { a: [1, 2, 5] },
    update: { $push: { a: { $each: [3, 4], $position: -1 } } },
    after: { a: [1, 2, 3, 4, 5] },
  },
  {
    name: '$push with a $position beyond both ends',
    before: { a: [1], b: [1] },
    update: { $push: { a: { $each: [2], $position: 50 }, b: { $each: [2], $position: -50 } } },
    after: { a: [1, 2], b: [2, 1] },
  },
  {
    name: '$push with $slice',
    before: { a: [40, 50, 60] },
    update: { $push: { a: { $each: [80, 78, 86], $slice: -5 } } },
    after: { a: [50, 60, 80, 78, 86] },
  },
  {
    name: '$push with a positive $slice and 0',
    before: { a: [1, 2], b: [1] },
    update: { $push: { a: { $each: [3, 4], $slice: 3 }, b: { $each: [], $slice: 0 } } },
    after: { a: [1, 2, 3], b: [] },
  },
  {
    name: '$push with $sort',
    before: {
      q: [
        { id: 1, s: 6 },
        { id: 2, s: 9 },
      ],
    },
    update: { $push: { q: { $each: [{ id: 3, s: 8 }], $sort: { s: 1 } } } },
    after: {
      q: [
        { id: 1, s: 6 },
        { id: 3, s: 8 },
        { id: 2, s: 9 },
      ],
    },
  },
  {
    name: '$push with $sort by two fields',
    before: {
      q: [
        { a: 1, b: 1 },
        { a: 2, b: 1 },
      ],
    },
    update: { $push: { q: { $each: [{ a: 1, b: 2 }], $sort: { a: 1, b: -1 } } } },
    after: {
      q: [
        { a: 1, b: 2 },
        { a: 1, b: 1 },
        { a: 2, b: 1 },
      ],
    },
  },
  {
    name: '$push with $sort by a dotted path',
    before: { q: [{ o: { s: 2 } }, {}] },
    update: { $push: { q: { $each: [{ o: { s: 1 } }], $sort: { 'o.s': 1 } } } },
    after: { q: [{}, { o: { s: 1 } }, { o: { s: 2 } }] },
  },
  {
    name: '$push with $sort of scalars',
    before: { a: [89, 70, 89, 50] },
    update: { $push: { a: { $each: [40, 60], $sort: -1, $slice: 4 } } },
    after: { a: [89, 89, 70, 60] },
  },
  {
    name: '$pop',
    before: { a: [8, 9, 10], b: [8, 9, 10] },
    update: { $pop: { a: -1, b: 1 } },
    after: { a: [9, 10], b: [8, 9] },
  },
  { name: '$pop of nothing', before: { a: [] }, update: { $pop: { a: 1, b: 1, 'c.d': 1 } } },
  {
    name: '$pull',
    before: { a: [1, 5, 6, 3], b: ['x', 'y'] },
    update: { $pull: { a: { $gte: 5 }, b: 'x' } },
    after: { a: [1, 3], b: ['y'] },
  },
  {
    name: '$pull of documents',
    before: {
      r: [
        { item: 'A', score: 5 },
        { item: 'B', score: 8 },
      ],
    },
    update: { $pull: { r: { score: 8, item: 'B' } } },
    after: { r: [{ item: 'A', score: 5 }] },
  },
  {
    name: '$pull of documents by an operator',
    before: { r: [{ s: 5 }, { s: 8 }, 7] },
    update: { $pull: { r: { s: { $gt: 6 } } } },
    after: { r: [{ s: 5 }, 7] },
  },
  {
    name: '$pull with $or over documents',
    before: { r: [{ s: 5 }, { t: 8 }, { u: 1 }] },
    update: { $pull: { r: { $or: [{ s: 5 }, { t: 8 }] } } },
    after: { r: [{ u: 1 }] },
  },
  {
    name: '$pull with $in',
    before: { a: [1, 2, 3] },
    update: { $pull: { a: { $in: [1, 3] } } },
    after: { a: [2] },
  },
  {
    name: '$pull with a regex',
    before: { a: ['abc', 'x'] },
    update: { $pull: { a: new BSON.BSONRegExp('^a') } },
    after: { a: ['x'] },
  },
  {
    name: '$pull of null',
    before: { a: [1, null, 2] },
    update: { $pull: { a: null } },
    after: { a: [1, 2] },
  },
  {
    name: '$pull of nested arrays by an operator',
    before: { a: [[6], [1]] },
    update: { $pull: { a: { $gte: 5 } } },
    after: { a: [[1]] },
  },
  {
    name: '$pull of an array is exact',
    before: {
      a: [
        [1, 2],
        [2, 1],
      ],
    },
    update: { $pull: { a: [1, 2] } },
    after: { a: [[2, 1]] },
  },
  { name: '$pull of nothing', before: { a: [1] }, update: { $pull: { a: 5, b: 1 } } },
  { name: '$pull of all', before: { a: [1, 1] }, update: { $pull: { a: 1 } }, after: { a: [] } },
  {
    name: '$pullAll',
    before: { s: [0, 2, 5, 5, 1, 0] },
    update: { $pullAll: { s: [0, 5] } },
    after: { s: [2, 1] },
  },
  {
    name: '$pullAll of equal numbers',
    before: { s: [0, new Double(5)] },
    update: { $pullAll: { s: [5] } },
    after: { s: [0] },
  },
  {
    name: '$bit',
    before: { a: 13, o: 3, x: 1 },
    update: { $bit: { a: { and: 10 }, o: { or: 5 }, x: { xor: 5 } } },
    after: { a: 8, o: 7, x: 4 },
  },
  {
    name: '$bit of a missing field and int64',
    before: { a: 1 },
    update: { $bit: { a: { or: long('4294967296') }, b: { or: 3 } } },
    after: { a: long('4294967297'), b: 3 },
  },
  {
    name: '$currentDate',
    before: { a: 1 },
    update: { $currentDate: { d: true, t: { $type: 'timestamp' }, e: { $type: 'date' } } },
    after: {
      a: 1,
      d: new Date(1_700_000_000_000),
      e: new Date(1_700_000_000_000),
      t: new Timestamp({ t: 1_700_000_000, i: 1 }),
    },
  },
  // _id
  {
    name: '_id may be set to what it is',
    before: { _id: 1, a: 1 },
    update: { $set: { _id: 1, a: 2 } },
    after: { _id: 1, a: 2 },
  },
  // replacement
  {
    name: 'a replacement keeps _id first',
    before: { _id: 1, a: 1, b: 2 },
    update: { c: 3 },
    after: { _id: 1, c: 3 },
  },
  {
    name: 'a replacement with the same _id',
    before: { _id: 1, a: 1 },
    update: { c: 3, _id: 1 },
    after: { _id: 1, c: 3 },
  },
  { name: 'a replacement that is the same', before: { _id: 1, c: 3 }, update: { c: 3 } },
  { name: 'the empty replacement', before: { _id: 1, c: 3 }, update: {}, after: { _id: 1 } },
  {
    name: 'a zero timestamp in a replacement becomes now',
    before: { _id: 1 },
    update: { t: new Timestamp({ t: 0, i: 0 }), o: { t: new Timestamp({ t: 0, i: 0 }) } },
    after: {
      _id: 1,
      t: new Timestamp({ t: 1_700_000_000, i: 1 }),
      o: { t: new Timestamp({ t: 0, i: 0 }) },
    },
  },
];

interface ErrorCase extends Options {
  readonly name: string;
  readonly before?: Document;
  readonly update: Document;
  readonly code: number;
  readonly message?: string;
}

export const ERRORS: ErrorCase[] = [
  {
    name: 'an unknown operator',
    update: { $nope: { a: 1 } },
    code: 9,
    message:
      'Unknown modifier: $nope. Expected a valid update modifier or pipeline-style update specified as an array',
  },
  { name: 'a field among operators', update: { $set: { a: 1 }, b: 1 }, code: 9 },
  { name: 'an operator among fields', update: { a: 1, $set: { b: 1 } }, code: 52 },
  { name: 'an operator over a scalar', update: { $set: 1 }, code: 9 },
  {
    name: 'conflicting paths',
    update: { $set: { a: 2 }, $inc: { a: 1 } },
    code: 40,
    message: "Updating the path 'a' would create a conflict at 'a'",
  },
  {
    name: 'a path below another',
    update: { $set: { a: 1, 'a.b': 1 } },
    code: 40,
    message: "Updating the path 'a.b' would create a conflict at 'a'",
  },
  {
    name: 'a path above another',
    update: { $set: { 'a.b': 1, a: 1 } },
    code: 40,
    message: "Updating the path 'a' would create a conflict at 'a'",
  },
  { name: 'names beside $[]', update: { $set: { 'a.b': 1, 'a.$[]': 1 } }, code: 40 },
  {
    name: 'a rename onto a path that is set',
    update: { $set: { b: 1 }, $rename: { a: 'b' } },
    code: 40,
  },
  { name: 'an empty path', update: { $set: { '': 1 } }, code: 56 },
  {
    name: 'a path with an empty name',
    update: { $set: { 'a..b': 1 } },
    code: 56,
    message: "The update path 'a..b' contains an empty field name, which is not allowed.",
  },
  { name: 'a path that begins with $', update: { $set: { '$.a': 1 } }, code: 2 },
  { name: 'two $', update: { $set: { 'a.$.b.$': 1 } }, code: 2 },
  { name: 'a top-level name with a dollar', update: { $set: { $a: 1 } }, code: 52 },
  {
    name: 'a path through a scalar',
    before: { a: 1 },
    update: { $set: { 'a.b': 1 } },
    code: 28,
    message: "Cannot create field 'b' in element {a: 1}",
  },
  { name: 'a path through null', before: { a: null }, update: { $set: { 'a.b': 1 } }, code: 28 },
  {
    name: 'a name below an array',
    before: { a: [1] },
    update: { $set: { 'a.b': 1 } },
    code: 28,
    message: "Cannot create field 'b' in element {a: [ 1 ]}",
  },
  { name: 'too many nulls', before: { a: [] }, update: { $set: { 'a.1500001': 1 } }, code: 34 },
  {
    name: '$inc of a string',
    before: { _id: 1, a: 'x' },
    update: { $inc: { a: 1 } },
    code: 14,
    message:
      "Cannot apply $inc to a value of non-numeric type. {_id: 1} has the field 'a' of non-numeric type string",
  },
  { name: '$inc of null', before: { a: null }, update: { $inc: { a: 1 } }, code: 14 },
  {
    name: '$inc by a string',
    update: { $inc: { a: 'x' } },
    code: 14,
    message: 'Cannot increment with non-numeric argument: {a: "x"}',
  },
  {
    name: '$inc beyond int64',
    before: { _id: 1, a: long('9223372036854775807') },
    update: { $inc: { a: 1 } },
    code: 2,
    message:
      'Failed to apply $inc operations to current value ((NumberLong)9223372036854775807) for document {_id: 1}',
  },
  {
    name: '$mul by a string',
    update: { $mul: { a: 'x' } },
    code: 14,
    message: 'Cannot multiply with non-numeric argument: {a: "x"}',
  },
  { name: '$rename to a number', update: { $rename: { a: 1 } }, code: 2 },
  {
    name: '$rename to itself',
    update: { $rename: { a: 'a' } },
    code: 2,
    message: 'The source and target field for $rename must differ: a: "a"',
  },
  { name: '$rename below itself', update: { $rename: { a: 'a.b' } }, code: 2 },
  {
    name: '$rename out of an array',
    before: { _id: 1, a: [{ b: 1 }] },
    update: { $rename: { 'a.b': 'c' } },
    code: 28,
    message: 'cannot use the part (b of a.b) to traverse the element ({a: [ { b: 1 } ]})',
  },
  {
    name: '$rename of an element of an array',
    before: { _id: 1, a: [{ b: 1 }] },
    update: { $rename: { 'a.0.b': 'c' } },
    code: 2,
    message:
      "The source field cannot be an array element, 'a.0.b' in doc with _id: 1 has an array field called 'a'",
  },
  {
    name: '$rename into an array',
    before: { _id: 1, a: [], b: 1 },
    update: { $rename: { b: 'a.0' } },
    code: 2,
  },
  { name: '$rename with $', update: { $rename: { 'a.$': 'b' } }, code: 2 },
  {
    name: '$ without an array in the filter',
    before: { g: [1] },
    update: { $set: { 'g.$': 2 } },
    code: 2,
    message: 'The positional operator did not find the match needed from the query.',
  },
  {
    name: '$[id] without a filter',
    before: { g: [1] },
    update: { $set: { 'g.$[e]': 1 } },
    code: 2,
    message: "No array filter found for identifier 'e' in path 'g.$[e]'",
  },
  {
    name: 'a filter that is not used',
    update: { $set: { x: 1 } },
    arrayFilters: [{ e: 1 }],
    code: 9,
    message: "The array filter for identifier 'e' was not used in the update { $set: { x: 1 } }",
  },
  {
    name: 'two filters of one name',
    update: { $set: { 'g.$[e]': 1 } },
    arrayFilters: [{ e: 1 }, { 'e.x': 1 }],
    code: 9,
  },
  {
    name: 'a filter with two names',
    update: { $set: { 'g.$[e]': 1 } },
    arrayFilters: [{ e: 1, f: 1 }],
    code: 9,
  },
  { name: 'an empty filter', update: { $set: { 'g.$[e]': 1 } }, arrayFilters: [{}], code: 9 },
  {
    name: 'a filter with a bad name',
    update: { $set: { 'g.$[E]': 1 } },
    arrayFilters: [{ E: 1 }],
    code: 2,
  },
  {
    name: 'a filter with $expr',
    update: { $set: { 'a.$[x]': 1 } },
    arrayFilters: [{ $expr: { $eq: ['$x', 1] } }],
    code: 224,
  },
  { name: 'filters for a replacement', update: { a: 1 }, arrayFilters: [{ e: 1 }], code: 9 },
  {
    name: '$[] of a missing array',
    update: { $set: { 'g.$[]': 1 } },
    code: 2,
    message: "The path 'g' must exist in the document in order to apply array updates.",
  },
  {
    name: '$[] of a scalar',
    before: { g: 5 },
    update: { $set: { 'g.$[]': 1 } },
    code: 2,
    message: 'Cannot apply array updates to non-array element g: 5',
  },
  {
    name: 'two identifiers that contradict each other',
    before: { g: [1] },
    update: { $set: { 'g.$[x]': 1, 'g.$[y]': 2 } },
    arrayFilters: [{ x: 1 }, { y: 1 }],
    code: 40,
    message: "Update created a conflict at 'g.0'",
  },
  { name: '$addToSet to a scalar', before: { a: 1 }, update: { $addToSet: { a: 2 } }, code: 2 },
  { name: '$addToSet with a scalar $each', update: { $addToSet: { a: { $each: 1 } } }, code: 14 },
  {
    name: '$addToSet with another clause',
    update: { $addToSet: { a: { $each: [1], $slice: 1 } } },
    code: 2,
  },
  {
    name: '$push to a scalar',
    before: { _id: 1, a: 1 },
    update: { $push: { a: 2 } },
    code: 2,
    message: "The field 'a' must be an array but is of type int in document {_id: 1}",
  },
  { name: '$push with a scalar $each', update: { $push: { a: { $each: 1 } } }, code: 2 },
  {
    name: '$push with an unknown clause',
    update: { $push: { a: { $each: [1], $x: 1 } } },
    code: 2,
    message: 'Unrecognized clause in $push: $x',
  },
  {
    name: '$push with a fraction as $slice',
    update: { $push: { a: { $each: [1], $slice: 1.5 } } },
    code: 2,
  },
  { name: '$push with $sort: 2', update: { $push: { a: { $each: [1], $sort: 2 } } }, code: 2 },
  { name: '$push with $sort: {}', update: { $push: { a: { $each: [1], $sort: {} } } }, code: 2 },
  {
    name: '$pop: 2',
    update: { $pop: { a: 2 } },
    code: 9,
    message: '$pop expects 1 or -1, found: 2',
  },
  {
    name: '$pop of a scalar',
    before: { a: 1 },
    update: { $pop: { a: 1 } },
    code: 14,
    message: "Path 'a' contains an element of non-array type 'int'",
  },
  {
    name: '$pull of a scalar',
    before: { a: 1 },
    update: { $pull: { a: 1 } },
    code: 2,
    message: 'Cannot apply $pull to a non-array value',
  },
  { name: '$pullAll with a scalar', update: { $pullAll: { a: 1 } }, code: 2 },
  { name: '$bit with a scalar', update: { $bit: { a: 1 } }, code: 2 },
  { name: '$bit with nothing', update: { $bit: { a: {} } }, code: 2 },
  { name: '$bit with a double', update: { $bit: { a: { and: new Double(1) } } }, code: 2 },
  { name: '$bit with an unknown operation', update: { $bit: { a: { nand: 1 } } }, code: 2 },
  {
    name: '$bit of a double',
    before: { a: new Double(1) },
    update: { $bit: { a: { and: 1 } } },
    code: 2,
  },
  { name: '$currentDate with a number', update: { $currentDate: { a: 1 } }, code: 2 },
  {
    name: '$currentDate with an unknown type',
    update: { $currentDate: { a: { $type: 'x' } } },
    code: 2,
  },
  {
    name: 'a change of _id',
    before: { _id: 1 },
    update: { $set: { _id: 2 } },
    code: 66,
    message: "Performing an update on the path '_id' would modify the immutable field '_id'",
  },
  { name: 'the removal of _id', before: { _id: 1 }, update: { $unset: { _id: 1 } }, code: 66 },
  {
    name: 'a change inside _id',
    before: { _id: { a: 1 } },
    update: { $set: { '_id.a': 2 } },
    code: 66,
  },
  {
    name: 'a replacement with another _id',
    before: { _id: 1 },
    update: { _id: 2, c: 3 },
    code: 66,
    message:
      "After applying the update, the (immutable) field '_id' was found to have been altered to _id: 2",
  },
  {
    name: 'a document that grows too large',
    before: { a: 'x'.repeat(9 << 20) },
    update: { $set: { b: 'x'.repeat(9 << 20) } },
    code: 17419,
  },
];

describe('update operators', () => {
  for (const { name, before, update, after, ...options } of CASES) {
    it(after === undefined ? `no change: ${name}` : name, () => {
      const bytes = raw(before);
      const result = applyRaw(bytes, update, options);
      if (after === undefined) assert.equal(result, bytes);
      else assert.deepEqual(result, raw(after), JSON.stringify(plain(result)));
      assert.deepEqual(bytes, raw(before), 'the document before is untouched');
    });
  }

  for (const { name, before, update, code, message, ...options } of ERRORS) {
    it(`refuses: ${name}`, () => {
      const error = errorOf(() => apply(before ?? {}, update, options));
      assert.equal(error.code, code, error.message);
      if (message !== undefined) assert.equal(error.message, message);
    });
  }

  it('checks that top-level fields with dollars form a DBRef', () => {
    const codeOf = (replacement: Document): number => errorOf(() => apply({}, replacement)).code;
    assert.deepEqual(
      apply({}, { a: 1, $ref: 'c', $id: 1, $db: 'd' }),
      plain(raw({ a: 1, $ref: 'c', $id: 1, $db: 'd' })),
    );
    assert.equal(codeOf({ a: 1, $ref: 'c' }), 55);
    assert.equal(codeOf({ a: 1, $ref: 5, $id: 1 }), 55);
    assert.equal(codeOf({ a: 1, $id: 1 }), 55);
    assert.equal(codeOf({ a: 1, $ref: 'c', b: 1 }), 55);
    assert.equal(codeOf({ a: 1, $db: 'd' }), 55);
    assert.equal(codeOf({ a: 1, $x: 'd' }), 52);
  });

  it('refuses a replacement of many documents', () => {
    const error = errorOf(() =>
      compileUpdate(documentValue(raw({ a: 1 })), { context: testContext(), multi: true }),
    );
    assert.equal(error.code, 9);
  });

  it('asks for the position only when a path has $', () => {
    const needs = (update: Document): boolean =>
      compileUpdate(documentValue(raw(update)), { context: testContext() }).needsPosition;
    assert.equal(needs({ $set: { 'a.$.b': 1 } }), true);
    assert.equal(needs({ $set: { 'a.$[].b': 1 } }), false);
  });

  it('refuses to nest more deeply than documents may be', () => {
    const path = Array.from({ length: 185 }, () => 'a').join('.');
    assert.equal(errorOf(() => apply({}, { $set: { [path]: 1 } })).code, 15);
  });

  it('copies untouched bytes exactly', () => {
    const before = {
      _id: new ObjectId(),
      a: new Int32(1),
      big: 'x'.repeat(5000),
      z: [1, { b: long('1') }],
    };
    assert.deepEqual(applyRaw(raw(before), { $inc: { a: 1 } }, {}), raw({ ...before, a: 2 }));
  });
});

describe('the document of an upsert', () => {
  function upsert(filter: Document, update: Document): Document {
    const compiled = compileUpdate(documentValue(raw(update)), {
      context: testContext(),
      upsert: true,
    });
    return BSON.deserialize(compiled.upsertDocument(raw(filter)));
  }

  const UPSERTS: { name: string; filter: Document; update: Document; document: Document }[] = [
    {
      name: 'takes equalities from the filter',
      filter: { _id: 7, a: 1, b: { $gt: 5 } },
      update: { $set: { c: 2 } },
      document: { _id: 7, a: 1, c: 2 },
    },
    {
      name: 'has $setOnInsert',
      filter: { _id: 7 },
      update: { $set: { a: 1 }, $setOnInsert: { n: 1 } },
      document: { _id: 7, a: 1, n: 1 },
    },
    {
      name: 'takes $eq, $and and single members of lists',
      filter: {
        $and: [{ a: { $eq: 1 } }, { b: { $in: [2] } }, { c: { $all: [3] } }],
        $or: [{ d: 4 }],
      },
      update: { $set: { x: 0 } },
      document: { a: 1, b: 2, c: 3, d: 4, x: 0 },
    },
    {
      name: 'takes dotted paths',
      filter: { 'a.b': 1, 'a.c': 2 },
      update: { $inc: { n: 1 } },
      document: { a: { b: 1, c: 2 }, n: 1 },
    },
    {
      name: 'takes null',
      filter: { a: null },
      update: { $set: { b: 1 } },
      document: { a: null, b: 1 },
    },
    {
      name: 'takes nothing from $or, $in and $ne',
      filter: { $or: [{ a: 1 }, { b: 2 }], c: { $in: [1, 2] }, d: { $ne: 1 } },
      update: { $set: { x: 1 } },
      document: { x: 1 },
    },
    {
      name: 'puts _id first',
      filter: { a: 1 },
      update: { $set: { _id: 5 } },
      document: { _id: 5, a: 1 },
    },
    {
      name: 'of a replacement has only _id from the filter',
      filter: { _id: 7, a: 1 },
      update: { c: 2 },
      document: { _id: 7, c: 2 },
    },
    {
      name: 'of a replacement may name _id',
      filter: { a: 1 },
      update: { c: 2, _id: 3 },
      document: { _id: 3, c: 2 },
    },
  ];
  for (const { name, filter, update, document } of UPSERTS) {
    it(name, () => {
      const result = upsert(filter, update);
      assert.deepEqual(result, document);
      assert.deepEqual(Object.keys(result), Object.keys(document));
    });
  }

  it('refuses filters that contradict themselves', () => {
    const codeOf = (filter: Document): number =>
      errorOf(() => upsert(filter, { $set: { x: 1 } })).code;
    assert.equal(codeOf({ $and: [{ a: 1 }, { a: 2 }] }), 54);
    assert.equal(codeOf({ a: { b: 1 }, 'a.b': 1 }), 54);
    assert.equal(codeOf({ a: { $all: [1, 2] } }), 54);
  });

  it('refuses another _id than the filter has, and values that are no _id', () => {
    assert.equal(errorOf(() => upsert({ _id: 1 }, { $set: { _id: 2 } })).code, 66);
    assert.equal(errorOf(() => upsert({ _id: 1 }, { _id: 2 })).code, 66);
    assert.equal(errorOf(() => upsert({}, { $set: { _id: [1] } })).code, 53);
  });
});

describe('$push of more values than a call can have arguments', () => {
  const values = Array.from({ length: 200_000 }, (_, value) => value);

  it('sorts and cuts them', () => {
    const update = { $push: { a: { $each: values, $sort: -1, $slice: 2 } } };
    const { a } = apply({ a: [1] }, update);
    assert.deepEqual(a.map(Number), [199_999, 199_998]);
  });

  it('puts them where they belong, also counted from the end', () => {
    const ends = (position: number): unknown[] => {
      const { a } = apply(
        { a: [-1, -2] },
        { $push: { a: { $each: values, $position: position } } },
      );
      const numbers = a.map(Number);
      assert.equal(numbers.length, 200_002);
      return [numbers.indexOf(-1), numbers.indexOf(0), numbers.indexOf(-2)];
    };
    assert.deepEqual(ends(-1), [0, 1, 200_001]);
    assert.deepEqual(ends(-3), [200_000, 0, 200_001]);
  });
});
