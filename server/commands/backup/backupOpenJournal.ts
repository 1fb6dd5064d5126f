/**
 * backupOpenJournal: follows the journal behind a commit that a backup of this store holds already.
 *
 * Commit number and time tell whether it is of this history, and `storeId` whether of this store: of empty ones both are 0.
 */
import { BsonType, getField, int64Value, timestampValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { CommitNumber } from '../../../storage/index.ts';
import { defineCommand } from '../../command/define-command.ts';

export const backupOpenJournal = defineCommand({
  name: 'backupOpenJournal',
  help: 'Opens the journal behind a commit, to be read with backupRead.',
  kind: 'admin',
  access: { action: 'fsync', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  passesBarrier: true,
  parse(body) {
    const after = body.document('after');
    const commitNumber = getField(after, 'commitNumber');
    const timestamp = getField(after, 'timestamp');
    if (commitNumber?.isNumber !== true || timestamp?.type !== BsonType.timestamp) {
      throw new CommandError('BadValue', 'after must hold a commitNumber and its timestamp');
    }
    const number = commitNumber.asNumber();
    if (!Number.isSafeInteger(number) || number < 0) {
      throw new CommandError('BadValue', `${number} is no commit number`);
    }
    const storeId = body.string('storeId');
    // The range is checked; the brand exists for the compiler only.
    return { commitNumber: number as CommitNumber, timestamp: timestamp.asTimestamp(), storeId };
  },
  async execute({ commitNumber, timestamp, storeId }, op) {
    const journal = await op.engine.openJournalTail(commitNumber, storeId);
    const here = journal.after.timestamp;
    if (here.seconds !== timestamp.seconds || here.increment !== timestamp.increment) {
      await journal.close();
      throw new CommandError(
        'CappedPositionLost',
        `commit ${commitNumber} was at Timestamp(${here.seconds}, ${here.increment}) here, not at Timestamp(${timestamp.seconds}, ${timestamp.increment}): this is another history`,
      );
    }
    return { journal, id: op.service.backups.add({ kind: 'journal', journal }) };
  },
  reply: ({ journal, id }) => ({
    backup: id,
    commitNumber: int64Value(BigInt(journal.after.commitNumber)),
    timestamp: timestampValue(journal.after.timestamp.seconds, journal.after.timestamp.increment),
  }),
});
