/**
 * Batches: documents pulled from a cursor's producer until a count or the reply's size is reached.
 *
 * Promises: synchronous while the producer is; a document that does not fit is kept for the next batch, never dropped. Batches grow
 * small while many are filled, or unread.
 */
import { indexName, int64Value, type DocumentBuilder } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { MAX_BSON_INTERNAL_BYTES, MAX_BSON_OBJECT_BYTES } from '../../common/limits.ts';
import type { MaybePromise } from '../../storage/index.ts';
import type { CursorProducer, OpenCursor } from './cursor-registry.ts';

/** Documents of a first batch when the client does not say, as in MongoDB. */
export const DEFAULT_FIRST_BATCH_COUNT = 101;

/**
 * A batch of more than one document holds at most so many bytes of documents, each with what an element of an array costs
 * besides: a reply is a document itself, and clients refuse one that is longer than a document may be.
 */
export const MAX_BATCH_BYTES = MAX_BSON_OBJECT_BYTES;
/** Type, index and its NUL: no index of a batch has more digits. */
const ELEMENT_BYTES = 10;

export interface Batch {
  readonly documents: readonly Buffer[];
  /** The producer has ended: there is nothing after this batch. */
  readonly isLast: boolean;
  /** A document that was pulled but did not fit. */
  readonly stashed: Buffer | undefined;
}

/** Memory for batches and replies. */
export interface BatchRoom {
  replyBytes: number;
  /** What a batch should hold at most, just now. */
  readonly batchBytes: number;
}

/** For a batch after which nothing can be got any more. */
export const ANY_ROOM: BatchRoom = { replyBytes: 0, batchBytes: Infinity };

/**
 * @param wantedCount most documents in the batch, 0 and more
 * @param stashed the document that did not fit into the batch before
 */
export function pullBatch(
  producer: CursorProducer,
  wantedCount: number,
  room: BatchRoom,
  stashed?: Buffer,
): MaybePromise<Batch> {
  const filling = new Filling(wantedCount, room);
  if (stashed !== undefined) filling.add(stashed);
  while (!filling.isFull) {
    const next = producer.next();
    if (next instanceof Promise) return pullRest(producer, filling, room, next);
    filling.add(next);
  }
  return filling.batch(producer);
}

/** Others fill theirs meanwhile: what this one holds counts. */
async function pullRest(
  producer: CursorProducer,
  filling: Filling,
  room: BatchRoom,
  first: Promise<Buffer | undefined>,
): Promise<Batch> {
  let counted = 0;
  try {
    filling.add(await first);
    while (!filling.isFull) {
      room.replyBytes += filling.bytes - counted;
      counted = filling.bytes;
      const next = producer.next();
      filling.add(next instanceof Promise ? await next : next);
    }
    return filling.batch(producer);
  } finally {
    room.replyBytes -= counted;
  }
}

/** A batch being filled. */
class Filling {
  private readonly documents: Buffer[] = [];
  private readonly wantedCount: number;
  private readonly room: BatchRoom;
  bytes = 0;
  private isLast = false;
  private stashed: Buffer | undefined;

  constructor(wantedCount: number, room: BatchRoom) {
    this.wantedCount = wantedCount;
    this.room = room;
  }

  get isFull(): boolean {
    return this.isLast || this.stashed !== undefined || this.documents.length >= this.wantedCount;
  }

  /** Takes the next document, or undefined for the producer's end. */
  add(document: Buffer | undefined): void {
    if (document === undefined) {
      this.isLast = true;
      return;
    }
    // Computed documents may have outgrown what a client can read.
    if (document.length > MAX_BSON_INTERNAL_BYTES) throw tooLarge(document);
    const bytes = this.bytes + document.length + ELEMENT_BYTES;
    if (this.documents.length > 0 && bytes > Math.min(MAX_BATCH_BYTES, this.room.batchBytes)) {
      this.stashed = document;
      return;
    }
    this.documents.push(document);
    this.bytes = bytes;
  }

  batch(producer: CursorProducer): Batch {
    const isLast = this.isLast || producer.isExhausted === true;
    return { documents: this.documents, isLast, stashed: this.stashed };
  }
}

/** Nothing can come after a batch. */
export function isOver(batch: Batch, producer: CursorProducer): boolean {
  if (!batch.isLast || batch.stashed !== undefined) return false;
  return producer.tails === undefined && producer.mayGrow !== true;
}

function tooLarge(document: Buffer): CommandError {
  return new CommandError(
    'BSONObjectTooLarge',
    `BSONObj size: ${document.length} (0x${document.length.toString(16).toUpperCase()}) is invalid. ` +
      `Size must be between 0 and ${MAX_BSON_INTERNAL_BYTES}(16MB)`,
  );
}

/** Writes the `cursor` field of a reply; other fields may follow it. */
export type CursorReply = (out: DocumentBuilder) => void;

/** The `cursor` field of a reply. @param id 0 when there is nothing more to get. */
export function cursorReply(
  id: bigint,
  namespace: string,
  field: 'firstBatch' | 'nextBatch',
  documents: readonly Buffer[],
  /** Some shard did not answer, and the client wants what there is. */
  isPartial = false,
): CursorReply {
  return (out) => {
    out.beginDocument('cursor').beginArray(field);
    for (let index = 0; index < documents.length; index += 1) {
      out.appendDocument(indexName(index), documents[index]);
    }
    out.end();
    if (id === 0n) out.append('id', NO_CURSOR);
    else out.appendInt64('id', id);
    out.appendString('ns', namespace);
    if (isPartial) out.appendBoolean('partialResultsReturned', true);
    out.end();
  };
}

/** Most replies say it, and a bigint is slow to write. */
const NO_CURSOR = int64Value(0n);

/** Notes on a cursor what a batch has sent and kept. */
export function noteBatch(cursor: OpenCursor, batch: Batch): void {
  cursor.stashed = batch.stashed;
  cursor.documentsReturned += batch.documents.length;
  cursor.batchesReturned += 1;
}
