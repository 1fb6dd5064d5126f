/**
 * Named places inside a checkpoint where a test makes it wait, or the process die.
 *
 * Data of the fail point: `{crash: true}` ends the process at once, as kill -9 does; `{crash: true, afterMS: n}` so much
 * later, while the checkpoint goes on; `{blockTimeMS: n}` waits so long; anything else waits until the fail point is off.
 */
import { sleep, type Clock } from '../../common/clock.ts';
import type { FailPoints } from '../../common/failpoints.ts';

export const CHECKPOINT_POINTS = [
  'checkpointAfterFreeze',
  'checkpointAfterJournalFlush',
  'checkpointInPages',
  'checkpointAfterPages',
  'checkpointInIndexCommit',
  'checkpointAfterIndexCommit',
  'checkpointAfterPublish',
  'checkpointAfterSuperblock',
] as const;

export type CheckpointPoint = (typeof CHECKPOINT_POINTS)[number];

const POLL_MS = 5;

export async function pauseAt(
  name: CheckpointPoint,
  failPoints: FailPoints,
  clock: Clock,
): Promise<void> {
  const fired = failPoints.fire(name);
  if (fired === undefined) return;
  const data: unknown = fired.data;
  if (isObject(data) && data.crash === true) {
    crash(clock, typeof data.afterMS === 'number' ? data.afterMS : 0);
    return;
  }
  if (isObject(data) && typeof data.blockTimeMS === 'number') {
    await sleep(clock, data.blockTimeMS);
    return;
  }
  while (failPoints.names().includes(name)) await sleep(clock, POLL_MS);
}

function crash(clock: Clock, afterMs: number): void {
  const end = (): void => {
    process.kill(process.pid, 'SIGKILL');
  };
  if (afterMs === 0) end();
  else clock.after(afterMs, end);
}

function isObject(data: unknown): data is Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null;
}
