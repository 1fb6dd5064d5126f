/**
 * commitTransaction and abortTransaction.
 * Source: driver specification "Transactions".
 */
import type { Document } from 'bson';
import { WriteConcern } from '../concerns/write-concern.ts';
import {
  MongoError,
  MongoErrorLabel,
  MongoServerError,
  MongoServerSelectionError,
} from '../errors/mongo-error.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { ClientContext } from './client-context.ts';
import { Deadline } from './deadline.ts';
import { isNetworkError, isRetryableWrite } from './error-kinds.ts';
import { execute } from './execute.ts';

const RETRIED_COMMIT_TIMEOUT_MS = 10_000;
/** UnsatisfiableWriteConcern and UnknownReplWriteConcern: no other attempt will end differently. */
const HOPELESS: ReadonlySet<unknown> = new Set([79, 100]);
const WRITE_CONCERN_TIMEOUT = 64;
const MAX_TIME_MS_EXPIRED = 50;

export async function endTransaction(
  client: ClientContext,
  session: ClientSession,
  name: 'commitTransaction' | 'abortTransaction',
  { isRetry, timeoutMS }: { readonly isRetry: boolean; readonly timeoutMS?: number | undefined },
): Promise<void> {
  const { options } = session.transaction;
  const deadline = Deadline.in(client.clock, timeoutMS);
  const command: Document = { [name]: 1 };
  const isCommit = name === 'commitTransaction';
  if (isCommit && options.maxCommitTimeMS !== undefined && !deadline.isSet) {
    command['maxTimeMS'] = options.maxCommitTimeMS;
  }
  if (session.recoveryToken !== undefined) command['recoveryToken'] = session.recoveryToken;
  const attempt = async (repeated: boolean): Promise<void> => {
    await execute(client, {
      name,
      database: 'admin',
      build: () => ({ command }),
      kind: 'other',
      mayRetry: false,
      decode: 'document',
      bson: {},
      writeConcern: concernFor(client, session, isCommit && repeated),
      deadline,
      session,
    });
  };
  try {
    await attemptTwice(attempt, session, isRetry);
  } catch (error) {
    if (isCommit) labelCommitError(error, session);
    throw error;
  }
}

/** A commit that is sent again waits for a majority: the first one may have been lost with its primary. */
async function attemptTwice(
  attempt: (repeated: boolean) => Promise<void>,
  session: ClientSession,
  isRetry: boolean,
): Promise<void> {
  try {
    await attempt(isRetry);
  } catch (error) {
    const mayHelp = isRetryableWrite(error) || isNetworkError(error);
    if (!mayHelp) throw error;
    session.unpin();
    await attempt(true);
  }
}

function concernFor(
  client: ClientContext,
  session: ClientSession,
  isRepeatedCommit: boolean,
): WriteConcern | undefined {
  const given = session.transaction.options.writeConcern ?? client.settings.writeConcern;
  if (!isRepeatedCommit) return given;
  return WriteConcern.fromOptions(
    { w: 'majority' },
    { wtimeoutMS: RETRIED_COMMIT_TIMEOUT_MS, ...given?.toJSON() },
  );
}

function labelCommitError(error: unknown, session: ClientSession): void {
  if (!(error instanceof MongoError)) return;
  const nested: unknown =
    error instanceof MongoServerError ? error.writeConcernError?.['code'] : undefined;
  const isUnknown =
    isNetworkError(error) ||
    error instanceof MongoServerSelectionError ||
    isRetryableWrite(error) ||
    error.code === MAX_TIME_MS_EXPIRED ||
    nested === WRITE_CONCERN_TIMEOUT ||
    (nested !== undefined && !HOPELESS.has(nested));
  if (!isUnknown || HOPELESS.has(error.code)) return;
  error.addErrorLabel(MongoErrorLabel.UnknownTransactionCommitResult);
  session.unpin();
}
