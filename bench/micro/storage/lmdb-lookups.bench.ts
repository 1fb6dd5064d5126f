/**
 * Question: what do the index store's look-ups cost beside those of LMDB alone, on the same file in the same run?
 *
 * Alone: npm lmdb's own get and getRange, in a read transaction held over all of them. The index store adds a checksum per
 * value and cursors that survive an await.
 * Estimate beforehand: get 0.8 us alone, 1.0 here (30 ns of checksum, a copy); a step of a walk 0.2 us alone, 0.25 here, because it
 * reads ahead in batches.
 * Run: `npm run bench -- storage/lmdb-lookups`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../common/clock.ts';
import type { CommitNumber, Ident, RecordId } from '../../../storage/contract.ts';
import { indexEntryKey, treeEnd, treePrefix } from '../../../storage/format/tree-key.ts';
import { IndexChanges } from '../../../storage/indexes/changes.ts';
import { DEFAULT_MAP_BYTES, openEnvironment } from '../../../storage/indexes/lmdb-environment.ts';
import { openLmdbIndexStore } from '../../../storage/indexes/lmdb-store.ts';
import { line, nanosecondsPerCall } from './measure.ts';

const COUNT = 300_000;
const INDEX = 21 as Ident;
const ROUNDS = 3;

function keyOf(n: number): Buffer {
  const key = Buffer.alloc(9, 0x2b);
  key.writeUInt32BE(n, 1);
  return key;
}

/** One of the entries, another one at each call, all over the tree. */
function entryKey(call: number): Buffer {
  const n = ((Math.imul(call, 2_654_435_761) >>> 0) % COUNT) + 1;
  return indexEntryKey(INDEX, keyOf(n), n as RecordId);
}

function compare(what: string, alone: number, here: number): void {
  const ratio = (here / alone).toFixed(2);
  line(`${what}: ${alone.toFixed(0)} ns by LMDB alone, ${here.toFixed(0)} ns here`, `${ratio} x`);
}

const directory = await mkdtemp(join(process.cwd(), 'data-bench-'));
try {
  const path = join(directory, 'index.lmdb');
  const store = await openLmdbIndexStore({
    path,
    storeId: Buffer.alloc(16, 7),
    create: true,
    clock: systemClock,
  });
  const changes = new IndexChanges();
  for (let n = 1; n <= COUNT; n += 1) {
    changes.putIndexEntry(INDEX, keyOf(n), n as RecordId, Buffer.alloc(12, n));
  }
  await store.commit(changes, { checkpoint: 1, applied: 1 as CommitNumber });
  const alone = openEnvironment(path, DEFAULT_MAP_BYTES);
  const transaction = alone.useReadTransaction();
  const snapshot = store.beginRead();
  for (let round = 0; round < ROUNDS; round += 1) {
    // To make the key costs the same in both.
    const keyNs = nanosecondsPerCall(COUNT, (call) => void entryKey(call));
    const getAlone = nanosecondsPerCall(
      COUNT,
      (call) => void alone.get(entryKey(call), { transaction }),
    );
    const getHere = nanosecondsPerCall(COUNT, (call) => void snapshot.get(entryKey(call)));
    compare('get at random', getAlone - keyNs, getHere - keyNs);
    const [start, end] = [treePrefix(INDEX), treeEnd(INDEX)];
    const walk = alone.getRange({ start, end, transaction })[Symbol.iterator]();
    const stepAlone = nanosecondsPerCall(COUNT / 2, () => void walk.next());
    walk.return?.();
    const cursor = snapshot.scan({ lower: start, upper: end });
    const stepHere = nanosecondsPerCall(COUNT / 2, () => void cursor.next());
    cursor.close();
    compare('step of a walk', stepAlone, stepHere);
  }
  snapshot.release();
  transaction.done();
  await store.close();
  await alone.close();
} finally {
  await rm(directory, { recursive: true });
}
