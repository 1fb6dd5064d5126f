/**
 * Reads whole collections while chunks move: no document twice, none that is not as it was written, and of those that never change
 * each exactly once. An orphan that came through the router would show as one too many.
 */
import type { Collection, MongoClient } from 'mongodb';
import type { Random } from '../../common/random.ts';
import { COLLECTION_NAMES, flawOf, type TestDocument } from './documents.ts';
import { sleep } from './kills.ts';
import { isExpected, nameOf } from './refusals.ts';
import type { Report } from './report.ts';

const AFTER_FAILURE_MS = 50;
const LOOK_MS = 500;

export class Reader {
  private readonly client: MongoClient;
  private readonly random: Random;
  private readonly report: Report;
  /** How many documents of owner 0 each collection has. */
  private readonly stable: number;

  constructor(client: MongoClient, random: Random, report: Report, stable: number) {
    this.client = client;
    this.random = random;
    this.report = report;
    this.stable = stable;
  }

  async workUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const name = COLLECTION_NAMES[this.random.below(COLLECTION_NAMES.length)] ?? 'ranged';
      const collection = this.client.db('torture').collection<TestDocument>(name);
      await this.report.timed('a reader', async () => {
        try {
          const dice = this.random.next();
          if (dice < 0.4) await this.scan(collection);
          else if (dice < 0.7) await this.count(collection);
          else await this.group(collection);
          this.report.scans += 1;
        } catch (error) {
          this.report.failed('scan', nameOf(error));
          if (!isExpected(error)) this.report.violation(`a reader of ${name}: ${String(error)}`);
          await sleep(AFTER_FAILURE_MS);
        }
      });
    }
  }

  /** Counts at once, or not at all: in the middle of a critical section readers wait. */
  async look(namespace: string): Promise<void> {
    const collection = this.client
      .db('torture')
      .collection<TestDocument>(namespace.slice(namespace.indexOf('.') + 1));
    let count: number;
    try {
      count = await collection.countDocuments({ owner: 0 }, { maxTimeMS: LOOK_MS });
    } catch {
      return;
    }
    this.report.scans += 1;
    this.compare(collection, 'a count in the middle of a migration', count);
  }

  /** In the order of the keys half of the time, in small batches, so that chunks move meanwhile. */
  private async scan(collection: Collection<TestDocument>): Promise<void> {
    const isSorted = this.random.next() < 0.5;
    const cursor = collection.find({}, { batchSize: 50 + this.random.below(500) });
    if (isSorted) cursor.sort({ k: 1, _id: 1 });
    const seen = new Set<number>();
    let stable = 0;
    let last = -1;
    for await (const document of cursor) {
      const { _id } = document;
      const key = Number(document['k']);
      const flaw = flawOf(document);
      if (flaw !== undefined) this.wrong(collection, flaw);
      if (seen.has(_id)) this.wrong(collection, `document ${_id} comes twice in a scan`);
      if (isSorted && key < last) this.wrong(collection, `document ${_id} comes out of order`);
      seen.add(_id);
      last = key;
      if (document['owner'] === 0) stable += 1;
    }
    this.compare(collection, 'a scan', stable);
  }

  private async count(collection: Collection<TestDocument>): Promise<void> {
    this.compare(collection, 'a count', await collection.countDocuments({ owner: 0 }));
  }

  private async group(collection: Collection<TestDocument>): Promise<void> {
    const groups = await collection
      .aggregate([{ $match: { owner: 0 } }, { $group: { _id: '$group', count: { $sum: 1 } } }])
      .toArray();
    const total = groups.reduce((sum, { count }) => sum + Number(count), 0);
    this.compare(collection, 'a $group', total);
  }

  private compare(collection: Collection<TestDocument>, by: string, count: number): void {
    if (count === this.stable) return;
    this.wrong(collection, `${by} found ${count} of ${this.stable} documents that never change`);
  }

  private wrong({ collectionName }: Collection<TestDocument>, what: string): void {
    this.report.violation(`${collectionName}: ${what}`);
  }
}
