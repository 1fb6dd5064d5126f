import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CommandError, CorruptionError } from '../../common/errors.ts';
import {
  FieldCursor,
  canonicalKey,
  compareDocuments,
  compileIndexKeys,
  compileSort,
  decodeIndexKey,
  documentOf,
  encodeIndexKey,
  fieldCount,
  fieldsOf,
  forEachPathValue,
  getField,
  getPath,
  inspect,
  int32Value,
  parsePath,
  setField,
  toExtendedJson,
  unsetField,
  validateDocument,
  withIdFirst,
  type Direction,
  type RawValue,
} from '../../bson/index.ts';
import { anyDocument, anyValue } from './arbitraries.ts';

/** A document in which some bytes were changed, or which was cut or made longer. */
const damaged: fc.Arbitrary<Buffer> = fc
  .tuple(
    anyDocument,
    fc.array(
      fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 3, 4, 5, 15, 127, 128, 255), fc.nat(255))),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
    fc.integer({ min: -6, max: 3 }),
  )
  .map(([document, changes, growth]) => {
    const length = Math.max(0, document.length + growth);
    const bytes = Buffer.alloc(length, 0xaa);
    document.copy(bytes);
    for (const [at, byte] of changes) if (length > 0) bytes[at % length] = byte;
    return bytes;
  });

/**
 * The document right before bytes that must never be read: another type's worth of a value, repeated. A reader that
 * runs past the end finds a value and goes on.
 */
function beforeOthers(document: Buffer): Buffer {
  const memory = Buffer.alloc(document.length + 64, 0x10);
  document.copy(memory);
  return memory.subarray(0, document.length);
}

const path = parsePath('a.b.0.a');
const indexOf = compileIndexKeys(
  [
    { path: 'a.b', direction: 1 },
    { path: 'b', direction: -1 },
  ],
  { sparse: false },
);
const sort = compileSort(documentOf({ a: 1, 'b.a': -1 }));

function useValue(value: RawValue): void {
  value.asNumber();
  value.asInt64();
  value.asString();
  value.asDecimal();
  value.asDocument();
  value.asBinary();
  value.asRegex();
  value.isTruthy();
  canonicalKey(value);
  const { key, typeBits } = encodeIndexKey([value], [1]);
  decodeIndexKey(key, typeBits, [1]);
}

const uses: Record<string, (document: Buffer) => unknown> = {
  validateDocument,
  fieldCount,
  inspect,
  getField: (document) => getField(document, 'b'),
  getPath: (document) => getPath(document, path),
  toExtendedJson: (document) => toExtendedJson(document),
  compareDocuments: (document) => compareDocuments(document, document),
  values: (document) => {
    for (const [, value] of fieldsOf(document)) useValue(value);
  },
  forEachPathValue: (document) =>
    forEachPathValue(document, path, () => false, { expandLeafArrays: true }),
  keysOf: (document) => indexOf.keysOf(document),
  sortKey: (document) => sort.keyOf(document),
  setField: (document) => setField(document, 'b', int32Value(1)),
  unsetField: (document) => unsetField(document, 'b'),
  withIdFirst: (document) => withIdFirst(document, int32Value(1)),
};

describe('damaged documents', () => {
  for (const [name, use] of Object.entries(uses)) {
    it(`make ${name} throw CommandError, or nothing`, () => {
      fc.assert(
        fc.property(damaged, (document) => {
          try {
            use(beforeOthers(document));
          } catch (error) {
            if (!(error instanceof CommandError || error instanceof CorruptionError)) throw error;
          }
        }),
        { numRuns: 2000 },
      );
    });
  }

  it('are walked only inside of their bytes', () => {
    fc.assert(
      fc.property(damaged, (document) => {
        const cursor = new FieldCursor();
        try {
          cursor.reset(beforeOthers(document));
          while (cursor.next()) assert.ok(cursor.valueEnd < document.length);
        } catch (error) {
          if (!(error instanceof CommandError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('that pass validation can be used in every way', () => {
    fc.assert(
      fc.property(damaged, (document) => {
        let isValid = true;
        try {
          validateDocument(document);
        } catch {
          isValid = false;
        }
        fc.pre(isValid);
        for (const [name, use] of Object.entries(uses)) {
          if (name !== 'keysOf' && name !== 'sortKey') use(document);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** {"": {"": {…}}}, each level of 4 + 1 + 1 bytes before and 1 behind what is inside. */
function veryDeep(levels: number): Buffer {
  const bytes = Buffer.alloc(levels * 7 + 5);
  for (let level = 0, at = 0; level <= levels; level += 1, at += 6) {
    bytes.writeInt32LE(bytes.length - level * 7, at);
    if (level < levels) bytes[at + 4] = 3;
  }
  return bytes;
}

describe('very deep documents', () => {
  it('that were never validated end in Overflow, not in a full stack', () => {
    const bytes = veryDeep(100_000);
    assert.throws(() => validateDocument(bytes), { code: 15 });
    assert.throws(() => compareDocuments(bytes, veryDeep(100_001)), { code: 15 });
    assert.throws(() => toExtendedJson(bytes), { code: 15 });
    const value = getField(bytes, '');
    assert.throws(() => encodeIndexKey([value], [1]), { code: 15 });
    assert.ok(inspect(bytes).includes('...'));
  });
});

describe('damaged index keys', () => {
  it('decode to values, or throw CorruptionError', () => {
    const directions: Direction[] = [1, -1];
    fc.assert(
      fc.property(
        fc.array(anyValue, { minLength: 1, maxLength: 2 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
        fc.nat(3),
        (values, keyChanges, bitChanges, cut) => {
          const encoded = encodeIndexKey(values, directions);
          const key = Buffer.from(encoded.key.subarray(0, Math.max(0, encoded.key.length - cut)));
          const typeBits = Buffer.from(encoded.typeBits);
          for (const [at, byte] of keyChanges) if (key.length > 0) key[at % key.length] = byte;
          for (const [at, byte] of bitChanges)
            if (typeBits.length > 0) typeBits[at % typeBits.length] = byte;
          try {
            for (const value of decodeIndexKey(key, typeBits, directions)) useValue(value);
          } catch (error) {
            if (!(error instanceof CorruptionError)) throw error;
          }
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('throw CorruptionError when anything is left over', () => {
    const { key } = encodeIndexKey([int32Value(5)], [1]);
    assert.throws(
      () => decodeIndexKey(Buffer.concat([key, Buffer.of(0x18)]), Buffer.alloc(0), [1]),
      CorruptionError,
    );
    assert.throws(() => decodeIndexKey(key, Buffer.of(0x80), [1]), CorruptionError);
    assert.throws(() => decodeIndexKey(Buffer.of(0x47), Buffer.alloc(0), [1]), CorruptionError);
  });
});
