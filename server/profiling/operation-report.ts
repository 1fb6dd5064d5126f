/**
 * What an operation did, for those who watch: the slow log, the profiler, currentOp, serverStatus.
 *
 * Owns: the figures of one operation. Commands add to them; nobody decides anything by them.
 */
import type { ExecutorStatistics, PlanObserver, RunningPlan } from '../../query/index.ts';

/** A plan whose figures count from here on: a cursor's earlier batches are other operations' work. */
interface ObservedPlan {
  readonly plan: RunningPlan;
  readonly keysBefore: number;
  readonly docsBefore: number;
  readonly yieldsBefore: number;
}

export class OperationReport implements PlanObserver {
  /** Documents in the reply's batch. */
  returnedCount: number | undefined;
  insertedCount: number | undefined;
  matchedCount: number | undefined;
  modifiedCount: number | undefined;
  deletedCount: number | undefined;
  upsertedCount: number | undefined;
  cursorId: bigint | undefined;
  /** The cursor has nothing more to give. */
  cursorExhausted = false;
  /** Of a getMore: the command that opened its cursor. */
  originatingCommand: Buffer | undefined;
  private first: ObservedPlan | undefined;
  private others: ObservedPlan[] | undefined;

  planStarted(plan: RunningPlan): void {
    this.observe({ plan, keysBefore: 0, docsBefore: 0, yieldsBefore: 0 });
  }

  /** The plan of a cursor goes on for this operation. */
  planResumed(plan: RunningPlan): void {
    const { keysExamined, docsExamined, yields } = plan.statistics;
    this.observe({
      plan,
      keysBefore: keysExamined,
      docsBefore: docsExamined,
      yieldsBefore: yields,
    });
  }

  private observe(observed: ObservedPlan): void {
    if (this.first === undefined) this.first = observed;
    else if (this.others === undefined) this.others = [observed];
    // A $lookup starts a plan for every document: what was added last is enough to see what goes on.
    else if (this.others.length < MAX_OBSERVED) this.others.push(observed);
  }

  /** The plan that reads the operation's own collection. */
  get plan(): RunningPlan | undefined {
    return this.first?.plan;
  }

  get keysExamined(): number | undefined {
    return this.sum((statistics) => statistics.keysExamined, 'keysBefore');
  }

  get docsExamined(): number | undefined {
    return this.sum((statistics) => statistics.docsExamined, 'docsBefore');
  }

  /** How often its plans gave up their turn. */
  get yields(): number {
    return this.sum(({ yields }) => yields, 'yieldsBefore') ?? 0;
  }

  get hasSortStage(): boolean {
    return this.plan?.statistics.hasSortStage ?? false;
  }

  get usedDisk(): boolean {
    return this.plan?.statistics.usedDisk ?? false;
  }

  private sum(
    counted: (statistics: ExecutorStatistics) => number,
    before: 'keysBefore' | 'docsBefore' | 'yieldsBefore',
  ): number | undefined {
    const { first, others } = this;
    if (first === undefined) return undefined;
    if (others === undefined) return counted(first.plan.statistics) - first[before];
    let total = counted(first.plan.statistics) - first[before];
    const seen = new Set([first.plan.statistics]);
    for (const other of others) {
      // The parts of one pipeline count together.
      if (seen.has(other.plan.statistics)) continue;
      seen.add(other.plan.statistics);
      total += counted(other.plan.statistics) - other[before];
    }
    return total;
  }
}

const MAX_OBSERVED = 1000;
