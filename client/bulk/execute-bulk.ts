/**
 * Runs statements of insert, update and delete in as few commands as the server's limits allow.
 *
 * Each statement is turned into BSON once; the commands carry the bytes as document sequences.
 * Source: driver specification "CRUD", "Bulk Write API".
 */
import type { Document } from 'bson';
import { encodeDocument } from '../documents/bson-options.ts';
import { MongoInvalidArgumentError, MongoOperationTimeoutError } from '../errors/driver-errors.ts';
import { execute, type BuiltCommand } from '../operations/execute.ts';
import type { Deadline } from '../operations/deadline.ts';
import { fieldsFrom, type Scope } from '../operations/scope.ts';
import type { ServerTraits } from '../transport/contract.ts';
import type { BulkWriteOptions } from '../types/options.ts';
import {
  BulkWriteResult,
  emptyTally,
  MongoBulkWriteError,
  WriteConcernError,
  WriteError,
  type BulkTally,
} from './bulk-result.ts';

export type StatementKind = 'insert' | 'update' | 'delete';

export interface Statement {
  readonly kind: StatementKind;
  /** A document to insert, or an element of `updates` or `deletes`. */
  readonly document: Document;
  /** Its place among the caller's operations. */
  readonly index: number;
}

const FIELD = { insert: 'documents', update: 'updates', delete: 'deletes' } as const;
const FIELDS = ['bypassDocumentValidation', 'comment', 'let', 'maxTimeMS', 'rawData'] as const;
/** Room in a message for the command around its statements. */
const COMMAND_BYTES = 16 * 1024;
/** What an array element costs besides its document. */
const ELEMENT_BYTES = 10;

interface Encoded extends Statement {
  readonly bytes: Uint8Array;
}

/** Runs them all. @throws MongoBulkWriteError with what was done until then. */
export async function executeBulk(
  scope: Scope,
  statements: readonly Statement[],
  options: BulkWriteOptions,
): Promise<BulkWriteResult> {
  const isOrdered = options.ordered !== false;
  const tally = emptyTally();
  const bson = scope.bsonOptions(options);
  const deadline = scope.deadline(options);
  for (const group of groupsOf(statements, isOrdered)) {
    let waiting: Encoded[] = group.map((statement) => ({
      ...statement,
      bytes: encodeDocument(statement.document, bson),
    }));
    while (waiting.length > 0) {
      const done = await runBatch(scope, waiting, options, { tally, deadline, isOrdered });
      waiting = waiting.slice(done);
      if (isOrdered && tally.writeErrors.length > 0) throw bulkError(tally, isOrdered);
    }
  }
  const result = new BulkWriteResult(tally, isOrdered);
  if (tally.writeErrors.length > 0) throw bulkError(tally, isOrdered);
  const concern = result.getWriteConcernError();
  if (concern !== undefined) throw new MongoBulkWriteError(concern, result);
  return result;
}

function bulkError(tally: BulkTally, isOrdered: boolean): MongoBulkWriteError {
  const [first] = tally.writeErrors;
  return new MongoBulkWriteError(
    {
      message: first?.errmsg === '' ? 'write operation failed' : first?.errmsg,
      code: first?.code,
      writeErrors: tally.writeErrors,
    },
    new BulkWriteResult(tally, isOrdered),
  );
}

/** In order: runs of the same kind. Out of order: all of a kind together. */
function groupsOf(statements: readonly Statement[], isOrdered: boolean): Statement[][] {
  if (!isOrdered) {
    const kinds: readonly StatementKind[] = ['insert', 'update', 'delete'];
    return kinds
      .map((kind) => statements.filter((statement) => statement.kind === kind))
      .filter((group) => group.length > 0);
  }
  const groups: Statement[][] = [];
  for (const statement of statements) {
    const last = groups.at(-1);
    if (last?.[0]?.kind === statement.kind) last.push(statement);
    else groups.push([statement]);
  }
  return groups;
}

