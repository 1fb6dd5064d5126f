/**
 * $densify over random documents against a slow evaluator that writes down all steps: in memory and on disk.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { uninterruptible } from '../../../common/interruption.ts';
import { planAggregate } from '../../../query/index.ts';
import { bytes, collectRaw, context, type Plain, plain, TestStore } from '../executor/store.ts';

interface Row extends Plain {
  readonly _id: number;
  readonly p: number;
  readonly v: number;
}

const rowsOf = fc
  .array(fc.record({ p: fc.nat(2), v: fc.integer({ min: -20, max: 20 }) }), { maxLength: 30 })
  .map((rows): Row[] => rows.map((row, _id) => ({ _id, ...row })));

const TWO_AT_THE_END: Row[] = [
  { _id: 0, p: 0, v: 19 },
  { _id: 1, p: 0, v: 19 },
  { _id: 2, p: 1, v: 0 },
];

/** From `low` up to `high`, which is one of them if it is on the way. */
function steps(low: number, high: number, step: number): number[] {
  const count = Math.floor((high - low) / step) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => low + index * step);
}

/** What each partition has to have besides its documents. */
type Wanted = (rows: readonly Row[], own: readonly Row[], step: number) => readonly number[];

const least = (rows: readonly Row[]): number => Math.min(...rows.map(({ v }) => v));
const greatest = (rows: readonly Row[]): number => Math.max(...rows.map(({ v }) => v));

const RANGES: readonly (readonly [bounds: unknown, wanted: Wanted])[] = [
  ['full', (rows, _, step) => steps(least(rows), greatest(rows), step)],
  ['partition', (_, own, step) => steps(least(own), greatest(own), step)],
  [[-5, 5], (_, __, step) => steps(-5, 4, step)],
];

function expected(rows: readonly Row[], step: number, wanted: Wanted): string[] {
  const partitions = [...new Set(rows.map(({ p }) => p))];
  return partitions.flatMap((p) => {
    const own = rows.filter((row) => row.p === p);
    const there = new Set(own.map(({ v }) => v));
    const added = wanted(rows, own, step).filter((v) => !there.has(v));
    return [...own, ...added.map((v) => ({ p, v }))].map(shown);
  });
}

const shown = (document: Plain): string =>
  [document['p'], document['v'], document['_id'] ?? 'added'].map(String).join(' ');

describe('$densify over random documents', () => {
  async function run(rows: readonly Row[], stage: Plain, maxStageBytes: number) {
    const store = await TestStore.open(rows);
    const view = store.engine.snapshot();
    const { namespace } = store;
    const request = { pipeline: [bytes(stage)], namespace, allowDiskUse: true };
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

  for (const [where, maxStageBytes] of [
    ['in memory', 100_000_000],
    ['on disk', 1000],
  ] as const) {
    for (const [bounds, wanted] of RANGES) {
      it(`leaves out no step of ${JSON.stringify(bounds)}, and adds none twice, ${where}`, async () => {
        const usedDisk: boolean[] = [];
        await fc.assert(
          fc.asyncProperty(rowsOf, fc.integer({ min: 1, max: 7 }), async (rows, step) => {
            fc.pre(rows.length > 0);
            const range = { step, bounds };
            const stage = { $densify: { field: 'v', partitionByFields: ['p'], range } };
            const found = await run(rows, stage, maxStageBytes);
            usedDisk.push(found.usedDisk);
            const order = (a: string, b: string): number => (a < b ? -1 : 1);
            assert.deepEqual(
              found.documents.map(shown).toSorted(order),
              expected(rows, step, wanted).toSorted(order),
            );
          }),
          { numRuns: 40, examples: [[TWO_AT_THE_END, 1]] },
        );
        assert.equal(usedDisk.includes(true), where === 'on disk');
      });
    }
  }
});
