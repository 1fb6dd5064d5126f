/**
 * Accumulators in JavaScript: their inputs are gathered over many documents and groups, and folded in few hops.
 */
import { tassert } from '../../common/assert.ts';
import {
  type Accumulator,
  isScripted,
  type ScriptedAccumulator,
} from '../accumulator/definition.ts';
import type { PipelineRun } from '../stage/definition.ts';
import { AGAIN } from '../stage/source.ts';
import type { ScriptCall } from './script-calls.ts';
import type { ScriptSession } from './script-session.ts';

/** Inputs that may wait before they are folded, bytes of all groups. */
const MOST_PENDING_BYTES = 16 * 1024 * 1024;
/** Accumulators that are finished in one hop. */
const FINISHED_TOGETHER = 256;

export class ScriptFolds {
  private readonly run: PipelineRun;
  private readonly session: ScriptSession;
  private readonly waiting = new Set<ScriptedAccumulator>();
  private pendingBytes = 0;

  constructor(run: PipelineRun) {
    const session = run.context.scripts?.running;
    tassert(session !== undefined, 'a scripted accumulator without a session');
    this.run = run;
    this.session = session;
  }

  /** Accumulators have accepted a document. @returns a promise when they must be folded before they accept more. */
  accepted(accumulators: readonly Accumulator[]): Promise<void> | undefined {
    for (const accumulator of accumulators) {
      if (!isScripted(accumulator)) continue;
      this.waiting.add(accumulator);
      this.pendingBytes += accumulator.lastInputBytes;
    }
    if (this.pendingBytes < MOST_PENDING_BYTES) return undefined;
    this.pendingBytes = 0;
    const waiting = [...this.waiting];
    this.waiting.clear();
    return this.fold(waiting, false);
  }

  /** Brings all groups to their results, in several hops. */
  *finishAll(
    groups: Iterable<{ readonly accumulators: readonly Accumulator[] }>,
  ): Generator<Promise<typeof AGAIN>> {
    let batch: ScriptedAccumulator[] = [];
    for (const group of groups) {
      for (const accumulator of group.accumulators) {
        if (isScripted(accumulator)) batch.push(accumulator);
      }
      if (batch.length < FINISHED_TOGETHER) continue;
      yield this.fold(batch, true).then(() => AGAIN);
      batch = [];
    }
    if (batch.length > 0) yield this.fold(batch, true).then(() => AGAIN);
  }

  private async fold(accumulators: readonly ScriptedAccumulator[], end: boolean): Promise<void> {
    let open = accumulators;
    while (open.length > 0) {
      const calls: ScriptCall[] = [];
      const called: ScriptedAccumulator[] = [];
      for (const accumulator of open) {
        const call = accumulator.nextCall(end);
        if (call === undefined) continue;
        calls.push(call);
        called.push(accumulator);
      }
      if (calls.length === 0) return;
      const outcomes = await this.session.run(calls, this.run.interruption);
      called.forEach((accumulator, position) => accumulator.answered(outcomes[position]!));
      open = called;
    }
  }
}
