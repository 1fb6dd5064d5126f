/**
 * One sample of diagnostic.data: every counter of server and engine at one moment, as plain numbers.
 */
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { memoryUsage, resourceUsage } from 'node:process';
import type { ServiceContext } from '../operation/service-context.ts';
import type { CounterTree } from './diagnostic-ring.ts';

/** How often the event loop is looked at, milliseconds. */
const LOOP_RESOLUTION_MS = 20;
const NANOSECONDS_PER_MICROSECOND = 1000;

export class DiagnosticSampler {
  private readonly service: ServiceContext;
  private readonly loopDelay: IntervalHistogram;

  constructor(service: ServiceContext) {
    this.service = service;
    this.loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    this.loopDelay.enable();
  }

  sample(): CounterTree {
    const { service } = this;
    const { metrics, connections, identity, clock } = service;
    const usage = resourceUsage();
    const longestDelay = Math.max(0, this.loopDelay.max);
    // Each sample tells of the time since the one before.
    this.loopDelay.reset();
    return {
      uptimeMillis: clock.monotonicMs() - identity.startedMonotonicMs,
      operations: { running: service.operations.count, ...metrics.operations },
      latencies: {
        reads: { ...metrics.latencies.reads },
        writes: { ...metrics.latencies.writes },
        commands: { ...metrics.latencies.commands },
      },
      documents: { ...metrics.documents },
      network: { ...metrics.network },
      asserts: { ...metrics.asserts },
      connections: {
        current: connections.current,
        active: connections.active,
        rejected: connections.rejected,
        bufferedBytes: connections.bufferedBytes,
      },
      cursors: { ...service.cursors.statistics() },
      sessions: service.sessions.count,
      memory: { ...memoryUsage() },
      process: {
        userMicros: usage.userCPUTime,
        systemMicros: usage.systemCPUTime,
        majorPageFaults: usage.majorPageFault,
        longestEventLoopDelayMicros: longestDelay / NANOSECONDS_PER_MICROSECOND,
      },
      engine: service.engine.statistics(),
    };
  }

  close(): void {
    this.loopDelay.disable();
  }
}
