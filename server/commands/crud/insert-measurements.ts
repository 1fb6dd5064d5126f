/**
 * insert into a time series: one transaction's share of a batch.
 *
 * Measurements of one series and time are written together. When they cannot be, each is tried by itself, so that an error
 * is the error of one measurement.
 * Source: MongoDB's manual, "Time Series Collections"; "insert".
 */
import type { CommandError } from '../../../common/errors.ts';
import type { Transaction } from '../../../storage/index.ts';
import { documentToInsert } from '../../catalog/stored-document.ts';
import type { TimeseriesCollection } from '../../catalog/timeseries-catalog.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { MeasurementWriter } from './measurement-writer.ts';
import { statementError, type WriteError } from './write-batch.ts';

/** One transaction holds at most so many measurements, and moves so many bytes. */
const TRANSACTION_COUNT = 1000;
const TRANSACTION_BYTES = 256 * 1024;

/** What of a batch is to be inserted. */
export interface MeasurementBatch {
  readonly documents: readonly Buffer[];
  readonly ordered: boolean;
  readonly keepEmptyTimestamps: boolean;
}

export interface MeasurementSlice {
  readonly insertedCount: number;
  readonly errors: readonly WriteError[];
  /** Index of the first document that was not tried; past the end when the batch is over. */
  readonly next: number;
}

/** Where measurements go. */
interface Target {
  readonly op: OperationContext;
  readonly transaction: Transaction;
  readonly collection: TimeseriesCollection;
  readonly batch: MeasurementBatch;
}

/** Stores measurements from `start` on. The transaction may be repeated. */
export function insertMeasurements(
  op: OperationContext,
  transaction: Transaction,
  collection: TimeseriesCollection,
  batch: MeasurementBatch,
  start: number,
): MeasurementSlice {
  const target: Target = { op, transaction, collection, batch };
  const savepoint = transaction.savepoint();
  const writer = writerTo(target);
  const errors: WriteError[] = [];
  let insertedCount = 0;
  let next = start;
  while (next < batch.documents.length && next - start < TRANSACTION_COUNT) {
    const error = tryAdd(target, writer, batch.documents[next]);
    if (error === undefined) insertedCount += 1;
    else errors.push({ index: next, error });
    next += 1;
    if (writer.bytes >= TRANSACTION_BYTES || (error !== undefined && batch.ordered)) break;
  }
  const error = tryWrite(target, writer, savepoint);
  if (error !== undefined) return insertOneByOne(target, start, next);
  const isOver = batch.ordered && errors.length > 0;
  return { insertedCount, errors, next: isOver ? batch.documents.length : next };
}

function insertOneByOne(target: Target, start: number, end: number): MeasurementSlice {
  const { batch, transaction } = target;
  const errors: WriteError[] = [];
  let insertedCount = 0;
  for (let index = start; index < end; index += 1) {
    const savepoint = transaction.savepoint();
    const writer = writerTo(target);
    const error =
      tryAdd(target, writer, batch.documents[index]) ?? tryWrite(target, writer, savepoint);
    // What does not fit into this transaction any more begins one of its own.
    const isFull = error?.codeName === 'TransactionTooLargeForCache' && insertedCount > 0;
    if (isFull) return { insertedCount, errors, next: index };
    if (error === undefined) insertedCount += 1;
    else errors.push({ index, error });
    if (error !== undefined && batch.ordered) {
      return { insertedCount, errors, next: batch.documents.length };
    }
  }
  return { insertedCount, errors, next: end };
}

function writerTo({ op, transaction, collection }: Target): MeasurementWriter {
  const { stamps, openBuckets } = op.service;
  const { buckets, options } = collection;
  return new MeasurementWriter({ transaction, buckets, options, stamps, openBuckets });
}

function tryAdd(
  { op, batch }: Target,
  writer: MeasurementWriter,
  document: Buffer,
): CommandError | undefined {
  try {
    writer.add(documentToInsert(document, op.service.stamps, batch.keepEmptyTimestamps));
    return undefined;
  } catch (error) {
    return statementError(op, error);
  }
}

function tryWrite(
  { op, transaction }: Target,
  writer: MeasurementWriter,
  savepoint: number,
): CommandError | undefined {
  try {
    writer.write();
    return undefined;
  } catch (error) {
    const known = statementError(op, error);
    transaction.rollbackTo(savepoint);
    return known;
  }
}
