import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  Decimal,
  MAX_KEY,
  MIN_KEY,
  NULL,
  UNDEFINED_VALUE,
  arrayValue,
  binaryValue,
  booleanValue,
  dateValue,
  decimalValue,
  decodeIndexKey,
  documentValue,
  doubleValue,
  encodeIndexKey,
  int32Value,
  int64Value,
  objectIdValue,
  regexValue,
  stringValue,
  successorOfPrefix,
  symbolValue,
  timestampValue,
  type RawValue,
} from '../../bson/index.ts';
import { KEY_CLASS } from '../../bson/key-classes.ts';
import { bsonOf } from './documents.ts';

const document = readFileSync(new URL('../../docs/format/index-keys.md', import.meta.url), 'utf8');

/** Reads the values of the table of examples: a type's name, a space, and text. */
const readers: Record<string, (text: string) => RawValue> = {
  MinKey: () => MIN_KEY,
  MaxKey: () => MAX_KEY,
  undefined: () => UNDEFINED_VALUE,
  null: () => NULL,
  int: (text) => int32Value(Number(text)),
  long: (text) => int64Value(BigInt(text)),
  double: (text) => doubleValue(Number(text)),
  decimal: (text) => decimalValue(Decimal.fromString(text)),
  string: (text) => stringValue(text.replaceAll('\\0', '\0')),
  symbol: (text) => symbolValue(text),
  object: (text) => documentValue(bsonOf(JSON.parse(text) as object)),
  array: (text) =>
    arrayValue(bsonOf(Object.fromEntries((JSON.parse(text) as unknown[]).entries()))),
  binData: (text) => binaryValue(Buffer.from(text, 'hex')),
  objectId: (text) => objectIdValue(Buffer.from(text, 'hex')),
  bool: (text) => booleanValue(text === 'true'),
  date: (text) => dateValue(Number(text)),
  timestamp: (text) => timestampValue(Number(text.split(' ')[0]), Number(text.split(' ')[1])),
  regex: (text) => regexValue(text.split(' ')[0], text.split(' ')[1]),
};

function rowsOf(heading: string): string[][] {
  const section = document.slice(document.indexOf(`## ${heading}`));
  const lines = section.slice(0, section.indexOf('\n## ')).split('\n');
  return lines
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

describe('docs/format/index-keys.md', () => {
  for (const [description, keyHex, bitsHex] of rowsOf('Examples')) {
    it(`shows the bytes of ${description}`, () => {
      const type = description.split(' ')[0];
      const value = readers[type](description.slice(type.length + 1));
      const { key, typeBits } = encodeIndexKey([value], [1]);
      assert.equal(key.toString('hex'), keyHex.replaceAll(' ', ''));
      assert.equal(typeBits.toString('hex'), bitsHex === '-' ? '' : bitsHex);
      const [decoded] = decodeIndexKey(key, typeBits, [1]);
      assert.deepEqual(decoded.toBytes(), value.toBytes());
    });
  }

  it('shows the class of every type', () => {
    const classes = new Set(
      rowsOf('A value: class and content').flatMap(([cell]) => cell.split(', ')),
    );
    for (const code of Object.values(KEY_CLASS)) {
      if (code !== KEY_CLASS.zero)
        assert.ok(classes.has(code.toString(16).padStart(2, '0')), String(code));
    }
  });

  it('shows a compound key', () => {
    const { key, typeBits } = encodeIndexKey([stringValue('ab'), int64Value(300n)], [1, -1]);
    assert.ok(document.includes(`\`${key.toString('hex').match(/../g)?.join(' ')}\``));
    assert.equal(typeBits.toString('hex'), '02');
  });
});

describe('successorOfPrefix', () => {
  it('adds one with carry', () => {
    assert.deepEqual(successorOfPrefix(Buffer.of(1, 2)), Buffer.of(1, 3));
    assert.deepEqual(successorOfPrefix(Buffer.of(1, 0xff, 0xff)), Buffer.of(2));
    assert.deepEqual(successorOfPrefix(Buffer.alloc(0)), Buffer.of(0xff));
    assert.throws(() => successorOfPrefix(Buffer.of(0xff)));
  });
});
