import assert from 'node:assert/strict';
import { Decimal128, Double, Int32, Long, serialize, type Document } from 'bson';
import type { CommandBody } from '../../../server/command/command-body.ts';
import { parseRequest } from '../../../server/command/generic-arguments.ts';
import type { DocumentSequence } from '../../../wire/index.ts';

const bodyOf = (command: Document, sequences: DocumentSequence[] = []): CommandBody =>
  parseRequest('find', { bytes: Buffer.from(serialize({ ...command, $db: 'db' })), sequences })
    .body;

const error = (run: () => unknown): { code: number; message: string } => {
  try {
    run();
  } catch (thrown) {
    assert.ok(thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'number');
    return { code: thrown.code, message: thrown.message };
  }
  return assert.fail('nothing was thrown');
};

describe('server/command: command body', () => {
  it('gives typed values, and fallbacks for what is absent or null', () => {
    const body = bodyOf({
      find: 'c',
      filter: { a: 1 },
      limit: 5,
      name: 'x',
      flag: true,
      gone: null,
    });
    assert.equal(body.collection(), 'db.c');
    assert.deepEqual(body.document('filter'), Buffer.from(serialize({ a: 1 })));
    assert.equal(body.limit('limit'), 5);
    assert.equal(body.string('name'), 'x');
    assert.equal(body.boolean('flag'), true);
    assert.equal(body.string('gone', 'fallback'), 'fallback');
    assert.equal(body.document('sort', undefined), undefined);
    assert.equal(body.limit('skip'), undefined);
    body.rejectUnknownFields();
  });

  it("refuses what nobody asked for, in MongoDB's words", () => {
    const body = bodyOf({ find: 'c', foo: 1 });
    assert.deepEqual(
      error(() => body.rejectUnknownFields()),
      {
        code: 40_415,
        message: "BSON field 'find.foo' is an unknown field.",
      },
    );
  });

  it('refuses a missing field without fallback', () => {
    assert.deepEqual(
      error(() => bodyOf({ find: 'c' }).document('filter')),
      {
        code: 40_414,
        message: "BSON field 'find.filter' is missing but a required field",
      },
    );
  });

  it('refuses wrong types by their names', () => {
    const body = bodyOf({
      find: 'c',
      filter: 'x',
      limit: 'y',
      ordered: 1,
      single: {},
      id: 5,
      list: {},
    });
    assert.deepEqual(
      error(() => body.document('filter')),
      {
        code: 14,
        message: "BSON field 'find.filter' is the wrong type 'string', expected type 'object'",
      },
    );
    assert.deepEqual(
      error(() => body.limit('limit')),
      {
        code: 14,
        message:
          "BSON field 'find.limit' is the wrong type 'string', expected types '[long, int, decimal, double]'",
      },
    );
    assert.match(error(() => body.boolean('ordered', false)).message, /expected type 'bool'/);
    assert.match(
      error(() => body.safeBoolean('single', false)).message,
      /expected types '\[bool, long, int, decimal, double\]'/,
    );
    assert.match(error(() => body.long('id')).message, /wrong type 'int', expected type 'long'/);
    assert.match(error(() => body.array('list')).message, /expected type 'array'/);
  });

  for (const [what, value, expected] of [
    ['an int', new Int32(3), 3],
    ['a long', Long.fromNumber(3), 3],
    ['a double, cut towards zero', new Double(3.9), 3],
    ['a decimal', Decimal128.fromString('3'), 3],
    ['NaN, as zero', new Double(NaN), 0],
  ] as const) {
    it(`takes ${what} as a limit`, () => {
      assert.equal(bodyOf({ find: 'c', limit: value }).limit('limit'), expected);
    });
  }

  it('refuses a negative limit with its value', () => {
    assert.deepEqual(
      error(() => bodyOf({ find: 'c', limit: -3 }).limit('limit')),
      {
        code: 51_024,
        message: "BSON field 'limit' value must be >= 0, actual value '-3'",
      },
    );
  });

  it('takes numbers as booleans where MongoDB does', () => {
    const body = bodyOf({ find: 'c', a: 0, b: 2.5, c: false });
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((name) => body.safeBoolean(name, 'absent')),
      [false, true, false, 'absent'],
    );
  });

  it('refuses duplicate fields', () => {
    const bytes = Buffer.from(serialize({ find: 'c', aa: 1, ab: 2, $db: 'db' }));
    bytes[bytes.indexOf('ab') + 1] = 'a'.charCodeAt(0);
    assert.deepEqual(
      error(() => parseRequest('find', { bytes, sequences: [] })),
      {
        code: 40_413,
        message: "BSON field 'find.aa' is a duplicate field",
      },
    );
  });

  it('reads documents from the body or from a sequence, not from both', () => {
    const one = Buffer.from(serialize({ _id: 1 }));
    const sequence = { identifier: 'documents', documents: [one] };
    assert.deepEqual(bodyOf({ insert: 'c', documents: [{ _id: 1 }] }).documents('documents'), [
      one,
    ]);
    assert.deepEqual(bodyOf({ insert: 'c' }, [sequence]).documents('documents'), [one]);
    const both = bodyOf({ insert: 'c', documents: [] }, [sequence]);
    assert.equal(error(() => both.documents('documents')).code, 40_413);
  });

  it('names the one sequence of two that nobody asked for', () => {
    const body = bodyOf({ insert: 'c' }, [
      { identifier: 'documents', documents: [] },
      { identifier: 'stray', documents: [] },
    ]);
    body.documents('documents');
    assert.match(error(() => body.rejectUnknownFields()).message, /'find\.stray' is an unknown/);
  });

  it('finds one among a hundred thousand fields, and the one that comes twice, without a search', () => {
    const fields = Array.from({ length: 100_000 }, (_, index) => [`f${index}`, index] as const);
    const body = bodyOf({ find: 'c', ...Object.fromEntries(fields) });
    assert.equal(body.integer('f99999', 0), 99_999);
    assert.equal(body.has('f100000'), false);
    assert.throws(() => body.addField('f77', body.target), { code: 40_413 });
  }).timeout(5_000);

  it('refuses a sequence that nobody asked for, and an element that is no document', () => {
    const stray = bodyOf({ find: 'c' }, [{ identifier: 'documents', documents: [] }]);
    assert.match(
      error(() => stray.rejectUnknownFields()).message,
      /'find\.documents' is an unknown/,
    );
    const body = bodyOf({ insert: 'c', documents: [{ _id: 1 }, 5] });
    assert.match(
      error(() => body.documents('documents')).message,
      /'find\.documents\.1' is the wrong type 'int', expected type 'object'/,
    );
  });

  for (const [collection, code] of [
    ['', 73],
    ['.x', 73],
    ['a\0b', 73],
    [5, 2],
    [{}, 2],
  ] as const) {
    it(`refuses ${JSON.stringify(collection)} as a collection with code ${code}`, () => {
      assert.equal(error(() => bodyOf({ find: collection }).collection()).code, code);
    });
  }

  it('refuses by name what is not built, unless the client says no', () => {
    const body = bodyOf({ find: 'c', tailable: true, awaitData: false, other: null });
    body.refuse('awaitData', 'other', 'absent');
    assert.match(error(() => body.refuse('tailable')).message, /'find\.tailable' is not supported/);
  });
});
