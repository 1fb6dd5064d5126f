/**
 * Question: what do reads of the index store cost, and what does a fold cost per entry, for index entries and for the
 * record map?
 *
 * Estimate beforehand: LMDB's own get 0.6 us and range step 0.2 us, plus 30 ns for a checksum; a put 0.5 us in order and
 * 2-3 us at random, plus 0.1 us for packing; a record of the record map a thirty-second of a block's put.
 * Run: `npm run bench -- storage/index-store`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../common/clock.ts';
import type { CommitNumber, Ident, RecordId } from '../../../storage/contract.ts';
import { indexEntryKey, treeEnd, treeKey, treePrefix } from '../../../storage/format/tree-key.ts';
import { IndexChanges } from '../../../storage/indexes/changes.ts';
import type { IndexSnapshot, IndexStore } from '../../../storage/indexes/contract.ts';
import { openLmdbIndexStore } from '../../../storage/indexes/lmdb-store.ts';
import { recordBlockOf, recordMapKey } from '../../../storage/format/record-map.ts';
import { line, nanosecondsPerCall } from './measure.ts';

const COUNT = 300_000;
const RECORDS = 20 as Ident;
const INDEX = 21 as Ident;
const SCATTERED = 22 as Ident;
const NO_BITS = Buffer.alloc(0);
let checkpoint = 0;

/** A 9-byte key, as of an encoded number; neighbours for neighbours, or scattered over the tree. */
function keyOf(n: number): Buffer {
  const key = Buffer.alloc(9, 0x2b);
  key.writeUInt32BE(n, 1);
  return key;
}

function scattered(n: number): number {
  return Math.imul(n, 2_654_435_761) >>> 0;
}

async function commit(
  store: IndexStore,
  what: string,
  fill: (changes: IndexChanges) => number,
): Promise<void> {
  const changes = new IndexChanges();
  const packMs = performance.now();
  const count = fill(changes);
  const commitMs = performance.now();
  let longestTurnMs = 0;
  let lastTurnMs = commitMs;
  const watch = setInterval(() => {
    longestTurnMs = Math.max(longestTurnMs, performance.now() - lastTurnMs);
    lastTurnMs = performance.now();
  }, 1);
  checkpoint += 1;
  await store.commit(changes, { checkpoint, applied: checkpoint as CommitNumber });
  const endMs = performance.now();
  clearInterval(watch);
  const perEntry = (ms: number): string => `${((ms / count) * 1000).toFixed(2)} us`;
  line(
    `fold ${count} ${what}`,
    `${perEntry(commitMs - packMs)} + ${perEntry(endMs - commitMs)}, main loop held ${longestTurnMs.toFixed(0)} ms`,
  );
}

function placeOf(record: number) {
  const commitNumber = 1 as CommitNumber;
  return { sector: record, sectors: 8, slot: 1, bytes: 1000, generation: 1, commitNumber };
}

async function measureFolds(store: IndexStore): Promise<void> {
  await commit(store, 'records, new', (changes) => {
    for (let n = 1; n <= COUNT; n += 1) changes.setRecord(RECORDS, n as RecordId, placeOf(n));
    return COUNT;
  });
  await commit(store, 'records, every tenth moved', (changes) => {
    for (let n = 1; n <= COUNT; n += 10) changes.setRecord(RECORDS, n as RecordId, placeOf(n + 1));
    return COUNT / 10;
  });
  await commit(store, 'index entries, new, in order', (changes) => {
    for (let n = 1; n <= COUNT; n += 1) {
      changes.putIndexEntry(INDEX, keyOf(n), n as RecordId, NO_BITS);
    }
    return COUNT;
  });
  for (const round of ['new', 'among 300,000']) {
    await commit(store, `index entries, scattered, sorted, ${round}`, (changes) => {
      const numbers = Array.from({ length: COUNT }, (_, n) =>
        scattered(n + COUNT * (round === 'new' ? 0 : 1)),
      );
      numbers.sort((a, b) => a - b);
      for (const n of numbers) {
        changes.putIndexEntry(SCATTERED, keyOf(n), (n + 1) as RecordId, NO_BITS);
      }
      return COUNT;
    });
  }
}

function measureReads(snapshot: IndexSnapshot): void {
  const someOf = (call: number): number => (scattered(call) % COUNT) + 1;
  const ns = (value: number): string => `${value.toFixed(0)} ns`;
  line(
    'record map block, at random',
    ns(
      nanosecondsPerCall(COUNT, (call) => {
        snapshot.get(recordMapKey(RECORDS, recordBlockOf(someOf(call) as RecordId)));
      }),
    ),
  );
  line(
    'get of an index entry, at random',
    ns(
      nanosecondsPerCall(COUNT, (call) => {
        const n = someOf(call);
        snapshot.get(indexEntryKey(INDEX, keyOf(n), n as RecordId));
      }),
    ),
  );
  line(
    'seek and read of one index entry',
    ns(
      nanosecondsPerCall(COUNT, (call) => {
        const lower = treeKey(INDEX, keyOf(someOf(call)));
        const cursor = snapshot.scan({ lower, upper: treeEnd(INDEX) });
        cursor.next();
        cursor.close();
      }),
    ),
  );
  for (const direction of [1, -1] as const) {
    const cursor = snapshot.scan({ lower: treePrefix(INDEX), upper: treeEnd(INDEX), direction });
    line(
      `scan of an index, ${direction === 1 ? 'ascending' : 'descending'}, per entry`,
      ns(nanosecondsPerCall(COUNT / 2, () => void cursor.next())),
    );
    cursor.close();
  }
}

const directory = await mkdtemp(join(process.cwd(), 'data-bench-'));
try {
  const store = await openLmdbIndexStore({
    path: join(directory, 'index.lmdb'),
    storeId: Buffer.alloc(16, 7),
    create: true,
    clock: systemClock,
  });
  await commit(store, 'records, the first commit, which starts the writer', () => 1);
  await measureFolds(store);
  const snapshot = store.beginRead();
  measureReads(snapshot);
  snapshot.release();
  const pins = nanosecondsPerCall(20_000, () => store.beginRead().release());
  line('snapshot, taken and released', `${pins.toFixed(0)} ns`);
  line('size of the file', `${(store.statistics().fileBytes / 1e6).toFixed(0)} MB`);
  await store.close();
} finally {
  await rm(directory, { recursive: true });
}
