import assert from 'node:assert/strict';
import { BSON, Binary, Decimal128, Double, Int32, Long, type Document } from 'bson';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { explainFailure } from '../../../query/matcher/explain-failure.ts';
import { errorOf, raw, testContext } from '../fixtures.ts';

interface Case {
  readonly name: string;
  readonly schema: Document;
  readonly valid: readonly Document[];
  readonly invalid: readonly Document[];
}

const CASES: Case[] = [
  {
    name: 'required and properties',
    schema: {
      required: ['a'],
      properties: { a: { bsonType: 'string' }, n: { minimum: 1, maximum: 10 } },
    },
    valid: [{ a: 'x', n: 3 }, { a: 'x' }, { a: 'x', n: 'y' }],
    invalid: [{ a: 5, n: 3 }, { n: 3 }, { a: 'x', n: 99 }],
  },
  {
    name: 'anyOf',
    schema: {
      anyOf: [
        { properties: { a: { bsonType: 'int' } }, required: ['a'] },
        { properties: { a: { enum: ['x', 'y'] } }, required: ['a'] },
      ],
    },
    valid: [{ a: 1 }, { a: 'x' }],
    invalid: [{ a: true }, { b: 1 }],
  },
  {
    name: 'allOf, not',
    schema: { properties: { a: { allOf: [{ minimum: 1 }, { maximum: 5 }], not: { enum: [3] } } } },
    valid: [{ a: 2 }, {}],
    invalid: [{ a: 0 }, { a: 6 }, { a: 3 }],
  },
  {
    name: 'oneOf',
    schema: { properties: { a: { oneOf: [{ minimum: 1 }, { maximum: 5 }] } } },
    valid: [{ a: 0 }, { a: 6 }],
    invalid: [{ a: 3 }],
  },
  {
    name: 'arrays',
    schema: {
      properties: {
        a: {
          bsonType: 'array',
          minItems: 1,
          maxItems: 3,
          uniqueItems: true,
          items: { bsonType: 'int' },
        },
      },
    },
    valid: [{ a: [1, 2] }, {}],
    invalid: [{ a: [1, 1] }, { a: [1, 'x'] }, { a: [] }, { a: 1 }, { a: [1, 2, 3, 4] }],
  },
  {
    name: 'items by position',
    schema: {
      properties: {
        a: { items: [{ bsonType: 'int' }, { bsonType: 'string' }], additionalItems: false },
      },
    },
    valid: [{ a: [1, 'x'] }, { a: [1] }, { a: [] }, { a: 5 }],
    invalid: [{ a: ['x'] }, { a: [1, 'x', 2] }],
  },
  {
    name: 'additional items by schema',
    schema: { properties: { a: { items: [{}], additionalItems: { bsonType: 'int' } } } },
    valid: [{ a: ['x', 1] }],
    invalid: [{ a: ['x', 'y'] }],
  },
  {
    name: 'unique items whatever the order of fields',
    schema: { properties: { a: { uniqueItems: true } } },
    valid: [{ a: [{ x: 1 }, { x: 2 }] }],
    invalid: [
      {
        a: [
          { x: 1, y: 2 },
          { y: 2, x: 1 },
        ],
      },
      { a: [1, new Double(1)] },
    ],
  },
  {
    name: 'additionalProperties: false',
    schema: { properties: { _id: {}, a: { bsonType: 'int' } }, additionalProperties: false },
    valid: [{ _id: 1, a: 1 }],
    invalid: [{ _id: 1, a: 1, b: 2 }],
  },
  {
    name: 'additionalProperties by schema',
    schema: { properties: { a: {} }, additionalProperties: { bsonType: 'int' } },
    valid: [{ a: 'x', b: 1 }],
    invalid: [{ a: 'x', b: 'y' }],
  },
  {
    name: 'patternProperties',
    schema: { patternProperties: { '^n_': { bsonType: 'int' } }, additionalProperties: false },
    valid: [{ n_a: 1 }],
    invalid: [{ n_a: 'x' }, { other: 1 }],
  },
  {
    name: 'strings',
    schema: { properties: { a: { minLength: 3, maxLength: 4, pattern: '^a' } } },
    valid: [{ a: 'abc' }, { a: 5 }, { a: 'a😀😀' }],
    invalid: [{ a: 'ab' }, { a: 'xbc' }, { a: 'abcde' }],
  },
  {
    name: 'exclusive bounds',
    schema: {
      properties: { a: { minimum: 1, exclusiveMinimum: true, maximum: 5, exclusiveMaximum: true } },
    },
    valid: [{ a: 2 }, { a: new Double(4.9) }],
    invalid: [{ a: 1 }, { a: 5 }],
  },
  {
    name: 'multipleOf',
    schema: { properties: { a: { multipleOf: new Double(0.5) } } },
    valid: [{ a: 1 }, { a: new Double(1.5) }, { a: 'x' }, { a: Decimal128.fromString('2.5') }],
    invalid: [{ a: new Double(1.3) }],
  },
  {
    name: 'type',
    schema: { properties: { a: { type: ['number', 'null', 'boolean'] } } },
    valid: [{ a: 1 }, { a: null }, { a: true }, { a: Long.fromNumber(1) }],
    invalid: [{ a: 'x' }],
  },
  {
    name: 'bsonType number and a list',
    schema: { properties: { a: { bsonType: ['number', 'date'] } } },
    valid: [{ a: 1 }, { a: new Date() }],
    invalid: [{ a: 'x' }],
  },
  {
    name: 'a type does not look into arrays',
    schema: { properties: { a: { bsonType: 'int' } } },
    valid: [{ a: 1 }],
    invalid: [{ a: [1] }],
  },
  {
    name: 'enum of documents',
    schema: { properties: { a: { enum: [{ x: 1, y: 2 }, null] } } },
    valid: [{ a: { y: 2, x: 1 } }, { a: null }],
    invalid: [{ a: { x: 1 } }],
  },
  {
    name: 'nested objects',
    schema: {
      properties: {
        o: {
          bsonType: 'object',
          required: ['x'],
          properties: { x: { bsonType: 'int' } },
          maxProperties: 2,
        },
      },
    },
    valid: [{ o: { x: 1 } }, {}],
    invalid: [{ o: {} }, { o: { x: 's' } }, { o: { x: 1, y: 1, z: 1 } }, { o: 1 }],
  },
  {
    name: 'minProperties',
    schema: { minProperties: 2 },
    valid: [{ a: 1, b: 1 }],
    invalid: [{ a: 1 }],
  },
  {
    name: 'dependencies on fields',
    schema: { dependencies: { a: ['b', 'c'] } },
    valid: [{}, { a: 1, b: 1, c: 1 }, { b: 1 }],
    invalid: [{ a: 1, b: 1 }],
  },
  {
    name: 'dependencies on a schema',
    schema: { dependencies: { a: { required: ['b'] } } },
    valid: [{ b: 1 }, { a: 1, b: 1 }],
    invalid: [{ a: 1 }],
  },
  {
    name: 'encrypt',
    schema: { properties: { a: { encrypt: {} } } },
    valid: [{ a: new Binary(Buffer.alloc(20), 6) }],
    invalid: [{ a: new Binary(Buffer.alloc(20)) }, { a: 'x' }],
  },
  { name: 'the empty schema', schema: {}, valid: [{}, { a: 1 }], invalid: [] },
];

