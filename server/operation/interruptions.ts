/**
 * Why an operation must stop: each cause with the code and message that MongoDB gives it.
 */
import { CommandError } from '../../common/errors.ts';

/** killOp, killSessions. */
export const killed = (): CommandError =>
  new CommandError('Interrupted', 'operation was interrupted');

export const maxTimeExpired = (): CommandError =>
  new CommandError('MaxTimeMSExpired', 'operation exceeded time limit');

/** Nobody reads this reply: the connection is gone. It shows in the log only. */
export const clientGone = (): CommandError =>
  new CommandError('ClientDisconnect', 'operation was interrupted because a client disconnected');

export const shuttingDown = (): CommandError =>
  new CommandError('InterruptedAtShutdown', 'interrupted at shutdown');

export const steppedDown = (): CommandError =>
  new CommandError(
    'InterruptedDueToReplStateChange',
    'operation was interrupted because the replica set state changed',
  );
