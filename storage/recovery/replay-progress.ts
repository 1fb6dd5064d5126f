/**
 * Says in the log, now and then, how far a replay is: a start that takes longer than a moment should not look like one that hangs.
 */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { ReplayProgress } from '../journal/contract.ts';

/** Between two lines, milliseconds. */
const EVERY_MS = 1000;

export class ReplayProgressLog {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly startMs: number;
  private lastMs: number;

  constructor(clock: Clock, log: Log) {
    this.clock = clock;
    this.log = log;
    this.startMs = clock.monotonicMs();
    this.lastMs = this.startMs;
  }

  note({ bytes, mostBytes }: ReplayProgress): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.lastMs < EVERY_MS) return;
    this.lastMs = nowMs;
    const elapsedMs = nowMs - this.startMs;
    this.log.write({
      severity: 'I',
      component: 'RECOVERY',
      id: 5100102,
      message: 'Replaying the journal',
      attributes: {
        replayedBytes: bytes,
        // The last segment may be filled in part: what is left is an upper bound.
        totalBytesAtMost: mostBytes,
        percentAtLeast: Math.floor((100 * bytes) / mostBytes),
        elapsedMillis: Math.round(elapsedMs),
        millisLeftAtMost: Math.round((elapsedMs * (mostBytes - bytes)) / bytes),
      },
    });
  }
}
