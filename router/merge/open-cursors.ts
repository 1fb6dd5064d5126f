/**
 * Opens a cursor on each of several shards at once.
 *
 * Promises: all or none: when one shard fails, what the others have opened is closed before the error goes on.
 */
import { CommandError } from '../../common/errors.ts';
import type { OperationContext } from '../../server/cluster.ts';
import { cursorOf } from '../network/read-all.ts';
import type { ShardTarget } from '../routing/collection-route.ts';
import { Patience } from './patience.ts';
import { ShardCursor } from './shard-cursor.ts';

export interface OpenedCursors {
  readonly cursors: readonly ShardCursor[];
  /** Some shard was left out because nobody answered there. */
  readonly isPartial: boolean;
}

export interface OpenOptions {
  /** Of the batches after the first. */
  readonly batchSize?: number | undefined;
  /** A shard that does not answer, or not within the operation's deadline, is left out. */
  readonly allowPartialResults?: boolean;
  /** Opening twice does no harm. */
  readonly isRepeatable?: boolean;
}

/** @param bodyFor the command for a shard */
export async function openCursors(
  op: OperationContext,
  targets: readonly ShardTarget[],
  bodyFor: (target: ShardTarget) => Buffer,
  options: OpenOptions = {},
): Promise<OpenedCursors> {
  const patience = options.allowPartialResults === true ? new Patience(op) : undefined;
  const outcomes = await Promise.allSettled(
    targets.map(async (target) => {
      const reply = await target.shard.command(bodyFor(target), patience ?? op, {
        isRepeatable: options.isRepeatable ?? true,
      });
      return new ShardCursor(target.shard, cursorOf(reply), options.batchSize);
    }),
  );
  patience?.end();
  const cursors: ShardCursor[] = [];
  const errors: unknown[] = [];
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') cursors.push(outcome.value);
    else errors.push(outcome.reason);
  }
  const isPartial =
    options.allowPartialResults === true && op.reason === undefined && errors.every(isMissing);
  if (errors.length === 0 || isPartial) return { cursors, isPartial: errors.length > 0 };
  for (const cursor of cursors) cursor.close();
  throw op.reason ?? worstOf(errors);
}

/** Shards that have begun, and take longer than the operation may, are as good as not there. */
function isMissing(error: unknown): boolean {
  return (
    isUnreachable(error) || (error instanceof CommandError && error.codeName === 'MaxTimeMSExpired')
  );
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof CommandError && UNREACHABLE.has(error.codeName);
}

const UNREACHABLE: ReadonlySet<string> = new Set([
  'HostUnreachable',
  'HostNotFound',
  'NetworkTimeout',
  'FailedToSatisfyReadPreference',
  'ShutdownInProgress',
]);

const STALE: ReadonlySet<string> = new Set(['StaleConfig', 'StaleEpoch', 'StaleDbVersion']);

/** A route that is old is mended by routing again, whatever else went wrong by it. */
export function worstOf(errors: readonly unknown[]): unknown {
  return (
    errors.find((error) => error instanceof CommandError && STALE.has(error.codeName)) ?? errors[0]
  );
}
