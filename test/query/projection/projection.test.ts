import assert from 'node:assert/strict';
import type { Document } from 'bson';
import { DocumentBuilder, int64Value, stringValue } from '../../../bson/index.ts';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { compileProjection } from '../../../query/projection/compile.ts';
import type { Projection } from '../../../query/projection/projection.ts';
import { errorOf, plain, raw, testContext } from '../fixtures.ts';

const DOCUMENT: Document = {
  _id: 1,
  a: 1,
  b: { c: 2, d: 3 },
  r: [
    { k: 1, v: 'x' },
    { k: 2, v: 'y' },
    { k: 2, v: 'z' },
  ],
  n: [1, 2, 3, 4, 5],
};

interface Options {
  readonly filter?: Document;
  readonly stage?: boolean;
}

function compile(projection: Document, { filter, stage }: Options = {}): Projection {
  const context = testContext();
  return compileProjection(raw(projection), {
    context,
    ...(filter === undefined ? {} : { filter: compileFilter(raw(filter), context) }),
    ...(stage === undefined ? {} : { stage }),
  });
}

function project(document: Document, projection: Document, options: Options = {}): Buffer {
  const bytes = raw(document);
  const position =
    options.filter === undefined
      ? undefined
      : compileFilter(raw(options.filter), testContext()).matchPosition(bytes);
  return compile(projection, options).apply(bytes, position);
}

interface Case extends Options {
  readonly name: string;
  readonly document?: Document;
  readonly projection: Document;
  readonly result: Document;
}

