/**
 * One of the clients that write while chunks move and servers die, and read back what they wrote.
 *
 * It has one command under way at a time, and its documents are its own: whatever it reads of them is known beforehand.
 */
import type { Collection, MongoClient } from 'mongodb';
import type { Random } from '../../common/random.ts';
import {
  changeTo,
  flawOf,
  IDS_PER_WRITER,
  shardedDocument,
  targetedFilter,
  type CollectionName,
  type DocumentId,
  type TestDocument,
} from './documents.ts';
import { Ledger, type Change } from './ledger.ts';
import { sleep } from './kills.ts';
import { isExpected, nameOf } from './refusals.ts';
import type { Report } from './report.ts';

const JOURNALED = { writeConcern: { w: 1, j: true } } as const;
const FEWEST_DOCUMENTS = 60;
const MOST_DOCUMENTS = 200;
const LARGEST_BATCH = 12;
/** Of all steps so many read. */
const READ_SHARE = 0.2;
/** Whoever writes again at once spends all documents on a server that is down: from one look to the next until it is back. */
const AFTER_FAILURE_MS = 100;
/** After so many looks it writes again, whatever it saw. */
const MOST_LOOKS = 100;

interface Write {
  readonly changes: readonly Change[];
  /** @returns how many documents it says it has changed */
  readonly run: () => Promise<number>;
}

export class Writer {
  readonly ledger = new Ledger();
  readonly name: CollectionName;
  private readonly number: number;
  private readonly collection: Collection<TestDocument>;
  private readonly random: Random;
  private readonly report: Report;
  private ids: DocumentId[] = [];
  private nextId: DocumentId;

  /** @param number 1 and up */
  constructor(
    number: number,
    parts: {
      readonly client: MongoClient;
      readonly name: CollectionName;
      readonly random: Random;
      readonly report: Report;
    },
  ) {
    this.number = number;
    this.name = parts.name;
    this.collection = parts.client.db('torture').collection<TestDocument>(parts.name);
    this.random = parts.random;
    this.report = parts.report;
    this.nextId = number * IDS_PER_WRITER;
  }

