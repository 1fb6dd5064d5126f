/**
 * The writers of a life: single writes, and transactions that stay open while everything else goes on.
 */
import assert, { AssertionError } from 'node:assert/strict';
import { uninterruptible } from '../../../common/interruption.ts';
import type { CommitNumber, Transaction } from '../../../storage/index.ts';
import { IDS, randomDocument } from '../documents.ts';
import { sameBytes, type ModelState, type ModelWrite } from '../model.ts';
import { findById } from '../reading.ts';
import type { LifeContext } from './context.ts';
import { walkRange } from './ranges.ts';

const MOST_OPEN = 3;
const CHURN_PAD_BYTES = 4000;

/** A transaction with what it should see. */
interface OpenTransaction {
  readonly transaction: Transaction;
  readonly sees: ModelState;
  readonly writes: ModelWrite[];
}

interface WriteOptions {
  readonly padBytes?: number;
  /** The document is one of so many; default all. */
  readonly ids?: number;
}

export class Writers {
  private readonly context: LifeContext;
  private readonly open: OpenTransaction[] = [];

  constructor(context: LifeContext) {
    this.context = context;
  }

  async writeAlone(): Promise<void> {
    const { engine, random, world } = this.context;
    try {
      const admitted = engine.admitWrite(uninterruptible);
      if (admitted !== undefined) await world.settle(admitted);
    } catch (error) {
      if (!this.context.isShortage(error)) throw error;
      return;
    }
    if (world.isDark) return;
    const open = this.begin();
    for (let count = 1 + random.below(2); count > 0; count -= 1) {
      if (!(await this.writeOnce(open))) return;
    }
    const commitNumber = this.commit(open);
    if (commitNumber === undefined || random.below(3) > 0) return;
    await this.context.flush(commitNumber);
  }

  /**
   * Many updates and checkpoints in a row: extents become sparse, are emptied, freed and filled again. Mostly of a few documents, after the
   * first round: then tombstones stand among what dies soon, and what they are needed for beside what stays.
   */
  async churn(): Promise<void> {
    const { counts, engine, random, world } = this.context;
    const hotIds = random.below(3) === 0 ? IDS : 1 + random.below(IDS / 4);
    let ids = IDS;
    for (let round = 2 + random.below(5); round > 0 && !world.isDark; round -= 1) {
      const open = this.begin();
      for (let count = 0; count < 25; count += 1) {
        if (!(await this.writeOnce(open, { padBytes: CHURN_PAD_BYTES, ids }))) return;
      }
      ids = hotIds;
      this.commit(open);
      counts.checkpoints += 1;
      await this.context.settleQuietly(
        engine.checkpoint(),
        'the checkpoint failed, and is taken again',
      );
    }
  }

  beginTransaction(): void {
    if (this.open.length < MOST_OPEN) this.open.push(this.begin());
  }

  async writeInTransaction(): Promise<void> {
    const open = this.context.anyOf(this.open);
    if (open === undefined) return;
    if (!(await this.writeOnce(open))) this.open.splice(this.open.indexOf(open), 1);
  }

  /** Part of an index as an open transaction sees it, its own writes included. */
  async walkRange(): Promise<void> {
    const open = this.context.anyOf(this.open);
    if (open === undefined || this.context.world.damageMet) return;
    const { transaction, sees } = open;
    try {
      const namespace = this.context.anyOf([...sees.keys()]);
      const collection = namespace === undefined ? undefined : transaction.collection(namespace);
      const documents = sees.get(namespace ?? '')?.documents;
      if (collection === undefined || documents === undefined) return;
      await walkRange(this.context, transaction, collection, documents);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      this.context.survives(error, transaction);
      this.open.splice(this.open.indexOf(open), 1);
    }
  }

  endTransaction(): void {
    const open = this.open.splice(this.context.random.below(this.open.length), 1)[0];
    if (open === undefined) return;
    if (this.context.random.below(4) === 0) open.transaction.abort();
    else this.commit(open);
  }

  abortAll(): void {
    for (const { transaction } of this.open.splice(0)) transaction.abort();
  }

  private begin(): OpenTransaction {
    const { engine, model } = this.context;
    return { transaction: engine.begin(), sees: model.copy(), writes: [] };
  }

  /** @returns false when the transaction had to end. */
  private async writeOnce(
    open: OpenTransaction,
    { padBytes = 0, ids = IDS }: WriteOptions = {},
  ): Promise<boolean> {
    const { random, world } = this.context;
    const { transaction, sees } = open;
    const savepoint = transaction.savepoint();
    const id = String(random.below(ids));
    try {
      const namespace = this.context.anyOf([...sees.keys()]);
      const collection = namespace === undefined ? undefined : transaction.collection(namespace);
      if (namespace === undefined || collection === undefined) return true;
      const documents = sees.get(namespace)?.documents;
      assert.ok(documents !== undefined);
      const found = await findById(transaction, collection, id, world.taintedRecords);
      assert.ok(
        sameBytes(found?.document, documents.get(id)),
        `${namespace} ${id}: a transaction reads another document`,
      );
      const after = random.below(4) === 0 ? undefined : randomDocument(id, random, padBytes);
      if (found === undefined) {
        if (after === undefined) return true;
        transaction.insert(collection, after);
      } else if (after === undefined) {
        transaction.delete(collection, found.recordId, found.document);
      } else {
        transaction.update(collection, found.recordId, found.document, after);
      }
      if (random.below(10) === 0) {
        transaction.rollbackTo(savepoint);
        return true;
      }
      open.writes.push({ namespace, id, before: found?.document, after });
      if (after === undefined) documents.delete(id);
      else documents.set(id, after);
      return true;
    } catch (error) {
      this.context.survives(error, transaction);
      return false;
    }
  }

  private commit({ transaction, writes }: OpenTransaction): CommitNumber | undefined {
    const { counts, model } = this.context;
    try {
      const commitNumber = transaction.commit();
      if (writes.length === 0) return undefined;
      counts.commits += 1;
      assert.equal(model.commitWrites(commitNumber, writes), undefined);
      return commitNumber;
    } catch (error) {
      this.context.survives(error, transaction);
      return undefined;
    }
  }
}
