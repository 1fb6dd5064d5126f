/**
 * The end that find, aggregate and the list commands share: a first batch, and a cursor for the rest.
 */
import type { MaybePromise } from '../../storage/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import {
  ANY_ROOM,
  type Batch,
  type CursorReply,
  cursorReply,
  isOver,
  DEFAULT_FIRST_BATCH_COUNT,
  noteBatch,
  pullBatch,
} from './batch.ts';
import type { CursorProducer } from './cursor-registry.ts';

export interface FirstBatchOptions {
  readonly namespace: string;
  readonly producer: CursorProducer;
  /** Absent: MongoDB's 101. */
  readonly batchSize?: number | undefined;
  /** No cursor stays open, whatever is left. */
  readonly singleBatch?: boolean;
  readonly noTimeout?: boolean;
  /** The cursor stays open at the end of its collection ... */
  readonly tailable?: boolean;
  /** ... and getMore waits there. */
  readonly awaitData?: boolean;
  /** Some shard did not answer, and the client wants what there is. */
  readonly isPartial?: boolean;
}

/** Pulls the first batch. The producer is closed, or lives on in an open cursor; in either case not the caller's any more. */
export function firstBatch(
  op: OperationContext,
  options: FirstBatchOptions,
): MaybePromise<CursorReply> {
  const { producer, batchSize = DEFAULT_FIRST_BATCH_COUNT } = options;
  const fail = (error: unknown): never => {
    producer.close();
    throw error;
  };
  try {
    const room = options.singleBatch === true ? ANY_ROOM : op.service.work;
    const batch = pullBatch(producer, batchSize, room);
    if (!(batch instanceof Promise)) return conclude(op, options, batch);
    return batch.then((ready) => conclude(op, options, ready)).catch(fail);
  } catch (error) {
    return fail(error);
  }
}

function conclude(op: OperationContext, options: FirstBatchOptions, batch: Batch): CursorReply {
  const { namespace, producer } = options;
  op.report.returnedCount = batch.documents.length;
  const nothingLeft = isOver(batch, producer);
  if (nothingLeft || options.singleBatch === true) {
    producer.close();
    op.report.cursorExhausted = true;
    return cursorReply(0n, namespace, 'firstBatch', batch.documents, options.isPartial);
  }
  op.throwIfInterrupted();
  producer.detach();
  const remainingTimeMs = op.remainingTimeMs;
  const cursor = op.service.cursors.open({
    namespace,
    producer,
    session: op.session?.key,
    originatingCommand: op.commandBody,
    ...(options.noTimeout === true ? { noTimeout: true } : {}),
    ...(options.tailable === true ? { tailable: true } : {}),
    ...(options.awaitData === true ? { awaitData: true } : {}),
    // Where getMore waits, its own maxTimeMS says how long.
    ...(remainingTimeMs === undefined || options.awaitData === true
      ? {}
      : { maxTimeMs: remainingTimeMs }),
  });
  noteBatch(cursor, batch);
  op.report.cursorId = cursor.id;
  return cursorReply(cursor.id, namespace, 'firstBatch', batch.documents, options.isPartial);
}

/** Documents that are all there already: what the list commands answer with. */
export class DocumentListProducer implements CursorProducer {
  private readonly documents: readonly Buffer[];
  private position = 0;

  constructor(documents: readonly Buffer[]) {
    this.documents = documents;
  }

  next(): Buffer | undefined {
    const document = this.documents[this.position];
    if (document !== undefined) this.position += 1;
    return document;
  }

  get isExhausted(): boolean {
    return this.position >= this.documents.length;
  }

  detach(): void {}

  attach(): void {}

  close(): void {
    this.position = this.documents.length;
  }
}
