/**
 * One life of an engine: random writes, reads, catalog changes, index builds and checkpoints, judged by the model.
 */
import assert from 'node:assert/strict';
import { CommandError, CorruptionError, DeviceError } from '../../common/errors.ts';
import { uninterruptible } from '../../common/interruption.ts';
import type { Random } from '../../common/random.ts';
import {
  WriteConflictError,
  type CollectionDescription,
  type CommitNumber,
  type ReadView,
  type StorageEngine,
  type Transaction,
} from '../../storage/index.ts';
import { IDS, INDEX_SPECS, randomDocument } from './documents.ts';
import {
  differenceOf,
  sameBytes,
  sameState,
  type Model,
  type ModelState,
  type ModelWrite,
} from './model.ts';
import { checkCollection, findById, readState, type Reading } from './reading.ts';
import type { World } from './world.ts';

const NAMESPACES = ['test.a', 'test.b', 'test.c', 'other.a'];

/** A transaction with what it should see. */
interface OpenTransaction {
  readonly transaction: Transaction;
  readonly sees: ModelState;
  readonly writes: ModelWrite[];
}

interface HeldSnapshot {
  readonly view: ReadView;
  readonly sees: ModelState;
}

export interface LifeCounts {
  operations: number;
  commits: number;
  conflicts: number;
  duplicates: number;
  checkpoints: number;
  builds: number;
  snapshotReads: number;
  corruptions: number;
}

export class Life {
  readonly counts: LifeCounts = {
    operations: 0,
    commits: 0,
    conflicts: 0,
    duplicates: 0,
    checkpoints: 0,
    builds: 0,
    snapshotReads: 0,
    corruptions: 0,
  };
  private readonly world: World;
  private readonly engine: StorageEngine;
  private readonly model: Model;
  private readonly random: Random;
  private readonly transactions: OpenTransaction[] = [];
  private readonly snapshots: HeldSnapshot[] = [];
  private readonly background: Promise<unknown>[] = [];

  constructor(world: World, engine: StorageEngine, model: Model) {
    this.world = world;
    this.engine = engine;
    this.model = model;
    this.random = world.random;
  }

  /** Runs operations until there were `count`, or the machine goes dark. */
  async run(count: number): Promise<void> {
    for (let done = 0; done < count && !this.world.isDark; done += 1) {
      this.counts.operations += 1;
      try {
        await this.operate();
      } catch (error) {
        // A read that the device refused, or a damaged page, is an error with a name: the operation fails, nothing else.
        if (!this.world.isDark && !this.isNamed(error)) throw error;
      }
      if (this.random.below(3) === 0) await this.world.run(1 + this.random.below(3));
    }
  }

  /** Ends what is open, so that a clean close finds nothing. */
  async finish(): Promise<void> {
    for (const { transaction } of this.transactions.splice(0)) transaction.abort();
    for (const { view } of this.snapshots.splice(0)) view.close();
    await this.world.settle(Promise.allSettled(this.background));
  }

  private async operate(): Promise<void> {
    const dice = this.random.below(100);
    if (this.model.state.size === 0 || dice < 3) return this.createCollection();
    if (dice < 40) return this.writeAlone();
    if (dice < 48) return this.beginTransaction();
    if (dice < 65) return this.writeInTransaction();
    if (dice < 72) return this.endTransaction();
    if (dice < 76) return this.holdSnapshot();
    if (dice < 82) return this.readSnapshot();
    if (dice < 86) return this.flush();
    if (dice < 91) return this.checkpoint();
    if (dice < 94) return this.buildIndex();
    if (dice < 96) return this.dropIndex();
    if (dice < 97) return this.renameCollection();
    if (dice < 98) return this.dropCollection();
    if (dice < 99) return this.churn();
    return this.readLatest();
  }

  // Writes.

  private async writeAlone(): Promise<void> {
    const admitted = this.engine.admitWrite(uninterruptible);
    if (admitted !== undefined) await this.world.settle(admitted);
    if (this.world.isDark) return;
    const open = this.open();
    for (let count = 1 + this.random.below(2); count > 0; count -= 1) {
      if (!(await this.writeOnce(open))) return;
    }
    const commitNumber = this.commit(open);
    if (commitNumber === undefined || this.random.below(3) > 0) return;
    await this.world.settle(this.engine.flushed(commitNumber));
    if (!this.world.isDark) this.model.acknowledge(commitNumber);
  }

  /** Many updates and checkpoints in a row: extents become sparse, are emptied, freed and filled again. */
  private async churn(): Promise<void> {
    for (let round = 2 + this.random.below(5); round > 0 && !this.world.isDark; round -= 1) {
      const open = this.open();
      for (let count = 0; count < 25; count += 1) {
        if (!(await this.writeOnce(open, 4000))) return;
      }
      this.commit(open);
      this.counts.checkpoints += 1;
      await this.settleQuietly(this.engine.checkpoint());
    }
  }

