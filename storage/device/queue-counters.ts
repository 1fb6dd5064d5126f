/**
 * What request queues count. Queues that come and go, as those of journal segments do, share one.
 */
import type { BioOperation } from './contract.ts';
import { LatencyHistogram, type LatencySummary } from './latency-histogram.ts';

export interface OperationStatistics {
  /** Bios acknowledged with success, and those of them that failed. */
  readonly bios: number;
  readonly errors: number;
  /** Calls of the device: bios less merges. */
  readonly calls: number;
  readonly bytes: number;
  /** From submit to acknowledgement. */
  readonly latency: LatencySummary;
}

export interface RequestQueueStatistics {
  readonly elevator: string;
  /** Bios queued and in flight now. */
  readonly depth: number;
  readonly maxDepth: number;
  /** Bios that joined another's device call. */
  readonly merges: number;
  /** Bios that had to wait at the gate. */
  readonly gateWaits: number;
  readonly operations: Readonly<Record<BioOperation, OperationStatistics>>;
}

export class OperationCounters {
  bios = 0;
  errors = 0;
  calls = 0;
  bytes = 0;
  readonly latency = new LatencyHistogram();

  statistics(): OperationStatistics {
    const { bios, errors, calls, bytes } = this;
    return { bios, errors, calls, bytes, latency: this.latency.summary() };
  }
}

export class QueueCounters {
  readonly operations: Readonly<Record<BioOperation, OperationCounters>> = {
    READ: new OperationCounters(),
    WRITE: new OperationCounters(),
    FLUSH: new OperationCounters(),
    DISCARD: new OperationCounters(),
  };
  merges = 0;
  gateWaits = 0;
  private depth = 0;
  private maxDepth = 0;

  enter(): void {
    this.depth += 1;
    if (this.depth > this.maxDepth) this.maxDepth = this.depth;
  }

  leave(): void {
    this.depth -= 1;
  }

  statistics(elevator: string): RequestQueueStatistics {
    const { READ, WRITE, FLUSH, DISCARD } = this.operations;
    return {
      elevator,
      depth: this.depth,
      maxDepth: this.maxDepth,
      merges: this.merges,
      gateWaits: this.gateWaits,
      operations: {
        READ: READ.statistics(),
        WRITE: WRITE.statistics(),
        FLUSH: FLUSH.statistics(),
        DISCARD: DISCARD.statistics(),
      },
    };
  }
}
