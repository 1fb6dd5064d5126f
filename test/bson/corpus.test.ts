import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { CommandError } from '../../common/errors.ts';
import {
  Decimal,
  DocumentBuilder,
  FieldCursor,
  canonicalKey,
  compareDocuments,
  decodeIndexKey,
  encodeIndexKey,
  fieldsOf,
  inspect,
  parseExtendedJson,
  toExtendedJson,
  toExtendedJsonText,
  validateDocument,
  type RawValue,
} from '../../bson/index.ts';

interface ValidCase {
  readonly description: string;
  readonly canonical_bson: string;
  readonly degenerate_bson?: string;
  readonly converted_bson?: string;
  readonly canonical_extjson: string;
  readonly relaxed_extjson?: string;
  readonly degenerate_extjson?: string;
  readonly lossy?: boolean;
}

interface CorpusFile {
  readonly description: string;
  readonly bson_type: string;
  readonly valid?: readonly ValidCase[];
  readonly decodeErrors?: readonly { readonly description: string; readonly bson: string }[];
  readonly parseErrors?: readonly { readonly description: string; readonly string: string }[];
}

const specTests =
  process.env['FLINT_SPEC_TESTS'] ??
  fileURLToPath(new URL('../../../shared/spec-tests', import.meta.url));
const folder = join(specTests, 'bson-corpus');

function corpusFiles(): CorpusFile[] {
  return readdirSync(folder)
    .sort()
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as CorpusFile);
}

/** Takes a document apart and builds it anew, nested ones included. */
function rebuild(bytes: Buffer): Buffer {
  const builder = new DocumentBuilder();
  copyFields(bytes, builder);
  return builder.finish();
}

function copyFields(bytes: Buffer, builder: DocumentBuilder): void {
  const cursor = new FieldCursor(bytes);
  while (cursor.next()) {
    const value = cursor.value();
    if (value.typeName === 'object' || value.typeName === 'array') {
      if (value.typeName === 'object') builder.beginDocument(cursor.name);
      else builder.beginArray(cursor.name);
      copyFields(value.asDocument(), builder);
      builder.end();
    } else {
      builder.append(cursor.name, value);
    }
  }
}

function onlyField(bytes: Buffer): RawValue {
  return [...fieldsOf(bytes)][0][1];
}

describe('the BSON corpus', function () {
  if (!existsSync(folder)) {
    it(`is skipped: there is no folder ${folder}; FLINT_SPEC_TESTS names the specification tests`, function () {
      this.skip();
    });
    return;
  }
  for (const file of corpusFiles()) {
    describe(file.description, () => {
      for (const test of file.valid ?? []) {
        const bytes = Buffer.from(test.canonical_bson, 'hex');
        it(`accepts and rebuilds: ${test.description}`, () => {
          for (const hex of [test.canonical_bson, test.degenerate_bson, test.converted_bson]) {
            if (hex === undefined) continue;
            const document = Buffer.from(hex, 'hex');
            assert.ok(validateDocument(document) >= 1);
            assert.deepEqual(rebuild(document), document);
            assert.equal(compareDocuments(document, document), 0);
            assert.ok(inspect(document).length > 0);
          }
        });
        it(`encodes and decodes as index key: ${test.description}`, () => {
          for (const [name, value] of fieldsOf(bytes)) {
            const { key, typeBits } = encodeIndexKey([value], [1]);
            const [decoded] = decodeIndexKey(key, typeBits, [1]);
            assert.deepEqual(decoded.toBytes(), value.toBytes(), name);
            assert.equal(decoded.type, value.type);
            assert.equal(canonicalKey(decoded), canonicalKey(value));
          }
        });
        it(`prints as Extended JSON: ${test.description}`, () => {
          assertSameJson(toExtendedJson(bytes), JSON.parse(test.canonical_extjson));
          if (test.relaxed_extjson !== undefined) {
            assertSameJson(
              toExtendedJson(bytes, { relaxed: true }),
              JSON.parse(test.relaxed_extjson),
            );
          }
        });
        it(`reads from Extended JSON: ${test.description}`, () => {
          for (const text of [test.canonical_extjson, test.degenerate_extjson]) {
            if (text === undefined || test.lossy === true) continue;
            assert.deepEqual(parseExtendedJson(text), bytes);
          }
          if (test.lossy !== true) {
            assert.deepEqual(parseExtendedJson(toExtendedJsonText(bytes)), bytes);
          }
        });
        if (file.bson_type === '0x13') decimalCase(test, bytes);
      }
      for (const test of file.decodeErrors ?? []) {
        it(`refuses: ${test.description}`, () => {
          assert.throws(() => validateDocument(Buffer.from(test.bson, 'hex')), CommandError);
        });
      }
      for (const test of file.parseErrors ?? []) {
        if (file.bson_type === '0x13') decimalParseError(test);
        else jsonParseError(test);
      }
    });
  }
});

function decimalCase(test: ValidCase, bytes: Buffer): void {
  it(`reads and prints the decimal: ${test.description}`, () => {
    const value = onlyField(bytes);
    const text = (JSON.parse(test.canonical_extjson) as { d: { $numberDecimal: string } }).d
      .$numberDecimal;
    assert.equal(value.asDecimal().toString(), text);
    const isNaNOrUnusual =
      text === 'NaN' || !Decimal.fromBytes(value.toBytes()).toBytes().equals(value.toBytes());
    if (!isNaNOrUnusual) assert.deepEqual(Decimal.fromString(text).toBytes(), value.toBytes());
  });
}

function decimalParseError(test: { description: string; string: string }): void {
  it(`does not read as an exact decimal: ${test.description}`, () => {
    assert.equal(Decimal.tryExact(test.string), undefined);
  });
}

function jsonParseError(test: { description: string; string: string }): void {
  it(`does not read as Extended JSON: ${test.description}`, () => {
    assert.throws(() => parseExtendedJson(test.string), CommandError);
  });
}

/** Equal, but for the text of doubles and the order of keys: "1.0E+2" and "100.0" are one number. */
function assertSameJson(actual: unknown, expected: unknown): void {
  assert.deepEqual(withDoubles(actual), withDoubles(expected));
}

function withDoubles(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(withDoubles);
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      key,
      key === '$numberDouble' ? Number(value) : withDoubles(value),
    ]),
  );
}
