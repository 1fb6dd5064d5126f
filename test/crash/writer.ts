/**
 * One of the clients that write while the server is killed. It has one command under way at a time.
 */
import type { Collection, MongoClient } from 'mongodb';
import type { Random } from '../../common/random.ts';
import { documentOf, fieldsOf, type DocumentId, type TestDocument } from './documents.ts';
import type { Change, Ledger } from './ledger.ts';
import { isRefusal } from './refusal.ts';

const JOURNALED = { writeConcern: { w: 1, j: true } } as const;
/** A writer keeps about so many documents. */
const FEWEST_DOCUMENTS = 100;
const MOST_DOCUMENTS = 500;
const LARGEST_BATCH = 25;
/** Ids of different writers never meet. */
const IDS_PER_WRITER = 1_000_000;

type Command = (collection: Collection<TestDocument>) => Promise<unknown>;

/** A command and what it will have changed. */
interface Step {
  readonly changes: readonly Change[];
  readonly run: Command;
}

export class Writer {
  private readonly number: number;
  private readonly ledger: Ledger;
  private readonly random: Random;
  /** Documents of this writer that may be there. */
  private ids: DocumentId[] = [];
  private nextId: DocumentId;

  constructor(number: number, ledger: Ledger, random: Random) {
    this.number = number;
    this.ledger = ledger;
    this.random = random;
    this.nextId = number * IDS_PER_WRITER;
  }

  /** Writes until the server is gone. @throws MongoServerError: the server has refused a command, which it must not. */
  async writeUntilTheEnd(client: MongoClient, collectionName: string): Promise<void> {
    this.ids = this.ids.filter((id) => this.ledger.versionOf(id) !== undefined);
    const collection = client.db('crash').collection<TestDocument>(collectionName);
    for (;;) {
      const step = this.chooseStep();
      this.ledger.begin(this.number, step.changes);
      try {
        await step.run(collection);
      } catch (error) {
        if (isRefusal(error)) throw error;
        return;
      }
      this.ledger.acknowledge(this.number);
    }
  }

  private chooseStep(): Step {
    if (this.ids.length < FEWEST_DOCUMENTS) return this.insertMany();
    const dice = this.random.next();
    if (this.ids.length > MOST_DOCUMENTS ? dice < 0.5 : dice < 0.15) return this.deleteOne();
    if (dice < 0.3) return this.insertOne();
    if (dice < 0.37) return this.insertMany();
    if (dice < 0.42) return this.bulk();
    return this.update();
  }

  private insertOne(): Step {
    const id = this.newId();
    return {
      changes: [{ id, before: undefined, after: 1 }],
      run: (collection) => collection.insertOne(documentOf(id, 1), JOURNALED),
    };
  }

  private insertMany(): Step {
    const ids = Array.from({ length: 2 + this.random.below(LARGEST_BATCH) }, () => this.newId());
    return {
      changes: ids.map((id) => ({ id, before: undefined, after: 1 })),
      run: (collection) =>
        collection.insertMany(
          ids.map((id) => documentOf(id, 1)),
          { ...JOURNALED, ordered: true },
        ),
    };
  }

  private deleteOne(): Step {
    const { id, version } = this.chooseDocument();
    this.ids = this.ids.filter((each) => each !== id);
    return {
      changes: [{ id, before: version, after: undefined }],
      run: (collection) => collection.deleteOne({ _id: id }, JOURNALED),
    };
  }

  /** Each kind of update leads to the same document. */
  private update(): Step {
    const { id, version } = this.chooseDocument();
    const after = version + 1;
    const change = { $set: fieldsOf(id, after), $inc: { version: 1 } };
    const kinds: readonly Command[] = [
      (collection) => collection.updateOne({ _id: id }, change, JOURNALED),
      (collection) => collection.updateMany({ unique: `${id}:${version}` }, change, JOURNALED),
      (collection) => collection.replaceOne({ _id: id }, documentOf(id, after), JOURNALED),
      (collection) => collection.findOneAndUpdate({ _id: id }, change, JOURNALED),
    ];
    const run = kinds[this.random.below(kinds.length)] ?? kinds[0];
    if (run === undefined) throw new Error('there is no kind of update');
    return { changes: [{ id, before: version, after }], run };
  }

  /** Several updates in one command: each of them stands alone, in order. */
  private bulk(): Step {
    const chosen = new Map<DocumentId, number>();
    for (let count = 0; count < LARGEST_BATCH; count += 1) {
      const { id, version } = this.chooseDocument();
      chosen.set(id, version);
    }
    return {
      changes: [...chosen].map(([id, version]) => ({ id, before: version, after: version + 1 })),
      run: (collection) =>
        collection.bulkWrite(
          [...chosen].map(([id, version]) => ({
            updateOne: {
              filter: { _id: id },
              update: { $set: fieldsOf(id, version + 1), $inc: { version: 1 } },
            },
          })),
          { ...JOURNALED, ordered: true },
        ),
    };
  }

  private newId(): DocumentId {
    this.nextId += 1;
    this.ids.push(this.nextId);
    return this.nextId;
  }

  private chooseDocument(): { id: DocumentId; version: number } {
    const id = this.ids[this.random.below(this.ids.length)];
    const version = id === undefined ? undefined : this.ledger.versionOf(id);
    if (id === undefined || version === undefined) throw new Error('a writer lost its documents');
    return { id, version };
  }
}
