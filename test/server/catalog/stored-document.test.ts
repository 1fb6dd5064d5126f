import assert from 'node:assert/strict';
import { deserialize, Int32, serialize, Timestamp, type Document } from 'bson';
import {
  DocumentBuilder,
  EMPTY_DOCUMENT,
  NULL,
  ObjectIdGenerator,
  timestampValue,
} from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { CommandError } from '../../../common/errors.ts';
import { MAX_BSON_DEPTH, MAX_BSON_OBJECT_BYTES } from '../../../common/limits.ts';
import { SeededRandom } from '../../../common/random.ts';
import { createDocumentStamps } from '../../../server/catalog/document-stamps.ts';
import { documentToInsert } from '../../../server/catalog/stored-document.ts';

const stamps = createDocumentStamps(systemClock, new SeededRandom(1));
assert.ok(stamps.objectIds instanceof ObjectIdGenerator);

const toInsert = (document: Document): Document =>
  deserialize(documentToInsert(Buffer.from(serialize(document)), stamps));

const refusal = (document: Buffer): CommandError => {
  try {
    documentToInsert(document, stamps);
  } catch (error) {
    assert.ok(error instanceof CommandError);
    return error;
  }
  return assert.fail('it was accepted');
};

/** A document of so many levels that are not empty: the innermost holds `leaf`. */
function nested(levels: number, leaf: Buffer): Buffer {
  let document = leaf;
  for (let level = 1; level < levels; level += 1) {
    document = new DocumentBuilder().appendDocument('', document).finish();
  }
  return document;
}

describe('server/catalog: documents to insert', () => {
  it('keeps the very bytes of a complete document', () => {
    const document = Buffer.from(serialize({ _id: 1, a: 2 }));
    assert.equal(documentToInsert(document, stamps), document);
  });

  it('puts _id first, and makes one where there is none', () => {
    assert.deepEqual(Object.keys(toInsert({ a: 1, _id: 2, b: 3 })), ['_id', 'a', 'b']);
    assert.deepEqual(Object.keys(toInsert({ a: 1 })), ['_id', 'a']);
  });

  it('refuses a second _id', () => {
    const document = new DocumentBuilder().appendInt32('_id', 1).appendInt32('_id', 2).finish();
    assert.deepEqual(
      [refusal(document).code, refusal(document).message],
      [2, "can't have multiple _id fields in one document"],
    );
  });

  it('fills empty timestamps at the top level, but not in _id, below, or when told to keep them', () => {
    const empty = new Timestamp({ t: 0, i: 0 });
    const given = { _id: empty, a: empty, b: new Timestamp({ t: 5, i: 6 }), c: { d: empty } };
    const filled = toInsert(given);
    assert.deepEqual(filled['_id'], empty);
    assert.ok(filled['a'].t > 1_500_000_000);
    assert.deepEqual(filled['b'], given.b);
    assert.deepEqual(filled['c'], given.c);
    const document = Buffer.from(serialize(given));
    assert.equal(documentToInsert(document, stamps, true), document);
  });

  it('fills a hundred thousand timestamps in one pass, each with another time', () => {
    const builder = new DocumentBuilder().appendInt32('_id', 1);
    for (let field = 0; field < 100_000; field += 1) {
      builder.append(`f${field}`, timestampValue(0, 0));
    }
    const filled = deserialize(documentToInsert(builder.finish(), stamps), { promoteLongs: false });
    const times = new Set(Object.values(filled).map((value) => String(value)));
    assert.equal(times.size, 100_001);
  }).timeout(5_000);

  it('takes as many levels as MongoDB, and an empty document below the last', () => {
    const leaf = new DocumentBuilder().append('n', NULL).finish();
    const withEmpty = new DocumentBuilder().appendDocument('e', EMPTY_DOCUMENT).finish();
    for (const deepest of [leaf, withEmpty]) {
      const document = nested(MAX_BSON_DEPTH, deepest);
      assert.ok(documentToInsert(document, stamps).length > document.length);
      const error = refusal(nested(MAX_BSON_DEPTH + 1, deepest));
      assert.deepEqual(
        [error.code, error.message],
        [15, 'cannot insert document because it exceeds 180 levels of nesting'],
      );
    }
    const smallest = nested(MAX_BSON_DEPTH + 1, new DocumentBuilder().append('', NULL).finish());
    assert.equal(refusal(smallest).code, 15);
  });

  it('refuses a document of one byte too many, as MongoDB does when it stores it', () => {
    const sized = (bytes: number): Buffer => {
      const bare = serialize({ _id: new Int32(1), x: '' }).length;
      return Buffer.from(serialize({ _id: new Int32(1), x: 'x'.repeat(bytes - bare) }));
    };
    const largest = sized(MAX_BSON_OBJECT_BYTES);
    assert.equal(documentToInsert(largest, stamps), largest);
    const error = refusal(sized(MAX_BSON_OBJECT_BYTES + 1));
    assert.deepEqual(
      [error.code, error.message],
      [2, 'object to insert too large. size in bytes: 16777217, max size: 16777216'],
    );
  });
});
