/**
 * The runner of the driver specification suites: what it takes for equal, and what it refuses.
 */
import assert from 'node:assert/strict';
import { Decimal128, Double, Int32, Long, ObjectId } from 'bson';
import { MalformedCaseError } from './runner/format.ts';
import { violationOf } from './runner/json-schema.ts';
import { assertSameDocuments, differenceOf, type MatchContext } from './runner/match.ts';
import { holds, type ServerTraits } from './runner/requirements.ts';

const context: MatchContext = {
  entityValue: (name) => (name === 'saved' ? { a: 1 } : undefined),
  sessionId: () => ({ id: 7 }),
};

function matches(expected: unknown, actual: unknown): boolean {
  return differenceOf(expected, actual, context) === undefined;
}

describe('matching of the unified test format', () => {
  const id = new ObjectId();
  const cases: readonly (readonly [string, unknown, unknown, boolean])[] = [
    ['a root document may have more fields', { a: 1 }, { a: 1, b: 2 }, true],
    ['a nested document may not', { a: { b: 1 } }, { a: { b: 1, c: 2 } }, false],
    ['nor may one of a nested array', { a: [{ b: 1 }] }, { a: [{ b: 1, c: 2 }] }, false],
    ['a document of a root array may', [{ a: 1 }], [{ a: 1, b: 2 }], true],
    ['arrays have the same length', { a: [1] }, { a: [1, 2] }, false],
    ['a missing field is a difference', { a: 1 }, {}, false],
    ['null is not missing', { a: null }, {}, false],
    ['numbers are equal whatever their types', { a: 1 }, { a: new Int32(1) }, true],
    ['numbers are equal whatever their types', { a: Long.fromNumber(2) }, { a: 2 }, true],
    ['numbers are equal whatever their types', { a: new Double(3) }, { a: 3n }, true],
    ['a number is no string', { a: 1 }, { a: '1' }, false],
    ['a decimal is no double', { a: 1 }, { a: Decimal128.fromString('1') }, false],
    ['values of BSON compare by value', { a: id }, { a: new ObjectId(id.toHexString()) }, true],
    ['values of BSON compare by value', { a: id }, { a: new ObjectId() }, false],
    ['a Map is a document', { a: { b: 1 } }, { a: new Map([['b', 1]]) }, true],
    ['$$exists', { a: { $$exists: true } }, { a: null }, true],
    ['$$exists', { a: { $$exists: false } }, { a: null }, false],
    ['$$exists', { a: { $$exists: false } }, {}, true],
    ['$$type', { a: { $$type: 'string' } }, { a: 'x' }, true],
    ['$$type', { a: { $$type: ['int', 'long'] } }, { a: 1 }, true],
    ['$$type', { a: { $$type: ['int', 'long'] } }, { a: 1.5 }, false],
    ['$$type', { a: { $$type: 'number' } }, { a: Long.fromNumber(1) }, true],
    ['$$type', { a: { $$type: 'objectId' } }, { a: id }, true],
    ['$$type', { a: { $$type: 'object' } }, { a: [] }, false],
    ['$$unsetOrMatches', { a: { $$unsetOrMatches: 1 } }, {}, true],
    ['$$unsetOrMatches', { a: { $$unsetOrMatches: 1 } }, { a: 2 }, false],
    ['$$unsetOrMatches keeps the root', { $$unsetOrMatches: { a: 1 } }, { a: 1, b: 1 }, true],
    ['$$unsetOrMatches of a field', { a: { $$unsetOrMatches: {} } }, { a: { b: 1 } }, false],
    ['$$matchesEntity', { a: { $$matchesEntity: 'saved' } }, { a: { a: 1 } }, true],
    ['$$matchesEntity', { a: { $$matchesEntity: 'saved' } }, { a: { a: 2 } }, false],
    ['$$sessionLsid', { lsid: { $$sessionLsid: 's' } }, { lsid: { id: 7 } }, true],
    ['$$matchesHexBytes', { $$matchesHexBytes: 'FF00' }, Buffer.from([255, 0]), true],
    ['$$matchesHexBytes', { $$matchesHexBytes: 'FF' }, Buffer.from([255, 0]), false],
    ['$$lte', { a: { $$lte: 5 } }, { a: new Int32(5) }, true],
    ['$$lte', { a: { $$lte: 5 } }, { a: 6 }, false],
    ['$$lte', { a: { $$lte: 5 } }, { a: '1' }, false],
    ['$$matchAsDocument', { a: { $$matchAsDocument: { b: 1 } } }, { a: '{"b":1}' }, true],
    ['$$matchAsDocument', { a: { $$matchAsDocument: { b: 1 } } }, { a: '{"b":1,"c":1}' }, false],
    ['$$matchAsDocument', { a: { $$matchAsDocument: {} } }, { a: '[]' }, false],
    ['$$matchAsDocument', { a: { $$matchAsDocument: {} } }, { a: '{' }, false],
    ['$$matchAsRoot', { a: { $$matchAsRoot: { b: 1 } } }, { a: { b: 1, c: 1 } }, true],
    ['$$matchAsRoot', { a: { $$matchAsRoot: { b: 1 } } }, { a: [] }, false],
  ];
  for (const [rule, expected, actual, equal] of cases) {
    it(`${rule}: ${JSON.stringify(expected)} ${equal ? 'matches' : 'does not match'}`, () => {
      assert.equal(matches(expected, actual), equal);
    });
  }

  it('refuses an operator that it does not know', () => {
    assert.throws(() => matches({ a: { $$nope: 1 } }, { a: 1 }), MalformedCaseError);
  });

  it('allows no further fields in the data that is left', () => {
    assertSameDocuments([{ a: 1, b: { c: 1 } }], [{ b: { c: 1 }, a: 1 }], 'data');
    assert.throws(() => assertSameDocuments([{ a: 1 }], [{ a: 1, b: 1 }], 'data'));
    assert.throws(() => assertSameDocuments([{ a: 1 }], [], 'data'));
    assert.throws(() => assertSameDocuments([{ a: { $$exists: true } }], [{ a: 1 }], 'data'));
  });
});

