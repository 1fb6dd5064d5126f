/**
 * Deletes documents that have expired: every `ttlMonitorSleepSecs`, all that TTL indexes and clustered collections name.
 *
 * Owns: one pass at a time, and its counters (serverStatus.metrics.ttl).
 * Invariants:
 *  1. A pass takes turns as background work: no client waits longer than for one batch.
 *  2. What is deleted had expired in the transaction that deletes it: a document that was touched meanwhile is looked at again.
 *  3. It ends at shutdown like any other operation, and an error in one collection does not keep it from the others.
 */
import { EMPTY_DOCUMENT } from '../../bson/index.ts';
import type { Deadline } from '../../common/timer-wheel.ts';
import type {
  IndexCursor,
  KeyRange,
  MaybePromise,
  RecordId,
  Transaction,
} from '../../storage/index.ts';
import { RecordWriter } from '../commands/crud/record-writer.ts';
import { OperationContext } from '../operation/operation-context.ts';
import type { ServiceContext } from '../operation/service-context.ts';
import { type Expiry, expiriesOf } from './expiring-range.ts';

/** How often it looks whether a pass is due: the parameters may change at any time. Milliseconds. */
const CHECK_MS = 1000;
/** Documents of one transaction: about two milliseconds of the event loop. */
const BATCH_DOCUMENTS = 50;
/** Turns that others get after each batch. */
const TURNS_BETWEEN = 2;

export class TtlMonitor {
  private readonly service: ServiceContext;
  private deadline: Deadline | undefined;
  private lastPassMs: number;
  private running: Promise<void> | undefined;

  constructor(service: ServiceContext) {
    this.service = service;
    this.lastPassMs = service.clock.monotonicMs();
  }

  start(): void {
    this.deadline = this.service.timers.after(CHECK_MS, () => {
      if (this.service.isStopping) return;
      this.runWhenDue();
      this.start();
    });
  }

  /** Waits for the pass under way, which was interrupted. */
  async stop(): Promise<void> {
    this.deadline?.cancel();
    await this.running;
  }

  private runWhenDue(): void {
    const { parameters, clock } = this.service;
    if (this.running !== undefined || !parameters.get('ttlMonitorEnabled')) return;
    const sleepMs = parameters.get('ttlMonitorSleepSecs') * 1000;
    // The check itself comes a tick late.
    if (clock.monotonicMs() - this.lastPassMs < sleepMs - CHECK_MS / 2) return;
    this.lastPassMs = clock.monotonicMs();
    this.running = this.pass().finally(() => {
      this.running = undefined;
    });
  }

  private async pass(): Promise<void> {
    const { service } = this;
    const { ttl } = service.metrics;
    const op = new OperationContext(service, {
      commandName: 'TTLMonitor',
      database: 'admin',
      commandBody: EMPTY_DOCUMENT,
      connection: undefined,
      session: undefined,
    });
    try {
      for (const collection of op.view().collections()) {
        const { expiries, invalid } = expiriesOf(collection);
        ttl.invalidTTLIndexSkips += invalid;
        for (const expiry of expiries) await this.expire(op, expiry);
      }
      ttl.passes += 1;
    } catch (error) {
      if (op.reason === undefined) this.report(error, undefined);
    } finally {
      op.finish();
    }
  }

  private async expire(op: OperationContext, expiry: Expiry): Promise<void> {
    const { ttl } = this.service.metrics;
    ttl.subPasses += 1;
    const ranges = expiry.rangesAt(this.service.clock.wallMs());
    op.namespace = expiry.collection.namespace;
    try {
      for (const range of ranges) await this.expireRange(op, expiry, range);
    } catch (error) {
      if (op.reason !== undefined) throw error;
      this.report(error, expiry);
    }
  }

  private async expireRange(op: OperationContext, expiry: Expiry, range: KeyRange): Promise<void> {
    const { metrics } = this.service;
    let cursor: IndexCursor | undefined;
    try {
      for (;;) {
        const view = op.renewView();
        const index = view
          .collectionByUuid(expiry.collection.uuid)
          ?.indexes.find(({ ident }) => ident === expiry.index.ident);
        // Dropped, or changed by collMod: the next pass goes by what it finds then.
        if (index === undefined || index.spec !== expiry.index.spec) return;
        if (cursor === undefined) cursor = view.scanIndex(index, range, 1);
        else cursor.attach(view);
        const batch = nextBatch(cursor);
        cursor.detach();
        if (batch.length === 0) return;
        const remove = (): MaybePromise<number> =>
          op.transact((transaction) => deleteExpired(op, transaction, { expiry, range, batch }));
        const { sharding } = this.service;
        const deleted = await (sharding === undefined
          ? remove()
          : sharding.whileWriting(op, expiry.collection.namespace, remove));
        metrics.ttl.deletedDocuments += deleted;
        metrics.documents.deleted += deleted;
        for (let turn = 0; turn < TURNS_BETWEEN; turn += 1) await op.yield();
      }
    } finally {
      cursor?.close();
    }
  }

  private report(error: unknown, expiry: Expiry | undefined): void {
    this.service.log.write({
      severity: 'W',
      component: 'INDEX',
      id: 2_500_001,
      message: 'Expired documents were not all deleted; the next pass tries again',
      attributes: {
        namespace: expiry?.collection.namespace,
        index: expiry?.index.name,
        error: String(error),
      },
    });
  }
}

function nextBatch(cursor: IndexCursor): RecordId[] {
  const batch: RecordId[] = [];
  while (batch.length < BATCH_DOCUMENTS && cursor.next()) batch.push(cursor.recordId);
  return batch;
}

interface ExpiredBatch {
  readonly expiry: Expiry;
  readonly range: KeyRange;
  readonly batch: readonly RecordId[];
}

/** @returns how many were deleted. Synchronous unless a page must be read. */
function deleteExpired(
  op: OperationContext,
  transaction: Transaction,
  { expiry, range, batch }: ExpiredBatch,
): MaybePromise<number> {
  const collection = transaction.collectionByUuid(expiry.collection.uuid);
  if (collection === undefined) return 0;
  // A migration that is under way must hear of it.
  const writer = new RecordWriter(op, transaction, collection);
  let deleted = 0;
  const take = (recordId: RecordId, document: Buffer | undefined): void => {
    if (document === undefined || !isExpired(expiry, range, document)) return;
    writer.delete(recordId, document);
    deleted += 1;
  };
  const from = (first: number): MaybePromise<number> => {
    for (let position = first; position < batch.length; position += 1) {
      const recordId = batch[position];
      const document = transaction.record(collection, recordId);
      if (document instanceof Promise) {
        return document.then((loaded) => {
          take(recordId, loaded);
          return from(position + 1);
        });
      }
      take(recordId, document);
    }
    return deleted;
  };
  return from(0);
}

/** One of its dates is old enough; in an array the least one decides. */
function isExpired({ keys }: Expiry, { lower, upper }: KeyRange, document: Buffer): boolean {
  return keys
    .keysOf(document)
    .keys.some(
      ({ key }) =>
        (lower === undefined || key.compare(lower) >= 0) &&
        (upper === undefined || key.compare(upper) <= 0),
    );
}
