/**
 * A planned find: opens executors of its winning plan, and explains itself.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { OpenOptions } from '../executor/plan-executor.ts';
import { explainFind } from '../explain/explain-find.ts';
import type { MaybePromise, ReadView } from '../../storage/index.ts';
import type { FindPlanParts } from './find-plan-parts.ts';
import { PlanChoice, type CountingExecutor } from './plan-choice.ts';
import type { ExplainVerbosity, QueryPlan } from './query-plan.ts';

export class FindPlan implements QueryPlan {
  readonly parts: FindPlanParts;
  /** Of the last run. */
  private choice: PlanChoice | undefined;

  constructor(parts: FindPlanParts) {
    this.parts = parts;
  }

  get summary(): string {
    return this.choice?.summary ?? this.parts.candidates[0].summary;
  }

  get namespace(): string {
    return this.parts.namespace;
  }

  open(view: ReadView, interruption: Interruption, options?: OpenOptions): CountingExecutor {
    this.choice = new PlanChoice(this.parts);
    return this.choice.open(view, interruption, options);
  }

  explain(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): MaybePromise<Buffer> {
    return explainFind(this.parts, verbosity, view, interruption);
  }
}
