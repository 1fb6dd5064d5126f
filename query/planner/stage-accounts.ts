/**
 * What each stage of a pipeline did while it ran under explain: documents given, and what its own pipelines on other collections read.
 */
import { type ExecutorStatistics, newStatistics } from '../executor/plan-executor.ts';
import type { PlanObserver, RunningPlan } from './planner-services.ts';

export class StageAccount implements PlanObserver {
  /** Documents that came out of the stage. */
  returned = 0;
  /** Of the stage's own pipelines. */
  readonly statistics: ExecutorStatistics = newStatistics();
  private readonly plans = new Set<RunningPlan>();
  private readonly indexes = new Set<string>();
  private scans = 0;

  planStarted(plan: RunningPlan): void {
    this.settle();
    this.plans.add(plan);
  }

  /** Whether it read another collection at all. */
  get hasPlans(): boolean {
    return this.plans.size > 0 || this.scans > 0 || this.indexes.size > 0;
  }

  get collectionScans(): number {
    this.settle();
    return this.scans;
  }

  get indexesUsed(): readonly string[] {
    this.settle();
    return [...this.indexes];
  }

  /** Which of several candidates a plan runs is known once it runs: a look-up starts one for every document, and keeps none. */
  private settle(): void {
    for (const { summary, indexNames } of this.plans) {
      if (summary.startsWith('COLLSCAN')) this.scans += 1;
      for (const name of indexNames ?? []) this.indexes.add(name);
    }
    this.plans.clear();
  }
}