  private beginTransaction(): Promise<void> {
    if (this.transactions.length < 3) this.transactions.push(this.open());
    return Promise.resolve();
  }

  private async writeInTransaction(): Promise<void> {
    const open = this.transactions[this.random.below(this.transactions.length)];
    if (open === undefined) return;
    if (!(await this.writeOnce(open))) this.transactions.splice(this.transactions.indexOf(open), 1);
  }

  private endTransaction(): Promise<void> {
    const index = this.random.below(this.transactions.length);
    const open = this.transactions.splice(index, 1)[0];
    if (open === undefined) return Promise.resolve();
    if (this.random.below(4) === 0) open.transaction.abort();
    else this.commit(open);
    return Promise.resolve();
  }

  private open(): OpenTransaction {
    return { transaction: this.engine.begin(), sees: this.model.copy(), writes: [] };
  }

  /** @returns false when the transaction had to end. */
  private async writeOnce(open: OpenTransaction, padBytes = 0): Promise<boolean> {
    const { transaction, sees } = open;
    const namespace = this.anyOf([...sees.keys()]);
    const collection = namespace === undefined ? undefined : transaction.collection(namespace);
    if (namespace === undefined || collection === undefined) return true;
    const documents = sees.get(namespace);
    assert.ok(documents !== undefined);
    const savepoint = transaction.savepoint();
    const id = String(this.random.below(IDS));
    try {
      const found = await findById(transaction, collection, id);
      assert.ok(
        sameBytes(found?.document, documents.get(id)),
        `${namespace} ${id}: a transaction reads another document`,
      );
      const after =
        this.random.below(4) === 0 ? undefined : randomDocument(id, this.random, padBytes);
      if (found === undefined) {
        if (after === undefined) return true;
        transaction.insert(collection, after);
      } else if (after === undefined) {
        transaction.delete(collection, found.recordId, found.document);
      } else {
        transaction.update(collection, found.recordId, found.document, after);
      }
      if (this.random.below(10) === 0) {
        transaction.rollbackTo(savepoint);
        return true;
      }
      open.writes.push({ namespace, id, before: found?.document, after });
      if (after === undefined) documents.delete(id);
      else documents.set(id, after);
      return true;
    } catch (error) {
      return this.survives(error, transaction);
    }
  }

  private survives(error: unknown, transaction: Transaction): boolean {
    if (error instanceof WriteConflictError) this.counts.conflicts += 1;
    else if (error instanceof CommandError && error.code === 11000) this.counts.duplicates += 1;
    else if (!isShortage(error) && !this.isNamed(error)) throw error;
    transaction.abort();
    return false;
  }

  private commit(open: OpenTransaction): CommitNumber | undefined {
    const { transaction, writes } = open;
    try {
      const commitNumber = transaction.commit();
      if (writes.length === 0) return undefined;
      this.counts.commits += 1;
      const wrong = this.model.commitWrites(commitNumber, writes);
      assert.equal(wrong, undefined);
      return commitNumber;
    } catch (error) {
      this.survives(error, transaction);
      return undefined;
    }
  }

  // Catalog.

  private async createCollection(): Promise<void> {
    const namespace = this.anyOf(NAMESPACES.filter((name) => !this.model.state.has(name)));
    if (namespace === undefined) return;
    await this.changeCatalog({ from: undefined, to: namespace }, (transaction) => {
      const collection = transaction.createCollection(namespace);
      if (this.random.below(2) === 0) transaction.createIndex(collection, this.anySpec());
    });
  }

  private async dropCollection(): Promise<void> {
    const namespace = this.anyOf([...this.model.state.keys()]);
    if (namespace === undefined) return;
    await this.changeCatalog({ from: namespace, to: undefined }, (transaction) => {
      transaction.dropCollection(describe(transaction, namespace));
    });
  }

  private async renameCollection(): Promise<void> {
    const from = this.anyOf([...this.model.state.keys()]);
    const to = this.anyOf(NAMESPACES.filter((name) => !this.model.state.has(name)));
    if (from === undefined || to === undefined) return;
    await this.changeCatalog({ from, to }, (transaction) => {
      transaction.renameCollection(describe(transaction, from), to);
    });
  }

  private async changeCatalog(
    change: { from: string | undefined; to: string | undefined },
    act: (transaction: Transaction) => void,
  ): Promise<void> {
    const transaction = this.engine.begin();
    try {
      act(transaction);
      this.model.commitCatalog(transaction.commit(), change);
    } catch (error) {
      this.survives(error, transaction);
    }
    await this.world.run(1);
  }

  private async dropIndex(): Promise<void> {
    const transaction = this.engine.begin();
    try {
      const collection = this.anyOf(transaction.collections());
      const index = this.anyOf(collection?.indexes.slice(1) ?? []);
      if (collection === undefined || index === undefined) return;
      transaction.dropIndex(collection, index);
      this.model.commitNothing(transaction.commit());
    } catch (error) {
      this.survives(error, transaction);
    } finally {
      transaction.close();
    }
    await this.world.run(1);
  }

