/**
 * A planned find: opens executors of its winning plan, and explains itself.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { OpenOptions, PlanExecutor } from '../executor/plan-executor.ts';
import { EmptyExecutor } from '../executor/empty.ts';
import { StageExecutor } from '../executor/run.ts';
import { explainFind } from '../explain/explain-find.ts';
import type { MaybePromise, ReadView } from '../../storage/index.ts';
import type { FindPlanParts } from './find-plan-parts.ts';
import type { ExplainVerbosity, QueryPlan } from './query-plan.ts';

export class FindPlan implements QueryPlan {
  readonly parts: FindPlanParts;

  constructor(parts: FindPlanParts) {
    this.parts = parts;
  }

  get summary(): string {
    return this.parts.summary;
  }

  get namespace(): string {
    return this.parts.namespace;
  }

  open(view: ReadView, interruption: Interruption, options?: OpenOptions): PlanExecutor {
    const { collection, winning, context, allowDiskUse } = this.parts;
    if (collection === undefined) return new EmptyExecutor();
    return new StageExecutor(
      { node: winning, collection, context, allowDiskUse },
      view,
      interruption,
      options,
    );
  }

  explain(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): MaybePromise<Buffer> {
    return explainFind(this.parts, verbosity, view, interruption);
  }
}
