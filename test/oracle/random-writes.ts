/**
 * Random writes to a collection with an index of every kind: afterwards `validate` finds no entry missing, and none left over.
 *
 * Owns: the indexes, the writers, and what is written. Several clients write at once, in transactions and without, while indexes come and go.
 */
import type { ClientSession, Collection, Document, MongoClient } from 'mongodb';
import { MongoServerError } from 'mongodb';
import { SeededRandom } from '../../common/random.ts';
import { document } from './documents.ts';
import { pick, type Plain, scalar, value } from './values.ts';

/** Documents that are written again and again. */
const IDS = 300;
const WRITERS = 8;
const FUTURE = new Date('2200-01-01');

const INDEXES: readonly (readonly [key: Plain, options: Plain])[] = [
  [{ a: 1 }, {}],
  [{ b: -1, m: 1 }, {}],
  [{ 'a.x': 1, 'a.y': 1 }, {}],
  [{ 'a.x.y': 1, m: -1 }, {}],
  [{ u: 1 }, { unique: true }],
  [{ d: 1 }, { sparse: true }],
  [{ b: 1 }, { partialFilterExpression: { m: { $gt: 1 } } }],
  [
    { m: 1, u: 1 },
    { unique: true, partialFilterExpression: { u: { $exists: true } } },
  ],
  [{ when: 1 }, { expireAfterSeconds: 10 }],
  [{ h: 'hashed' }, {}],
  [{ m: 1, h: 'hashed' }, {}],
  [{ 'b.$**': 1 }, {}],
  [{ '$**': 1 }, { wildcardProjection: { a: 1, c: 1 } }],
  [{ m: 1, 'd.$**': 1 }, {}],
  [{ t: 'text', m: 1 }, { weights: { t: 3 } }],
  [{ g: '2dsphere', m: 1 }, {}],
  [{ p: '2d' }, {}],
  [{ c: 1 }, { hidden: true, name: 'hidden' }],
  [{ c: 1, t: 1 }, { collation: { locale: 'en', strength: 2 } }],
];

export interface WritesReport {
  readonly writes: number;
  /** Refused by an index: duplicates, parallel arrays; or given up after a conflict. */
  readonly refused: number;
  /** What validate counted. */
  readonly records: number;
  readonly entries: Readonly<Record<string, number>>;
}

/** @param name of the collection, which is dropped before. */
export class RandomWrites {
  private readonly client: MongoClient;
  private readonly collection: Collection;
  private writes = 0;
  private refused = 0;

  constructor(client: MongoClient, name: string) {
    this.client = client;
    this.collection = client.db('oracle').collection(name);
  }

  async create(options: { readonly clustered: boolean }): Promise<void> {
    const { collection } = this;
    await collection.drop();
    const clusteredIndex = { key: { _id: 1 }, unique: true };
    await this.client
      .db('oracle')
      .createCollection(collection.collectionName, options.clustered ? { clusteredIndex } : {});
    for (const [key, given] of INDEXES) await collection.createIndex(key as Document, given);
  }

  /** @throws what no write may fail with. */
  async run(seed: number, count: number): Promise<void> {
    const writers = Array.from({ length: WRITERS }, async (_, number) => {
      const random = new SeededRandom(seed * 100 + number);
      for (let left = Math.ceil(count / WRITERS); left > 0; left -= 1) await this.write(random);
    });
    const builder = this.rebuild(new SeededRandom(seed * 100 + 99), Math.ceil(count / 500));
    await Promise.all([...writers, builder]);
  }

  /** @throws Error with what validate found. */
  async validate(): Promise<WritesReport> {
    const { collection } = this;
    const report = await this.client
      .db('oracle')
      .command({ validate: collection.collectionName, full: true });
    if (report['valid'] !== true) throw new Error(`validate: ${JSON.stringify(report['errors'])}`);
    return {
      writes: this.writes,
      refused: this.refused,
      records: Number(report['nrecords']),
      entries: report['keysPerIndex'] as Record<string, number>,
    };
  }