export const CASES: Case[] = [
  // inclusion
  {
    name: 'includes fields and paths',
    projection: { a: 1, 'b.c': 1 },
    result: { _id: 1, a: 1, b: { c: 2 } },
  },
  { name: 'leaves _id out when asked', projection: { a: true, _id: 0 }, result: { a: 1 } },
  {
    name: 'accepts nested documents of paths',
    projection: { _id: 0, b: { d: 1 } },
    result: { b: { d: 3 } },
  },
  {
    name: 'goes through arrays',
    projection: { _id: 0, 'r.k': 1 },
    result: { r: [{ k: 1 }, { k: 2 }, { k: 2 }] },
  },
  {
    name: 'drops scalars of arrays on the way',
    document: { _id: 1, a: [1, { b: 1, c: 2 }, [{ b: 3 }, 4], {}] },
    projection: { 'a.b': 1 },
    result: { _id: 1, a: [{ b: 1 }, [{ b: 3 }], {}] },
  },
  {
    name: 'leaves out a scalar on the way',
    document: { _id: 1, a: 5, b: 6 },
    projection: { 'a.b': 1, b: 1 },
    result: { _id: 1, b: 6 },
  },
  {
    name: 'keeps a document without the field',
    document: { _id: 1, a: { c: 1 } },
    projection: { 'a.b': 1 },
    result: { _id: 1, a: {} },
  },
  {
    name: 'keeps the order of the document',
    document: { _id: 1, b: 1, a: 2 },
    projection: { a: 1, b: 1 },
    result: { _id: 1, b: 1, a: 2 },
  },
  { name: 'takes any number but zero for true', projection: { a: 5.5, _id: 0 }, result: { a: 1 } },
  { name: '_id alone', projection: { _id: 1 }, result: { _id: 1 } },
  {
    name: 'a part of _id',
    document: { _id: { x: 1, y: 2 }, a: 1 },
    projection: { '_id.x': 1 },
    result: { _id: { x: 1 } },
  },
  {
    name: 'missing fields stay missing',
    projection: { nope: 1, 'b.nope': 1 },
    result: { _id: 1, b: {} },
  },
  {
    name: 'more names than are compared one by one',
    document: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, i])),
    projection: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i * 2}`, 1])),
    result: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i * 2}`, i * 2])),
  },
  // exclusion
  { name: 'excludes fields', projection: { b: 0, r: 0, n: 0 }, result: { _id: 1, a: 1 } },
  {
    name: 'excludes paths',
    projection: { 'b.c': 0, r: 0, n: 0, a: 0 },
    result: { _id: 1, b: { d: 3 } },
  },
  {
    name: 'excludes _id only',
    document: { _id: 1, a: 1 },
    projection: { _id: 0 },
    result: { a: 1 },
  },
  {
    name: 'excludes through arrays and keeps scalars',
    document: { _id: 1, a: [1, { b: 1, c: 2 }, [{ b: 3, d: 1 }]] },
    projection: { 'a.b': 0 },
    result: { _id: 1, a: [1, { c: 2 }, [{ d: 1 }]] },
  },
  {
    name: 'may include _id in an exclusion',
    document: { _id: 1, a: 1, b: 2 },
    projection: { _id: 1, a: 0 },
    result: { _id: 1, b: 2 },
  },
  // $slice
  {
    name: '$slice beside exclusions',
    projection: { n: { $slice: 2 }, r: 0, b: 0 },
    result: { _id: 1, a: 1, n: [1, 2] },
  },
  {
    name: '$slice from the end',
    projection: { n: { $slice: -2 }, _id: 0, a: 0, b: 0, r: 0 },
    result: { n: [4, 5] },
  },
  {
    name: '$slice with skip and limit',
    projection: { n: { $slice: [1, 2] }, _id: 0, a: 1 },
    result: { a: 1, n: [2, 3] },
  },
  {
    name: '$slice with a negative skip',
    projection: { n: { $slice: [-2, 1] }, a: 1 },
    result: { _id: 1, a: 1, n: [4] },
  },
  {
    name: '$slice beyond both ends',
    document: { _id: 1, n: [1, 2] },
    projection: { n: { $slice: [-9, 9] } },
    result: { _id: 1, n: [1, 2] },
  },
  {
    name: '$slice 0',
    document: { _id: 1, n: [1, 2] },
    projection: { n: { $slice: 0 } },
    result: { _id: 1, n: [] },
  },
  {
    name: '$slice alone keeps the other fields',
    document: { _id: 1, n: [1, 2], x: 1 },
    projection: { n: { $slice: 1 } },
    result: { _id: 1, n: [1], x: 1 },
  },
  {
    name: '$slice with _id: 1 is an inclusion',
    document: { _id: 1, n: [1, 2], x: 1 },
    projection: { _id: 1, n: { $slice: 1 } },
    result: { _id: 1, n: [1] },
  },
  {
    name: '$slice of no array',
    document: { _id: 1, n: 5 },
    projection: { n: { $slice: 1 } },
    result: { _id: 1, n: 5 },
  },
  {
    name: '$slice below a path',
    document: { _id: 1, o: [{ n: [1, 2] }, { n: [3, 4] }] },
    projection: { 'o.n': { $slice: 1 } },
    result: { _id: 1, o: [{ n: [1] }, { n: [3] }] },
  },
  // $elemMatch
  {
    name: '$elemMatch',
    projection: { r: { $elemMatch: { k: 2, v: 'z' } } },
    result: { _id: 1, r: [{ k: 2, v: 'z' }] },
  },
  {
    name: '$elemMatch without a match leaves the field out',
    projection: { r: { $elemMatch: { k: 9 } }, a: 1 },
    result: { _id: 1, a: 1 },
  },
  {
    name: '$elemMatch over scalars',
    projection: { n: { $elemMatch: { $gt: 2 } } },
    result: { _id: 1, n: [3] },
  },
  {
    name: '$elemMatch puts its field behind the others',
    document: { _id: 1, r: [1, 2], z: 1 },
    projection: { r: { $elemMatch: { $gt: 1 } }, z: 1 },
    result: { _id: 1, z: 1, r: [2] },
  },
  {
    name: '$elemMatch of no array',
    document: { _id: 1, r: 5 },
    projection: { r: { $elemMatch: { $gt: 1 } } },
    result: { _id: 1 },
  },
  // positional
  {
    name: '.$',
    projection: { 'r.$': 1 },
    filter: { 'r.k': 2 },
    result: { _id: 1, r: [{ k: 2, v: 'y' }] },
  },
  {
    name: '.$ of scalars',
    projection: { 'n.$': 1 },
    filter: { n: { $gt: 3 } },
    result: { _id: 1, n: [4] },
  },
  {
    name: '.$ below an array',
    document: { _id: 1, r: [{ k: [1] }, { k: [2], v: 1 }] },
    projection: { 'r.k.$': 1 },
    filter: { 'r.k': 2 },
    result: { _id: 1, r: [{ k: [2] }] },
  },
  // expressions
  {
    name: 'computes fields',
    projection: { _id: 0, s: { $add: ['$a', '$b.c'] }, lit: { $literal: 7 }, t: '$a' },
    result: { s: 3, lit: 7, t: 1 },
  },
  { name: 'takes a string for a value', projection: { _id: 0, a: 'text' }, result: { a: 'text' } },
  {
    name: 'computes after what it includes',
    document: { _id: 1, a: 1, z: 2 },
    projection: { a: { $add: ['$a', 1] }, z: 1 },
    result: { _id: 1, z: 2, a: 2 },
  },
  {
    name: 'computes below a path',
    document: { _id: 1, o: { x: 1 }, y: 2 },
    projection: { 'o.s': '$y', 'o.x': 1 },
    result: { _id: 1, o: { x: 1, s: 2 } },
  },
  {
    name: 'computes below a missing path',
    document: { _id: 1, y: 2 },
    projection: { 'o.p.s': '$y' },
    result: { _id: 1, o: { p: { s: 2 } } },
  },
  {
    name: 'computes below an array',
    document: { _id: 1, o: [{ x: 1 }, 5], y: 2 },
    projection: { 'o.s': '$y' },
    result: { _id: 1, o: [{ s: 2 }, { s: 2 }] },
  },
  {
    name: 'a missing value leaves the field out',
    document: { _id: 1 },
    projection: { a: '$nope' },
    result: { _id: 1 },
  },
  {
    name: 'an array of expressions',
    document: { _id: 1, x: 1, y: 2 },
    projection: { a: ['$x', '$y'] },
    result: { _id: 1, a: [1, 2] },
  },
  {
    name: 'the expression $slice in a stage',
    document: { _id: 1, n: [1, 2, 3] },
    projection: { m: { $slice: ['$n', 2] } },
    stage: true,
    result: { _id: 1, m: [1, 2] },
  },
];

