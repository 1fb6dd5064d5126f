/**
 * Whether clients may write to this shard: setUserWriteBlockMode, for a cluster that is being replaced by another one.
 *
 * What servers of the cluster do for themselves goes on: commands of theirs begin with an underscore, and background work has no
 * connection. The databases that each server has for itself stay writable. It survives restarts.
 * Source: MongoDB's manual, "setUserWriteBlockMode"; jstests/noPassthrough/set_user_write_block_mode.js.
 */
import { documentOf, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import { changeFacts, readFacts } from './stored-facts.ts';

/** MongoDB's name. */
const USER_WRITES = 'config.user_writes_critical_sections';
const ALL = stringValue('');
const OWN_DATABASES: ReadonlySet<string> = new Set(['admin', 'config', 'local']);
/** They are sent to the database admin, and write elsewhere. */
const ON_ADMIN: ReadonlySet<string> = new Set(['renameCollection', 'bulkWrite']);

export class UserWrites {
  private blocked = false;

  /** Reads what was stored. */
  async load(op: OperationContext): Promise<void> {
    this.blocked = (await readFacts(op, USER_WRITES)).length > 0;
  }

  /** Durable when it resolves; when it blocks, writes that had begun are over by then. */
  async set(op: OperationContext, blocked: boolean): Promise<void> {
    const value = documentOf({ _id: ALL, active: true, blockUserWrites: true });
    await changeFacts(op, [
      { namespace: USER_WRITES, id: ALL, value: blocked ? value : undefined },
    ]);
    this.blocked = blocked;
    if (blocked) await drained(op);
  }

  /** @throws CommandError UserWritesBlocked */
  check(op: OperationContext): void {
    if (this.blocked) checkIsOwn(op);
  }
}

function checkIsOwn({ connectionId, commandName, database }: OperationContext): void {
  if (connectionId === undefined || commandName.startsWith('_')) return;
  if (OWN_DATABASES.has(database) && !ON_ADMIN.has(commandName)) return;
  throw new CommandError('UserWritesBlocked', 'User writes blocked');
}

async function drained(op: OperationContext): Promise<void> {
  const wanted = op.service.writeGate.want();
  try {
    await op.waitFor(wanted.drained.over);
  } finally {
    wanted.drained.cancel();
    wanted.giveUp();
  }
}
