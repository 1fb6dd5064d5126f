/**
 * The client that builds an index over a collection that is too large for one step, and drops it, while the server is
 * killed. After a restart the index is there, whole, or it is not; which of the two, its book says unless a change was under way.
 */
import type { Db, MongoClient } from 'mongodb';
import type { Random } from '../../common/random.ts';
import { isRefusal } from './refusal.ts';

const COLLECTION = 'built';
const INDEX = { key: { a: 1, s: 1 }, name: 'a_1_s_1' } as const;
/** More than the engine indexes in one step. */
const DOCUMENTS = 12_000;
const LOAD_BATCH = 3_000;
const JOURNALED = { writeConcern: { w: 1, j: true } } as const;

export class IndexBuilder {
  /** Builds that were acknowledged, and kills while one was under way. */
  builds = 0;
  killedBuilds = 0;
  private readonly random: Random;
  private isThere = false;
  private underWay: 'build' | 'drop' | undefined;

  constructor(random: Random) {
    this.random = random;
  }

  async prepare(database: Db): Promise<void> {
    for (let first = 0; first < DOCUMENTS; first += LOAD_BATCH) {
      const documents = Array.from({ length: LOAD_BATCH }, (_, index) => ({
        _id: first + index,
        a: this.random.below(1000),
        s: `text ${this.random.below(1_000_000)}`,
      }));
      const collection = database.collection<{ _id: number }>(COLLECTION);
      await collection.insertMany(documents, JOURNALED);
    }
  }

  /** Builds and drops until the server is gone. @throws MongoServerError: a command was refused, which it must not be. */
  async workUntilTheEnd(client: MongoClient): Promise<void> {
    const database = client.db('crash');
    for (;;) {
      this.underWay = this.isThere ? 'drop' : 'build';
      try {
        await database.command(
          this.isThere
            ? { dropIndexes: COLLECTION, index: INDEX.name, ...JOURNALED }
            : { createIndexes: COLLECTION, indexes: [INDEX], ...JOURNALED },
        );
      } catch (error) {
        if (isRefusal(error)) throw error;
        if (this.underWay === 'build') this.killedBuilds += 1;
        return;
      }
      if (!this.isThere) this.builds += 1;
      this.isThere = !this.isThere;
      this.underWay = undefined;
    }
  }

  /** Writes to the collection all the while: a build takes in what changes under it. */
  async updateUntilTheEnd(client: MongoClient): Promise<void> {
    const collection = client.db('crash').collection<{ _id: number }>(COLLECTION);
    for (;;) {
      const filter = { _id: this.random.below(DOCUMENTS) };
      try {
        await collection.updateOne(filter, { $set: { a: this.random.below(1000) } });
      } catch (error) {
        if (isRefusal(error)) throw error;
        return;
      }
    }
  }

  /** @returns what is wrong after a restart */
  async check(database: Db): Promise<string[]> {
    const violations: string[] = [];
    const indexes = await database.collection(COLLECTION).indexes();
    const isThere = indexes.some(({ name }) => name === INDEX.name);
    if (this.underWay === undefined && isThere !== this.isThere) {
      violations.push(`the index ${INDEX.name} is ${isThere ? 'there again' : 'gone'}`);
    }
    this.isThere = isThere;
    this.underWay = undefined;
    const report = await database.command({ validate: COLLECTION, full: true });
    if (report['valid'] !== true || report['errors'].length > 0) {
      violations.push(`${COLLECTION}: validate says ${JSON.stringify(report['errors'])}`);
    }
    for (const [index, keys] of Object.entries(report['keysPerIndex'])) {
      if (Number(keys) === DOCUMENTS) continue;
      violations.push(`${COLLECTION}: ${index} has ${String(keys)} keys, not ${DOCUMENTS}`);
    }
    return violations;
  }
}
