/**
 * What create may be asked for, and what is stored of it.
 */
import assert from 'node:assert/strict';
import { deserialize, serialize } from 'bson';
import { EMPTY_DOCUMENT } from '../../../bson/index.ts';
import { parseRequest } from '../../../server/command/generic-arguments.ts';
import { parseCollectionOptions } from '../../../server/catalog/collection-options.ts';

function parse(options: Record<string, unknown>) {
  const bytes = Buffer.from(serialize({ create: 'c', ...options, $db: 'test' }));
  const { body } = parseRequest('create', { bytes, sequences: [] });
  const requested = parseCollectionOptions(body);
  body.rejectUnknownFields();
  return { ...requested, options: deserialize(requested.options) };
}

describe('the options of create', () => {
  it('are none for a plain collection', () => {
    const bytes = Buffer.from(serialize({ create: 'c', $db: 'test' }));
    const { body } = parseRequest('create', { bytes, sequences: [] });
    assert.deepEqual(parseCollectionOptions(body), {
      kind: 'collection',
      options: EMPTY_DOCUMENT,
      idIndex: undefined,
    });
  });

  it('are stored in one order and form, however they are written', () => {
    const { options } = parse({
      validationAction: 'warn',
      validator: { a: 1 },
      max: 10,
      size: 1000,
      capped: 1,
    });
    assert.deepEqual(Object.entries(options), [
      ['capped', true],
      ['size', 1024],
      ['max', 10],
      ['validator', { a: 1 }],
      ['validationAction', 'warn'],
    ]);
  });

  it('do not mention what holds anyway', () => {
    const plain = {
      capped: false,
      validator: {},
      changeStreamPreAndPostImages: { enabled: false },
      collation: { locale: 'simple' },
      autoIndexId: true,
      storageEngine: {},
    };
    assert.deepEqual(parse(plain).options, {});
  });

  it('give a collation with all its fields', () => {
    assert.deepEqual(parse({ collation: { locale: 'de', strength: 2 } }).options.collation, {
      locale: 'de',
      caseLevel: false,
      caseFirst: 'off',
      strength: 2,
      numericOrdering: false,
      alternate: 'non-ignorable',
      maxVariable: 'punct',
      normalization: false,
      backwards: false,
      version: '57.1',
    });
  });

  it('make a view', () => {
    assert.equal(parse({ viewOn: 'a', pipeline: [{ $match: {} }] }).kind, 'view');
    assert.deepEqual(parse({ viewOn: 'a' }).options, { viewOn: 'a', pipeline: [] });
  });

  it('name a clustered index', () => {
    const clusteredIndex = { key: { _id: 1 }, unique: true };
    assert.deepEqual(parse({ clusteredIndex, expireAfterSeconds: 5 }).options, {
      clusteredIndex: { v: 2, key: { _id: 1 }, name: '_id_', unique: true },
      expireAfterSeconds: 5,
    });
  });

  for (const [options, code] of [
    [{ capped: true }, 72],
    [{ size: 4096 }, 72],
    [{ max: 4 }, 72],
    [{ capped: true, size: 0 }, 51024],
    [{ capped: true, size: 2 ** 50 + 1 }, 51024],
    [{ capped: true, size: 4096, max: 2 ** 31 }, 51024],
    [{ capped: 'yes', size: 4096 }, 14],
    [{ pipeline: [] }, 72],
    [{ viewOn: '' }, 2],
    [{ viewOn: 'a', pipeline: [1] }, 14],
    [{ viewOn: 'a', capped: true, size: 4096 }, 72],
    [{ viewOn: 'a', validator: { a: 1 } }, 72],
    [{ viewOn: 'a', idIndex: { key: { _id: 1 }, name: '_id_' } }, 72],
    [{ validationLevel: 'hard' }, 2],
    [{ validationAction: 'errorAndLog' }, 2],
    [{ validator: 5 }, 14],
    [{ collation: {} }, 2],
    [{ collation: { locale: 'xx-yy' } }, 2],
    [{ clusteredIndex: true }, 5979703],
    [{ clusteredIndex: { key: { _id: 1 }, unique: false } }, 5979700],
    [{ clusteredIndex: { key: { a: 1 }, unique: true } }, 197],
    [{ clusteredIndex: { key: { _id: -1 }, unique: true } }, 197],
    [{ clusteredIndex: { key: { _id: 1 }, unique: true, v: 1 } }, 5979704],
    [{ clusteredIndex: { key: { _id: 1 } } }, 40414],
    [{ clusteredIndex: { key: { _id: 1 }, unique: true, extra: 1 } }, 40415],
    [{ clusteredIndex: { key: { _id: 1 }, unique: true }, capped: true }, 6127800],
    [{ clusteredIndex: { key: { _id: 1 }, unique: true }, size: 4096 }, 6049200],
    [{ clusteredIndex: { key: { _id: 1 }, unique: true }, max: 4096 }, 6049204],
    [{ clusteredIndex: { key: { _id: 1 }, unique: true }, expireAfterSeconds: -1 }, 72],
    [{ expireAfterSeconds: 5 }, 72],
    [{ storageEngine: { other: {} } }, 72],
    [{ storageEngine: { wiredTiger: 1 } }, 2],
    [{ indexOptionDefaults: { storageEngine: { other: {} } } }, 72],
    [{ indexOptionDefaults: { other: 1 } }, 40415],
    [{ temp: true }, 72],
    [{ encryptedFields: { fields: [] } }, 6346402],
    [{ changeStreamPreAndPostImages: { enabled: true, other: 1 } }, 40415],
    [{ nonsense: 1 }, 40415],
  ] as const) {
    it(`are refused: ${JSON.stringify(options)}`, () => {
      assert.throws(() => parse(options), { code });
    });
  }
});
