/**
 * What a bulkWrite answers: one entry per operation, or only per failure, and the totals.
 *
 * Owns: the entries, encoded as they come, within MongoDB's limit of their size.
 * Source: MongoDB's manual, "bulkWrite (database command)", Output.
 */
import { DocumentBuilder, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { MAX_BSON_INTERNAL_BYTES } from '../../../common/limits.ts';
import { appendErrorFields } from '../../command/reply.ts';
import type { UpdateResult } from './update.ts';

/** MongoDB's bulkWriteMaxRepliesSize: past so many bytes of entries no further operation runs. */
const MAX_ENTRIES_BYTES = MAX_BSON_INTERNAL_BYTES;

/** A message longer than this is left out, but for the first two errors, as in MongoDB; bytes. */
const LONGEST_MESSAGE = 1024 * 1024;
const COUNT_WITH_MESSAGE = 2;

export class BulkWriteReplies {
  /** Raw BSON, in the order of the operations. */
  readonly entries: Buffer[] = [];
  errorCount = 0;
  insertedCount = 0;
  matchedCount = 0;
  modifiedCount = 0;
  upsertedCount = 0;
  deletedCount = 0;
  private readonly errorsOnly: boolean;
  private entryBytes = 0;

  constructor(errorsOnly: boolean) {
    this.errorsOnly = errorsOnly;
  }

  /** The error of the operation that would come next, when the entries have grown too large. */
  tooLarge(): CommandError | undefined {
    if (this.entryBytes < MAX_ENTRIES_BYTES) return undefined;
    return new CommandError(
      'ExceededMemoryLimit',
      `BulkWrite response size exceeded limit (${MAX_ENTRIES_BYTES} bytes)`,
    );
  }

  addInsert(index: number): void {
    this.insertedCount += 1;
    this.addSuccess({ index, count: 1 });
  }

  addDelete(index: number, deletedCount: number): void {
    this.deletedCount += deletedCount;
    this.addSuccess({ index, count: deletedCount });
  }

  addUpdate(index: number, { matchedCount, modifiedCount, upserted }: UpdateResult): void {
    const upsertedId = upserted.at(0)?.id;
    this.matchedCount += matchedCount;
    this.modifiedCount += modifiedCount;
    if (upsertedId !== undefined) this.upsertedCount += 1;
    const count = upsertedId === undefined ? matchedCount : 1;
    this.addSuccess({ index, count, modifiedCount, upsertedId });
  }

  /** @param isUpdate an update's entry says that it modified nothing, too. */
  addError(index: number, error: CommandError, isUpdate = false): void {
    this.errorCount += 1;
    const entry = new DocumentBuilder(128);
    entry.appendDouble('ok', 0).appendInt32('idx', index).appendInt32('code', error.code);
    const isBrief = this.errorCount > COUNT_WITH_MESSAGE && error.message.length > LONGEST_MESSAGE;
    entry.appendString('errmsg', isBrief ? '' : error.message);
    appendErrorFields(entry, error);
    entry.appendInt32('n', 0);
    if (isUpdate) entry.appendInt32('nModified', 0);
    this.add(entry.finish());
  }

  /** Writes the totals, which follow the cursor. */
  appendTotals(out: DocumentBuilder): void {
    out.appendInt32('nErrors', this.errorCount);
    out.appendInt32('nInserted', this.insertedCount);
    out.appendInt32('nMatched', this.matchedCount);
    out.appendInt32('nModified', this.modifiedCount);
    out.appendInt32('nUpserted', this.upsertedCount);
    out.appendInt32('nDeleted', this.deletedCount);
  }

  private addSuccess(result: {
    readonly index: number;
    readonly count: number;
    readonly modifiedCount?: number;
    readonly upsertedId?: RawValue | undefined;
  }): void {
    if (this.errorsOnly) return;
    const { index, count, modifiedCount, upsertedId } = result;
    const entry = new DocumentBuilder(64);
    entry.appendDouble('ok', 1).appendInt32('idx', index).appendInt32('n', count);
    if (modifiedCount !== undefined) entry.appendInt32('nModified', modifiedCount);
    if (upsertedId !== undefined) {
      entry.beginDocument('upserted').append('_id', upsertedId).end();
    }
    this.add(entry.finish());
  }

  private add(entry: Buffer): void {
    this.entries.push(entry);
    this.entryBytes += entry.length;
  }
}
