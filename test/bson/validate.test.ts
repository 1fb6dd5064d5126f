import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { CommandError } from '../../common/errors.ts';
import { MAX_BSON_DEPTH } from '../../common/limits.ts';
import {
  DocumentBuilder,
  EMPTY_DOCUMENT,
  MAX_MESSAGE_LEVELS,
  binaryValue,
  booleanValue,
  documentOf,
  javascriptWithScopeValue,
  rawValueFrom,
  stringValue,
  validateDocument,
  BsonType,
} from '../../bson/index.ts';
import { anyDocument } from './arbitraries.ts';
import { bsonOf } from './documents.ts';

function withByte(document: Buffer, at: number, byte: number): Buffer {
  const changed = Buffer.from(document);
  changed[at] = byte;
  return changed;
}

/** A document of `levels` levels, itself included. */
function nested(levels: number, begin: 'beginDocument' | 'beginArray' = 'beginDocument'): Buffer {
  const builder = new DocumentBuilder();
  for (let level = 1; level < levels; level += 1) builder[begin]('0');
  for (let level = 1; level < levels; level += 1) builder.end();
  return builder.finish();
}

describe('validateDocument', () => {
  it('accepts every well-formed document', () => {
    fc.assert(fc.property(anyDocument, (document) => assert.ok(validateDocument(document) >= 1)));
  });

  it('counts levels and refuses too many', () => {
    assert.equal(validateDocument(EMPTY_DOCUMENT), 1);
    assert.equal(validateDocument(bsonOf({ a: [{ b: 1 }], c: {} })), 3);
    assert.equal(validateDocument(nested(MAX_MESSAGE_LEVELS)), MAX_MESSAGE_LEVELS);
    assert.throws(() => validateDocument(nested(MAX_MESSAGE_LEVELS + 1)), { code: 15 });
    assert.equal(validateDocument(nested(180, 'beginArray'), { maxDepth: MAX_BSON_DEPTH }), 180);
    assert.throws(() => validateDocument(nested(181), { maxDepth: MAX_BSON_DEPTH }), { code: 15 });
    assert.throws(() => validateDocument(nested(300_000)), { code: 15 });
    const scope = documentOf({ f: javascriptWithScopeValue('', nested(200)) });
    assert.equal(validateDocument(scope), 201);
    assert.throws(
      () => validateDocument(documentOf({ f: javascriptWithScopeValue('', nested(201)) })),
      { code: 15 },
    );
  });

  it('refuses documents that are too large', () => {
    assert.throws(() => validateDocument(bsonOf({ a: 'x'.repeat(100) }), { maxBytes: 100 }), {
      code: 10334,
      message: 'BSONObj size: 113 (0x71) is invalid. Size must be between 0 and 100(0MB)',
    });
  });

  it('says which field is wrong', () => {
    assert.throws(() => validateDocument(withByte(bsonOf({ good: 1, bad: true }), 19, 2)), {
      code: 22,
      message: "BSON bool is neither false nor true in element with field name 'bad'",
    });
    assert.throws(() => validateDocument(withByte(bsonOf({ x: 1 }), 4, 20)), {
      code: 22,
      message: "Unrecognized BSON type 20 in element with field name 'x'",
    });
  });

  it('refuses texts that are not UTF-8, wherever they stand', () => {
    const wrong = Buffer.from([0x61, 0xc3, 0x28]);
    const text = Buffer.concat([Buffer.of(wrong.length + 1, 0, 0, 0), wrong, Buffer.of(0)]);
    const documents = [
      documentOf({ a: rawValueFrom(BsonType.string, text) }),
      documentOf({ a: rawValueFrom(BsonType.symbol, text) }),
      documentOf({ a: rawValueFrom(BsonType.javascript, text) }),
      documentOf({ a: rawValueFrom(BsonType.dbPointer, Buffer.concat([text, Buffer.alloc(12)])) }),
      documentOf({ a: rawValueFrom(BsonType.regex, Buffer.concat([wrong, Buffer.of(0, 0)])) }),
      withByte(bsonOf({ é: 1 }), 5, 0xff),
    ];
    for (const document of documents) assert.throws(() => validateDocument(document), { code: 22 });
  });

  it('knows UTF-8 as the runtime does', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.array(
        fc.constantFrom(
          0x41,
          0x80,
          0xbf,
          0xc1,
          0xc2,
          0xdf,
          0xe0,
          0xa0,
          0xed,
          0xef,
          0xf0,
          0x90,
          0xf4,
          0xf5,
        ),
        {
          maxLength: 12,
        },
      ),
      fc.string({ unit: 'binary', maxLength: 12 }).map((value) => Buffer.from(value)),
      fc
        .uint8Array({ minLength: 250, maxLength: 270 })
        .map((bytes) => bytes.map((byte) => byte & 0x7f)),
    );
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const content = Buffer.from(bytes);
        const value = Buffer.concat([Buffer.alloc(4), content, Buffer.of(0)]);
        value.writeInt32LE(content.length + 1, 0);
        const document = documentOf({
          a: rawValueFrom(BsonType.string, value),
          b: booleanValue(true),
        });
        if (isUtf8(content)) validateDocument(document);
        else assert.throws(() => validateDocument(document), { code: 22 });
      }),
      { numRuns: 1500 },
    );
  });

  it('accepts what MongoDB accepts: repeated names, unusual array names, empty names', () => {
    const builder = new DocumentBuilder();
    builder
      .appendInt32('', 1)
      .appendInt32('', 2)
      .appendArray('a', bsonOf({ b: 1, 7: 2 }));
    assert.equal(validateDocument(builder.finish()), 2);
  });

  it('checks the inner length of the old binary subtype', () => {
    const right = Buffer.from([2, 0, 0, 0, 7, 8]);
    validateDocument(documentOf({ a: binaryValue(right, 2) }));
    for (const wrong of [withByte(right, 0, 3), withByte(right, 0, 1), Buffer.alloc(3)]) {
      assert.throws(() => validateDocument(documentOf({ a: binaryValue(wrong, 2) })), CommandError);
    }
  });

  it('takes linear time for long names and texts', () => {
    const builder = new DocumentBuilder();
    for (let field = 0; field < 1000; field += 1)
      builder.append('n'.repeat(4000), stringValue('é'.repeat(4000)));
    const document = builder.finish();
    const start = process.hrtime.bigint();
    validateDocument(document);
    assert.ok(Number(process.hrtime.bigint() - start) < 1e9);
  });
});
