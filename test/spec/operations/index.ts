/**
 * All operations of the format that this runner knows: finds the one that a case names, and runs it.
 */
import { ClientSession, Collection, Db, GridFSBucket } from 'mongodb';
import { CursorEntity } from '../runner/cursor-entity.ts';
import { MalformedCaseError, type Operation } from '../runner/format.ts';
import { ObservedClient } from '../runner/observed-client.ts';
import type { OperationContext } from '../runner/operation-context.ts';
import { resolveArguments } from './arguments.ts';
import { BUCKET_OPERATIONS } from './bucket.ts';
import { CLIENT_OPERATIONS } from './client.ts';
import { COLLECTION_OPERATIONS } from './collection.ts';
import { CURSOR_OPERATIONS } from './cursor.ts';
import { DATABASE_OPERATIONS } from './database.ts';
import { runFrom } from './definition.ts';
import { SESSION_OPERATIONS } from './session.ts';
import { TEST_RUNNER_OPERATIONS } from './test-runner.ts';

/**
 * @returns what the driver answers, perhaps a promise.
 * @throws MalformedCaseError when there is no such operation, entity or argument.
 */
export function perform(operation: Operation, context: OperationContext): unknown {
  const args = resolveArguments(operation.arguments, context.entities);
  const { name } = operation;
  if (operation.object === 'testRunner') {
    return runFrom(TEST_RUNNER_OPERATIONS, { name, target: undefined, args }, context);
  }
  const target = context.entities.get(operation.object);
  if (target instanceof Collection) {
    return runFrom(COLLECTION_OPERATIONS, { name, target, args }, context);
  }
  if (target instanceof Db) return runFrom(DATABASE_OPERATIONS, { name, target, args }, context);
  if (target instanceof ObservedClient) {
    return runFrom(CLIENT_OPERATIONS, { name, target, args }, context);
  }
  if (target instanceof ClientSession) {
    return runFrom(SESSION_OPERATIONS, { name, target, args }, context);
  }
  if (target instanceof GridFSBucket) {
    return runFrom(BUCKET_OPERATIONS, { name, target, args }, context);
  }
  if (target instanceof CursorEntity) {
    return runFrom(CURSOR_OPERATIONS, { name, target, args }, context);
  }
  throw new MalformedCaseError(`entity '${operation.object}' has no operations`);
}
