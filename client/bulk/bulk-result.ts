/**
 * What came of a bulk write: counts, ids, and the errors of single statements.
 */
import type { Document } from 'bson';
import { MongoServerError } from '../errors/mongo-error.ts';

/** A statement that was not done. */
export class WriteError {
  /** Its place in the bulk as the caller wrote it. */
  readonly index: number;
  readonly code: number;
  readonly errmsg: string;
  readonly errInfo: Document | undefined;
  /** The error as the server sent it, and the statement. */
  readonly err: Document;

  constructor(error: Document, index: number, operation: Document) {
    this.index = index;
    this.code = error['code'];
    this.errmsg = error['errmsg'] ?? '';
    this.errInfo = error['errInfo'];
    this.err = { ...error, index, op: operation };
  }

  getOperation(): Document {
    return this.err['op'];
  }

  toJSON(): Document {
    return {
      code: this.code,
      index: this.index,
      errmsg: this.errmsg,
      op: this.err['op'],
      ...(this.errInfo === undefined ? {} : { errInfo: this.errInfo }),
    };
  }

  toString(): string {
    return `WriteError(${JSON.stringify(this.toJSON())})`;
  }
}

/** Everything was written, but not acknowledged as the write concern asks. */
export class WriteConcernError {
  readonly #error: Document;

  constructor(error: Document) {
    this.#error = error;
  }

  get code(): number | undefined {
    return this.#error['code'];
  }

  get errmsg(): string | undefined {
    return this.#error['errmsg'];
  }

  get errInfo(): Document | undefined {
    return this.#error['errInfo'];
  }

  toJSON(): Document {
    return this.#error;
  }

  toString(): string {
    return `WriteConcernError(${this.errmsg})`;
  }
}

/** Gathered over all commands of a bulk. */
export interface BulkTally {
  ok: number;
  writeErrors: WriteError[];
  writeConcernErrors: WriteConcernError[];
  insertedIds: { index: number; _id: unknown }[];
  upserted: { index: number; _id: unknown }[];
  nInserted: number;
  nUpserted: number;
  nMatched: number;
  nModified: number;
  nRemoved: number;
}

export function emptyTally(): BulkTally {
  return {
    ok: 1,
    writeErrors: [],
    writeConcernErrors: [],
    insertedIds: [],
    upserted: [],
    nInserted: 0,
    nUpserted: 0,
    nMatched: 0,
    nModified: 0,
    nRemoved: 0,
  };
}

export class BulkWriteResult {
  readonly insertedCount: number;
  readonly matchedCount: number;
  readonly modifiedCount: number;
  readonly deletedCount: number;
  readonly upsertedCount: number;
  readonly upsertedIds: { [index: number]: unknown };
  readonly insertedIds: { [index: number]: unknown };
  readonly #tally: BulkTally;

  constructor(tally: BulkTally, isOrdered: boolean) {
    this.#tally = tally;
    this.insertedCount = tally.nInserted;
    this.matchedCount = tally.nMatched;
    this.modifiedCount = tally.nModified;
    this.deletedCount = tally.nRemoved;
    this.upsertedCount = tally.upserted.length;
    this.upsertedIds = byIndex(tally.upserted);
    this.insertedIds = byIndex(insertedOf(tally, isOrdered));
    Object.defineProperty(this, 'result', { value: tally, enumerable: false });
  }

  get ok(): number {
    return this.#tally.ok;
  }

  getUpsertedIdAt(index: number): unknown {
    return this.upsertedIds[index];
  }

  getRawResponse(): BulkTally {
    return this.#tally;
  }

  hasWriteErrors(): boolean {
    return this.#tally.writeErrors.length > 0;
  }

  getWriteErrorCount(): number {
    return this.#tally.writeErrors.length;
  }

  getWriteErrorAt(index: number): WriteError | undefined {
    return this.#tally.writeErrors[index];
  }

  getWriteErrors(): WriteError[] {
    return this.#tally.writeErrors;
  }

  getWriteConcernError(): WriteConcernError | undefined {
    const errors = this.#tally.writeConcernErrors;
    if (errors.length < 2) return errors[0];
    return new WriteConcernError({
      errmsg: errors.map((error) => error.errmsg).join(' and '),
      code: 64,
    });
  }

  toString(): string {
    return `BulkWriteResult(${JSON.stringify(this.#tally)})`;
  }

  isOk(): boolean {
    return this.#tally.ok === 1;
  }
}

function byIndex(entries: readonly { index: number; _id: unknown }[]): {
  [index: number]: unknown;
} {
  return Object.fromEntries(entries.map(({ index, _id }) => [index, _id]));
}

/** In order nothing is inserted after the first error; out of order all but those that failed. */
function insertedOf(tally: BulkTally, isOrdered: boolean): BulkTally['insertedIds'] {
  if (tally.writeErrors.length === 0) return tally.insertedIds;
  const failed = new Set(tally.writeErrors.map(({ index }) => index));
  const first = Math.min(...failed);
  return tally.insertedIds.filter(({ index }) => (isOrdered ? index < first : !failed.has(index)));
}

export class MongoBulkWriteError extends MongoServerError {
  result: BulkWriteResult;
  writeErrors: WriteError | WriteError[] = [];
  declare err?: WriteConcernError;

  /** @param error what stopped the bulk: errors of statements, of the write concern, or of a whole command. */
  constructor(error: Document, result: BulkWriteResult) {
    const { message, errmsg, code, errorLabels } = error;
    super({
      message: message ?? errmsg,
      code,
      ...(errorLabels === undefined ? {} : { errorLabels }),
    });
    if (error instanceof WriteConcernError) this.err = error;
    else if (error instanceof Error) copyFields(this, error);
    else this.writeErrors = error['writeErrors'] ?? [];
    if (error instanceof Error) this.cause = error;
    this.result = result;
  }

  override get name(): string {
    return 'MongoBulkWriteError';
  }

  get insertedCount(): number {
    return this.result.insertedCount;
  }

  get matchedCount(): number {
    return this.result.matchedCount;
  }

  get modifiedCount(): number {
    return this.result.modifiedCount;
  }

  get deletedCount(): number {
    return this.result.deletedCount;
  }

  get upsertedCount(): number {
    return this.result.upsertedCount;
  }

  get insertedIds(): { [index: number]: unknown } {
    return this.result.insertedIds;
  }

  get upsertedIds(): { [index: number]: unknown } {
    return this.result.upsertedIds;
  }
}

function copyFields(target: MongoBulkWriteError, error: Error): void {
  for (const [name, value] of Object.entries(error))
    if (name !== 'result') Reflect.set(target, name, value);
}
