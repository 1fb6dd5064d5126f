import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EJSON, MaxKey, MinKey, deserialize, serialize } from 'bson';
import {
  FieldCursor,
  DocumentBuilder,
  getField,
  getPath,
  parseExtendedJson,
  parsePath,
  toExtendedJson,
  validateDocument,
  fieldsOf,
} from '../../bson/index.ts';
import { anyDocument } from './arbitraries.ts';
import {
  Binary,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  ObjectId,
  Timestamp,
  bsonOf,
} from './documents.ts';

const EXACT = {
  promoteValues: false,
  promoteLongs: false,
  promoteBuffers: false,
  bsonRegExp: true,
} as const;

const name = fc
  .string({ unit: 'grapheme', maxLength: 8 })
  .filter((text) => !text.includes('\0') && !text.startsWith('$') && text !== '__proto__');
const bytes = (count: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: count, maxLength: count }).map((value) => Buffer.from(value));

const MOST_COEFFICIENT = 10n ** 34n - 1n;

/**
 * Whether 16 bytes are a decimal as IEEE 754-2008 writes one (3.5.2, binary encoding): of a coefficient beyond 34 digits, which counts as
 * zero, the package makes other text.
 */
function isCanonical(decimal: Buffer): boolean {
  const high = decimal.readBigUInt64LE(8);
  const isLargeForm = ((high >> 61n) & 3n) === 3n;
  const isSpecial = ((high >> 59n) & 15n) === 15n;
  const coefficient = ((high & ((1n << 49n) - 1n)) << 64n) | decimal.readBigUInt64LE(0);
  return isLargeForm ? isSpecial : coefficient <= MOST_COEFFICIENT;
}

/** What applications store, as the npm package bson represents it. */
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.integer().map((int) => new Int32(int)),
    fc.double().map((double) => new Double(double)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((long) => Long.fromBigInt(long)),
    bytes(16)
      .filter(isCanonical)
      .map((content) => new Decimal128(content)),
    fc.string({ unit: 'grapheme' }),
    fc.boolean(),
    fc.constant(null),
    fc.date({ noInvalidDate: true }),
    bytes(12).map((id) => new ObjectId(id)),
    bytes(5).map((content) => new Binary(content, 0)),
    fc.tuple(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff)).map(([t, i]) => new Timestamp({ t, i })),
    fc.string().map((code) => new Code(code)),
    fc.constantFrom(new MinKey(), new MaxKey()),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
})).value;
const document = fc.dictionary(name, value, { maxKeys: 6 });

describe('documents of the npm package bson', () => {
  it('are valid, and come out of cursor and builder byte for byte', () => {
    fc.assert(
      fc.property(document, (plain) => {
        const raw = bsonOf(plain);
        assert.ok(validateDocument(raw) >= 1);
        const builder = new DocumentBuilder();
        const cursor = new FieldCursor(raw);
        while (cursor.next()) builder.append(cursor.name, cursor.value());
        assert.deepEqual(builder.finish(), raw);
      }),
      { numRuns: 300 },
    );
  });

  it('read the same here and there', () => {
    fc.assert(
      fc.property(document, (plain) => {
        const raw = bsonOf(plain);
        const there: unknown = JSON.parse(
          EJSON.stringify(deserialize(raw, EXACT), { relaxed: false }),
        );
        assert.deepEqual(comparable(toExtendedJson(raw)), comparable(there));
        assert.deepEqual(
          [...fieldsOf(raw)].map(([field]) => field).sort(),
          Object.keys(plain).sort(),
        );
        for (const field of Object.keys(plain)) assert.ok(getField(raw, field) !== undefined);
      }),
      { numRuns: 300 },
    );
  });

  it('written here read there', () => {
    fc.assert(
      fc.property(anyDocument, (raw) => {
        assert.doesNotThrow(() => deserialize(raw, { ...EXACT, validation: { utf8: false } }));
      }),
      { numRuns: 300 },
    );
  });

  it('come back from Extended JSON of either side', () => {
    const plain = {
      a: 1.5,
      n: [1, { b: Long.MAX_VALUE }],
      d: new Date(1e12),
      e: Decimal128.fromString('1.50'),
      u: /x/gi,
    };
    const raw = bsonOf(plain);
    assert.deepEqual(
      parseExtendedJson(EJSON.stringify(deserialize(raw, EXACT), { relaxed: false })),
      raw,
    );
    assert.deepEqual(
      Buffer.from(
        serialize(EJSON.deserialize(toExtendedJson(raw) as object, { relaxed: false }) as object),
      ),
      raw,
    );
    assert.equal(getPath(raw, parsePath('d'))?.asDateMs(), 1e12);
  });
});

/** JSON in which doubles of equal value have equal text. */
function comparable(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(comparable);
  return Object.fromEntries(
    Object.entries(json).map(([key, content]) => [
      key,
      key === '$numberDouble' ? Number(content) : comparable(content),
    ]),
  );
}