  /** Runs beside the writes that follow. */
  private buildIndex(): Promise<void> {
    const view = this.engine.snapshot();
    const collection = this.anyOf(view.collections());
    view.close();
    if (collection === undefined) return Promise.resolve();
    const taken = new Set(collection.indexes.map(({ name }) => name));
    const spec = this.anySpec();
    if (taken.has(nameOf(spec))) return Promise.resolve();
    this.counts.builds += 1;
    this.inBackground(this.engine.buildIndexes(collection.namespace, [spec], uninterruptible));
    return Promise.resolve();
  }

  // Reads.

  private holdSnapshot(): Promise<void> {
    if (this.snapshots.length < 3) {
      this.snapshots.push({ view: this.engine.snapshot(), sees: this.model.copy() });
    }
    return Promise.resolve();
  }

  private async readSnapshot(): Promise<void> {
    const index = this.random.below(this.snapshots.length);
    const held = this.snapshots[index];
    if (held === undefined) return;
    try {
      await this.checkView(held.view, held.sees);
      this.counts.snapshotReads += 1;
    } catch (error) {
      if (!(error instanceof CommandError) || error.codeName !== 'SnapshotTooOld') throw error;
      this.snapshots.splice(index, 1);
      return;
    }
    if (this.random.below(3) > 0) return;
    held.view.close();
    this.snapshots.splice(index, 1);
  }

  private async readLatest(): Promise<void> {
    const view = this.engine.snapshot();
    try {
      await this.checkView(view, this.model.copy());
    } finally {
      view.close();
    }
  }

  /** Reads everything while the engine works on in between. */
  private async checkView(view: ReadView, expected: ModelState): Promise<void> {
    const actual: ModelState = new Map();
    for (const collection of view.collections()) {
      const documents = new Map<string, Buffer>();
      const cursor = view.scanRecords(collection, {
        direction: this.random.below(2) === 0 ? 1 : -1,
      });
      while (await cursor.next()) {
        documents.set(String(cursor.document.readInt32LE(9)), cursor.document);
        if (this.random.below(8) > 0) continue;
        cursor.detach();
        await this.world.run(1);
        if (this.world.isDark) return;
        cursor.attach(view);
      }
      actual.set(collection.namespace, documents);
      await checkCollection(view, collection, expected.get(collection.namespace) ?? new Map());
    }
    assert.ok(sameState(expected, actual), `a snapshot differs: ${differenceOf(expected, actual)}`);
  }

  // The engine's own work.

  private async flush(): Promise<void> {
    const commitNumber = this.model.lastCommitNumber;
    const view = this.engine.snapshot();
    const latest = view.commitNumber;
    view.close();
    await this.world.settle(this.engine.flushed(latest));
    if (!this.world.isDark) this.model.acknowledge(commitNumber);
  }

  private async checkpoint(): Promise<void> {
    this.counts.checkpoints += 1;
    const taken = this.engine.checkpoint();
    if (this.random.below(2) === 0) await this.settleQuietly(taken);
    else this.inBackground(taken);
  }

  private async settleQuietly(promise: Promise<unknown>): Promise<void> {
    try {
      await this.world.settle(promise);
    } catch (error) {
      if (!this.isNamed(error)) throw error;
    }
  }

  private inBackground(promise: Promise<unknown>): void {
    this.background.push(
      promise.catch((error: unknown) => {
        if (this.world.isDark || this.isNamed(error) || error instanceof CommandError) return;
        throw error;
      }),
    );
  }

  private isNamed(error: unknown): boolean {
    if (error instanceof CorruptionError && this.world.damages) {
      this.counts.corruptions += 1;
      return true;
    }
    return error instanceof DeviceError;
  }

  private anySpec(): Buffer {
    return INDEX_SPECS[this.random.below(INDEX_SPECS.length)];
  }

  private anyOf<T>(choices: readonly T[]): T | undefined {
    return choices[this.random.below(choices.length)];
  }
}

/** What the whole store holds, to be compared after a restart. */
export function stateOf(engine: StorageEngine): Promise<Reading> {
  const view = engine.snapshot();
  return readState(view).finally(() => view.close());
}

function describe(view: ReadView, namespace: string): CollectionDescription {
  const collection = view.collection(namespace);
  assert.ok(collection !== undefined, `${namespace} is not there`);
  return collection;
}

function nameOf(spec: Buffer): string {
  return /name..{4}([a-z]+)\0/s.exec(spec.toString('latin1'))?.[1] ?? '';
}

/** Memory or space ran out: the operation fails, the store does not. */
function isShortage(error: unknown): boolean {
  const codes = [
    'TransactionTooLargeForCache',
    'SnapshotTooOld',
    'OutOfDiskSpace',
    'NamespaceNotFound',
  ];
  if (error instanceof DeviceError) return true;
  return error instanceof CommandError && codes.includes(error.codeName);
}
