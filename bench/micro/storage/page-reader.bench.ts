/**
 * Question: what does a record cost that is in the page cache, and one that is not? What does a checkpoint cost per document?
 *
 * Estimate beforehand: neighbours in one page cost a comparison, four reads and a subarray (60 ns), other cached pages a Map
 * look-up on top (100 ns). A cold page costs the device's 50-60 us for 32 KiB, a checksum (4 us) and a copy (3 us); on the
 * pool a hop more, but several at once. Appending 1 KiB documents is one copy into the page and one into the cache (0.4 us)
 * and a checksum (0.2 us).
 * Run: `npm run bench -- storage/page-reader`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../common/clock.ts';
import { systemRandom } from '../../../common/random.ts';
import { createBlockStore, openBlockStore } from '../../../storage/blocks/block-store.ts';
import type { BlockStore } from '../../../storage/blocks/contract.ts';
import type { Place } from '../../../storage/blocks/place.ts';
import type { CommitNumber, Ident, RecordId } from '../../../storage/contract.ts';
import { FileVolume } from '../../../storage/device/file-volume.ts';
import { line, measureLanes, nanosecondsPerCall, showLanes } from './measure.ts';

const RECORDS = 200_000;
const DOCUMENT_BYTES = 1024;
const IDENT = 20 as Ident;

const directory = await mkdtemp(join(tmpdir(), 'flint-bench-'));
const volume = await FileVolume.open(directory);
const large = { volume, clock: systemClock, random: systemRandom, cacheBytes: 512 * 1024 * 1024 };

const store = await createBlockStore(large);
const places: Place[] = [];
const document = Buffer.alloc(DOCUMENT_BYTES, 7);
const beganMs = performance.now();
const cpuBefore = process.cpuUsage();
const writer = await store.beginCheckpoint(1 as CommitNumber, {
  compressionOf: () => 'none',
  placed: (_collection, _recordId, place) => places.push(place),
});
for (let record = 1; record <= RECORDS; record += 1) {
  writer.append(IDENT, record as RecordId, document, 1 as CommitNumber);
  if (writer.pressure !== undefined) await writer.pressure;
}
const base = await writer.finish();
await store.recordCheckpoint(base);
const tookMs = performance.now() - beganMs;
const cpu = process.cpuUsage(cpuBefore);
line('append 1 KiB documents', `${((tookMs * 1000) / RECORDS).toFixed(2)} us`);
line('  processor time', `${((cpu.user + cpu.system) / RECORDS).toFixed(2)} us`);
const { queue } = store.statistics();
const { bios, calls, bytes, latency } = queue.operations.WRITE;
line('  device', `${bios} bios in ${calls} calls, ${(bytes / tookMs / 1000).toFixed(0)} MB/s`);
line('  write latency p50 / p99', `${latency.p50Us} / ${latency.p99Us} us`);

function hit(target: BlockStore, index: number): void {
  const found = target.record(places[index], (index + 1) as RecordId);
  if (found instanceof Promise) throw new Error('not cached');
}

for (let round = 0; round < 3; round += 1) {
  const forward = nanosecondsPerCall(RECORDS, (call) => hit(store, call));
  line('cached record, in order', `${forward.toFixed(0)} ns`);
  const random = nanosecondsPerCall(RECORDS, (call) => hit(store, (call * 7919) % RECORDS));
  line('cached record, at random', `${random.toFixed(0)} ns`);
}
await store.close();

async function cold(
  what: string,
  lanes: number,
  read: (store: BlockStore, call: number) => unknown,
): Promise<void> {
  const small = await openBlockStore({ ...large, cacheBytes: 16 * 1024 * 1024 }, base);
  const figures = await measureLanes(2000, lanes, async (_lane, call) => {
    await read(small, call);
  });
  const { pagesReadSync, pagesRead } = small.statistics();
  line(`${what}, ${lanes} at once (${pagesReadSync} of ${pagesRead} sync)`, showLanes(figures));
  await small.close();
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const randomRecord = async (target: BlockStore, call: number): Promise<unknown> => {
  // Each request of a client comes in a turn of its own.
  await turn();
  const index = (call * 104_729) % RECORDS;
  return target.record(places[index], (index + 1) as RecordId);
};
for (const lanes of [1, 4, 32]) await cold('cold record, at random', lanes, randomRecord);

// A cold scan, with and without prefetch of what lies ahead.
for (const ahead of [0, 1024, 2048]) {
  const small = await openBlockStore({ ...large, cacheBytes: 64 * 1024 * 1024 }, base);
  const scanMs = performance.now();
  for (let index = 0; index < RECORDS; index += 1) {
    if (ahead > 0 && index % 512 === 0) void small.prefetch(places.slice(index, index + ahead));
    const found = small.record(places[index], (index + 1) as RecordId);
    if (found instanceof Promise) await found;
  }
  const perRecord = ((performance.now() - scanMs) * 1e6) / RECORDS;
  line(`cold scan, prefetching ${ahead} records ahead`, `${perRecord.toFixed(0)} ns per record`);
  await small.close();
}
line('resident memory', `${(process.memoryUsage().rss / 1048576).toFixed(0)} MB`);
await rm(directory, { recursive: true });