  private async write(random: SeededRandom): Promise<void> {
    this.writes += 1;
    try {
      if (random.below(8) === 0) await this.inTransaction(random);
      else await this.oneWrite(random, undefined);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.refused += 1;
    }
  }

  private async inTransaction(random: SeededRandom): Promise<void> {
    const session = this.client.startSession();
    try {
      session.startTransaction();
      for (let left = 1 + random.below(4); left > 0; left -= 1) {
        await this.oneWrite(random, session);
      }
      if (random.below(3) === 0) await session.abortTransaction();
      else await session.commitTransaction();
    } finally {
      await session.endSession();
    }
  }

  private async oneWrite(random: SeededRandom, session: ClientSession | undefined): Promise<void> {
    const { collection } = this;
    const options = session === undefined ? {} : { session };
    const _id = random.below(IDS) as never;
    const range = { _id: { $gte: _id, $lt: (Number(_id) + 4) as never } };
    switch (random.below(9)) {
      case 0:
      case 1:
        await collection.insertOne(anyDocument(random, Number(_id)), options);
        return;
      case 2:
        await collection.replaceOne({ _id }, withoutId(anyDocument(random, 0)), options);
        return;
      case 3:
        await collection.updateMany(range, anyUpdate(random), options);
        return;
      case 4:
        await collection.deleteMany(random.below(4) === 0 ? range : { _id }, options);
        return;
      case 5:
        await collection.findOneAndUpdate({ _id }, anyUpdate(random), { ...options, upsert: true });
        return;
      case 6:
        await collection.insertMany(
          [0, 1, 2].map((more) => anyDocument(random, IDS + random.below(IDS) + more)),
          { ...options, ordered: random.below(2) === 0 },
        );
        return;
      default:
        await collection.updateOne({ _id }, anyUpdate(random), options);
    }
  }

  /** Drops an index and builds it again beside the writes. */
  private async rebuild(random: SeededRandom, times: number): Promise<void> {
    for (let left = times; left > 0; left -= 1) {
      const [key, options] = pick(random, INDEXES);
      try {
        const names = await this.collection.indexes();
        const known = names.find(
          (index) =>
            (options['name'] === index.name || options['name'] === undefined) &&
            sameKey(index.key as Plain, key) &&
            (index['partialFilterExpression'] === undefined) ===
              (options['partialFilterExpression'] === undefined),
        );
        if (known?.name !== undefined) await this.collection.dropIndex(known.name);
        await this.collection.createIndex(key as Document, options);
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
  }
}

function sameKey(a: Plain, b: Plain): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function anyDocument(random: SeededRandom, id: number): Document {
  const made = document(random, id, pick(random, ['flat', 'objects', 'arrays', 'elements']));
  made['m'] = random.below(4);
  made['u'] = random.below(100_000);
  if (random.below(2) === 0) made['h'] = scalar(random);
  if (random.below(3) === 0) made['when'] = FUTURE;
  return made as Document;
}

function withoutId(from: Document): Document {
  const { _id: _, ...rest } = from;
  return rest;
}

function anyUpdate(random: SeededRandom): Document {
  const path = pick(random, ['a', 'b', 'c', 'd', 'h', 'a.x', 'b.y']);
  const { g = null, p = [1, 2], t = '' } = document(random, 0, 'arrays');
  return pick<Document>(random, [
    { $set: { [path]: value(random) } },
    { $set: { g, p, t } },
    { $unset: { [path]: 1, t: 1 } },
    { $push: { a: scalar(random) } },
    { $push: { a: { x: random.below(5), y: random.below(5) } } },
    { $inc: { m: 1 } },
    { $set: { u: random.below(100_000) } },
    { $rename: { c: 'd' } },
    { $pull: { a: { y: { $lt: 3 } } } },
  ]);
}

/** An index or another writer refuses; anything else is a defect. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof MongoServerError)) return false;
  // InternalError is nobody's refusal.
  return error.code !== 1 && error.code !== 8;
}
