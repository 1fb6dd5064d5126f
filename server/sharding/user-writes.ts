/**
 * Whether clients may write to this shard: setUserWriteBlockMode, for a cluster that is being replaced by another one.
 *
 * What servers of the cluster do for themselves goes on: commands of theirs begin with an underscore, and background work has no
 * connection. The databases that each server has for itself stay writable.
 * Source: MongoDB's manual, "setUserWriteBlockMode"; jstests/noPassthrough/set_user_write_block_mode.js.
 */
import { CommandError } from '../../common/errors.ts';

/** What is asked of an operation that is about to write. */
interface Writer {
  readonly connectionId: number | undefined;
  readonly commandName: string;
  readonly database: string;
}

const OWN_DATABASES: ReadonlySet<string> = new Set(['admin', 'config', 'local']);
/** They are sent to the database admin, and write elsewhere. */
const ON_ADMIN: ReadonlySet<string> = new Set(['renameCollection', 'bulkWrite']);

export class UserWrites {
  areBlocked = false;

  /** @throws CommandError UserWritesBlocked */
  check(writer: Writer): void {
    if (this.areBlocked) checkIsOwn(writer);
  }
}

function checkIsOwn({ connectionId, commandName, database }: Writer): void {
  if (connectionId === undefined || commandName.startsWith('_')) return;
  if (OWN_DATABASES.has(database) && !ON_ADMIN.has(commandName)) return;
  throw new CommandError('UserWritesBlocked', 'User writes blocked');
}