interface Progress {
  readonly tally: BulkTally;
  readonly deadline: Deadline;
  readonly isOrdered: boolean;
}

/** Sends as many as one command takes. @returns how many those were. */
async function runBatch(
  scope: Scope,
  waiting: readonly Encoded[],
  options: BulkWriteOptions,
  { tally, deadline, isOrdered }: Progress,
): Promise<number> {
  const kind = waiting[0]?.kind ?? 'insert';
  let batch: readonly Encoded[] = [];
  const build = (traits: ServerTraits): BuiltCommand => {
    batch = takeBatch(waiting, traits);
    return {
      command: {
        [kind]: scope.collection,
        ordered: isOrdered,
        ...fieldsFrom(options, FIELDS),
      },
      sequences: [{ field: FIELD[kind], documents: batch.map(({ bytes }) => bytes) }],
    };
  };
  const request = scope.requestFor(kind, build, options, {
    kind: 'write',
    mayRetry: waiting.every(isSafeToRepeat),
    takesWriteConcern: true,
    deadline,
    ignoresRaw: true,
    keepsWriteConcernError: true,
  });
  try {
    const { reply } = await execute(scope.client, request);
    count(tally, kind, batch, reply);
  } catch (error) {
    if (!(error instanceof Error) || isOurs(error)) throw error;
    if (options.signal?.aborted === true) throw error;
    throw new MongoBulkWriteError(error, new BulkWriteResult(tally, isOrdered));
  }
  return batch.length;
}

/** What is no failure of the bulk, but of how, or for how long, it was asked for. */
function isOurs(error: Error): boolean {
  return error instanceof MongoInvalidArgumentError || error instanceof MongoOperationTimeoutError;
}

/** Only statements of one document can be told apart from their own repetition. */
function isSafeToRepeat({ kind, document }: Statement): boolean {
  if (kind === 'update') return document['multi'] !== true;
  return kind === 'insert' || document['limit'] !== 0;
}

function takeBatch(waiting: readonly Encoded[], traits: ServerTraits): readonly Encoded[] {
  const mostBytes = traits.maxMessageSizeBytes - COMMAND_BYTES;
  let bytes = 0;
  let count = 0;
  for (const { kind, bytes: document } of waiting) {
    if (kind === 'insert' && document.length > traits.maxBsonObjectSize) {
      throw new MongoInvalidArgumentError(
        `Document is larger than the maximum size ${traits.maxBsonObjectSize}`,
      );
    }
    bytes += document.length + ELEMENT_BYTES;
    if (count > 0 && (count >= traits.maxWriteBatchSize || bytes > mostBytes)) break;
    count += 1;
  }
  return waiting.slice(0, count);
}

function count(
  tally: BulkTally,
  kind: StatementKind,
  batch: readonly Encoded[],
  reply: Document,
): void {
  const n = Number(reply['n'] ?? 0);
  const upserted: readonly Document[] = reply['upserted'] ?? [];
  switch (kind) {
    case 'insert':
      tally.nInserted += n;
      for (const { index, document } of batch) {
        tally.insertedIds.push({ index, _id: document['_id'] });
      }
      break;
    case 'update':
      tally.nUpserted += upserted.length;
      tally.nMatched += n - upserted.length;
      tally.nModified += Number(reply['nModified'] ?? 0);
      for (const { index, _id } of upserted) {
        tally.upserted.push({ index: batch[Number(index)]?.index ?? Number(index), _id });
      }
      break;
    case 'delete':
      tally.nRemoved += n;
      break;
  }
  const errors: readonly Document[] = reply['writeErrors'] ?? [];
  for (const error of errors) {
    const statement = batch[Number(error['index'])];
    tally.writeErrors.push(
      new WriteError(error, statement?.index ?? Number(error['index']), statement?.document ?? {}),
    );
  }
  const concern: unknown = reply['writeConcernError'];
  if (typeof concern === 'object' && concern !== null) {
    tally.writeConcernErrors.push(new WriteConcernError(concern));
  }
}