const ERRORS: { name: string; schema: Document; code: number }[] = [
  { name: 'an unknown keyword', schema: { nope: 1 }, code: 9 },
  { name: 'a keyword that is not supported', schema: { format: 'date' }, code: 9 },
  { name: 'type integer', schema: { type: 'integer' }, code: 9 },
  { name: 'type and bsonType', schema: { type: 'string', bsonType: 'string' }, code: 9 },
  { name: 'an unknown type', schema: { bsonType: 'nope' }, code: 2 },
  { name: 'a type that is a number', schema: { bsonType: 1 }, code: 14 },
  { name: 'a type twice', schema: { bsonType: ['int', 'int'] }, code: 9 },
  { name: 'required that is no array', schema: { required: 'a' }, code: 14 },
  { name: 'required that is empty', schema: { required: [] }, code: 9 },
  { name: 'required twice', schema: { required: ['a', 'a'] }, code: 9 },
  { name: 'required of a number', schema: { required: [1] }, code: 14 },
  { name: 'properties that is no object', schema: { properties: 1 }, code: 14 },
  { name: 'a property that is no schema', schema: { properties: { a: 1 } }, code: 14 },
  { name: 'minimum that is no number', schema: { minimum: 'x' }, code: 14 },
  { name: 'exclusiveMinimum alone', schema: { exclusiveMinimum: true }, code: 9 },
  {
    name: 'exclusiveMinimum that is no boolean',
    schema: { minimum: 1, exclusiveMinimum: 1 },
    code: 14,
  },
  { name: 'minLength that is negative', schema: { minLength: -1 }, code: 9 },
  { name: 'pattern that is no string', schema: { pattern: 1 }, code: 14 },
  {
    name: 'pattern that is malformed',
    schema: { properties: { a: { pattern: '(' } } },
    code: 51091,
  },
  { name: 'multipleOf 0', schema: { multipleOf: 0 }, code: 9 },
  { name: 'an empty enum', schema: { enum: [] }, code: 9 },
  { name: 'an enum with duplicates', schema: { enum: [1, new Double(1)] }, code: 9 },
  { name: 'an empty anyOf', schema: { anyOf: [] }, code: 2 },
  { name: 'anyOf of scalars', schema: { anyOf: [1] }, code: 14 },
  { name: 'not that is no object', schema: { not: 1 }, code: 14 },
  { name: 'items that is a scalar', schema: { items: 1 }, code: 14 },
  { name: 'additionalItems that is a scalar', schema: { items: [], additionalItems: 1 }, code: 14 },
  { name: 'dependencies that are empty', schema: { dependencies: { a: [] } }, code: 9 },
  { name: 'title that is no string', schema: { title: 1 }, code: 14 },
];

