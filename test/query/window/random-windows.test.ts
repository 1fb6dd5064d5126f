/**
 * $setWindowFields over random partitions against a slow evaluator that looks at every window as a whole: in memory and on disk.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CommandError } from '../../../common/errors.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { planAggregate } from '../../../query/index.ts';
import { bytes, collectRaw, context, type Plain, plain, TestStore } from '../executor/store.ts';

interface Row extends Plain {
  readonly _id: number;
  readonly p: number;
  readonly s: number;
  readonly v: number | null;
}

type Bound = 'unbounded' | 'current' | number;
interface Window {
  readonly kind: 'documents' | 'range';
  readonly bounds: readonly [Bound, Bound];
}

/** The documents of a window, and where in the partition the current one stands. */
type Naive = (window: readonly Row[], partition: readonly Row[], position: number) => unknown;

const numbersOf = (rows: readonly Row[]): number[] =>
  rows.map(({ v }) => v).filter((v): v is number => v !== null);
const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

const OVER_WINDOWS: Readonly<Record<string, readonly [unknown, Naive]>> = {
  $sum: ['$v', (window) => sum(numbersOf(window))],
  $push: ['$v', (window) => window.map(({ v }) => v)],
  $max: [
    '$v',
    (window) => (numbersOf(window).length === 0 ? null : Math.max(...numbersOf(window))),
  ],
  $count: [{}, (window) => window.length],
  $first: ['$_id', (window) => window[0]?._id ?? null],
  $last: ['$_id', (window) => window.at(-1)?._id ?? null],
  $covariancePop: [['$v', '$s'], covariance],
};

function covariance(window: readonly Row[]): number | null {
  const pairs = window.flatMap(({ v, s }) => (v === null ? [] : [[v, s] as const]));
  if (pairs.length === 0) return null;
  const mean = (place: 0 | 1): number => sum(pairs.map((pair) => pair[place])) / pairs.length;
  const [a, b] = [mean(0), mean(1)];
  return sum(pairs.map(([v, s]) => (v - a) * (s - b))) / pairs.length;
}

const OVER_PARTITIONS: Readonly<Record<string, readonly [unknown, Naive]>> = {
  $documentNumber: [{}, (_, __, position) => position + 1],
  $rank: [{}, (_, all, position) => all.findIndex(({ s }) => s === all[position]?.s) + 1],
  $denseRank: [
    {},
    (_, all, position) => new Set(all.slice(0, position + 1).map(({ s }) => s)).size,
  ],
  $shift: [{ output: '$_id', by: -2, default: -1 }, (_, all, at) => all[at - 2]?._id ?? -1],
  $locf: [
    '$v',
    (_, all, position) => all.slice(0, position + 1).findLast(({ v }) => v !== null)?.v ?? null,
  ],
};

/** There are no two documents in one place. */
function linear(_: readonly Row[], all: readonly Row[], position: number): unknown {
  const here = all[position]!;
  if (here.v !== null) return here.v;
  const from = all.slice(0, position).findLast(({ v }) => v !== null);
  const to = all.slice(position).find(({ v }) => v !== null);
  if (from === undefined || to === undefined) return null;
  return from.v! + ((to.v! - from.v!) * (here.s - from.s)) / (to.s - from.s);
}

function windowOf(all: readonly Row[], position: number, { kind, bounds }: Window): readonly Row[] {
  const [lower, upper] = bounds;
  const offset = (bound: Bound, open: number): number =>
    bound === 'unbounded' ? open : bound === 'current' ? 0 : bound;
  const [low, high] = [offset(lower, -Infinity), offset(upper, Infinity)];
  return all.filter((row, at) => {
    const distance = kind === 'documents' ? at - position : row.s - all[position]!.s;
    return distance >= low && distance <= high;
  });
}

const rowsOf = fc
  .array(
    fc.record({
      p: fc.nat(2),
      s: fc.integer({ min: -6, max: 6 }),
      v: fc.option(fc.integer({ min: -9, max: 9 })),
    }),
    { maxLength: 40 },
  )
  .map((rows): Row[] => rows.map((row, _id) => ({ _id, ...row })));
const bound = fc.oneof(
  fc.constantFrom('unbounded' as const, 'current' as const),
  fc.integer({ min: -4, max: 4 }),
);
const place = (given: Bound, open: number): number =>
  given === 'unbounded' ? open : given === 'current' ? 0 : given;
const windowed = fc.record({
  kind: fc.constantFrom('documents' as const, 'range' as const),
  bounds: fc
    .tuple(bound, bound)
    .filter(([low, high]) => place(low, -Infinity) <= place(high, Infinity)),
});

