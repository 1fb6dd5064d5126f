import assert from 'node:assert/strict';
import {
  Binary,
  BSONRegExp,
  Code,
  type Collection,
  type Db,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
} from 'mongodb';
import { serverForTests } from '../../support/test-server.ts';

const KEEP_TYPES = { promoteValues: false, promoteLongs: false, bsonRegExp: true } as const;

function call(body: string, ...args: unknown[]): Document {
  return { $function: { body, args, lang: 'js' } };
}

describe('server-side JavaScript', () => {
  const server = serverForTests();
  let db: Db;
  let docs: Collection<Document>;

  before(async () => {
    db = server.freshDatabase();
    docs = db.collection('docs');
    await docs.insertMany(
      Array.from({ length: 300 }, (_, index) => ({
        _id: index as never,
        group: index % 3,
        name: `n${index}`,
        list: [index, { inner: index }],
      })),
    );
  });

  async function evaluate(expression: Document): Promise<unknown> {
    const pipeline = [{ $documents: [{ x: 1 }] }, { $project: { _id: 0, r: expression } }];
    const [row] = await db.aggregate(pipeline, KEEP_TYPES).toArray();
    return row?.r;
  }

  function idsOf(filter: Document): Promise<number[]> {
    return docs
      .find(filter)
      .toArray()
      .then((found) => found.map(({ _id }) => Number(_id)));
  }

  const failing = (code: number, message: RegExp) => (error: Error & { code?: number }) => {
    assert.equal(Number(error.code), code, error.message);
    assert.match(error.message, message);
    return true;
  };

  it('runs a function for each document, even when its arguments are the same', async () => {
    const random = await docs
      .aggregate([{ $project: { r: call('function() { return Math.random(); }') } }])
      .toArray();
    assert.equal(new Set(random.map(({ r }) => r)).size, 300);
    const counted = await docs
      .aggregate([
        { $limit: 5 },
        {
          $project: { r: call('function() { globalThis.n = (globalThis.n || 0) + 1; return n; }') },
        },
      ])
      .toArray();
    assert.deepEqual(
      counted.map(({ r }) => r),
      [1, 2, 3, 4, 5],
    );
    const marked = db.collection('marked');
    await marked.insertMany(Array.from({ length: 20 }, () => ({})));
    await marked.updateMany({}, [{ $set: { u: call('function() { return UUID(); }') } }]);
    assert.equal((await marked.distinct('u')).length, 20);
  });

  it('holds results of a few documents at a time, however large they are', async () => {
    const large = db.collection('large');
    await large.insertMany(Array.from({ length: 30 }, (_, n) => ({ n })));
    const length = { $strLenBytes: call('function(n) { return "x".repeat(5e6 + n); }', '$n') };
    const found = await large.aggregate([{ $project: { _id: 0, n: 1, r: length } }]).toArray();
    assert.equal(found.length, 30);
    for (const { n, r } of found) assert.equal(r, 5_000_000 + n);
    const { modifiedCount } = await large.updateMany({}, [{ $set: { r: length } }]);
    assert.equal(modifiedCount, 30);
    assert.equal(await large.countDocuments({ $expr: { $eq: ['$r', { $add: ['$n', 5e6] }] } }), 30);
  });

  it('lets a pattern through that JavaScript does not know', async () => {
    const patterns = db.collection<Document>('patterns');
    await patterns.insertOne({ n: 1, pattern: new BSONRegExp('(?>a+)b', 'ix') });
    assert.equal(await patterns.find({ $where: 'this.n === 1' }).count(), 1);
    const [same] = await patterns
      .aggregate([{ $project: { _id: 0, r: call('function(x) { return x; }', '$pattern') } }], {
        bsonRegExp: true,
      })
      .toArray();
    assert.deepEqual(same?.r, new BSONRegExp('(?>a+)b', 'ix'));
    await assert.rejects(
      patterns.find({ $where: 'this.pattern.test("ab")' }).toArray(),
      failing(139, /SyntaxError/),
    );
  });

  it('takes no argument that is nested more deeply than documents may be', async () => {
    const nested = (levels: unknown): Document => ({
      $reduce: { input: { $range: [0, levels] }, initialValue: { a: 1 }, in: { a: '$$value' } },
    });
    const one = 'function(x) { return 1; }';
    await assert.rejects(evaluate(call(one, nested(20_000))), failing(15, /nested object depth/));
    assert.equal(Number(await evaluate(call(one, nested(100)))), 1);
  });

  it('gives no code of its own to an exception that bears a number', async () => {
    await assert.rejects(
      evaluate(call('function() { const e = new Error("mine"); e.mongoCode = 1e300; throw e; }')),
      failing(139, /mine/),
    );
  });

  describe('values', () => {
    const exact: readonly [string, unknown][] = [
      ['a long beyond doubles', Long.fromString('9007199254740993')],
      ['the smallest long', Long.MIN_VALUE],
      ['a decimal with its zeros', Decimal128.fromString('1.500')],
      ['an object id', new ObjectId('0123456789abcdef01234567')],
      ['a date', new Date(-5)],
      ['binary data', new Binary(Buffer.from('hi'), 0x80)],
      ['a UUID', new UUID('01234567-89ab-cdef-0123-456789abcdef')],
      ['a timestamp', new Timestamp({ t: 4_000_000_000, i: 4_000_000_001 })],
      ['a regular expression', new BSONRegExp('a/b', 'im')],
      ['MinKey', new MinKey()],
      ['MaxKey', new MaxKey()],
      ['null', null],
      ['a boolean', true],
      ['a double', new Double(1.5)],
      ['an infinity', new Double(-Infinity)],
      ['minus zero', new Double(-0)],
      ['code', new Code('function (a) { return a; }')],
      ['text beyond the basic plane', 'é😀\u0000'],
    ];
    for (const [name, value] of exact) {
      it(`brings ${name} in and out unchanged`, async () => {
        const back = await evaluate(call('function (x) { return x; }', { $literal: value }));
        assert.deepEqual(back, value);
      });
    }

    it('brings NaN back as NaN', async () => {
      const back = await evaluate(call('function (x) { return x; }', new Double(NaN)));
      assert.ok(back instanceof Double && Number.isNaN(back.value));
    });

    it('gives numbers back as doubles, but keeps int32 fields that stay what they are', async () => {
      assert.deepEqual(await evaluate(call('function (x) { return x; }', 3)), new Double(3));
      const given = { $literal: { i: 1, d: new Double(2), list: [1] } };
      assert.deepEqual(await evaluate(call('function (x) { return x; }', given)), {
        i: new Int32(1),
        d: new Double(2),
        list: [new Double(1)],
      });
    });

    it('makes values of all types in the script', async () => {
      const body = `function () { return [NumberLong("9007199254740993"), NumberInt(3), NumberDecimal("1.50"),
        ObjectId("0123456789abcdef01234567"), ISODate("2020-01-02T03:04:05.678Z"), BinData(0, "aGk="),
        UUID("01234567-89ab-cdef-0123-456789abcdef"), HexData(5, "6869"), Timestamp(1, 2), MinKey, MaxKey, undefined]; }`;
      assert.deepEqual(await evaluate(call(body)), [
        Long.fromString('9007199254740993'),
        new Int32(3),
        Decimal128.fromString('1.50'),
        new ObjectId('0123456789abcdef01234567'),
        new Date('2020-01-02T03:04:05.678Z'),
        new Binary(Buffer.from('hi'), 0),
        new UUID('01234567-89ab-cdef-0123-456789abcdef'),
        new Binary(Buffer.from('hi'), 5),
        new Timestamp({ t: 1, i: 2 }),
        new MinKey(),
        new MaxKey(),
        undefined,
      ]);
    });

    it("has the functions of MongoDB's scripts", async () => {
      const body = `function () { return [hex_md5("hello"), Array.sum([1, 2, 3]), tojson({ a: 1 }),
        bsonWoCompare({ a: 1 }, { a: 2 }), bsonWoCompare({ a: NumberLong(2) }, { a: 2.0 }), isNumber(NumberLong(1)),
        tojsononeline([1, "x"]), version()]; }`;
      assert.deepEqual(await evaluate(call(body)), [
        '5d41402abc4b2a76b9719d911017c592',
        new Double(6),
        '{ "a" : 1 }',
        new Double(-1),
        new Double(0),
        true,
        '[ 1, "x" ]',
        '8.0.16',
      ]);
    });

    it('gives a script nothing of the host', async () => {
      const names = ['process', 'require', 'fetch', 'std', 'os', 'Buffer', 'setTimeout', 'db'];
      const body = `function (names) { return names.filter((name) => typeof globalThis[name] !== "undefined"); }`;
      assert.deepEqual(await evaluate(call(body, names)), []);
      const escape =
        'function () { return typeof (function () {}).constructor("return this")().process; }';
      assert.equal(await evaluate(call(escape)), 'undefined');
    });
  });

  describe('errors', () => {
    const cases: readonly [string, string, number, RegExp][] = [
      ['an exception', 'function () { throw new TypeError("no"); }', 139, /TypeError: no/],
      [
        'a thrown value',
        'function () { throw { a: 1 }; }',
        139,
        /uncaught exception: \{ "a" : 1 \}/,
      ],
      ['a syntax error', 'function () {', 139, /SyntaxError/],
      ['endless recursion', 'function f() { return f(); }', 139, /RangeError/],
      ['a cycle', 'function () { var a = {}; a.a = a; return a; }', 17279, /Do you have a cycle/],
      ['a null in a name', 'function () { return { "a\\0b": 1 }; }', 16985, /null char/],
      ['a decimal that is none', 'function () { return NumberDecimal("x"); }', 9, /decimal/],
    ];
    for (const [name, body, code, message] of cases) {
      it(`names ${name}`, () => assert.rejects(evaluate(call(body)), failing(code, message)));
    }

    it('checks the arguments of $function', async () => {
      const bad: readonly [unknown, number][] = [
        [5, 31260],
        [{ args: [], lang: 'js' }, 31261],
        [{ body: '$x', args: [], lang: 'js' }, 31432],
        [{ body: 5, args: [], lang: 'js' }, 31262],
        [{ body: 'function () {}', lang: 'js' }, 31263],
        [{ body: 'function () {}', args: 5, lang: 'js' }, 31266],
        [{ body: 'function () {}', args: [] }, 31418],
        [{ body: 'function () {}', args: [], lang: 'python' }, 31419],
      ];
      for (const [argument, code] of bad) {
        await assert.rejects(evaluate({ $function: argument }), failing(code, /./));
      }
    });

    it('does not run what is not reached', async () => {
      const boom = call('function () { throw 1; }');
      assert.deepEqual(await evaluate({ $cond: [true, 'kept', boom] }), 'kept');
    });
  });

  describe('limits', () => {
    it('ends an endless loop at maxTimeMS, and delays nobody meanwhile', async () => {
      const started = performance.now();
      const loops = Array.from({ length: 2 }, () =>
        assert.rejects(
          docs.find({ $where: 'for (;;) {}' }, { maxTimeMS: 300 }).toArray(),
          failing(50, /time limit/),
        ),
      );
      const tookMs: number[] = [];
      while (performance.now() - started < 250) {
        const before = performance.now();
        await docs.findOne({ name: 'n7' });
        tookMs.push(performance.now() - before);
      }
      await Promise.all(loops);
      assert.ok(performance.now() - started < 2500, 'the loops ended');
      // The machine may be busy with other things: half of the finds say enough.
      const median = tookMs.toSorted((a, b) => a - b)[tookMs.length >> 1] ?? Infinity;
      assert.ok(median < 60, `finds took ${median} ms beside the loops`);
    });

    it('ends an endless loop at killOp', async () => {
      const comment = 'a loop to be killed';
      const loop = assert.rejects(
        docs.find({ $where: 'for (;;) {}' }, { comment }).toArray(),
        failing(11601, /interrupted/),
      );
      const admin = server.client.db('admin');
      let opid: unknown;
      while (opid === undefined) {
        const { inprog } = await admin.command({ currentOp: 1, 'command.comment': comment });
        opid = inprog[0]?.opid;
      }
      const before = performance.now();
      await admin.command({ killOp: 1, op: opid });
      await loop;
      assert.ok(performance.now() - before < 200, 'within 100 ms, and some for a busy machine');
    });

    it('names the end of memory, and goes on', async () => {
      await db.admin().command({ setParameter: 1, jsHeapLimitMB: 8 });
      const greedy = 'function () { var a = []; for (;;) a.push({ x: 1 }); }';
      await assert.rejects(evaluate(call(greedy)), failing(139, /Out of memory/));
      await db.admin().command({ setParameter: 1, jsHeapLimitMB: 128 });
      assert.deepEqual(await evaluate(call('function () { return "well"; }')), 'well');
    });

    it('ends one function after its own time', async () => {
      const name = 'internalQueryJavaScriptFnTimeoutMillis';
      await db.admin().command({ setParameter: 1, [name]: 50 });
      await assert.rejects(evaluate(call('function () { for (;;); }')), failing(139, /50 ms/));
      await db.admin().command({ setParameter: 1, [name]: 60_000 });
    });
  });

  describe('$where', () => {
    it('sees the document as this and as obj', async () => {
      assert.deepEqual(await idsOf({ $where: 'this.name == "n7" && obj._id == 7' }), [7]);
    });

    it('takes functions, code, expressions and statements', async () => {
      const forms = [
        'function () { return this._id == 5; }',
        new Code('function () { return this._id == 5; }'),
        'this._id == 5',
        'return this._id == 5;',
        'var id = this._id; id == 5',
        '() => obj._id == 5',
      ];
      for (const form of forms)
        assert.deepEqual(await idsOf({ $where: form }), [5], JSON.stringify(form));
    });

    it('stands beside other conditions, in $or and $nor, with sort and limit', async () => {
      assert.deepEqual(await idsOf({ _id: { $lt: 10 }, $where: 'this._id % 4 == 0' }), [0, 4, 8]);
      assert.deepEqual(await idsOf({ $or: [{ _id: 5 }, { $where: 'this._id == 7' }] }), [5, 7]);
      assert.deepEqual(
        await idsOf({ _id: { $lt: 4 }, $nor: [{ $where: 'this._id > 1' }] }),
        [0, 1],
      );
      const sorted = await docs
        .find({ $where: 'this._id < 9' })
        .sort({ _id: -1 })
        .limit(2)
        .toArray();
      assert.deepEqual(
        sorted.map(({ _id }) => Number(_id)),
        [8, 7],
      );
    });

    it('works in batches of a cursor', async () => {
      const found = await docs.find({ $where: 'this.group == 1' }).batchSize(7).toArray();
      assert.equal(found.length, 100);
    });

    it('works in count, distinct, update, delete and findAndModify', async () => {
      const other = db.collection('others');
      await other.insertMany(Array.from({ length: 200 }, (_, n) => ({ n, even: n % 2 === 0 })));
      const filter = { $where: 'this.n % 10 == 3' };
      const { n } = await db.command({ count: 'others', query: filter });
      assert.equal(n, 20);
      assert.deepEqual(await other.distinct('even', filter), [false]);
      const updated = await other.updateMany(filter, [
        { $set: { twice: call('function (n) { return 2 * n; }', '$n') } },
      ]);
      assert.equal(updated.modifiedCount, 20);
      assert.equal((await other.findOne({ n: 13 }))?.twice, 26);
      const after = await other.findOneAndUpdate(
        { $where: 'this.n == 5' },
        [{ $set: { text: call('function (n) { return "n" + n; }', '$n') } }],
        { returnDocument: 'after', projection: { _id: 0, text: 1 } },
      );
      assert.deepEqual(after, { text: 'n5' });
      assert.equal((await other.deleteMany(filter)).deletedCount, 20);
      assert.equal((await other.deleteOne(filter)).deletedCount, 0);
    });

    it('upserts by a pipeline with a function', async () => {
      const other = db.collection('upserts');
      await other.updateOne(
        { key: 'a' },
        [{ $set: { twice: call('function (k) { return k + k; }', '$key') } }],
        { upsert: true },
      );
      assert.equal((await other.findOne({ key: 'a' }))?.twice, 'aa');
    });

    it('calls functions stored in system.js', async () => {
      const stored = { _id: 'plusOne' as never, value: new Code('function (x) { return x + 1; }') };
      await db.collection('system.js').insertOne(stored);
      assert.deepEqual(await idsOf({ $where: 'plusOne(this._id) == 3' }), [2]);
    });

    it('is refused where MongoDB refuses it', async () => {
      const refused: readonly [() => Promise<unknown>, number][] = [
        [() => docs.aggregate([{ $match: { $where: '1' } }]).toArray(), 2],
        [() => docs.find({ list: { $elemMatch: { $where: '1' } } }).toArray(), 2],
        [() => docs.find({ name: { $where: '1' } }).toArray(), 2],
        [() => docs.find({ $where: 5 as never }).toArray(), 2],
        [() => db.createCollection('checked', { validator: { $where: '1' } }), 2],
        [() => docs.find({ $where: 'return (' }).toArray(), 139],
      ];
      for (const [attempt, code] of refused) await assert.rejects(attempt(), failing(code, /./));
    });
  });

  describe('$function in pipelines', () => {
    const square = 'function (x) { return x * x; }';

    it('works below other expressions, and below itself', async () => {
      assert.deepEqual(await evaluate({ $map: { input: [1, 2], in: call(square, '$$this') } }), [
        new Double(1),
        new Double(4),
      ]);
      const twice = call(square, call(square, 3));
      assert.deepEqual(await evaluate({ $add: [twice, 1] }), new Double(82));
    });

    it('carries a value through $reduce', async () => {
      const sum = call('function (a, b) { return a + b; }', '$$value', '$$this');
      const reduced = { $reduce: { input: { $range: [0, 50] }, initialValue: 0, in: sum } };
      assert.deepEqual(await evaluate(reduced), new Double(1225));
    });

    it('takes random arguments', async () => {
      const isInside = call('function (x) { return x >= 0 && x < 1; }', { $rand: {} });
      assert.equal(await evaluate(isInside), true);
    });

    const stages: readonly [string, Document[], unknown][] = [
      [
        '$match',
        [{ $match: { $expr: call('function (g) { return g == 1; }', '$group') } }, { $count: 'n' }],
        [{ n: 100 }],
      ],
      [
        '$set',
        [{ $match: { _id: 3 } }, { $set: { r: call(square, '$_id') } }, { $project: { r: 1 } }],
        [{ _id: 3, r: 9 }],
      ],
      [
        '$replaceWith',
        [
          { $match: { _id: 3 } },
          { $replaceWith: call('function (d) { return { id: d._id }; }', '$$ROOT') },
        ],
        [{ id: 3 }],
      ],
      [
        '$redact',
        [
          { $match: { _id: { $lt: 3 } } },
          { $redact: call('function (id) { return id == 1 ? "keep" : "prune"; }', '$_id') },
          { $project: { _id: 1 } },
        ],
        [{ _id: 1 }],
      ],
      [
        '$group',
        [
          {
            $group: {
              _id: call('function (g) { return "g" + g; }', '$group'),
              n: { $sum: call('function () { return 1; }') },
            },
          },
          { $sort: { _id: 1 } },
        ],
        [
          { _id: 'g0', n: 100 },
          { _id: 'g1', n: 100 },
          { _id: 'g2', n: 100 },
        ],
      ],
      [
        '$bucket',
        [
          {
            $bucket: {
              groupBy: call('function (g) { return g; }', '$group'),
              boundaries: [0, 1, 3],
            },
          },
        ],
        [
          { _id: 0, count: 100 },
          { _id: 1, count: 200 },
        ],
      ],
      [
        '$sortByCount',
        [{ $sortByCount: call('function (g) { return g > 0; }', '$group') }],
        [
          { _id: true, count: 200 },
          { _id: false, count: 100 },
        ],
      ],
      [
        '$setWindowFields',
        [
          { $match: { _id: { $lt: 3 } } },
          {
            $setWindowFields: {
              sortBy: { _id: 1 },
              output: {
                r: { $sum: call(square, '$_id'), window: { documents: ['unbounded', 'current'] } },
              },
            },
          },
          { $project: { r: 1 } },
        ],
        [
          { _id: 0, r: 0 },
          { _id: 1, r: 1 },
          { _id: 2, r: 5 },
        ],
      ],
      [
        '$lookup',
        [
          { $match: { _id: 1 } },
          {
            $lookup: {
              from: 'docs',
              let: { next: call('function (x) { return x + 1; }', '$_id') },
              pipeline: [
                {
                  $match: {
                    $expr: { $eq: ['$_id', call('function (x) { return x; }', '$$next')] },
                  },
                },
                { $project: { _id: 1 } },
              ],
              as: 'r',
            },
          },
          { $project: { r: 1 } },
        ],
        [{ _id: 1, r: [{ _id: 2 }] }],
      ],
      [
        '$graphLookup',
        [
          { $match: { _id: 1 } },
          {
            $graphLookup: {
              from: 'docs',
              startWith: call('function (x) { return x + 3; }', '$_id'),
              connectFromField: 'none',
              connectToField: '_id',
              as: 'r',
            },
          },
          { $project: { r: '$r._id' } },
        ],
        [{ _id: 1, r: [4] }],
      ],
      [
        '$facet',
        [
          {
            $facet: {
              a: [
                { $match: { $expr: call('function (g) { return g == 0; }', '$group') } },
                { $count: 'n' },
              ],
              b: [{ $group: { _id: call(square, '$group') } }, { $count: 'n' }],
            },
          },
        ],
        [{ a: [{ n: 100 }], b: [{ n: 3 }] }],
      ],
      [
        '$bucketAuto',
        [{ $bucketAuto: { groupBy: call('function (g) { return g; }', '$group'), buckets: 3 } }],
        [
          { _id: { min: 0, max: 1 }, count: 100 },
          { _id: { min: 1, max: 2 }, count: 100 },
          { _id: { min: 2, max: 2 }, count: 100 },
        ],
      ],
    ];
    for (const [name, pipeline, expected] of stages) {
      it(`works in ${name}`, async () => {
        assert.deepEqual(await docs.aggregate(pipeline).toArray(), expected);
      });
    }

    it('works in $documents and in the projection of a find', async () => {
      const made = await db.aggregate([{ $documents: [{ r: call(square, 3) }] }]).toArray();
      assert.deepEqual(made, [{ r: 9 }]);
      const found = await docs
        .find({ _id: 4 as never })
        .project({ r: call(square, '$_id') })
        .toArray();
      assert.deepEqual(found, [{ _id: 4, r: 16 }]);
    });
  });

  describe('$accumulator', () => {
    const average = {
      init: 'function () { return { n: 0, sum: 0 }; }',
      accumulate: 'function (s, x) { return { n: s.n + 1, sum: s.sum + x }; }',
      accumulateArgs: ['$_id'],
      merge: 'function (a, b) { return { n: a.n + b.n, sum: a.sum + b.sum }; }',
      finalize: 'function (s) { return s.sum / s.n; }',
      lang: 'js',
    };
    const grouped = (accumulator: Document) =>
      docs
        .aggregate([
          { $group: { _id: '$group', r: { $accumulator: accumulator } } },
          { $sort: { _id: 1 } },
        ])
        .toArray();

    it('initialises, accumulates and finalizes each group', async () => {
      assert.deepEqual(await grouped(average), [
        { _id: 0, r: 148.5 },
        { _id: 1, r: 149.5 },
        { _id: 2, r: 150.5 },
      ]);
    });

    it('gives the state itself without finalize, and init the arguments of the group', async () => {
      const { finalize: _, ...rest } = average;
      const from = {
        ...rest,
        init: 'function (g) { return { n: 0, sum: g * 1000 }; }',
        initArgs: ['$g'],
      };
      const byGroup = { _id: { g: '$group' }, r: { $accumulator: from } };
      const found = await docs.aggregate([{ $group: byGroup }, { $sort: { _id: 1 } }]).toArray();
      assert.deepEqual(found[1], { _id: { g: 1 }, r: { n: 100, sum: 15_950 } });
    });

    it('checks its arguments', async () => {
      const bad: readonly [Document | number, number][] = [
        [5, 4544703],
        [{ ...average, extra: 1 }, 4544706],
        [{ ...average, init: undefined }, 4544707],
        [{ ...average, accumulate: '' }, 4544708],
        [{ ...average, merge: undefined }, 4544709],
        [{ ...average, accumulateArgs: undefined }, 4544710],
        [{ ...average, accumulateArgs: 5 }, 4544712],
        [{ ...average, initArgs: 5 }, 4544711],
        [{ ...average, lang: 5 }, 4544704],
        [{ ...average, lang: 'lua' }, 4544705],
        [{ ...average, init: '$x' }, 4544701],
        [{ ...average, init: 5 }, 4544702],
      ];
      for (const [argument, code] of bad) {
        const accumulator = JSON.parse(JSON.stringify(argument));
        await assert.rejects(grouped(accumulator), failing(code, /./));
      }
    });
  });
});

describe('a server without scripting', () => {
  const server = serverForTests({ args: ['--noscripting'] });

  it("refuses every use with MongoDB's errors", async () => {
    const db = server.freshDatabase();
    const docs = db.collection('docs');
    const codeOf = (attempt: Promise<unknown>) =>
      attempt.then(
        () => 0,
        (error: { code?: number }) => error.code,
      );
    const body = 'function () {}';
    assert.equal(await codeOf(docs.find({ $where: '1' }).toArray()), 6108304);
    assert.equal(await codeOf(docs.aggregate([{ $set: { r: call(body) } }]).toArray()), 31264);
    const mapReduce = { mapReduce: 'docs', map: body, reduce: body, out: { inline: 1 } };
    assert.equal(await codeOf(db.command(mapReduce)), 31246);
    assert.equal((await db.command({ features: 1 })).js, false);
  });
});
