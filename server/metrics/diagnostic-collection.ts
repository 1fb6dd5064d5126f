/**
 * Collects diagnostic.data while a server runs: a sample a second into the ring, unless parameters say otherwise.
 *
 * Owns: the timer and the sampler. Promises: after stop() resolves, what was collected is written and nothing runs on.
 * Source of the parameters' names and defaults: MongoDB's manual, "Full Time Diagnostic Data Capture".
 */
import { join } from 'node:path';
import type { Deadline } from '../../common/timer-wheel.ts';
import type { ServiceContext } from '../operation/service-context.ts';
import { DIAGNOSTIC_DIRECTORY } from './diagnostic-directory.ts';
import { DiagnosticRing } from './diagnostic-ring.ts';
import { DiagnosticSampler } from './diagnostic-sample.ts';

const MEGABYTE = 1024 * 1024;

export class DiagnosticCollection {
  private readonly service: ServiceContext;
  private readonly sampler: DiagnosticSampler;
  private readonly ring: DiagnosticRing;
  private timer: Deadline | undefined;

  /** @param service of a server whose data lies in a directory. */
  constructor(service: ServiceContext) {
    const { parameters, clock, log, identity } = service;
    this.service = service;
    const sampler = new DiagnosticSampler(service);
    this.sampler = sampler;
    this.ring = new DiagnosticRing({
      directory: join(identity.dbPath, DIAGNOSTIC_DIRECTORY),
      clock,
      log,
      sample: () => sampler.sample(),
      fileBytes: () => parameters.get('diagnosticDataCollectionFileSizeMB') * MEGABYTE,
      directoryBytes: () => parameters.get('diagnosticDataCollectionDirectorySizeMB') * MEGABYTE,
    });
    this.schedule();
  }

  async stop(): Promise<void> {
    this.timer?.cancel();
    this.sampler.close();
    await this.ring.flush();
  }

  private schedule(): void {
    const { parameters, timers } = this.service;
    this.timer = timers.after(parameters.get('diagnosticDataCollectionPeriodMillis'), () => {
      if (parameters.get('diagnosticDataCollectionEnabled')) this.ring.collect();
      this.schedule();
    });
  }
}
