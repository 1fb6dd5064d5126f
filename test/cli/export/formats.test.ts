import assert from 'node:assert/strict';
import { BSON, Binary, Decimal128, Long, ObjectId } from 'mongodb';
import { jsonFormat, tableFormat } from '../../../cli/export/document-format.ts';

const bytes = (document: object): Buffer => Buffer.from(BSON.serialize(document));

describe('cli: cells of CSV', () => {
  const document = {
    _id: new ObjectId('00112233445566778899aabb'),
    text: 'a "b", c\nd',
    int: 1,
    double: 1.5,
    long: Long.fromString('9007199254740993'),
    decimal: Decimal128.fromString('1.50'),
    yes: true,
    nothing: null,
    when: new Date(0),
    far: new Date(8.64e15),
    nested: { a: [1, { b: 2 }] },
    binary: new Binary(Buffer.from('hi')),
  };
  const cells: [field: string, cell: string][] = [
    ['_id', 'ObjectId(00112233445566778899aabb)'],
    ['text', '"a ""b"", c\nd"'],
    ['int', '1'],
    ['double', '1.5'],
    ['long', '9007199254740993'],
    ['decimal', '1.50'],
    ['yes', 'true'],
    ['nothing', ''],
    ['missing', ''],
    ['when', '1970-01-01T00:00:00.000Z'],
    ['far', '+275760-09-13T00:00:00.000Z'],
    ['nested', '"{""a"":[1,{""b"":2}]}"'],
    ['nested.a.1.b', '2'],
    ['nested.a.2', ''],
    ['int.a', ''],
    ['binary', '"{""$binary"":{""base64"":""aGk="",""subType"":""00""}}"'],
  ];
  for (const [field, cell] of cells) {
    it(`${field} is ${JSON.stringify(cell)}`, () => {
      const format = tableFormat({ fields: [field, 'yes'], tabs: false, headerLine: true });
      assert.equal(format.head, `${field},yes\n`);
      assert.equal(format.format(bytes(document), 0).toString(), `${cell},true\n`);
    });
  }

  it('with tabs or new lines have no place in TSV', () => {
    const format = tableFormat({ fields: ['int', 'text'], tabs: true, headerLine: false });
    assert.equal(format.head, '');
    assert.equal(format.format(bytes({ int: 1, text: 'a "b"' }), 0).toString(), '1\ta "b"\n');
    assert.throws(
      () => format.format(bytes(document), 6),
      /^FailedCommand: document 7 has a value with a tab/,
    );
  });
});

describe('cli: JSON for people', () => {
  const format = jsonFormat({ relaxed: true, asArray: false, pretty: true });
  const texts: [document: string, expected: string][] = [
    ['{}', '{}'],
    [
      '{"b":[],"a":{"x":[1,{}]}}',
      '{\n\t"b": [],\n\t"a": {\n\t\t"x": [\n\t\t\t1,\n\t\t\t{}\n\t\t]\n\t}\n}',
    ],
    ['{"a":"{[\\",:]}"}', '{\n\t"a": "{[\\",:]}"\n}'],
  ];
  for (const [document, expected] of texts) {
    it(`of ${document} has a line for each field`, () => {
      const text = format.format(bytes(JSON.parse(document)), 0).toString();
      assert.equal(text, `${expected}\n`);
    });
  }

  it('keeps the order of names that look like numbers', () => {
    const document = Buffer.from(
      BSON.serialize(
        new Map([
          ['b', 1],
          ['1', 2],
        ]),
      ),
    );
    assert.equal(format.format(document, 0).toString(), '{\n\t"b": 1,\n\t"1": 2\n}\n');
  });
});