export const ERRORS: {
  name: string;
  projection: Document;
  code: number;
  filter?: Document;
  stage?: boolean;
}[] = [
  { name: 'an exclusion among inclusions', projection: { a: 1, b: 0 }, code: 31254 },
  { name: 'an inclusion among exclusions', projection: { a: 0, b: 1 }, code: 31253 },
  { name: 'a path below another', projection: { a: 1, 'a.b': 1 }, code: 31249 },
  { name: 'a path above another', projection: { 'a.b': 1, a: 1 }, code: 31250 },
  { name: 'an expression in an exclusion', projection: { a: 0, b: { $add: [1, 1] } }, code: 31252 },
  { name: 'a literal in an exclusion', projection: { a: 0, b: 'x' }, code: 31310 },
  { name: 'an unknown expression', projection: { a: { $nope: 1 } }, code: 31325 },
  { name: 'an empty document', projection: { a: {} }, code: 51270 },
  { name: 'a path that ends with a dot', projection: { 'a.': 1 }, code: 40353 },
  { name: 'an empty name in a path', projection: { 'a..b': 1 }, code: 15998 },
  { name: 'a name with a dollar', projection: { $a: 1 }, code: 16410 },
  { name: '$slice with a string', projection: { a: { $slice: 'x' } }, code: 31273 },
  { name: '$elemMatch with a scalar', projection: { a: { $elemMatch: 1 } }, code: 31274 },
  { name: '$elemMatch below a path', projection: { 'a.b': { $elemMatch: { x: 1 } } }, code: 31275 },
  {
    name: '$elemMatch in a stage',
    projection: { a: { $elemMatch: { x: 1 } } },
    stage: true,
    code: 168,
  },
  { name: '.$ in a stage', projection: { 'a.$': 1 }, stage: true, code: 31324 },
  { name: '.$ twice', projection: { 'r.$': 1, 'n.$': 1 }, filter: { r: 1, n: 1 }, code: 31276 },
  { name: '.$ twice in one path', projection: { 'r.$.x.$': 1 }, filter: { r: 1 }, code: 31287 },
  {
    name: '.$ that the filter does not name',
    projection: { 'r.$': 1 },
    filter: { a: 1 },
    code: 31277,
  },
  { name: '.$ with a document', projection: { 'r.$': { x: 1 } }, filter: { r: 1 }, code: 31271 },
  { name: '.$ with a string', projection: { 'r.$': 'x' }, filter: { r: 1 }, code: 31308 },
  {
    name: '.$ beside $elemMatch',
    projection: { n: { $elemMatch: { $gt: 1 } }, 'r.$': 1 },
    filter: { r: 1 },
    code: 31256,
  },
  {
    name: '$elemMatch beside .$',
    projection: { 'r.$': 1, n: { $elemMatch: { $gt: 1 } } },
    filter: { r: 1 },
    code: 31255,
  },
  { name: '$meta with a number', projection: { a: { $meta: 1 } }, code: 17307 },
  { name: '$meta with an unknown name', projection: { a: { $meta: 'nope' } }, code: 17308 },
];

