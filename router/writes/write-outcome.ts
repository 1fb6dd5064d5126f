/**
 * What a write did, put together from the answers of several shards.
 *
 * Owns: the counts, and errors and upserts under the indexes of the client's batch.
 */
import {
  type DocumentBuilder,
  fieldsOf,
  getField,
  indexName,
  type RawValue,
} from '../../bson/index.ts';
import type { CommandError } from '../../common/errors.ts';
import { appendWriteErrors, type WriteError } from '../../server/cluster.ts';
import { errorOfEntry } from '../network/remote-server.ts';
import type { Statement, WriteKind } from './statement.ts';

export class WriteOutcome {
  count = 0;
  modifiedCount = 0;
  readonly upserted: { index: number; id: RawValue }[] = [];
  readonly errors: WriteError[] = [];
  /** The first that a shard reported. */
  writeConcernError: Buffer | undefined;

  fail(index: number, error: CommandError): void {
    this.errors.push({ index, error });
  }

  /** Adds the counts of a shard's reply, its upserts under the indexes of `sent`, and its write concern error. */
  addCounts(reply: Buffer, sent: readonly Statement[]): void {
    this.count += numberIn(reply, 'n');
    this.modifiedCount += numberIn(reply, 'nModified');
    for (const entry of entriesOf(reply, 'upserted')) {
      const statement = sent[numberIn(entry, 'index')];
      const id = getField(entry, '_id');
      if (statement !== undefined && id !== undefined) {
        this.upserted.push({ index: statement.index, id });
      }
    }
    this.writeConcernError ??= getField(reply, 'writeConcernError')?.asDocument();
  }

  appendTo(out: DocumentBuilder, kind: WriteKind): void {
    out.appendInteger('n', this.count);
    if (kind === 'update') {
      if (this.upserted.length > 0) this.appendUpserted(out);
      out.appendInteger('nModified', this.modifiedCount);
    }
    appendWriteErrors(
      out,
      this.errors.toSorted((a, b) => a.index - b.index),
    );
    if (this.writeConcernError !== undefined) {
      out.appendDocument('writeConcernError', this.writeConcernError);
    }
  }

  private appendUpserted(out: DocumentBuilder): void {
    out.beginArray('upserted');
    const sorted = this.upserted.toSorted((a, b) => a.index - b.index);
    for (const [position, { index, id }] of sorted.entries()) {
      out.beginDocument(indexName(position)).appendInt32('index', index).append('_id', id).end();
    }
    out.end();
  }
}

/** The errors of a shard's reply, at their places in what was sent. */
export function writeErrorsOf(reply: Buffer): WriteError[] {
  return entriesOf(reply, 'writeErrors').map((entry) => ({
    index: numberIn(entry, 'index'),
    error: errorOfEntry(entry),
  }));
}

export function numberIn(document: Buffer, name: string): number {
  const value = getField(document, name);
  return value?.isNumber === true ? value.asNumber() : 0;
}

function entriesOf(reply: Buffer, name: string): Buffer[] {
  const value = getField(reply, name);
  if (value?.typeName !== 'array') return [];
  return Array.from(fieldsOf(value.asDocument()), ([, entry]) => entry.asDocument());
}
