/**
 * Question: how many bytes go to the device for a byte of documents, journal included, and what does LMDB add?
 *
 * Estimate beforehand: an inserted document of 1 KiB stands once in the journal (and its share of a batch's padding, which is small
 * for transactions of a hundred) and once in a page: 2.1 plain, less where the page is compressed. LMDB adds an entry of the record map (24
 * bytes) and of each index (20-30), in pages of 4 KiB that are filled in order: 0.1 for 1 KiB, but 1-2 for 100 bytes. Updates write the
 * journal each time, pages only once per checkpoint; the cleaner moves what lives in extents that are mostly dead. Random updates
 * touch a block of the record map each.
 * Zeros are what new segments of the journal are written with before their use; from then on they are used again and again, so that
 * a server that has run for a while writes what stands under `without zeros`.
 * Bytes of journal and pages are what their request queues counted, LMDB's what else the process wrote (/proc/self/io, Linux).
 * Run: `npm run bench -- storage/write-amplification`.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { documentOf, objectIdValue, type RawValue } from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SeededRandom } from '../../../common/random.ts';
import {
  openEngine,
  type CollectionDescription,
  type EngineStatistics,
  type PageCompression,
  type RecordId,
  type StorageEngine,
} from '../../../storage/index.ts';

const NAMESPACE = 'bench.documents';
const INSERTED_BYTES = 32 * 1024 * 1024;
const UPDATED_BYTES = 4 * 1024 * 1024;
const UPDATES_PER_DOCUMENT = 10;
const WRITES_PER_TRANSACTION = 100;
/** Several checkpoints come of each case. */
const DELTA_BYTES = 16 * 1024 * 1024;
const COLUMNS = [
  'documents',
  'journal',
  'pages',
  'LMDB',
  'without zeros',
  'zeros',
  'in all',
  'pages on disk',
];

interface Case {
  readonly title: string;
  readonly documentBytes: number;
  readonly updates: boolean;
}

const CASES: readonly Case[] = [
  { title: 'insert only, 1 KiB', documentBytes: 1024, updates: false },
  { title: 'insert only, 100 B', documentBytes: 100, updates: false },
  { title: 'each updated 10 times, 1 KiB', documentBytes: 1024, updates: true },
  { title: 'each updated 10 times, 100 B', documentBytes: 100, updates: true },
];

/** Words drawn at random: shortened by compression about as much as people's text is. */
const WORDS = Array.from({ length: 2000 }, (_, index) => (index * 7919 + 104_729).toString(36));

function documentOfSize(id: RawValue, bytes: number, random: SeededRandom): Buffer {
  let text = '';
  const empty = documentOf({ _id: id, text }).length;
  while (empty + text.length < bytes) text += `${WORDS[random.below(WORDS.length)]} `;
  return documentOf({ _id: id, text: text.slice(0, bytes - empty) });
}

interface Written {
  readonly journal: number;
  readonly zeros: number;
  readonly pages: number;
  readonly all: number;
}

function written(engine: StorageEngine, dbpath: string): Written {
  const { journal, blocks } = engine.statistics();
  const io = /write_bytes: (\d+)/.exec(readFileSync('/proc/self/io', 'latin1'))?.[1];
  return {
    journal: numberAt(journal, 'queue', 'operations', 'WRITE', 'bytes'),
    zeros: directoryBytes(join(dbpath, 'journal')),
    pages: numberAt(blocks, 'queue', 'operations', 'WRITE', 'bytes'),
    all: Number(io),
  };
}

function directoryBytes(path: string): number {
  let bytes = 0;
  for (const name of readdirSync(path)) bytes += statSync(join(path, name)).size;
  return bytes;
}

function numberAt(from: EngineStatistics[string], ...path: readonly string[]): number {
  let value = from;
  for (const name of path) value = typeof value === 'object' ? value[name] : NaN;
  return Number(value);
}

async function measure(one: Case, compression: PageCompression): Promise<void> {
  const dbpath = await mkdtemp(join(tmpdir(), 'flint-bench-'));
  const engine = await openEngine({
    dbpath,
    compression,
    deltaBytes: DELTA_BYTES,
    checkpointIntervalMs: 0,
  });
  try {
    const creation = engine.begin();
    creation.createCollection(NAMESPACE);
    creation.commit();
    await engine.checkpoint();
    const before = written(engine, dbpath);
    const bytes = one.updates ? await insertAndUpdate(engine, one) : await insertAll(engine, one);
    await engine.checkpoint();
    const after = written(engine, dbpath);
    const collection = collectionOf(engine);
    const stored = engine.storageBytes(collection).data;
    print(one, compression, bytes, before, after, stored / sizeOf(engine, collection));
  } finally {
    await engine.close();
    await rm(dbpath, { recursive: true });
  }
}

