import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  BsonType,
  binaryEqual,
  documentOf,
  fieldsOf,
  inspect,
  parseExtendedJson,
  parseExtendedJsonValue,
  toExtendedJsonText,
  validateDocument,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { anyDocument } from './arbitraries.ts';

function typeAndText(json: string): string {
  const value = parseExtendedJsonValue(json);
  return `${value.typeName} ${inspect(value)}`;
}

describe('parseExtendedJson', () => {
  it('keeps the order of fields, and repeated names', () => {
    const text = '{"b":1,"1":"x","0":null,"b":2,"__proto__":3}';
    assert.equal(toExtendedJsonText(parseExtendedJson(text), { relaxed: true }), text);
  });

  it('reads back what was written, whatever it is', () => {
    fc.assert(
      fc.property(anyDocument, (document) => {
        // Once through text puts a regex's options into their order; from then on nothing changes.
        const read = parseExtendedJson(toExtendedJsonText(document));
        validateDocument(read);
        assert.deepEqual(parseExtendedJson(toExtendedJsonText(read)), read);
      }),
      { numRuns: 500 },
    );
  });

  it('gives plain numbers the first type that holds them', () => {
    const cases: [string, string][] = [
      ['1', 'int 1'],
      ['-2147483648', 'int -2147483648'],
      ['2147483648', 'long 2147483648'],
      ['9223372036854775807', 'long 9223372036854775807'],
      ['9223372036854775808', 'double 9223372036854776000.0'],
      ['1.0', 'double 1.0'],
      ['1e2', 'double 100.0'],
      ['-0', 'double -0.0'],
      ['true', 'bool true'],
      ['"a\\u00e9\\n\\ud83d\\ude00"', 'string "aé\n😀"'],
      ['[1,[]]', 'array [ 1, [] ]'],
      ['{"$ref":"c","$id":1}', 'object { $ref: "c", $id: 1 }'],
      ['{"$date":"2020-01-02T03:04:05.678+01:00"}', 'date new Date(1577930645678)'],
      [
        '{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}',
        'binData UUID("00112233-4455-6677-8899-aabbccddeeff")',
      ],
      ['{"$regularExpression":{"options":"mi","pattern":"x"}}', 'regex /x/im'],
    ];
    for (const [json, expected] of cases) assert.equal(typeAndText(json), expected);
  });

  it('refuses what is no JSON', () => {
    const texts = [
      '',
      '{',
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      '{a:1}',
      "{'a':1}",
      '[1]',
      '1',
      '{"a":01}',
      '{"a":1.}',
      '{"a":.5}',
      '{"a":+1}',
      '{"a":"\n"}',
      '{"a":"\\x"}',
      '{"a":"\\u12"}',
      '{"a":tru}',
      '{"a":1}x',
      '{"a":NaN}',
      '{"a":"x}',
    ];
    for (const text of texts) {
      assert.throws(() => parseExtendedJson(text), CommandError, text);
    }
    assert.throws(() => parseExtendedJson('{"a":'.repeat(1000)), { code: 15 });
    assert.throws(() => parseExtendedJson(`{"a":${'['.repeat(100_000)}`), { code: 15 });
  });

  it('reads strings as long as a document may be, and ends them at the right quote', () => {
    const long = `${'x'.repeat(15_000_000)}\\"\\\\`;
    const document = parseExtendedJson(`{"a":"${long}","b":"\\\\"}`);
    assert.deepEqual(
      [...fieldsOf(document)].map(([name, value]) => [name, value.asString().length]),
      [
        ['a', 15_000_002],
        ['b', 1],
      ],
    );
    for (const bad of ['{"a":"\\"}', '{"a":"\\x"}', '{"a":"\n"}', '{"a":"\\u12"}', '{"a":"x']) {
      assert.throws(() => parseExtendedJson(bad), /in JSON at position 5/);
    }
  });

  it('reads binary data as long as a document may have, and refuses what is no base64', () => {
    const binary = (base64: string): string => `{"$binary":{"base64":"${base64}","subType":"00"}}`;
    const bytes = Buffer.alloc(16_000_000, 7);
    const value = parseExtendedJsonValue(binary(bytes.toString('base64')));
    assert.deepEqual(value.asBinary().bytes, bytes);
    for (const bad of ['A', 'AA', 'AAA', 'A===', '=AAA', 'AA=A', 'AAAA=', '====', 'AA A']) {
      assert.throws(() => parseExtendedJsonValue(binary(bad)), CommandError, bad);
    }
  });

  it('takes linear time for long texts', () => {
    const text = JSON.stringify({ a: 'x'.repeat(4_000_000), b: '\\'.repeat(100_000) });
    const value = documentOf({ a: 'x'.repeat(4_000_000), b: '\\'.repeat(100_000) });
    assert.deepEqual(parseExtendedJson(text), value);
    assert.equal(binaryEqual(parseExtendedJsonValue('5'), parseExtendedJsonValue('5')), true);
    assert.equal(parseExtendedJsonValue('5').type, BsonType.int32);
  });
});