function matches(schema: Document, document: Document): boolean {
  return compileFilter(raw({ $jsonSchema: schema }), testContext()).matches(raw(document));
}

describe('$jsonSchema', () => {
  for (const { name, schema, valid, invalid } of CASES) {
    it(name, () => {
      for (const document of valid)
        assert.ok(matches(schema, document), `valid: ${JSON.stringify(document)}`);
      for (const document of invalid)
        assert.ok(!matches(schema, document), `invalid: ${JSON.stringify(document)}`);
    });
  }

  for (const { name, schema, code } of ERRORS) {
    it(`refuses: ${name}`, () => {
      const error = errorOf(() => compileFilter(raw({ $jsonSchema: schema }), testContext()));
      assert.equal(error.code, code, error.message);
    });
  }
});

describe('the explanation of a failed validation', () => {
  function explain(filter: Document, document: Document): Document | undefined {
    const { tree } = compileFilter(raw(filter), testContext());
    const details = explainFailure(tree, raw(document));
    return details === undefined ? undefined : BSON.deserialize(details);
  }

  it('is absent for a document that matches', () => {
    assert.equal(explain({ a: 1 }, { a: 1 }), undefined);
  });

  it('names the properties and rules of a schema that are not satisfied', () => {
    const schema = {
      title: 'Students',
      required: ['name', 'year'],
      properties: {
        year: { bsonType: 'int', minimum: 2017, description: 'must be an integer from 2017 on' },
        gpa: { bsonType: ['double'] },
      },
    };
    assert.deepEqual(
      explain({ $jsonSchema: schema }, { year: new Int32(2016), gpa: new Int32(3) }),
      {
        operatorName: '$jsonSchema',
        title: 'Students',
        schemaRulesNotSatisfied: [
          {
            operatorName: 'properties',
            propertiesNotSatisfied: [
              {
                propertyName: 'year',
                description: 'must be an integer from 2017 on',
                details: [
                  {
                    operatorName: 'minimum',
                    specifiedAs: { minimum: 2017 },
                    reason: 'comparison failed',
                    consideredValue: 2016,
                  },
                ],
              },
              {
                propertyName: 'gpa',
                details: [
                  {
                    operatorName: 'bsonType',
                    specifiedAs: { bsonType: ['double'] },
                    reason: 'type did not match',
                    consideredValue: 3,
                    consideredType: 'int',
                  },
                ],
              },
            ],
          },
          {
            operatorName: 'required',
            specifiedAs: { required: ['name', 'year'] },
            missingProperties: ['name'],
          },
        ],
      },
    );
  });

  it('quotes the operator, and the value that it looked at', () => {
    assert.deepEqual(explain({ a: { $gt: 5 } }, { a: 1 }), {
      operatorName: '$gt',
      specifiedAs: { a: { $gt: 5 } },
      reason: 'comparison failed',
      consideredValue: 1,
    });
    assert.deepEqual(explain({ a: { $gt: 5 } }, {}), {
      operatorName: '$gt',
      specifiedAs: { a: { $gt: 5 } },
      reason: 'field was missing',
    });
    assert.deepEqual(explain({ a: { $in: [1, 2] } }, { a: [3, 4] }), {
      operatorName: '$in',
      specifiedAs: { a: { $in: [1, 2] } },
      reason: 'no matching value found in array',
      consideredValues: [3, 4, [3, 4]],
    });
    assert.deepEqual(explain({ a: { $type: 'string' } }, { a: 1 }), {
      operatorName: '$type',
      specifiedAs: { a: { $type: 'string' } },
      reason: 'type did not match',
      consideredValue: 1,
      consideredType: 'int',
    });
    assert.deepEqual(explain({ a: { $exists: true } }, {}), {
      operatorName: '$exists',
      specifiedAs: { a: { $exists: true } },
      reason: 'path does not exist',
    });
  });

  it('turns reasons round below negations', () => {
    assert.deepEqual(explain({ a: { $ne: 1 } }, { a: 1 }), {
      operatorName: '$eq',
      specifiedAs: { a: { $eq: 1 } },
      reason: 'comparison succeeded',
      consideredValue: 1,
    });
    assert.deepEqual(explain({ $nor: [{ a: 1 }, { b: 1 }] }, { a: 1 }), {
      operatorName: '$nor',
      clausesSatisfied: [
        {
          index: 0,
          details: {
            operatorName: '$eq',
            specifiedAs: { a: { $eq: 1 } },
            reason: 'comparison succeeded',
            consideredValue: 1,
          },
        },
      ],
    });
  });

  it('names the clauses of $and that do not match', () => {
    assert.deepEqual(explain({ a: 1, b: 2 }, { a: 1, b: 3 }), {
      operatorName: '$and',
      clausesNotSatisfied: [
        {
          index: 1,
          details: {
            operatorName: '$eq',
            specifiedAs: { b: { $eq: 2 } },
            reason: 'comparison failed',
            consideredValue: 3,
          },
        },
      ],
    });
  });

  it('shows $expr with its result', () => {
    assert.deepEqual(explain({ $expr: { $gt: ['$a', '$b'] } }, { a: 1, b: 2 }), {
      operatorName: '$expr',
      specifiedAs: { $expr: { $gt: ['$a', '$b'] } },
      reason: 'expression did not match',
      expressionResult: false,
    });
  });
});
