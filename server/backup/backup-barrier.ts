/**
 * The barrier of a cluster's backup: while it is up, nothing leaves this server that anybody could act on.
 *
 * It is up on every server at once for the moment in which each of them names its latest commit. Writes go on meanwhile; what waits is what
 * would tell of them: replies, and requests to other servers of the cluster. So nothing that was done after one server's commit was
 * named can have brought about anything that another server's commit has: what the commits name together is a state that the cluster
 * might have been left in by a power cut (Chandy and Lamport, "Distributed Snapshots"). docs/decisions/0018-backup-of-a-cluster.md
 *
 * Owns: the holds, and their time limits. Invariants:
 *  1. A hold ends by its time limit, whatever becomes of who asked for it.
 *  2. Who releases a hold that has ended is told so: its commits are good for nothing then.
 */
import { CommandError } from '../../common/errors.ts';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { Deadline, TimerWheel } from '../../common/timer-wheel.ts';

interface Hold {
  readonly startedMs: number;
  readonly limit: Deadline;
  readonly isOver: Promise<void>;
  readonly end: () => void;
}

export interface BackupBarrierOptions {
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
}

const ID_BYTES = 16;

export class BackupBarrier {
  private readonly holds = new Map<string, Hold>();
  private readonly options: BackupBarrierOptions;

  constructor(options: BackupBarrierOptions) {
    this.options = options;
  }

  get isUp(): boolean {
    return this.holds.size > 0;
  }

  /** @param limitMs after which it ends by itself @returns its id: random, so that nobody guesses another client's */
  raise(limitMs: number): string {
    const { clock, random, timers } = this.options;
    const id = random.bytes(ID_BYTES).toString('hex');
    let settle = (): void => {};
    const isOver = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const end = (): void => {
      limit.cancel();
      this.holds.delete(id);
      settle();
    };
    const limit = timers.after(limitMs, end);
    this.holds.set(id, { startedMs: clock.monotonicMs(), limit, isOver, end });
    return id;
  }

  /** @returns how long it was up, milliseconds @throws CommandError CursorNotFound when it has ended by its limit */
  release(id: string): number {
    const hold = this.holds.get(id);
    if (hold === undefined) {
      throw new CommandError(
        'CursorNotFound',
        `backup barrier ${id} not found: it was released, or has ended by its time limit`,
      );
    }
    hold.end();
    return this.options.clock.monotonicMs() - hold.startedMs;
  }

  /** For the end of the server. */
  releaseAll(): void {
    for (const hold of this.holds.values()) hold.end();
  }

  /** Resolves when nothing holds any more what wants to leave. */
  async passed(): Promise<void> {
    for (let [hold] = this.holds.values(); hold !== undefined; [hold] = this.holds.values()) {
      await hold.isOver;
    }
  }
}
