/**
 * That clients may not write to this shard, as it is stored: it survives restarts.
 */
import { documentOf, stringValue } from '../../bson/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import { changeFacts, readFacts } from './stored-facts.ts';
import type { UserWrites } from './user-writes.ts';

/** MongoDB's name. */
const USER_WRITES = 'config.user_writes_critical_sections';
const ALL = stringValue('');

export async function loadUserWrites(op: OperationContext, userWrites: UserWrites): Promise<void> {
  userWrites.areBlocked = (await readFacts(op, USER_WRITES)).length > 0;
}

/** Durable when it resolves; when it blocks, writes that had begun are over by then. */
export async function setUserWrites(
  op: OperationContext,
  userWrites: UserWrites,
  areBlocked: boolean,
): Promise<void> {
  const value = documentOf({ _id: ALL, active: true, blockUserWrites: true });
  await changeFacts(op, [
    { namespace: USER_WRITES, id: ALL, value: areBlocked ? value : undefined },
  ]);
  userWrites.areBlocked = areBlocked;
  if (areBlocked) await drained(op);
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