describe('the schema of the unified test format', () => {
  const schema = {
    type: 'object',
    required: ['name'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', pattern: '^[a-z]+$' },
      list: { type: 'array', minItems: 1, items: { $ref: '#/definitions/item' } },
    },
    patternProperties: { '^x-': { type: 'boolean' } },
    not: { required: ['name', 'x-never'] },
    definitions: {
      item: { oneOf: [{ type: 'integer' }, { type: 'object', maxProperties: 1 }] },
    },
  };
  const cases: readonly (readonly [unknown, boolean])[] = [
    [{ name: 'a' }, true],
    [{ name: 'A' }, false],
    [{}, false],
    [{ name: 1 }, false],
    [{ name: 'a', other: 1 }, false],
    [{ name: 'a', 'x-one': true }, true],
    [{ name: 'a', 'x-one': 1 }, false],
    [{ name: 'a', 'x-never': true }, false],
    [{ name: 'a', list: [] }, false],
    [{ name: 'a', list: [1, { a: 1 }] }, true],
    [{ name: 'a', list: [1.5] }, false],
    [{ name: 'a', list: [{ a: 1, b: 2 }] }, false],
    [[], false],
  ];
  for (const [value, valid] of cases) {
    it(`${valid ? 'allows' : 'refuses'} ${JSON.stringify(value)}`, () => {
      assert.equal(violationOf(value, schema) === undefined, valid);
    });
  }

  it('is not half understood', () => {
    assert.throws(() => violationOf({}, { dependentSchemas: {} }), /unknown keyword/);
  });
});

describe('requirements of cases', () => {
  const traits: ServerTraits = {
    version: '8.0.10',
    topology: 'single',
    parameters: { enableTestCommands: true, limit: new Int32(5) },
  };
  const cases: readonly (readonly [Parameters<typeof holds>[0], boolean])[] = [
    [undefined, true],
    [[{ minServerVersion: '8.0' }], true],
    [[{ minServerVersion: '8.0.11' }], false],
    [[{ maxServerVersion: '8.0.99' }], true],
    [[{ maxServerVersion: '7.9.99' }], false],
    [[{ minServerVersion: '10.0' }], false],
    [[{ topologies: ['replicaset'] }], false],
    [[{ topologies: ['replicaset'] }, { topologies: ['single'] }], true],
    [[{ minServerVersion: '9.0', topologies: ['single'] }], false],
    [[{ serverParameters: { enableTestCommands: true, limit: 5 } }], true],
    [[{ serverParameters: { limit: 6 } }], false],
    [[{ serverParameters: { unknown: false } }], false],
    [[{ auth: true }], false],
    [[{ auth: false }], true],
    [[{ csfle: true }], false],
    [[{ serverless: 'forbid' }], true],
    [[{ serverless: 'require' }], false],
  ];
  for (const [requirements, met] of cases) {
    it(`${JSON.stringify(requirements)} ${met ? 'hold' : 'do not hold'}`, () => {
      assert.equal(holds(requirements, traits), met);
    });
  }
});
