/**
 * The scrub in the background: when a pass is due, how fast it may read, and what becomes of its findings.
 *
 * Owns: one pass at a time, and its counters (serverStatus.flintdb.scrub). Each finding is logged and counted, and the first of a pass
 * becomes a startup warning, which shells show. It ends at shutdown, or when it is switched off, like any other operation.
 */
import { EMPTY_DOCUMENT } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { LogLine } from '../../common/log.ts';
import type { Deadline } from '../../common/timer-wheel.ts';
import type { ScrubFinding, ScrubProgress, ScrubResult } from '../../storage/index.ts';
import { OperationContext } from '../operation/operation-context.ts';
import type { ServiceContext } from '../operation/service-context.ts';
import type { ScrubMetrics } from '../metrics/server-metrics.ts';

/** How often it looks whether a pass is due: the parameters may change at any time. Milliseconds. */
const CHECK_MS = 1000;
const MEGABYTE = 1_000_000;
/** Findings of one pass that are logged one by one; the rest is counted. */
const MOST_LOGGED = 1000;

export class ScrubMonitor {
  private readonly service: ServiceContext;
  /** Hears of the first finding of a pass. */
  private readonly warn: (line: LogLine) => void;
  private deadline: Deadline | undefined;
  private lastPassMs: number;
  private running: Promise<void> | undefined;
  private operation: OperationContext | undefined;

  constructor(service: ServiceContext, warn: (line: LogLine) => void) {
    this.service = service;
    this.warn = warn;
    this.lastPassMs = service.clock.monotonicMs();
  }

  start(): void {
    this.deadline = this.service.timers.after(CHECK_MS, () => {
      if (this.service.isStopping) return;
      this.look();
      this.start();
    });
  }

  /** Waits for the pass under way, which was interrupted. */
  async stop(): Promise<void> {
    this.deadline?.cancel();
    await this.running;
  }

  private look(): void {
    const { parameters, clock } = this.service;
    const isWanted = parameters.get('scrubEnabled');
    if (this.running !== undefined) {
      if (!isWanted)
        this.operation?.interrupt(new CommandError('Interrupted', 'the scrub was switched off'));
      return;
    }
    const pauseMs = parameters.get('scrubIntervalSecs') * 1000;
    // The check itself comes a tick late.
    if (!isWanted || clock.monotonicMs() - this.lastPassMs < pauseMs - CHECK_MS / 2) return;
    this.running = this.pass().finally(() => {
      this.running = undefined;
      this.lastPassMs = clock.monotonicMs();
    });
  }

  private async pass(): Promise<void> {
    const { service } = this;
    const { scrub } = service.metrics;
    const op = new OperationContext(service, {
      commandName: 'scrub',
      database: 'admin',
      commandBody: EMPTY_DOCUMENT,
      connection: undefined,
      session: undefined,
    });
    this.operation = op;
    const startMs = service.clock.monotonicMs();
    scrub.running = true;
    let found = 0;
    try {
      const result = await service.engine.scrub({
        bytesPerSecond: () => service.parameters.get('scrubMegabytesPerSecond') * MEGABYTE,
        interruption: op,
        onFinding: (finding) => {
          found += 1;
          this.report(finding, found);
        },
        onProgress: (progress) => showProgress(op, scrub, progress),
      });
      this.notePass(result, startMs);
    } catch (error) {
      if (op.reason === undefined) this.noteFailure(error);
    } finally {
      scrub.running = false;
      this.operation = undefined;
      op.finish();
    }
  }

  private notePass(result: ScrubResult, startMs: number): void {
    const { clock, log, metrics } = this.service;
    const durationMillis = Math.round(clock.monotonicMs() - startMs);
    metrics.scrub.passes += 1;
    metrics.scrub.lastPassErrors = result.errors;
    metrics.scrub.lastPassMillis = durationMillis;
    metrics.scrub.lastPassEndedMs = clock.wallMs();
    log.write({
      severity: result.errors === 0 ? 'I' : 'E',
      component: 'STORAGE',
      id: 2_600_001,
      message: 'Scrub ended',
      attributes: { ...result, durationMillis },
    });
  }

  private report(finding: ScrubFinding, count: number): void {
    const { log, metrics } = this.service;
    metrics.scrub.errors += 1;
    if (count === 1) {
      this.warn({
        severity: 'W',
        component: 'STORAGE',
        id: 2_600_004,
        message: `The scrub found damage in ${finding.namespace}: ${finding.message}. The log has all findings; "flint repair" brings back what can be`,
      });
    }
    if (count > MOST_LOGGED) return;
    log.write({
      severity: 'E',
      component: 'STORAGE',
      id: 2_600_002,
      message: 'Scrub found damage',
      attributes: {
        part: finding.part,
        namespace: finding.namespace,
        recordIds: finding.recordIds?.slice(0, 100),
        error: finding.message,
      },
    });
  }

  private noteFailure(error: unknown): void {
    this.service.log.write({
      severity: 'W',
      component: 'STORAGE',
      id: 2_600_003,
      message: 'Scrub could not go on; it begins again after its interval',
      attributes: { error: String(error) },
    });
  }
}

function showProgress(op: OperationContext, scrub: ScrubMetrics, progress: ScrubProgress): void {
  const { namespace, done, total, pages, bytes } = progress;
  op.namespace = namespace;
  op.progress = { message: 'Scrub', done, total };
  scrub.pages = pages;
  scrub.bytes = bytes;
}