function print(
  { title }: Case,
  compression: PageCompression,
  bytes: number,
  before: Written,
  after: Written,
  storedPart: number,
): void {
  const journal = (after.journal - before.journal) / bytes;
  const zeros = (after.zeros - before.zeros) / bytes;
  const pages = (after.pages - before.pages) / bytes;
  const all = (after.all - before.all) / bytes;
  const figures = [
    journal,
    pages,
    all - journal - zeros - pages,
    all - zeros,
    zeros,
    all,
    storedPart,
  ];
  const cells = [
    `${(bytes / 2 ** 20).toFixed(0)} MiB`,
    ...figures.map((figure) => figure.toFixed(2)),
  ];
  process.stdout.write(
    `${`${title}, ${compression}`.padEnd(40)}${cells.map((cell) => cell.padStart(14)).join('')}\n`,
  );
}

function collectionOf(engine: StorageEngine): CollectionDescription {
  const view = engine.snapshot();
  const collection = view.collection(NAMESPACE);
  view.close();
  if (collection === undefined) throw new Error('the collection is gone');
  return collection;
}

function sizeOf(engine: StorageEngine, collection: CollectionDescription): number {
  const view = engine.snapshot();
  const bytes = view.dataBytes(collection);
  view.close();
  return bytes;
}

/** @returns bytes of documents that were written */
async function insertAll(engine: StorageEngine, { documentBytes }: Case): Promise<number> {
  const count = Math.floor(INSERTED_BYTES / documentBytes);
  await insert(engine, count, documentBytes, new SeededRandom(1));
  return count * documentBytes;
}

/** @returns bytes of documents that were written, inserts included */
async function insertAndUpdate(engine: StorageEngine, { documentBytes }: Case): Promise<number> {
  const random = new SeededRandom(1);
  const count = Math.floor(UPDATED_BYTES / documentBytes);
  const stored = await insert(engine, count, documentBytes, random);
  const collection = collectionOf(engine);
  const updates = count * UPDATES_PER_DOCUMENT;
  for (let done = 0; done < updates; done += WRITES_PER_TRANSACTION) {
    await engine.admitWrite(uninterruptible);
    const transaction = engine.begin();
    const touched = new Set<number>();
    while (touched.size < Math.min(WRITES_PER_TRANSACTION, count)) touched.add(random.below(count));
    for (const index of touched) {
      const { recordId, document } = stored[index];
      const after = documentOfSize(idOf(index), documentBytes, random);
      transaction.update(collection, recordId, document, after);
      stored[index] = { recordId, document: after };
    }
    await engine.flushed(transaction.commit());
    transaction.close();
  }
  return (count + updates) * documentBytes;
}

async function insert(
  engine: StorageEngine,
  count: number,
  documentBytes: number,
  random: SeededRandom,
): Promise<{ recordId: RecordId; document: Buffer }[]> {
  const collection = collectionOf(engine);
  const stored: { recordId: RecordId; document: Buffer }[] = [];
  while (stored.length < count) {
    await engine.admitWrite(uninterruptible);
    const transaction = engine.begin();
    for (let n = 0; n < WRITES_PER_TRANSACTION && stored.length < count; n += 1) {
      const document = documentOfSize(idOf(stored.length), documentBytes, random);
      stored.push({ recordId: transaction.insert(collection, document), document });
    }
    await engine.flushed(transaction.commit());
    transaction.close();
  }
  return stored;
}

function idOf(index: number): RawValue {
  const bytes = Buffer.alloc(12, 0x5f);
  bytes.writeUInt32BE(index, 8);
  return objectIdValue(bytes);
}

process.stdout.write(
  `${'bytes to the device per byte of documents'.padEnd(40)}${COLUMNS.map((column) => column.padStart(14)).join('')}\n`,
);
for (const compression of ['none', 'snappy', 'zstd'] as const) {
  for (const one of CASES) await measure(one, compression);
}
