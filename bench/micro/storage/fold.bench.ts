/**
 * Question: how fast are documents folded into pages, read from the device and scanned, with each compression, and what are these
 * figures beside those of the parts that they rest on?
 *
 * Estimate beforehand: a page of 32 KiB is copied twice (6 us), summed (4 us), compressed (snappy 60 us, zstd 300 us) on a thread, and
 * written with its neighbours; the caller gathers thirty records (10 us). So the fold runs at the compressor's pace, or at the
 * writes' (1 GB/s) without one. A cold page costs its pread and the way back through the compressor (snappy 20 us, zstd 80 us), but
 * fewer sectors. A cached record costs no more than before: pages lie there plain.
 * Run: `npm run bench -- storage/fold`.
 */
import { closeSync, openSync, readSync, writeSync, fdatasyncSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { documentOf } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { SeededRandom, systemRandom } from '../../../common/random.ts';
import { createBlockStore, openBlockStore } from '../../../storage/blocks/block-store.ts';
import type { BlockStore } from '../../../storage/blocks/contract.ts';
import type { Place } from '../../../storage/blocks/place.ts';
import type { CommitNumber, Ident, PageCompression, RecordId } from '../../../storage/contract.ts';
import { allocateAligned } from '../../../storage/device/aligned-memory.ts';
import { FileVolume } from '../../../storage/device/file-volume.ts';
import {
  compressBody,
  expandBody,
  loadCompression,
} from '../../../storage/format/page-compression.ts';
import { line, nanosecondsPerCall } from './measure.ts';

const RECORDS = 60_000;
const DOCUMENT_BYTES = 1024;
const PAGE_BYTES = 32 * 1024;
const IDENT = 20 as Ident;
const COMMIT = 1 as CommitNumber;
const COLD_READS = 1500;

const documents = makeDocuments();
const sample = Buffer.concat(documents.slice(0, PAGE_BYTES / DOCUMENT_BYTES));
await loadCompression('zstd');

for (const compression of ['none', 'snappy', 'zstd'] as const) {
  const directory = await mkdtemp(join(tmpdir(), 'flint-bench-'));
  try {
    await measure(directory, compression);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function measure(directory: string, compression: PageCompression): Promise<void> {
  const volume = await FileVolume.open(directory);
  const options = { volume, clock: systemClock, random: systemRandom, usesThreads: true };
  const warm = await createBlockStore({ ...options, cacheBytes: 256 * 1024 * 1024 });
  const places = await fold(warm, compression, directory);
  const { base } = warm;
  const hitNs = nanosecondsPerCall(RECORDS, (call) => hit(warm, places, (call * 7919) % RECORDS));
  const copyNs = nanosecondsPerCall(20_000, () => Buffer.from(documents[7]));
  compare(`${compression}: cached record, at random`, hitNs, 'ns', copyNs, 'memcpy of it');
  const inOrderNs = nanosecondsPerCall(RECORDS, (call) => hit(warm, places, call % RECORDS));
  compare(`${compression}: cached record of a scan`, inOrderNs, 'ns', copyNs, 'memcpy of it');
  await warm.close();

  const cold = await openBlockStore({ ...options, cacheBytes: 8 * 1024 * 1024 }, base);
  const coldUs = await coldReads(cold, places);
  const sectors = places[RECORDS >> 1].sectors;
  const preadUs = rawReads(directory, sectors * 4096);
  const expandUs = expandNs(compression) / 1000;
  compare(
    `${compression}: cold record, at random`,
    coldUs,
    'us',
    preadUs,
    `pread of ${sectors * 4} KiB`,
  );
  compare('  the same beside pread and decompression', coldUs, 'us', preadUs + expandUs, 'both');
  await cold.close();

  const scanned = await openBlockStore({ ...options, cacheBytes: 8 * 1024 * 1024 }, base);
  const scanMs = await scan(scanned, places);
  const perSecond = RECORDS / (scanMs / 1000);
  line(`${compression}: cold scan`, `${(perSecond / 1000).toFixed(0)} K documents/s`);
  const pages = pagesOf(places);
  const rawUs = rawScan(directory, pages) + pages.length * expandUs;
  compare(
    '  a record of it',
    (scanMs * 1e6) / RECORDS,
    'ns',
    (rawUs * 1000) / RECORDS,
    `its part of pread${compression === 'none' ? '' : ' and decompression'} of the pages`,
  );
  await scanned.close();
}

async function fold(
  store: BlockStore,
  compression: PageCompression,
  directory: string,
): Promise<Place[]> {
  let places: Place[] = [];
  let best = Infinity;
  for (let round = 0; round < 3; round += 1) {
    places = [];
    const noted = places;
    const beganMs = performance.now();
    const writer = await store.beginCheckpoint((round + 1) as CommitNumber, {
      compressionOf: () => compression,
      placed: (_collection, _recordId, place) => noted.push(place),
    });
    for (let record = 0; record < RECORDS; record += 1) {
      writer.append(IDENT, (record + 1) as RecordId, documents[record], COMMIT);
      if (writer.pressure !== undefined) await writer.pressure;
    }
    await store.recordCheckpoint(await writer.finish());
    best = Math.min(best, performance.now() - beganMs);
  }
  const bytes = RECORDS * DOCUMENT_BYTES;
  const written = (store.statistics().bytesWritten / 3 / bytes).toFixed(2);
  const rate = bytes / 1e6 / (best / 1000);
  line(`${compression}: fold, ${written} bytes written per byte`, `${rate.toFixed(0)} MB/s`);
  line('', `${((RECORDS / best) * 1000).toFixed(0)} documents/s`);
  const alone = compression === 'none' ? rawWrites(directory, bytes) : compressorRate(compression);
  line(
    `  of ${compression === 'none' ? 'write and fdatasync' : 'the compressor'} alone, ${alone.toFixed(0)} MB/s`,
    `${(rate / alone).toFixed(2)} x`,
  );
  return places;
}

function compressorRate(compression: 'snappy' | 'zstd'): number {
  return sample.length / (nanosecondsPerCall(500, () => compressBody(compression, sample)) / 1000);
}

function expandNs(compression: PageCompression): number {
  if (compression === 'none') return 0;
  const body = compressBody(compression, sample);
  return nanosecondsPerCall(500, () => expandBody(compression, body, sample.length));
}

function rawWrites(directory: string, bytes: number): number {
  const file = openSync(join(directory, 'raw'), 'w');
  const piece = Buffer.alloc(1024 * 1024, 7);
  const beganMs = performance.now();
  for (let done = 0; done < bytes; done += piece.length) writeSync(file, piece);
  fdatasyncSync(file);
  const tookMs = performance.now() - beganMs;
  closeSync(file);
  return bytes / 1000 / tookMs;
}

/** Past the system's cache, as the store reads. */
function rawReads(directory: string, bytes: number): number {
  const O_DIRECT = 0o40000;
  const file = openSync(join(directory, 'blocks.flint'), O_DIRECT);
  const memory = allocateAligned(bytes);
  const span = RECORDS * 300;
  const us = nanosecondsPerCall(COLD_READS, (call) => {
    const at = Math.floor(((call * 104_729) % span) / 4096) * 4096;
    readSync(file, memory, 0, bytes, 2 * 1024 * 1024 + at);
  });
  closeSync(file);
  return us / 1000;
}

function pagesOf(places: readonly Place[]): Place[] {
  return places.filter(({ sector }, index) => index === 0 || sector !== places[index - 1].sector);
}

/** One page after the other, past the system's cache. @returns microseconds */
function rawScan(directory: string, pages: readonly Place[]): number {
  const O_DIRECT = 0o40000;
  const file = openSync(join(directory, 'blocks.flint'), O_DIRECT);
  const memory = allocateAligned(Math.max(...pages.map(({ sectors }) => sectors)) * 4096);
  const beganMs = performance.now();
  for (const { sector, sectors } of pages) {
    readSync(file, memory, 0, sectors * 4096, sector * 4096);
  }
  const tookUs = (performance.now() - beganMs) * 1000;
  closeSync(file);
  return tookUs;
}

async function coldReads(store: BlockStore, places: readonly Place[]): Promise<number> {
  let tookMs = 0;
  for (let call = 0; call < COLD_READS; call += 1) {
    // Each request of a client comes in a turn of its own.
    await new Promise((resolve) => setImmediate(resolve));
    const index = (call * 104_729) % RECORDS;
    const beganMs = performance.now();
    await store.record(places[index], (index + 1) as RecordId);
    tookMs += performance.now() - beganMs;
  }
  return (tookMs * 1000) / COLD_READS;
}

async function scan(store: BlockStore, places: readonly Place[]): Promise<number> {
  const beganMs = performance.now();
  for (let index = 0; index < RECORDS; index += 1) {
    if (index % 512 === 0) void store.prefetch(places.slice(index, index + 1024));
    const found = store.record(places[index], (index + 1) as RecordId);
    if (found instanceof Promise) await found;
  }
  return performance.now() - beganMs;
}

function hit(store: BlockStore, places: readonly Place[], index: number): void {
  const found = store.record(places[index], (index + 1) as RecordId);
  if (found instanceof Promise) throw new Error('not cached');
}

function compare(what: string, figure: number, unit: string, raw: number, rawWhat: string): void {
  const beside = `${rawWhat} ${raw.toFixed(raw < 10 ? 1 : 0)} ${unit}`;
  line(`${what} (${beside})`, `${figure.toFixed(0)} ${unit}, ${(figure / raw).toFixed(1)} x`);
}

/** Words drawn at random: shortened by compression about as much as people's text is. */
function makeDocuments(): Buffer[] {
  const random = new SeededRandom(1);
  const words = Array.from({ length: 2000 }, (_, index) => (index * 7919 + 104_729).toString(36));
  const empty = documentOf({ _id: 0, text: '' }).length;
  return Array.from({ length: RECORDS }, (_, index) => {
    let text = '';
    while (empty + text.length < DOCUMENT_BYTES) text += `${words[random.below(words.length)]} `;
    return documentOf({ _id: index, text: text.slice(0, DOCUMENT_BYTES - empty) });
  });
}
