/**
 * Writes records of one collection in one transaction, as the collection's kind and options want it.
 *
 * Owns: refusing views, asking the validator, keeping a capped collection within its limits in the same commit, and telling
 * those who wait at its end. Every command that stores documents of clients writes through it.
 * Promises: a plain collection costs nothing per document besides the write itself.
 */
import { getField } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  bucketProblem,
  decompressedBucket,
  namespaceOfBuckets,
  timeseriesOptionsOf,
  type TimeseriesOptions,
} from '../../../query/index.ts';
import {
  WriteConflictError,
  type CollectionDescription,
  type RecordId,
  type Transaction,
} from '../../../storage/index.ts';
import { cappedLimitsOf, type CappedLimits } from '../../catalog/capped-collections.ts';
import { checkHasRecords, collectionForWrite } from '../../catalog/namespace.ts';
import { noteNewCollection } from '../../catalog/new-collection.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { type DocumentValidator, validatorOf } from './document-validator.ts';

export interface WriterOptions {
  /** The client's bypassDocumentValidation. */
  readonly bypassValidation?: boolean;
}

/** An insert removes so many records at most: after collMod made a collection smaller the next inserts share the work. */
const MAX_REMOVED = 256;

/** Length of an empty document: of the options of most collections. */
const NO_OPTIONS_BYTES = 5;

export class RecordWriter {
  readonly collection: CollectionDescription;
  private readonly op: OperationContext;
  private readonly transaction: Transaction;
  private readonly validator: DocumentValidator | undefined;
  private readonly capped: CappedLimits | undefined;
  private readonly holdsBuckets: boolean = false;
  /** Of a collection of buckets, when buckets have to be checked. */
  private readonly timeseries: TimeseriesOptions | undefined;
  /** The last record that this transaction removed to make room. */
  private removed: RecordId | undefined;
  private isAnnounced = false;

  /** @throws CommandError CommandNotSupportedOnView */
  constructor(
    op: OperationContext,
    transaction: Transaction,
    collection: CollectionDescription,
    options: WriterOptions = {},
  ) {
    checkHasRecords(collection);
    op.service.sharding?.enterTransaction(op, collection.namespace);
    this.op = op;
    this.transaction = transaction;
    this.collection = collection;
    if (collection.options.length === NO_OPTIONS_BYTES) return;
    this.holdsBuckets = namespaceOfBuckets(collection.namespace) !== undefined;
    if (options.bypassValidation !== true) {
      this.validator = validatorOf(op, collection);
      this.timeseries = this.holdsBuckets ? timeseriesOptionsOf(collection.options) : undefined;
    }
    this.capped = cappedLimitsOf(collection.options);
  }

  /** @param document complete, as documentToInsert makes it. @throws CommandError DocumentValidationFailure, DuplicateKey */
  insert(given: Buffer): RecordId {
    // Buckets of MongoDB's come compressed (mongorestore); here they are stored as they are read.
    const document = this.holdsBuckets ? decompressedBucket(given) : given;
    this.validator?.checkInsert(document);
    this.checkIsOurs(document);
    this.noteForMigration(document);
    if (this.timeseries !== undefined) checkBucket(document, this.timeseries);
    const { capped, transaction, collection } = this;
    if (capped === undefined) return transaction.insert(collection, document);
    uassert(document.length <= capped.bytes, 'BadValue', 'object to insert exceeds cappedMaxSize');
    const recordId = transaction.insert(collection, document);
    this.makeRoom(capped, recordId);
    this.announce();
    return recordId;
  }

  /** @throws CommandError DocumentValidationFailure, DuplicateKey */
  update(recordId: RecordId, before: Buffer, after: Buffer): void {
    this.validator?.checkUpdate(before, after);
    this.checkStays(after);
    this.noteForMigration(before);
    if (this.timeseries !== undefined) checkBucket(after, this.timeseries);
    this.transaction.update(this.collection, recordId, before, after);
  }

  delete(recordId: RecordId, before: Buffer): void {
    this.noteForMigration(before);
    this.transaction.delete(this.collection, recordId, before);
  }

