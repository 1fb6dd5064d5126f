/**
 * What does the query floor add to storage, per document of a scan and per operation?
 * Estimate: a scan 50-100 ns a document besides its cursor; a find by _id about 1 µs in all; a find by another index 5-10 µs,
 * most of it planning; a group 300 ns, a sort of 100,000 documents 1 µs a document.
 */
import { BSON } from 'mongodb';
import { systemClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { systemRandom } from '../../../common/random.ts';
import { planAggregate, planQuery, type QueryPlan, simpleContext } from '../../../query/index.ts';
import { openEngine } from '../../../storage/index.ts';

const COUNT = 100_000;
const POINT_READS = 100_000;
const RUNS = 5;

const context = simpleContext(systemClock, systemRandom);
const bytes = (document: object): Buffer => Buffer.from(BSON.serialize(document));

const engine = await openEngine();
for (let first = 0; first < COUNT; first += 5000) {
  const write = engine.begin();
  if (first === 0) {
    const made = write.createCollection('bench.c');
    write.createIndex(made, bytes({ v: 2, key: { k: 1 }, name: 'k_1' }));
  }
  const collection = write.collection('bench.c')!;
  for (let i = first; i < first + 5000; i += 1) {
    const pad = 'x'.repeat(60);
    write.insert(collection, bytes({ _id: i, k: i % 1000, s: `value${i % 50}`, x: i * 0.5, pad }));
  }
  write.commit();
}
const view = engine.snapshot();
const collection = view.collection('bench.c')!;

async function drain(plan: QueryPlan): Promise<void> {
  const executor = plan.open(view, uninterruptible);
  for (;;) {
    const next = executor.next();
    if ((next instanceof Promise ? await next : next) === undefined) break;
  }
  executor.close();
}

async function measure(name: string, per: number, run: () => Promise<void> | void): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < RUNS + 2; round += 1) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  const median = times.slice(2).sort((a, b) => a - b)[RUNS >> 1];
  process.stdout.write(`${name.padEnd(36)} ${((median * 1e6) / per).toFixed(0).padStart(7)} ns\n`);
}

const find = (request: { filter: object; sort?: object; limit?: number }): QueryPlan =>
  planQuery(
    view,
    collection,
    {
      filter: bytes(request.filter),
      ...(request.sort === undefined ? {} : { sort: bytes(request.sort) }),
      ...(request.limit === undefined ? {} : { limit: request.limit }),
    },
    context,
  );

const group = { $group: { _id: '$s', total: { $sum: '$x' }, n: { $sum: 1 } } };

await measure('cursor alone', COUNT, async () => {
  const cursor = view.scanRecords(collection);
  for (;;) {
    const moved = cursor.next();
    if (!(moved instanceof Promise ? await moved : moved)) break;
  }
  cursor.close();
});
await measure('scan, nothing matches', COUNT, () => drain(find({ filter: { s: 'none' } })));
await measure('scan, three conditions', COUNT, () =>
  drain(find({ filter: { s: 'value7', x: { $gt: 100 }, pad: { $exists: true } } })),
);
await measure('scan, everything matches', COUNT, () => drain(find({ filter: {} })));
await measure('top 10 of a scan', COUNT, () =>
  drain(find({ filter: {}, sort: { x: -1 }, limit: 10 })),
);
await measure('sort by a string', COUNT, () => drain(find({ filter: {}, sort: { s: 1 } })));
await measure('index range and fetch', COUNT / 10, () =>
  drain(find({ filter: { k: { $lt: 100 } } })),
);
await measure('group by a string', COUNT, () =>
  drain(
    planAggregate(view, collection, { pipeline: [bytes(group)], namespace: 'bench.c' }, context),
  ),
);

const ids = Array.from({ length: 1000 }, (_, i) => bytes({ _id: (i * 7919) % COUNT }));
const keys = Array.from({ length: 1000 }, (_, i) => bytes({ k: i }));
function pointRead(filter: Buffer, limit?: number): void {
  const request = limit === undefined ? { filter } : { filter, limit };
  const executor = planQuery(view, collection, request, context).open(view, uninterruptible);
  void executor.next();
  executor.close();
}
await measure('find by _id', POINT_READS, () => {
  for (let i = 0; i < POINT_READS; i += 1) pointRead(ids[i % 1000]);
});
await measure('find one by another index', POINT_READS, () => {
  for (let i = 0; i < POINT_READS; i += 1) pointRead(keys[i % 1000], 1);
});
view.close();
await engine.close();
