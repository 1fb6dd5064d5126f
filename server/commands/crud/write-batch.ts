/**
 * What insert, update and delete share: a batch of statements, in order or not, each of which succeeds or leaves one error.
 *
 * Owns: the batch's limits, its error list and its reply. A failed statement ends an ordered batch and nothing else.
 * Source: MongoDB's manual, "Database Commands": insert, update, delete (fields n, writeErrors).
 */
import type { DocumentBuilder } from '../../../bson/index.ts';
import { indexName } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { MAX_WRITE_BATCH_COUNT } from '../../../common/limits.ts';
import type { MaybePromise } from '../../../storage/index.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { appendErrorFields } from '../../command/reply.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import type { WriterOptions } from './record-writer.ts';

/** One statement's failure, at its index in the batch. */
export interface WriteError {
  readonly index: number;
  readonly error: CommandError;
}

/** Fields of a write command that are not its statements. */
export interface WriteOptions extends WriterOptions {
  readonly namespace: string;
  readonly ordered: boolean;
}

export function parseWriteOptions(body: CommandBody): WriteOptions {
  const namespace = body.collection();
  const bypassValidation = body.safeBoolean('bypassDocumentValidation', false);
  body.expectCollection();
  body.refuse('encryptionInformation', 'isTimeseriesNamespace');
  return { namespace, ordered: body.boolean('ordered', true), bypassValidation };
}

/** @throws CommandError InvalidLength */
export function checkBatchCount(count: number): void {
  if (count >= 1 && count <= MAX_WRITE_BATCH_COUNT) return;
  throw new CommandError(
    'InvalidLength',
    `Write batch sizes must be between 1 and ${MAX_WRITE_BATCH_COUNT}. Got ${count} operations.`,
  );
}

/** The statement of a batch of one, which is all that explain takes. */
export function onlyStatement<Statement>(statements: readonly Statement[]): Statement {
  const [statement] = statements;
  if (statement !== undefined && statements.length === 1) return statement;
  throw new CommandError('InvalidLength', 'explained write batches must be of size 1');
}

/** A statement's error if the batch can go on without it; throws on what ends the whole command. */
export function statementError(op: OperationContext, error: unknown): CommandError {
  if (op.reason !== undefined) throw op.reason;
  if (error instanceof CommandError) return error;
  throw error;
}

/** So many statements run before others get their turn. */
const STATEMENTS_PER_SLICE = 64;

/** The statements of a batch, and what to do with each. */
export interface StatementRun<Statement, Done> {
  readonly statements: readonly Statement[];
  readonly ordered: boolean;
  readonly run: (statement: Statement) => MaybePromise<Done>;
  /** Called for each statement that succeeded, in order. */
  readonly done: (result: Done, index: number) => void;
}

/**
 * Runs the statements of a batch one after the other.
 * @returns their errors. Synchronous for a single statement that waits for nothing.
 */
export function runStatements<Statement, Done>(
  op: OperationContext,
  batch: StatementRun<Statement, Done>,
): MaybePromise<readonly WriteError[]> {
  const [only] = batch.statements;
  if (batch.statements.length !== 1 || only === undefined) return runEach(op, batch);
  const succeed = (result: Done): readonly WriteError[] => {
    batch.done(result, 0);
    return [];
  };
  const fail = (error: unknown): readonly WriteError[] => [
    { index: 0, error: statementError(op, error) },
  ];
  try {
    const result = batch.run(only);
    return result instanceof Promise ? result.then(succeed, fail) : succeed(result);
  } catch (error) {
    return fail(error);
  }
}

async function runEach<Statement, Done>(
  op: OperationContext,
  batch: StatementRun<Statement, Done>,
): Promise<readonly WriteError[]> {
  const errors: WriteError[] = [];
  for (const [index, statement] of batch.statements.entries()) {
    try {
      const result = batch.run(statement);
      batch.done(result instanceof Promise ? await result : result, index);
    } catch (error) {
      errors.push({ index, error: statementError(op, error) });
      if (batch.ordered) break;
    }
    if (index % STATEMENTS_PER_SLICE === STATEMENTS_PER_SLICE - 1) await op.yield();
  }
  return errors;
}

/** Past so many bytes of messages errors come without one, as in MongoDB; the first two never do. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const COUNT_WITH_MESSAGE = 2;
/** Past so many bytes of the reply they come without details (errInfo), so that all of them find their place in it. */
const MAX_DETAIL_BYTES = 8 * 1024 * 1024;

/** Appends `writeErrors` if there are any. */
export function appendWriteErrors(out: DocumentBuilder, errors: readonly WriteError[]): void {
  if (errors.length === 0) return;
  let messageBytes = 0;
  const start = out.byteLength;
  out.beginArray('writeErrors');
  for (const [position, { index, error }] of errors.entries()) {
    const isBrief = position >= COUNT_WITH_MESSAGE && messageBytes >= MAX_MESSAGE_BYTES;
    out.beginDocument(indexName(position));
    out.appendInt32('index', index).appendInt32('code', error.code);
    if (out.byteLength - start < MAX_DETAIL_BYTES) appendErrorFields(out, error);
    out.appendString('errmsg', isBrief ? '' : error.message);
    out.end();
    messageBytes += error.message.length;
  }
  out.end();
}
