/**
 * Writes documents that are BSON already, many in one command.
 *
 * Owns: the batch that fills and the batches under way. Invariants:
 *  1. At most `parallel` batches are under way and one fills: memory stays within (parallel + 1) * BATCH_BYTES and a document.
 *  2. A document that the server refuses is told to `onRefused`; whatever else fails ends the writer: add and flush throw it.
 */
import { BsonType, FieldCursor } from '../../bson/index.ts';
import { runDocumentCommand, type BaseClient } from '../../client/index.ts';
import type { Document } from 'bson';
import type { Namespace } from '../command-line/namespace-filter.ts';
import { FailedCommand } from '../command-line/subcommand.ts';

export type StatementKind = 'insert' | 'update' | 'delete';

/** What a statement did, or a document why it was refused. */
export interface Refusal {
  /** What the caller gave along with the document: a line number, a place in a file. */
  readonly place: number;
  readonly code: number;
  readonly message: string;
}

export interface BatchWriterOptions {
  readonly kind?: StatementKind;
  /** Documents are written in their order, and nothing behind one that is refused. */
  readonly ordered?: boolean;
  readonly bypassValidation?: boolean;
  /** Documents of one command, 1 to 100,000; default 1000. */
  readonly batchDocuments?: number;
  /** Batches under way; default 2, in order always 1. */
  readonly parallel?: number;
  readonly onRefused?: (refusal: Refusal) => void;
  /** Called after each batch. */
  readonly onWritten?: (written: { readonly documents: number; readonly bytes: number }) => void;
}

/** What all statements did. */
export interface WriteCounts {
  inserted: number;
  matched: number;
  modified: number;
  upserted: number;
  deleted: number;
  refused: number;
}

const FIELD = { insert: 'documents', update: 'updates', delete: 'deletes' } as const;
const DEFAULT_BATCH_DOCUMENTS = 1000;
const DEFAULT_PARALLEL = 2;
const BATCH_BYTES = 8 * 1024 * 1024;

interface Batch {
  readonly documents: Buffer[];
  readonly places: number[];
  bytes: number;
  hasEmptyTimestamp: boolean;
}

export class BatchWriter {
  readonly counts: WriteCounts = {
    inserted: 0,
    matched: 0,
    modified: 0,
    upserted: 0,
    deleted: 0,
    refused: 0,
  };
  private readonly client: BaseClient;
  private readonly namespace: Namespace;
  private readonly options: BatchWriterOptions;
  private readonly parallel: number;
  private readonly underWay = new Set<Promise<void>>();
  private readonly fields = new FieldCursor();
  private batch = emptyBatch();
  private failure: { readonly error: unknown } | undefined;

  constructor(client: BaseClient, namespace: Namespace, options: BatchWriterOptions = {}) {
    this.client = client;
    this.namespace = namespace;
    this.options = options;
    this.parallel = options.ordered === true ? 1 : (options.parallel ?? DEFAULT_PARALLEL);
  }

  /** Resolves when there is room for the next one. @param place told with a refusal. */
  async add(document: Buffer, place = 0): Promise<void> {
    const most = this.options.batchDocuments ?? DEFAULT_BATCH_DOCUMENTS;
    const { batch } = this;
    const isFull = batch.documents.length >= most || batch.bytes + document.length > BATCH_BYTES;
    if (isFull && batch.documents.length > 0) await this.send();
    this.batch.documents.push(document);
    this.batch.places.push(place);
    this.batch.bytes += document.length;
    this.batch.hasEmptyTimestamp ||= this.hasEmptyTimestamp(document);
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    if (this.batch.documents.length > 0) await this.send();
    await Promise.all(this.underWay);
    this.throwIfFailed();
  }

  private async send(): Promise<void> {
    while (this.underWay.size >= this.parallel) await Promise.race(this.underWay);
    this.throwIfFailed();
    const { batch } = this;
    this.batch = emptyBatch();
    const sent: Promise<void> = this.write(batch)
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => this.underWay.delete(sent));
    this.underWay.add(sent);
  }

  private async write(batch: Batch): Promise<void> {
    const { kind = 'insert', ordered = false, bypassValidation = false } = this.options;
    const command: Document = {
      [kind]: this.namespace.collection,
      ordered,
      ...(bypassValidation && kind !== 'delete' ? { bypassDocumentValidation: true } : {}),
      // Older servers do not know it: they are asked only where it matters.
      ...(batch.hasEmptyTimestamp ? { bypassEmptyTsReplacement: true } : {}),
    };
    const reply = await runDocumentCommand(this.client, {
      database: this.namespace.database,
      command,
      documents: { field: FIELD[kind], documents: batch.documents },
    });
    this.take(kind, reply, batch);
    this.options.onWritten?.({ documents: batch.documents.length, bytes: batch.bytes });
  }

  private take(kind: StatementKind, reply: Document, batch: Batch): void {
    const n = Number(reply['n'] ?? 0);
    const upserted: readonly unknown[] = reply['upserted'] ?? [];
    if (kind === 'insert') this.counts.inserted += n;
    else if (kind === 'delete') this.counts.deleted += n;
    else {
      this.counts.matched += n - upserted.length;
      this.counts.modified += Number(reply['nModified'] ?? 0);
      this.counts.upserted += upserted.length;
    }
    const errors: readonly Document[] = reply['writeErrors'] ?? [];
    for (const { index, code, errmsg } of errors) {
      this.counts.refused += 1;
      const place = batch.places[Number(index)] ?? 0;
      this.options.onRefused?.({ place, code: Number(code), message: String(errmsg) });
    }
    const concern: unknown = reply['writeConcernError'];
    if (typeof concern === 'object' && concern !== null && 'errmsg' in concern) {
      throw new FailedCommand(`the write concern was not met: ${String(concern.errmsg)}`);
    }
    if (this.options.ordered === true && errors.length > 0) {
      throw new FailedCommand('stopped at the first document that the server refused.');
    }
  }

  private throwIfFailed(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** At the top level: a server fills those in, unless it is told not to. */
  private hasEmptyTimestamp(document: Buffer): boolean {
    if ((this.options.kind ?? 'insert') !== 'insert') return false;
    const fields = this.fields.reset(document);
    while (fields.next()) {
      if (fields.type !== BsonType.timestamp) continue;
      if (document.readBigUInt64LE(fields.valueStart) === 0n) return true;
    }
    return false;
  }
}

function emptyBatch(): Batch {
  return { documents: [], places: [], bytes: 0, hasEmptyTimestamp: false };
}
