/**
 * $text: answers from a text index are those of scoring every document.
 */
import assert from 'node:assert/strict';
import { SeededRandom } from '../../../common/random.ts';
import { CommandError } from '../../../common/errors.ts';
import { termScoresOf } from '../../../query/text/term-scores.ts';
import { textIndexOf } from '../../../query/text/text-index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { compileUpdate, planQuery } from '../../../query/index.ts';
import {
  bytes,
  collectRaw,
  context,
  plain,
  type Plain,
  rawRequest,
  TestStore,
} from '../executor/store.ts';
import { raw, rawDocumentValue } from '../fixtures.ts';

const WORDS = 'coffee Coffees café tea teas the running run house java shop cake blue -x'.split(
  ' ',
);

function spec(key: Plain, rest: Plain = {}): Plain {
  return {
    v: 2,
    key,
    name: 'text',
    weights: { s: 2, 'a.t': 1 },
    default_language: 'english',
    language_override: 'language',
    textIndexVersion: 3,
    ...rest,
  };
}

const PLAIN = spec({ _fts: 'text', _ftsx: 1 });

class RandomText {
  private readonly random = new SeededRandom(4711);

  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random.next() * items.length)];
  }

  text(longest: number): string {
    const count = 1 + Math.floor(this.random.next() * longest);
    return Array.from({ length: count }, () => this.pick(WORDS)).join(this.pick([' ', ', ', '. ']));
  }

  document(_id: number): Plain {
    return {
      _id,
      n: _id % 3,
      s: this.text(6),
      a: [{ t: this.text(3) }, { t: this.text(3) }],
      other: this.text(3),
    };
  }
}

/** Words of the search as the index has them; none of the stop words. */
const STEMS: Readonly<Record<string, string>> = {
  coffee: 'coffe',
  tea: 'tea',
  run: 'run',
  house: 'hous',
  java: 'java',
  shop: 'shop',
  cake: 'cake',
};

