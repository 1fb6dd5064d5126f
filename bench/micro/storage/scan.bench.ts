/**
 * Question: how many documents and index entries per second does a view hand out, from the delta and from cached pages, and
 * what does a look-up by `_id` cost?
 *
 * Estimate beforehand: 100 ns per document from the delta (row, slice), 200 ns from a page (place, directory, slice): 10 and
 * 5 million/s. A look-up 1 us from the delta, 2 us from the base once its block and key are remembered.
 * Run: `npm run bench -- storage/scan`.
 */
import { documentOf, encodeIndexKey, int32Value } from '../../../bson/index.ts';
import { openEngine, type ReadView, type StorageEngine } from '../../../storage/index.ts';
import { line } from './measure.ts';

const COUNT = 100_000;
const LOOKUPS = 30_000;
const ROUNDS = 5;

async function fill(engine: StorageEngine): Promise<void> {
  const create = engine.begin();
  const collection = create.createCollection('bench.scan');
  create.commit();
  for (let id = 0; id < COUNT; id += 1) {
    const transaction = engine.begin();
    transaction.insert(collection, documentOf({ _id: id, a: id, pad: 'x'.repeat(100) }));
    transaction.commit();
    if (id % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function scan(view: ReadView): Promise<void> {
  const cursor = view.scanRecords(view.collection('bench.scan')!);
  for (let more = cursor.next(); more !== false; more = cursor.next()) {
    if (more !== true && !(await more)) break;
    if (cursor.document.length === 0) throw new Error('an empty document');
  }
}

async function lookUp(view: ReadView): Promise<void> {
  const collection = view.collection('bench.scan')!;
  for (let count = 0; count < LOOKUPS; count += 1) {
    const { key } = encodeIndexKey([int32Value((count * 31) % COUNT)], [1]);
    const cursor = view.scanIndex(collection.indexes[0], { lower: key, upper: key }, 1);
    if (!cursor.next()) throw new Error('not found');
    const document = view.record(collection, cursor.recordId);
    if (!Buffer.isBuffer(document)) await document;
    cursor.close();
  }
}

function scanIndex(view: ReadView): void {
  const cursor = view.scanIndex(view.collection('bench.scan')!.indexes[0], {}, 1);
  while (cursor.next());
}

/** Best of several rounds, microseconds per step: the first ones compile and fault pages in. */
async function best(run: () => Promise<void> | void, steps: number): Promise<string> {
  let bestMs = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    await run();
    bestMs = Math.min(bestMs, performance.now() - startMs);
  }
  return `${((bestMs / steps) * 1000).toFixed(3)} us`;
}

const engine = await openEngine({ checkpointIntervalMs: 0 });
await fill(engine);
for (const layer of ['delta', 'base']) {
  const view = engine.snapshot();
  line(`${layer}: record of a scan`, await best(() => scan(view), COUNT));
  line(`${layer}: entry of an index scan`, await best(() => scanIndex(view), COUNT));
  line(`${layer}: look-up by _id`, await best(() => lookUp(view), LOOKUPS));
  view.close();
  await engine.checkpoint();
}
await engine.close();
