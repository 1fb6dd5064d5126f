/**
 * The client that makes, renames and drops collections and indexes while the server is killed.
 *
 * It owns its own book: what the catalog must show, and which one change was under way.
 */
import type { Db, MongoClient } from 'mongodb';
import type { Random } from '../../common/random.ts';
import { isRefusal } from './refusal.ts';

const JOURNALED = { writeConcern: { w: 1, j: true } } as const;
/** The index that comes and goes on a collection that is being written to. */
export const COMING_AND_GOING = { key: { version: 1 }, name: 'version_1' } as const;
const MOST_COLLECTIONS = 12;

/** Names of things in the catalog: collections, and `<collection>#<index>` for indexes. */
type Names = ReadonlySet<string>;

interface Step {
  readonly after: Names;
  readonly run: (database: Db) => Promise<unknown>;
}

export class CatalogWriter {
  changes = 0;
  private readonly random: Random;
  private readonly indexedCollection: string;
  private names: Names = new Set();
  private underWay: Names | undefined;
  private numbers = 0;

  /** @param indexedCollection the collection whose index comes and goes. */
  constructor(random: Random, indexedCollection: string) {
    this.random = random;
    this.indexedCollection = indexedCollection;
  }

  /** Changes the catalog until the server is gone. */
  async writeUntilTheEnd(client: MongoClient): Promise<void> {
    const database = client.db('crash');
    for (;;) {
      const step = this.chooseStep();
      this.underWay = step.after;
      try {
        await step.run(database);
      } catch (error) {
        if (isRefusal(error)) throw error;
        return;
      }
      this.names = step.after;
      this.underWay = undefined;
      this.changes += 1;
      await new Promise((resolve) => setTimeout(resolve, this.random.below(15)));
    }
  }

  /** Compares the catalog after a crash with the book, and goes on from there. */
  reconcile(found: Names): string[] {
    const expected = [this.names, ...(this.underWay === undefined ? [] : [this.underWay])];
    this.underWay = undefined;
    const fits = expected.find(
      (names) => names.size === found.size && [...names].every((name) => found.has(name)),
    );
    this.names = found;
    if (fits !== undefined) return [];
    const sets = expected.map((names) => `{${[...names].join(', ')}}`);
    return [`the catalog shows {${[...found].join(', ')}}, and not ${sets.join(' or ')}`];
  }

  private chooseStep(): Step {
    const index = `${this.indexedCollection}#${COMING_AND_GOING.name}`;
    if (this.random.next() < 0.3)
      return this.names.has(index) ? this.dropIndex(index) : this.createIndex(index);
    const collections = [...this.names].filter((name) => name !== index);
    const chosen = collections[this.random.below(Math.max(1, collections.length))];
    if (
      chosen === undefined ||
      (collections.length < MOST_COLLECTIONS && this.random.next() < 0.4)
    ) {
      return this.create();
    }
    return this.random.next() < 0.5 ? this.rename(chosen) : this.drop(chosen);
  }

  private createIndex(name: string): Step {
    return {
      after: new Set([...this.names, name]),
      run: (database) =>
        database.command({
          createIndexes: this.indexedCollection,
          indexes: [COMING_AND_GOING],
          ...JOURNALED,
        }),
    };
  }

  private dropIndex(name: string): Step {
    return {
      after: this.without(name),
      run: (database) =>
        database.command({
          dropIndexes: this.indexedCollection,
          index: COMING_AND_GOING.name,
          ...JOURNALED,
        }),
    };
  }

  private create(): Step {
    const name = this.newName();
    return {
      after: new Set([...this.names, name]),
      run: (database) => database.command({ create: name, ...JOURNALED }),
    };
  }

  private rename(from: string): Step {
    const to = this.newName();
    return {
      after: new Set([...this.without(from), to]),
      run: (database) =>
        database.client
          .db('admin')
          .command({ renameCollection: `crash.${from}`, to: `crash.${to}`, ...JOURNALED }),
    };
  }

  private drop(name: string): Step {
    return {
      after: this.without(name),
      run: (database) => database.command({ drop: name, ...JOURNALED }),
    };
  }

  private newName(): string {
    this.numbers += 1;
    return `scratch_${this.numbers}`;
  }

  private without(name: string): Set<string> {
    return new Set([...this.names].filter((each) => each !== name));
  }
}
