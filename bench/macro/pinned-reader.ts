/**
 * Question: what does a reader that pins a base for minutes cost the writers, and when is the space back that it held?
 *
 * Sixteen writers update documents of 1 KiB at random, in the process of the engine, as fast as they can: first alone, then while a
 * snapshot from the beginning is held (and reads a document now and then: it must find what it saw at first), then alone again.
 * Estimate beforehand: nobody waits for a snapshot, so that latencies are the same within noise. Space grows with what is written while it
 * is held, since every extent of its base must stay; the checkpoint after its end gives all of it back.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { documentOf, encodeIndexKey, int32Value } from '../../bson/index.ts';
import { uninterruptible } from '../../common/interruption.ts';
import {
  openEngine,
  WriteConflictError,
  type CollectionDescription,
  type ReadView,
  type RecordId,
  type StorageEngine,
} from '../../storage/index.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../test/support/programs.ts';
import { LatencyHistogram } from '../load/histogram.ts';
import { formatNumber, printMachine, printTable } from './report.ts';

const WRITERS = 16;
const MEBIBYTE = 1024 * 1024;
const TEXT = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(27);
/** Latencies with a reader may be so much higher: the noise of a machine that does other things, too. */
const MOST_SLOWER = 2;
/** Used space after the reader's end, against that before it began. */
const MOST_SPACE = 1.5;

/**
 * @param args --minutes 5 (with the reader; a fifth of it before and after), --documents 100000, --cacheSizeMB 64
 * @returns whether the writers' p99 and the space stay within their bounds
 */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '5' },
      documents: { type: 'string', default: '100000' },
      cacheSizeMB: { type: 'string', default: '64' },
    },
  });
  printMachine();
  const dbpath = temporaryDirectory();
  const cacheBytes = Number(values.cacheSizeMB) * MEBIBYTE;
  const engine = await openEngine({ dbpath, cacheBytes, checkpointIntervalMs: 10_000 });
  try {
    const bench = new Bench(engine, dbpath, Number(values.documents));
    return await bench.run(Number(values.minutes) * 60);
  } finally {
    await engine.close();
    removeTemporaryDirectory(dbpath);
  }
}

interface Phase {
  readonly title: string;
  readonly updates: number;
  readonly seconds: number;
  readonly histogram: LatencyHistogram;
  readonly mostUs: number;
  /** When it ended. */
  readonly space: Space;
}

interface Space {
  readonly usedBytes: number;
  readonly liveBytes: number;
  readonly onDiskBytes: number;
  readonly indexBytes: number;
  readonly checkpoints: number;
}

class Bench {
  private readonly engine: StorageEngine;
  private readonly dbpath: string;
  private readonly documents: number;

  constructor(engine: StorageEngine, dbpath: string, documents: number) {
    this.engine = engine;
    this.dbpath = dbpath;
    this.documents = documents;
  }

  async run(seconds: number): Promise<boolean> {
    const collection = await this.fill();
    // Nobody has compiled anything yet, and every page is full: only what comes after is steady.
    await this.write(collection, 'warm-up', seconds / 10);
    await this.engine.checkpoint();
    const alone = await this.write(collection, 'alone', seconds / 5);
    const reader = this.engine.snapshot();
    const seen = await this.documentsIn(reader, collection);
    const pinned = await this.write(collection, 'beside the reader', seconds);
    const again = await this.documentsIn(reader, collection);
    if (!again.every((document, index) => document.equals(seen[index]))) {
      throw new Error('the snapshot has changed');
    }
    reader.close();
    await this.engine.checkpoint();
    const after = this.space();
    const afterwards = await this.write(collection, 'alone again', seconds / 5);
    printPhases([alone, pinned, afterwards]);
    process.stdout.write(
      `one checkpoint after the reader's end: ${mb(after.usedBytes)} MB in use, ${mb(alone.space.usedBytes)} before it began, ` +
        `${mb(pinned.space.usedBytes)} at its end\n`,
    );
    const slower = pinned.histogram.percentile(0.99) / alone.histogram.percentile(0.99);
    const space = after.usedBytes / alone.space.usedBytes;
    const rows = [
      [
        "writers' p99 beside the reader",
        `${slower.toFixed(2)} x`,
        `${MOST_SLOWER} x`,
        verdict(slower <= MOST_SLOWER),
      ],
      [
        'space after its end',
        `${space.toFixed(2)} x`,
        `${MOST_SPACE} x`,
        verdict(space <= MOST_SPACE),
      ],
    ];
    printTable(['', 'measured', 'bound', ''], rows);
    return slower <= MOST_SLOWER && space <= MOST_SPACE;
  }