const errorOf = async (run: Promise<unknown>): Promise<CommandError> => {
  try {
    await run;
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error('no error was thrown');
};

describe('$text', function () {
  this.timeout(20_000);

  it('finds and scores as if every document were looked at', async () => {
    const random = new RandomText();
    const documents = Array.from({ length: 300 }, (_, _id) => random.document(_id));
    const store = await TestStore.open(documents, [PLAIN]);
    const index = textIndexOf(bytes(PLAIN));
    const scores = documents.map((document) => termScoresOf(bytes(document), index));
    const textsOf = ({ s, a }: Plain): string[] =>
      [s, ...(a as Plain[]).map(({ t }) => t)].map((text) => String(text).toLowerCase());
    for (let round = 0; round < 60; round += 1) {
      const words = [random.pick(Object.keys(STEMS)), random.pick(Object.keys(STEMS))];
      const negated = random.pick([undefined, ...Object.keys(STEMS)]);
      const phrase = random.pick([undefined, undefined, `${words[0]} ${words[1]}`]);
      const search = [
        ...words,
        ...(negated === undefined ? [] : [`-${negated}`]),
        ...(phrase === undefined ? [] : [`"${phrase}"`]),
      ].join(' ');
      const stems = new Set(words.map((word) => STEMS[word]));
      const expected = documents.flatMap((document, at) => {
        let sum = 0;
        for (const stem of stems) sum += scores[at].get(stem) ?? 0;
        if (sum === 0) return [];
        if (negated !== undefined && scores[at].has(STEMS[negated])) return [];
        if (phrase !== undefined && !textsOf(document).some((text) => text.includes(phrase))) {
          return [];
        }
        return [{ _id: document['_id'], score: sum }];
      });
      const filter = { $text: { $search: search } };
      const found = await store.find({
        filter,
        projection: { score: { $meta: 'textScore' } },
        sort: { score: { $meta: 'textScore' }, _id: 1 },
      });
      assert.deepEqual(
        found.map(({ _id }) => _id).sort((a, b) => Number(a) - Number(b)),
        expected.map(({ _id }) => _id),
        search,
      );
      const byId = new Map(expected.map(({ _id, score }) => [_id, score]));
      let last = Infinity;
      for (const { _id, score } of found) {
        assert.ok(Math.abs(Number(score) - byId.get(_id)!) < 1e-9, search);
        assert.ok(Number(score) <= last, search);
        last = Number(score);
      }
      const plainIds = (await store.find({ filter })).map(({ _id }) => Number(_id));
      assert.deepEqual(
        plainIds.sort((a, b) => a - b),
        expected.map(({ _id }) => _id),
      );
      assert.equal(await store.count(filter), expected.length);
      const distinct = await store.distinct('_id', filter);
      assert.equal(distinct.length, expected.length);
    }
    await store.close();
  });

  it('goes on with other conditions, sorts and limits', async () => {
    const store = await TestStore.open(
      [
        { _id: 1, s: 'tea', n: 1 },
        { _id: 2, s: 'tea tea', n: 2 },
        { _id: 3, s: 'green tea', n: 1 },
        { _id: 4, s: 'water', n: 1 },
      ],
      [PLAIN],
    );
    const ids = async (filter: Plain, rest: Plain = {}): Promise<unknown[]> =>
      (await store.find({ filter, ...rest })).map(({ _id }) => _id);
    const text = { $text: { $search: 'tea' } };
    assert.deepEqual(new Set(await ids({ ...text, n: 1 })), new Set([1, 3]));
    assert.deepEqual(await ids(text, { sort: { _id: -1 } }), [3, 2, 1]);
    assert.deepEqual(await ids(text, { sort: { x: { $meta: 'textScore' } }, limit: 1 }), [2]);
    assert.deepEqual(await ids({ $text: { $search: '-tea' } }), []);
    assert.deepEqual(await ids({ $text: { $search: 'the' } }), []);
    await store.close();
  });

  it('needs an equality for each field in front of the text, and reads only that part of the index', async () => {
    const store = await TestStore.open(
      [
        { _id: 1, n: 1, s: 'tea' },
        { _id: 2, n: 2, s: 'tea' },
        { _id: 3, s: 'tea' },
      ],
      [spec({ n: 1, _fts: 'text', _ftsx: 1, m: 1 })],
    );
    const text = { $text: { $search: 'tea' } };
    const one = await store.explain({ filter: { ...text, n: 2 } });
    assert.equal((one['executionStats'] as Plain)['totalKeysExamined'], 1);
    assert.deepEqual(
      (await store.find({ filter: { ...text, n: null } })).map(({ _id }) => _id),
      [3],
    );
    assert.equal((await errorOf(store.find({ filter: text }))).code, 291);
    assert.equal((await errorOf(store.find({ filter: { ...text, n: { $gt: 1 } } }))).code, 291);
    await store.close();
  });

  it('may stand in an $or whose other branches have indexes', async () => {
    const documents = [
      { _id: 1, s: 'tea', n: 1 },
      { _id: 2, s: 'water', n: 2 },
      { _id: 3, s: 'water', n: 3 },
    ];
    const filter = { $or: [{ $text: { $search: 'tea' } }, { n: 2 }] };
    const without = await TestStore.open(documents, [PLAIN]);
    assert.equal((await errorOf(without.find({ filter }))).code, 291);
    await without.close();
    const store = await TestStore.open(documents, [PLAIN, { v: 2, key: { n: 1 }, name: 'n' }]);
    assert.deepEqual(
      new Set((await store.find({ filter })).map(({ _id }) => _id)),
      new Set([1, 2]),
    );
    const scored = await store.find({ filter, projection: { x: { $meta: 'textScore' } } });
    assert.deepEqual(
      new Map(scored.map(({ _id, x }) => [_id, x])),
      new Map([
        [1, 2.2],
        [2, undefined],
      ]),
    );
    await store.close();
  });

  it('is refused where MongoDB refuses it', async () => {
    const store = await TestStore.open([{ _id: 1, s: 'tea' }], [PLAIN]);
    const text = { $text: { $search: 'tea' } };
    const codes: [string, Promise<unknown>, number][] = [
      ['twice', store.find({ filter: { $and: [text, { $text: { $search: 'x' } }] } }), 2],
      ['in $nor', store.find({ filter: { $nor: [text] } }), 2],
      ['with a hint', store.find({ filter: text, hint: { _id: 1 } }), 2],
      ['in natural order', store.find({ filter: text, sort: { $natural: 1 } }), 2],
      ['below $elemMatch', store.find({ filter: { a: { $elemMatch: text } } }), 2],
      ['no $search', store.find({ filter: { $text: {} } }), 4],
      ['another type', store.find({ filter: { $text: { $search: 1 } } }), 14],
      ['more fields', store.find({ filter: { $text: { $search: 'x', y: 1 } } }), 2],
      ['a language', store.find({ filter: { $text: { $search: 'x', $language: 'klingon' } } }), 2],
      ['a score without it', store.find({ projection: { s: { $meta: 'textScore' } } }), 40218],
      ['a sort without it', store.find({ sort: { s: { $meta: 'textScore' } } }), 40218],
      ['later in a pipeline', store.aggregate([{ $limit: 1 }, { $match: text }]), 17313],
      ['in a facet', store.aggregate([{ $facet: { x: [{ $match: text }] } }]), 17313],
      [
        'a score without it in a pipeline',
        store.aggregate([{ $addFields: { s: { $meta: 'textScore' } } }]),
        40218,
      ],
    ];
    for (const [what, run, code] of codes) assert.equal((await errorOf(run)).code, code, what);
    await store.close();
    const none = await TestStore.open([{ _id: 1, s: 'tea' }]);
    assert.equal((await errorOf(none.find({ filter: text }))).code, 27);
    await none.close();
  });

  it('takes its score through a pipeline', async () => {
    const store = await TestStore.open(
      [
        { _id: 1, s: 'tea', tags: ['a', 'b'] },
        { _id: 2, s: 'green tea', tags: ['a'] },
      ],
      [PLAIN],
    );
    const match = { $match: { $text: { $search: 'tea' } } };
    const score = { $meta: 'textScore' };
    assert.deepEqual(
      await store.aggregate([match, { $sort: { x: score } }, { $project: { x: score } }]),
      [
        { _id: 1, x: 2.2 },
        { _id: 2, x: 1.5 },
      ],
    );
    assert.deepEqual(
      await store.aggregate([
        match,
        { $unwind: '$tags' },
        { $group: { _id: '$tags', sum: { $sum: score } } },
        { $sort: { _id: 1 } },
      ]),
      [
        { _id: 'a', sum: 3.7 },
        { _id: 'b', sum: 2.2 },
      ],
    );
    assert.deepEqual(
      await store.aggregate([
        match,
        { $addFields: { y: { $add: [score, 1] } } },
        { $sort: { y: 1 } },
        { $project: { y: 1 } },
      ]),
      [
        { _id: 2, y: 2.5 },
        { _id: 1, y: 3.2 },
      ],
    );
    await store.close();
  });

  it('keeps scores when a sort goes on in a file', async () => {
    const documents = Array.from({ length: 200 }, (_, _id) => ({
      _id,
      s: `tea ${'x '.repeat(_id % 50)}`,
      filling: 'f'.repeat(200),
    }));
    const store = await TestStore.open(documents, [PLAIN]);
    const view = store.engine.snapshot();
    const request = rawRequest({
      filter: { $text: { $search: 'tea' } },
      projection: { score: { $meta: 'textScore' } },
      sort: { a: { $meta: 'textScore' }, _id: 1 },
    });
    const plan = planQuery(view, view.collection(store.namespace), request, context);
    const executor = plan.open(view, uninterruptible, { maxStageBytes: 30_000 });
    const found = (await collectRaw(executor)).map(plain);
    assert.equal(executor.statistics.usedDisk, true);
    view.close();
    assert.equal(found.length, 200);
    assert.deepEqual(
      found.map(({ _id }) => _id),
      found
        .toSorted(
          (a, b) => Number(b['score']) - Number(a['score']) || Number(a['_id']) - Number(b['_id']),
        )
        .map(({ _id }) => _id),
    );
    assert.ok(found.every(({ score }) => Number(score) > 0));
    await store.close();
  });

  it('inserts what it did not find', async () => {
    const filter = raw({ $text: { $search: 'tea' }, k: 1 });
    const update = compileUpdate(rawDocumentValue({ $set: { x: 1 } }), {
      context,
      upsert: true,
      multi: false,
    });
    assert.deepEqual(plain(update.upsertDocument(filter)), { k: 1, x: 1 });
  });

  it('is explained as MongoDB explains it', async () => {
    const store = await TestStore.open([{ _id: 1, s: 'green tea' }], [PLAIN]);
    const winning = async (request: Plain): Promise<Plain> => {
      const explained = await store.explain(request);
      return (explained['queryPlanner'] as Plain)['winningPlan'] as Plain;
    };
    const filter = { $text: { $search: 'green tea -x "tea"' } };
    const plan = await winning({ filter });
    assert.equal(plan['stage'], 'TEXT_MATCH');
    assert.deepEqual(plan['parsedTextQuery'], {
      terms: ['green', 'tea'],
      negatedTerms: ['x'],
      phrases: ['tea'],
      negatedPhrases: [],
    });
    const fetch = plan['inputStage'] as Plain;
    assert.equal(fetch['stage'], 'FETCH');
    assert.equal((fetch['inputStage'] as Plain)['stage'], 'OR');
    const scored = await winning({ filter, projection: { x: { $meta: 'textScore' } } });
    const match = scored['inputStage'] as Plain;
    assert.equal((match['inputStage'] as Plain)['stage'], 'TEXT_OR');
    await store.close();
  });

  it('is one kind of metadata of several that pipelines can ask for', async () => {
    const store = await TestStore.open(
      [
        { _id: 1, n: 2 },
        { _id: 2, n: 1 },
      ],
      [{ v: 2, key: { n: 1 }, name: 'n' }],
    );
    const metadata = (name: string): Plain => ({ $project: { x: { $meta: name } } });
    assert.deepEqual(await store.aggregate([{ $match: { n: 2 } }, metadata('indexKey')]), [
      { _id: 1, x: { n: 2 } },
    ]);
    assert.deepEqual(await store.aggregate([{ $match: { _id: 2 } }, metadata('recordId')]), [
      { _id: 2, x: 2 },
    ]);
    const sorted = [
      { _id: 2, x: [1] },
      { _id: 1, x: [2] },
    ];
    assert.deepEqual(
      await store.aggregate([
        { $addFields: { m: '$n' } },
        { $sort: { m: 1 } },
        metadata('sortKey'),
      ]),
      sorted,
    );
    assert.deepEqual(await store.aggregate([{ $sort: { n: 1, _id: 1 } }, metadata('sortKey')]), [
      { _id: 2, x: [1, 2] },
      { _id: 1, x: [2, 1] },
    ]);
    await store.close();
  });
});