describe('projections', () => {
  for (const { name, document, projection, result, ...options } of CASES) {
    it(name, () => {
      const projected = project(document ?? DOCUMENT, projection, options);
      assert.deepEqual(projected, raw(result), JSON.stringify(plain(projected)));
    });
  }

  for (const { name, projection, code, ...options } of ERRORS) {
    it(`refuses: ${name}`, () => {
      const error = errorOf(() => compile(projection, options));
      assert.equal(error.code, code, error.message);
    });
  }

  it('give back the same Buffer when nothing falls away', () => {
    const document = raw(DOCUMENT);
    assert.equal(compile({}).apply(document), document);
    assert.equal(compile({ nope: 0, 'b.nope': 0 }).apply(document), document);
    assert.equal(compile({ n: { $slice: 10 } }).apply(document), document);
    assert.equal(compile({}).isIdentity, true);
  });

  it('keep a field that occurs twice, and what follows it', () => {
    const twice = new DocumentBuilder()
      .appendInt32('a', 1)
      .appendInt32('a', 2)
      .appendInt32('b', 3)
      .finish();
    assert.deepEqual(compile({ a: 1, b: 1, _id: 0 }).apply(twice), twice);
    assert.deepEqual(compile({ a: 0 }).apply(twice), raw({ b: 3 }));
  });

  it('name the fields that are enough for an inclusion', () => {
    assert.deepEqual(compile({ a: 1, 'b.c': 1 }).fieldsNeeded, ['a', 'b.c', '_id']);
    assert.deepEqual(compile({ a: 1, _id: 0 }).fieldsNeeded, ['a']);
    assert.equal(compile({ a: 0 }).fieldsNeeded, undefined);
    assert.equal(compile({ a: '$b' }).fieldsNeeded, undefined);
    assert.deepEqual([...(compile({ a: '$b', _id: 0 }).pathsRead ?? [])], ['b']);
    assert.equal(compile({ a: '$$ROOT' }).pathsRead, undefined);
    assert.equal(compile({ n: { $slice: 1 }, a: 1 }).fieldsNeeded, undefined);
  });

  it('write what the executor knows of the document', () => {
    const projection = compile({ _id: 1, id: { $meta: 'recordId' }, key: { $meta: 'indexKey' } });
    assert.deepEqual([...projection.metadataNeeded], ['recordId', 'indexKey']);
    const result = projection.apply(raw({ _id: 1, a: 1 }), undefined, {
      recordId: int64Value(5n),
      indexKey: raw({ a: 1 }),
    });
    assert.deepEqual(Object.keys(plain(result)), ['_id', 'id', 'key']);
    assert.deepEqual(
      compile({ id: { $meta: 'recordId' } }).apply(raw({ _id: 1 })),
      raw({ _id: 1 }),
    );
    const both = compile({ s: { $meta: 'sortKey' }, a: 0 });
    const sorted = both.apply(raw({ _id: 1, a: 1 }), undefined, { sortKey: stringValue('x') });
    assert.deepEqual(sorted, raw({ _id: 1, s: 'x' }));
  });

  it('refuse to guess the position that the filter matched', () => {
    const projection = compile({ 'r.$': 1 }, { filter: { r: 1 } });
    assert.equal(projection.needsPosition, true);
    assert.equal(errorOf(() => projection.apply(raw({ r: [1] }))).code, 51246);
    assert.equal(errorOf(() => projection.apply(raw({ r: [1] }), 5)).code, 51247);
  });
});