  /** @throws CommandError StaleConfig for a document that a router would look for on another shard */
  private checkIsOurs(document: Buffer): void {
    const { ownership, service } = this.op;
    if (ownership === undefined || ownership.namespace !== this.collection.namespace) return;
    const { sharding } = service;
    if (sharding === undefined || ownership.owns(document)) return;
    throw sharding.notOwned(this.op, ownership.namespace);
  }

  /** A document whose shard key would become one of another shard stays as it is. */
  private checkStays(after: Buffer): void {
    const { ownership } = this.op;
    if (ownership === undefined || ownership.namespace !== this.collection.namespace) return;
    uassert(
      ownership.owns(after),
      'WouldChangeOwningShard',
      'The update would move the document to another shard, or its shard key would be none: that is not supported outside of a transaction',
    );
  }

  /** What a migration has copied already is copied again. */
  private noteForMigration(document: Buffer): void {
    const changes = this.op.service.sharding?.changes;
    if (changes === undefined || changes.uuid !== this.collection.uuid) return;
    const id = getField(document, '_id');
    if (id !== undefined) this.op.afterCommit(() => changes.note(id));
  }

  /** Brings a capped collection nearer to its limits. @returns whether it is within them */
  trim(): boolean {
    return this.capped === undefined || this.makeRoom(this.capped, undefined);
  }

  /**
   * Removes the oldest records until the limits hold again; never `last`, which was just inserted.
   * @returns whether they hold
   */
  private makeRoom(limits: CappedLimits, last: RecordId | undefined): boolean {
    const { transaction, collection } = this;
    let count = transaction.recordCount(collection);
    let bytes = transaction.dataBytes(collection);
    if (count <= limits.count && bytes <= limits.bytes) return true;
    const cursor = transaction.scanRecords(collection, this.startOfScan());
    const removedBefore = this.removed;
    try {
      for (let left = MAX_REMOVED; left > 0; left -= 1) {
        if (count <= limits.count && bytes <= limits.bytes) return true;
        const moved = cursor.next();
        // A record that has to be read from the device: the transaction begins again when it is there. So inserts never
        // wait in the middle, and records are committed in the order of their ids.
        if (moved instanceof Promise) throw new WriteConflictError(moved.then(() => undefined));
        if (!moved || cursor.recordId === last) return true;
        this.noteFirst(cursor.recordId);
        const { document } = cursor;
        transaction.delete(collection, cursor.recordId, document);
        this.removed = cursor.recordId;
        count -= 1;
        bytes -= document.length;
      }
      return false;
    } catch (error) {
      this.removed = removedBefore;
      throw error;
    } finally {
      cursor.close();
    }
  }

  /** Once per transaction: who waits looks for all that is new. */
  private announce(): void {
    if (this.isAnnounced) return;
    this.isAnnounced = true;
    const { op, collection } = this;
    op.afterCommit(() => op.service.cappedCollections.notify(collection.uuid));
  }

  private startOfScan(): { readonly after?: RecordId } {
    const { transaction, collection } = this;
    const heads = this.op.service.cappedCollections;
    const after = this.removed ?? heads.headBefore(collection, transaction.commitNumber);
    return after === undefined ? {} : { after };
  }

  /** Only what was first before this transaction removed anything is first for others, too. */
  private noteFirst(recordId: RecordId): void {
    if (this.removed !== undefined) return;
    const { transaction, collection } = this;
    const before = (recordId - 1) as RecordId;
    this.op.service.cappedCollections.noteHead(collection, before, transaction.commitNumber);
  }
}

/** Queries over a time series rely on what its buckets say of themselves. @throws CommandError DocumentValidationFailure */
function checkBucket(bucket: Buffer, options: TimeseriesOptions): void {
  const problem = bucketProblem(bucket, options);
  if (problem === undefined) return;
  throw new CommandError(
    'DocumentValidationFailure',
    `Document failed validation: it is no bucket of this time series: ${problem}`,
  );
}

/** A writer to the collection of this name, which is created when it is not there. */
export function writerForInsert(
  op: OperationContext,
  transaction: Transaction,
  target: WriterOptions & { readonly namespace: string },
): RecordWriter {
  const isNew = transaction.collection(target.namespace) === undefined;
  const collection = collectionForWrite(transaction, target.namespace);
  if (isNew) noteNewCollection(op, collection);
  return new RecordWriter(op, transaction, collection, target);
}
