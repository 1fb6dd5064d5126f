/**
 * fsync: everything written so far becomes part of the base; with `lock: true` writes then wait until fsyncUnlock.
 * Source: MongoDB's manual, "fsync", "fsyncUnlock".
 */
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

const DEFAULT_ACQUISITION_MS = 90_000;

interface FsyncRequest {
  readonly lock: boolean;
  /** How long writes that run already are waited for. */
  readonly acquisitionMs: number;
}

export const fsync = defineCommand({
  name: 'fsync',
  help: 'Takes a checkpoint and waits until it is on the device; on request, blocks writes from then on.',
  kind: 'admin',
  access: { action: 'fsync', on: 'cluster' },
  route: 'allShards',
  adminOnly: true,
  parse(body): FsyncRequest {
    // A flush that nobody waits for would promise nothing: `async` has had no effect in MongoDB for long.
    body.ignore('async');
    return {
      lock: body.safeBoolean('lock', false),
      acquisitionMs: body.integer('fsyncLockAcquisitionTimeoutMillis', DEFAULT_ACQUISITION_MS, 0),
    };
  },
  async execute({ lock, acquisitionMs }, op) {
    if (lock) return takeLock(op, acquisitionMs);
    await op.waitFor(op.engine.checkpoint());
    return undefined;
  },
  reply: (lockCount) =>
    lockCount === undefined
      ? { numFiles: 1 }
      : {
          info: 'now locked against writes, use db.fsyncUnlock() to unlock',
          lockCount: BigInt(lockCount),
          seeAlso: 'http://dochub.mongodb.org/core/fsynccommand',
        },
});

export const fsyncUnlock = defineCommand({
  name: 'fsyncUnlock',
  help: 'Gives back one lock of fsync; the last one lets writes go on.',
  kind: 'admin',
  access: { action: 'unlock', on: 'cluster' },
  route: 'allShards',
  adminOnly: true,
  parse: () => undefined,
  execute(_request, { service }) {
    uassert(
      service.writeGate.lockCount > 0,
      'IllegalOperation',
      'fsyncUnlock called when not locked',
    );
    return service.writeGate.unlock();
  },
  reply: (lockCount) => ({ info: 'fsyncUnlock completed', lockCount: BigInt(lockCount) }),
});

/** @returns the locks held, this one included. Nothing is held when it throws. */
async function takeLock(op: OperationContext, acquisitionMs: number): Promise<number> {
  const { writeGate, timers } = op.service;
  const lock = writeGate.want();
  let tooLate = (_error: Error): void => {};
  const limit = new Promise<never>((_resolve, reject) => (tooLate = reject));
  const deadline = timers.after(acquisitionMs, () =>
    tooLate(new CommandError('LockTimeout', 'Fsync lock timed out')),
  );
  try {
    await op.waitFor(Promise.race([lock.drained.over, limit]));
    await op.waitFor(op.engine.checkpoint());
    return lock.take();
  } catch (error) {
    lock.giveUp();
    throw error;
  } finally {
    lock.drained.cancel();
    deadline.cancel();
  }
}
