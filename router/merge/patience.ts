/**
 * How long an operation waits for shards it can do without: until a little before its own deadline, so that it can still answer.
 *
 * Promises: whoever waits by it stops with NetworkTimeout then, and with the operation's own reason when that ends first.
 * Source: MongoDB's query/cluster_find.cpp, which keeps a quarter of the time for itself, 100 ms at most.
 */
import { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { OperationContext } from '../../server/cluster.ts';

const MOST_RESERVED_MS = 100;
const RESERVED_PART = 0.25;

export class Patience implements Interruption {
  private readonly op: OperationContext;
  private readonly listeners = new Set<(reason: Error) => void>();
  private readonly timer: { cancel(): void } | undefined;
  private own: Error | undefined;

  constructor(op: OperationContext) {
    this.op = op;
    const leftMs = op.remainingTimeMs;
    if (leftMs === undefined) return;
    const reservedMs = Math.min(MOST_RESERVED_MS, leftMs * RESERVED_PART);
    this.timer = op.service.timers.after(leftMs - reservedMs, () => this.runOut());
  }

  get reason(): Error | undefined {
    return this.op.reason ?? this.own;
  }

  throwIfInterrupted(): void {
    if (this.reason !== undefined) throw this.reason;
  }

  onInterrupt(stop: (reason: Error) => void): () => void {
    if (this.own !== undefined) {
      stop(this.own);
      return () => {};
    }
    this.listeners.add(stop);
    const takeBack = this.op.onInterrupt((reason) => {
      if (this.listeners.delete(stop)) stop(reason);
    });
    return () => {
      this.listeners.delete(stop);
      takeBack();
    };
  }

  /** Nobody waits by it any more. */
  end(): void {
    this.timer?.cancel();
  }

  private runOut(): void {
    const own = new CommandError('NetworkTimeout', 'A shard has not answered within the deadline');
    this.own = own;
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const stop of listeners) stop(own);
  }
}