  async workUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.report.timed(`writer ${this.number}`, () =>
        this.random.next() < READ_SHARE ? this.checkSome() : this.write(),
      );
    }
  }

  /** Nothing is under way: reads all, and learns what became of the changes without answer. @throws what the read throws */
  async checkAtRest(): Promise<void> {
    const found = await this.check();
    this.ids.push(...this.ledger.settle(found));
  }

  /** All that this writer has written, read at once. @throws what the read throws */
  private async check(): Promise<ReadonlyMap<DocumentId, number>> {
    const found = await this.collection.find({ owner: this.number }).sort({ k: 1 }).toArray();
    return this.compare('a read of all', found);
  }

  private async write(): Promise<void> {
    const { changes, run } = this.chooseWrite();
    let count: number;
    try {
      count = await run();
    } catch (error) {
      this.ids = this.ids.filter((id) => changes.every((change) => change.id !== id));
      this.ledger.leaveOpen(changes);
      this.report.failed('write', nameOf(error));
      if (!isExpected(error)) this.report.violation(`writer ${this.number}: ${String(error)}`);
      await this.untilServed();
      return;
    }
    if (count !== changes.length) {
      const ids = changes.map(({ id }) => id).join(', ');
      this.report.violation(
        `${this.name}: a write to ${changes.length} documents that are there changed ${count}: ${ids}`,
      );
    }
    this.ledger.acknowledge(changes);
  }

  /** Until every shard answers again: what is written to one that is down is a change without answer. */
  private async untilServed(): Promise<void> {
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      await sleep(AFTER_FAILURE_MS);
      try {
        await this.collection.countDocuments({ owner: this.number, version: 0 });
        return;
      } catch (error) {
        if (!isExpected(error)) throw error;
      }
    }
  }

  private async checkSome(): Promise<void> {
    try {
      const dice = this.random.next();
      if (dice < 0.15 || this.ids.length === 0) await this.check();
      else await this.checkOne(this.chooseDocument(), dice < 0.6);
      this.report.reads += 1;
    } catch (error) {
      this.report.failed('read', nameOf(error));
      if (!isExpected(error)) this.report.violation(`writer ${this.number}: ${String(error)}`);
      await this.untilServed();
    }
  }

  private async checkOne({ id, version }: Known, isTargeted: boolean): Promise<void> {
    const filter = isTargeted ? targetedFilter(id) : { _id: id };
    const found = await this.collection.find(filter).toArray();
    const versions = found.map((document) => Number(document['version']));
    if (versions.length === 1 && versions[0] === version) return;
    this.report.violation(
      `${this.name}: document ${id} has version ${version}; a ${isTargeted ? 'targeted' : 'broadcast'} find gave [${versions.join(', ')}]`,
    );
  }

  private compare(
    where: string,
    documents: readonly TestDocument[],
  ): ReadonlyMap<DocumentId, number> {
    const found = new Map<DocumentId, number>();
    for (const document of documents) {
      const flaw = flawOf(document);
      if (flaw !== undefined) this.report.violation(`${this.name}, ${where}: ${flaw}`);
      if (found.has(document._id)) {
        this.report.violation(`${this.name}, ${where}: document ${document._id} comes twice`);
      }
      found.set(document._id, Number(document['version']));
    }
    for (const wrong of this.ledger.compare(found)) {
      this.report.violation(`${this.name}, ${where}: ${wrong}`);
    }
    return found;
  }

  private chooseWrite(): Write {
    if (this.ids.length < FEWEST_DOCUMENTS) return this.insertMany();
    const dice = this.random.next();
    if (dice < (this.ids.length > MOST_DOCUMENTS ? 0.5 : 0.15)) return this.remove();
    if (dice < 0.6) return this.update();
    if (dice < 0.7) return this.bulk();
    return dice < 0.9 ? this.insertOne() : this.insertMany();
  }

  private insertOne(): Write {
    const id = this.newId();
    const { collection } = this;
    return {
      changes: [{ id, before: undefined, after: 1 }],
      run: async () => {
        const { acknowledged } = await collection.insertOne(shardedDocument(id, 1), JOURNALED);
        return Number(acknowledged);
      },
    };
  }

  private insertMany(): Write {
    const ids = Array.from({ length: 2 + this.random.below(LARGEST_BATCH) }, () => this.newId());
    const ordered = this.random.next() < 0.5;
    const documents = ids.map((id) => shardedDocument(id, 1));
    return {
      changes: ids.map((id) => ({ id, before: undefined, after: 1 })),
      run: async () =>
        (await this.collection.insertMany(documents, { ...JOURNALED, ordered })).insertedCount,
    };
  }

  private remove(): Write {
    const { id, version } = this.chooseDocument();
    this.ids = this.ids.filter((each) => each !== id);
    const { collection } = this;
    const unique = `${id}:${version}`;
    const runs = [
      async () => (await collection.deleteOne(targetedFilter(id), JOURNALED)).deletedCount,
      async () => (await collection.deleteOne({ _id: id }, JOURNALED)).deletedCount,
      async () => (await collection.deleteMany({ unique }, JOURNALED)).deletedCount,
    ];
    return { changes: [{ id, before: version, after: undefined }], run: this.oneOf(runs) };
  }

  /** Each kind of update leads to the same document. */
  private update(): Write {
    const { id, version } = this.chooseDocument();
    const after = version + 1;
    const change = changeTo(id, after);
    const { collection } = this;
    const targeted = targetedFilter(id);
    const unique = `${id}:${version}`;
    const runs = [
      async () => (await collection.updateOne(targeted, change, JOURNALED)).matchedCount,
      async () => (await collection.updateOne({ _id: id }, change, JOURNALED)).matchedCount,
      async () => (await collection.updateOne({ unique }, change, JOURNALED)).matchedCount,
      async () => (await collection.updateMany({ unique }, change, JOURNALED)).matchedCount,
      async () => {
        const document = shardedDocument(id, after);
        return (await collection.replaceOne(targeted, document, JOURNALED)).matchedCount;
      },
      async () => {
        const before = await collection.findOneAndUpdate(targeted, change, JOURNALED);
        return Number(before?.['version'] === version);
      },
    ];
    return { changes: [{ id, before: version, after }], run: this.oneOf(runs) };
  }

  /** Several updates in one command, targeted or not. */
  private bulk(): Write {
    const chosen = new Map<DocumentId, number>();
    for (let count = 0; count < LARGEST_BATCH; count += 1) {
      const { id, version } = this.chooseDocument();
      chosen.set(id, version);
    }
    const ordered = this.random.next() < 0.5;
    const operations = [...chosen].map(([id, version]) => ({
      updateOne: {
        filter: this.random.next() < 0.7 ? targetedFilter(id) : { _id: id },
        update: changeTo(id, version + 1),
      },
    }));
    return {
      changes: [...chosen].map(([id, version]) => ({ id, before: version, after: version + 1 })),
      run: async () =>
        (await this.collection.bulkWrite(operations, { ...JOURNALED, ordered })).matchedCount,
    };
  }

  private oneOf(runs: readonly (() => Promise<number>)[]): () => Promise<number> {
    const run = runs[this.random.below(runs.length)];
    if (run === undefined) throw new Error('there is nothing to choose from');
    return run;
  }

  private newId(): DocumentId {
    this.nextId += 1;
    this.ids.push(this.nextId);
    return this.nextId;
  }

  private chooseDocument(): Known {
    const id = this.ids[this.random.below(this.ids.length)];
    const version = id === undefined ? undefined : this.ledger.versionOf(id);
    if (id === undefined || version === undefined) throw new Error('a writer lost its documents');
    return { id, version };
  }
}

/** A document that is there for certain. */
interface Known {
  readonly id: DocumentId;
  readonly version: number;
}