describe('windows over random partitions', () => {
  async function run(
    rows: readonly Row[],
    stage: Plain,
    options: { readonly maxStageBytes: number; readonly allowDiskUse?: boolean },
  ): Promise<{ documents: Plain[]; usedDisk: boolean }> {
    const store = await TestStore.open(rows);
    const view = store.engine.snapshot();
    const { namespace } = store;
    const { maxStageBytes, allowDiskUse = true } = options;
    const request = { pipeline: [bytes(stage)], namespace, allowDiskUse };
    const plan = planAggregate(view, view.collection(namespace), request, context);
    const executor = plan.open(view, uninterruptible, { maxStageBytes });
    try {
      const documents = (await collectRaw(executor)).map(plain);
      return { documents, usedDisk: executor.statistics.usedDisk };
    } finally {
      executor.close();
      view.close();
      await store.close();
    }
  }

  function expected(
    rows: readonly Row[],
    fields: ReadonlyMap<string, { naive: Naive; window: Window }>,
  ): Plain[] {
    const sorted = rows.toSorted((a, b) => a.p - b.p || a.s - b.s || a._id - b._id);
    return sorted.map((row) => {
      const partition = sorted.filter(({ p }) => p === row.p);
      const position = partition.indexOf(row);
      const results = Array.from(fields, ([name, { naive, window }]) => [
        name,
        naive(windowOf(partition, position, window), partition, position),
      ]);
      return { ...row, ...Object.fromEntries(results) };
    });
  }

  for (const [where, maxStageBytes] of [
    ['in memory', 100_000_000],
    ['on disk', 600],
  ] as const) {
    it(`are what a look at each whole window gives, ${where}`, async () => {
      const usedDisk: boolean[] = [];
      await fc.assert(
        fc.asyncProperty(rowsOf, windowed, async (rows, window) => {
          const fields = new Map<string, { naive: Naive; window: Window }>();
          const output: Plain = {};
          for (const [name, [argument, naive]] of Object.entries(OVER_WINDOWS)) {
            fields.set(name.slice(1), { naive, window });
            output[name.slice(1)] = { [name]: argument, window: { [window.kind]: window.bounds } };
          }
          for (const [name, [argument, naive]] of Object.entries(OVER_PARTITIONS)) {
            fields.set(name.slice(1), { naive, window });
            output[name.slice(1)] = { [name]: argument };
          }
          const wanted = expected(rows, fields);
          const stage = { $setWindowFields: { partitionBy: '$p', sortBy: { s: 1 }, output } };
          const found = await run(rows, stage, { maxStageBytes });
          usedDisk.push(found.usedDisk);
          const rounded = (documents: Plain[]): Plain[] =>
            documents.map((each) => ({
              ...each,
              covariancePop: near(each['covariancePop']),
            }));
          assert.deepEqual(rounded(found.documents), rounded(wanted));
        }),
        { numRuns: 60 },
      );
      assert.equal(usedDisk.includes(true), where === 'on disk');
    });

    it(`are lines between the known values, unless two share a place, ${where}`, async () => {
      const window: Window = { kind: 'documents', bounds: ['unbounded', 'unbounded'] };
      const fields = new Map([['linearFill', { naive: linear, window }]]);
      const output = { linearFill: { $linearFill: '$v' } };
      const stage = { $setWindowFields: { partitionBy: '$p', sortBy: { s: 1 }, output } };
      const rounded = (documents: Plain[]): Plain[] =>
        documents.map((each) => ({ ...each, linearFill: near(each['linearFill']) }));
      await fc.assert(
        fc.asyncProperty(rowsOf, async (rows) => {
          const apart = rows.filter(
            (row, at) => rows.findIndex(({ p, s }) => p === row.p && s === row.s) === at,
          );
          if (apart.length < rows.length) {
            await assert.rejects(run(rows, stage, { maxStageBytes }), { code: 6050106 });
          }
          const { documents } = await run(apart, stage, { maxStageBytes });
          assert.deepEqual(rounded(documents), rounded(expected(apart, fields)));
        }),
        { numRuns: 60 },
      );
    });
  }

  const near = (value: unknown): unknown =>
    typeof value === 'number' ? Math.round(value * 1e6) / 1e6 + 0 : value;

  const many = Array.from({ length: 2000 }, (_, _id) => ({
    _id,
    p: 1,
    s: 2000 - _id,
    v: _id,
    pad: 'x'.repeat(1000),
  }));
  const look = { sum: { $sum: '$v', window: { documents: [-1500, -1500] } } };

  it('looks back in a partition many times as large as its memory', async () => {
    const stage = { $setWindowFields: { sortBy: { s: 1 }, output: look } };
    const { documents, usedDisk } = await run(many, stage, { maxStageBytes: 50_000 });
    assert.equal(usedDisk, true);
    assert.deepEqual(
      documents.map(({ sum: found }) => found),
      many.map((_, position) => (position < 1500 ? 0 : 1999 - (position - 1500))),
    );
  });

  const refused = (stage: Plain, code: number): Promise<void> =>
    assert.rejects(
      run(many, stage, { maxStageBytes: 50_000, allowDiskUse: false }),
      (error) => error instanceof CommandError && error.code === code,
    );

  it('fails without leave to use the disk, as MongoDB does', async () => {
    await refused({ $setWindowFields: { sortBy: { s: 1 }, output: look } }, 292);
    await refused({ $setWindowFields: { output: { n: { $sum: 1 } } } }, 5643011);
  });

  it('fails when what an operator gathers exceeds its memory', async () => {
    const stage = { $setWindowFields: { output: { all: { $push: '$pad' } } } };
    await assert.rejects(
      run(many, stage, { maxStageBytes: 50_000 }),
      (error) => error instanceof CommandError && error.code === 5414201,
    );
  });
});