  private async fill(): Promise<CollectionDescription> {
    const { engine } = this;
    const create = engine.begin();
    const collection = create.createCollection('bench.documents');
    create.commit();
    for (let id = 0; id < this.documents; id += 100) {
      await engine.admitWrite(uninterruptible);
      const transaction = engine.begin();
      for (let next = id; next < id + 100; next += 1) {
        transaction.insert(collection, documentOf({ _id: next, updates: 0, text: TEXT }));
      }
      transaction.commit();
      await turn();
    }
    return collection;
  }

  /** Updates at random until the time is over. */
  private async write(
    collection: CollectionDescription,
    title: string,
    seconds: number,
  ): Promise<Phase> {
    const histogram = new LatencyHistogram();
    const beganMs = performance.now();
    const untilMs = beganMs + seconds * 1000;
    let updates = 0;
    let mostUs = 0;
    const writer = async (): Promise<void> => {
      while (performance.now() < untilMs) {
        const startMs = performance.now();
        await this.updateOne(collection, updates);
        const tookUs = (performance.now() - startMs) * 1000;
        histogram.record(tookUs);
        mostUs = Math.max(mostUs, tookUs);
        updates += 1;
        await turn();
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    const tookSeconds = (performance.now() - beganMs) / 1000;
    return { title, updates, seconds: tookSeconds, histogram, mostUs, space: this.space() };
  }

  private async updateOne(collection: CollectionDescription, updates: number): Promise<void> {
    const { engine } = this;
    await engine.admitWrite(uninterruptible);
    const id = Math.floor(Math.random() * this.documents);
    const transaction = engine.begin();
    try {
      const recordId = recordIdOf(transaction, collection, id);
      const before = await transaction.record(collection, recordId);
      if (before === undefined) throw new Error(`document ${id} is missing`);
      const after = documentOf({ _id: id, updates, text: TEXT });
      transaction.update(collection, recordId, before, after);
      transaction.commit();
    } catch (error) {
      transaction.abort();
      if (!(error instanceof WriteConflictError)) throw error;
    }
  }

  /** Some documents, of the beginning, the middle and the end. */
  private async documentsIn(view: ReadView, collection: CollectionDescription): Promise<Buffer[]> {
    const documents: Buffer[] = [];
    for (let id = 0; id < this.documents; id += Math.ceil(this.documents / 500)) {
      const document = await view.record(collection, recordIdOf(view, collection, id));
      if (document === undefined) throw new Error(`document ${id} is missing`);
      documents.push(Buffer.from(document));
    }
    return documents;
  }

  private space(): Space {
    const statistics = this.engine.statistics();
    const number = (group: string, name: string): number => {
      const counters = statistics[group];
      return typeof counters === 'object' ? Number(counters[name]) : NaN;
    };
    const { blocks } = statSync(join(this.dbpath, 'blocks.flint'));
    return {
      usedBytes: number('blocks', 'usedBytes'),
      liveBytes: number('blocks', 'liveBytes'),
      onDiskBytes: blocks * 512,
      indexBytes: number('indexes', 'fileBytes'),
      checkpoints: number('checkpoint', 'count'),
    };
  }
}

function recordIdOf(view: ReadView, collection: CollectionDescription, id: number): RecordId {
  const { key } = encodeIndexKey([int32Value(id)], [1]);
  const recordId = view.uniqueRecordId(collection.indexes[0], key);
  if (recordId === undefined) throw new Error(`document ${id} is missing`);
  return recordId;
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function printPhases(phases: readonly Phase[]): void {
  const rows = phases.map(({ title, updates, seconds, histogram, mostUs, space }) => [
    title,
    formatNumber(updates / seconds),
    ...[0.5, 0.99, 0.999].map((share) => (histogram.percentile(share) / 1000).toFixed(1)),
    (mostUs / 1000).toFixed(1),
    mb(space.usedBytes),
    mb(space.liveBytes),
    mb(space.onDiskBytes),
    mb(space.indexBytes),
    String(space.checkpoints),
  ]);
  const titles = ['updates/s', 'p50 ms', 'p99', 'p99.9', 'worst'];
  const sizes = ['MB in use', 'live', 'on disk', 'indexes', 'checkpoints'];
  printTable(['', ...titles, ...sizes], rows);
}

function mb(bytes: number): string {
  return formatNumber(Math.round(bytes / 1e6));
}

function verdict(holds: boolean): string {
  return holds ? 'PASS' : 'FAIL';
}
