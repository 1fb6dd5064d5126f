/**
 * What happens after an operation that somebody watches: a line in the log when it was slow, a document in system.profile.
 *
 * Promises: the client's answer does not depend on it: what goes wrong here is logged.
 */
import type { MaybePromise } from '../../storage/index.ts';
import { documentOf } from '../../bson/index.ts';
import { documentToInsert } from '../catalog/stored-document.ts';
import { isSystemProfile, splitNamespace } from '../catalog/namespace.ts';
import { RecordWriter } from '../commands/crud/record-writer.ts';
import { OperationContext } from '../operation/operation-context.ts';
import type { ServiceContext } from '../operation/service-context.ts';
import { type FinishedOperation, profileEntry } from './describe-finished.ts';
import { logSlowOperation } from './slow-operation.ts';

/** MongoDB's size of system.profile, bytes. */
const PROFILE_BYTES = 1024 * 1024;

export function watchFinished(finished: FinishedOperation): void {
  const { op, elapsedMs } = finished;
  const { service } = op;
  const { profiler } = service;
  const database = splitNamespace(op.namespace).database;
  const level = profiler.levelOf(database);
  const filter = profiler.filterOf(database);
  const isSlow = elapsedMs > profiler.slowMs;
  if (!isSlow && level === 0 && filter === undefined) return;
  const entry = level > 0 || filter !== undefined ? profileEntry(finished) : undefined;
  const isShown =
    filter !== undefined && entry !== undefined
      ? filter.matches(entry)
      : isSlow && profiler.isSampled();
  if (isShown) logSlowOperation(finished);
  if (entry === undefined || !(level === 2 || (level === 1 && isShown))) return;
  if (isSystemProfile(op.namespace)) return;
  // Under fsync's lock reads go on, and what they did would wait in memory: as in MongoDB it is not profiled.
  if (service.writeGate.isClosed) return;
  writeEntry(service, database, entry);
}

function writeEntry(service: ServiceContext, database: string, entry: Buffer): void {
  const op = new OperationContext(service, {
    commandName: 'profile',
    database,
    commandBody: documentOf({ profile: 1 }),
    connection: undefined,
    session: undefined,
  });
  const conclude = (): void => op.finish();
  const fail = (error: unknown): void => {
    service.log.write({
      severity: 'W',
      component: 'COMMAND',
      id: 2_000_103,
      message: 'An operation could not be profiled',
      attributes: { database, error: String(error) },
    });
    op.finish();
  };
  try {
    const written = insertEntry(op, `${database}.system.profile`, entry);
    if (written instanceof Promise) void written.then(conclude, fail);
    else conclude();
  } catch (error) {
    fail(error);
  }
}

function insertEntry(op: OperationContext, namespace: string, entry: Buffer): MaybePromise<void> {
  return op.transact((transaction) => {
    const collection =
      transaction.collection(namespace) ??
      transaction.createCollection(namespace, {
        options: documentOf({ capped: true, size: PROFILE_BYTES }),
      });
    const document = documentToInsert(entry, op.service.stamps);
    new RecordWriter(op, transaction, collection).insert(document);
  });
}
