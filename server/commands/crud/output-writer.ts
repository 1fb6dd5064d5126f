/**
 * Writes what $out and $merge give.
 *
 * Owns: the temporary collection of $out, which takes the target's place with its options and indexes in one commit, and
 * the search for the document that $merge changes. Source: MongoDB's manual, "$out" and "$merge".
 */
import { EMPTY_DOCUMENT } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../../common/limits.ts';
import type { OutputWriter, QueryContext } from '../../../query/index.ts';
import type { CollectionDescription, MaybePromise, Transaction } from '../../../storage/index.ts';
import { cappedLimitsOf } from '../../catalog/capped-collections.ts';
import {
  checkCreatable,
  checkDatabaseCase,
  checkHasRecords,
  requireCollection,
  splitNamespace,
} from '../../catalog/namespace.ts';
import { documentToInsert } from '../../catalog/stored-document.ts';
import {
  dropTemporary,
  lastingOptions,
  temporaryNamespace,
  temporaryOptions,
} from '../../catalog/temporary-collections.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { findFirst, type FoundRecord, writeTarget } from './matching-records.ts';
import { outputTimeseries, replaceTimeseries } from './output-timeseries.ts';
import { RecordWriter, writerForInsert, type WriterOptions } from './record-writer.ts';

export interface OutputOptions extends WriterOptions {
  /** Of the pipeline: $merge compares by its collation. */
  readonly context: QueryContext;
}

/** One transaction inserts at most so many documents and, unless one is larger, so many bytes. */
const BATCH_COUNT = 128;
const BATCH_BYTES = 256 * 1024;

export class PipelineWriter implements OutputWriter {
  private readonly op: OperationContext;
  private readonly options: OutputOptions;

  constructor(op: OperationContext, options: OutputOptions) {
    this.op = op;
    this.options = options;
  }

  async replaceCollection(
    namespace: string,
    documents: AsyncIterable<Buffer[]>,
    { timeseries }: { readonly timeseries?: Buffer },
  ): Promise<void> {
    checkCreatable(namespace);
    const { op } = this;
    op.service.sharding?.enterDefinitionChange(op, splitNamespace(namespace).database);
    // The pipeline reads on in the operation's own view.
    const view = op.engine.snapshot();
    op.onRelease(() => view.close());
    const series = outputTimeseries(view, namespace, timeseries);
    if (series !== undefined) {
      await replaceTimeseries(op, namespace, documents, series);
      return;
    }
    const temporary = temporaryNamespace(namespace, this.op.service.random.bytes(16));
    const target = await this.createTemporary(namespace, temporary);
    try {
      for await (const batch of documents) await this.insertAll(temporary, batch);
      await this.op.transact((transaction) =>
        takePlace(this.op, transaction, temporary, namespace, target),
      );
    } catch (error) {
      dropTemporary(this.op.engine, temporary);
      throw error;
    }
  }

  insert(namespace: string, document: Buffer): MaybePromise<void> {
    const { op, options } = this;
    return op.transact((transaction) => {
      const complete = documentToInsert(document, op.service.stamps);
      writerForInsert(op, transaction, { ...options, namespace }).insert(complete);
    });
  }

  change(
    namespace: string,
    key: Buffer,
    change: (before: Buffer) => Buffer | undefined,
  ): MaybePromise<boolean> {
    const { op, options } = this;
    const target = writeTarget({ filter: key, limit: 1 }, options.context);
    return op.transact((transaction) => {
      const collection = transaction.collection(namespace);
      checkHasRecords(collection);
      if (collection === undefined) return false;
      const apply = (found: FoundRecord | undefined): boolean => {
        if (found === undefined) return false;
        const after = change(found.document);
        if (after === undefined || after.equals(found.document)) return true;
        checkSize(after);
        const writer = new RecordWriter(op, transaction, collection, options);
        writer.update(found.recordId, found.document, after);
        return true;
      };
      const found = findFirst(op, transaction, collection, target);
      return found instanceof Promise ? found.then(apply) : apply(found);
    });
  }

  /** @returns the collection that is to be replaced, as it is now */
  private createTemporary(
    namespace: string,
    temporary: string,
  ): MaybePromise<CollectionDescription | undefined> {
    return this.op.transact((transaction) => {
      const target = transaction.collection(namespace);
      checkReplaceable(target);
      checkDatabaseCase(transaction, namespace);
      const created = transaction.createCollection(temporary, {
        options: temporaryOptions(target?.options ?? EMPTY_DOCUMENT),
        ...(target === undefined
          ? {}
          : { idIndex: target.indexes[0].spec, compression: target.compression }),
      });
      for (const { spec } of target?.indexes.slice(1) ?? []) transaction.createIndex(created, spec);
      return target;
    });
  }

  private async insertAll(namespace: string, documents: readonly Buffer[]): Promise<void> {
    let start = 0;
    while (start < documents.length) {
      start = await this.op.transact((transaction) =>
        this.insertSome(transaction, namespace, documents, start),
      );
      await this.op.yield();
    }
  }

  /** @returns the index of the first document that is still to be inserted */
  private insertSome(
    transaction: Transaction,
    namespace: string,
    documents: readonly Buffer[],
    start: number,
  ): number {
    const { op, options } = this;
    const collection = requireCollection(transaction, namespace);
    const writer = new RecordWriter(op, transaction, collection, options);
    let next = start;
    for (let bytes = 0; next < documents.length && next - start < BATCH_COUNT; next += 1) {
      bytes += documents[next].length;
      if (next > start && bytes > BATCH_BYTES) break;
      writer.insert(documentToInsert(documents[next], op.service.stamps));
    }
    return next;
  }
}

function checkReplaceable(target: CollectionDescription | undefined): void {
  if (target === undefined) return;
  checkHasRecords(target);
  uassert(
    cappedLimitsOf(target.options) === undefined,
    17_152,
    `namespace '${target.namespace}' is capped so it can't be used for $out`,
  );
}

/** Puts the temporary collection where the target is, unless the target is not what it was. */
function takePlace(
  op: OperationContext,
  transaction: Transaction,
  temporary: string,
  namespace: string,
  before: CollectionDescription | undefined,
): void {
  op.service.sharding?.enterTransaction(op, namespace);
  const now = transaction.collection(namespace);
  checkReplaceable(now);
  if (before !== undefined && now !== undefined) checkUnchanged(before, now);
  const filled = requireCollection(transaction, temporary);
  if (now !== undefined) {
    transaction.dropCollection(now);
    op.afterCommit(() => op.service.cappedCollections.forget(now));
  }
  const renamed = transaction.renameCollection(filled, namespace);
  transaction.modifyCollection(renamed, lastingOptions(filled.options));
}

function checkUnchanged(before: CollectionDescription, now: CollectionDescription): void {
  uassert(
    before.options.equals(now.options),
    'CommandFailed',
    `collection options of target collection ${now.namespace} changed during processing.`,
  );
  const hasSameIndexes =
    before.indexes.length === now.indexes.length &&
    before.indexes.every(({ spec }, index) => spec.equals(now.indexes[index].spec));
  uassert(
    hasSameIndexes,
    'CommandFailed',
    `indexes of target collection ${now.namespace} changed during processing.`,
  );
}

function checkSize(document: Buffer): void {
  if (document.length <= MAX_BSON_OBJECT_BYTES) return;
  throw new CommandError(
    17_419,
    `Resulting document after update is larger than ${MAX_BSON_OBJECT_BYTES}`,
  );
}
