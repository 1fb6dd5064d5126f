/**
 * What the planner keeps between the operations of one server, and whom it tells what runs.
 */
import type { Clock } from '../../common/clock.ts';
import type { ExecutorStatistics } from '../executor/plan-executor.ts';
import { IndexUsage } from './index-usage.ts';
import { PlanCaches } from './plan-cache.ts';

export interface PlannerServices {
  readonly planCaches: PlanCaches;
  readonly indexUsage: IndexUsage;
  /** Queries that would read a whole collection are refused (the server parameter notablescan). */
  readonly refusesTableScans: () => boolean;
  readonly intersections: () => IntersectionRule;
}

/** Whether indexes are intersected: never, where a trial shows that it pays, or wherever it is possible (for tests). */
export type IntersectionRule = 'off' | 'wherePays' | 'forced';

interface PlannerSettings {
  readonly refusesTableScans?: () => boolean;
  readonly intersections?: () => IntersectionRule;
}

export function createPlannerServices(
  clock: Clock,
  settings: PlannerSettings = {},
): PlannerServices {
  const { refusesTableScans = () => false, intersections = () => 'wherePays' } = settings;
  return {
    planCaches: new PlanCaches(),
    indexUsage: new IndexUsage(clock),
    refusesTableScans,
    intersections,
  };
}

/** A plan that runs, for the slow log, the profiler and currentOp. Its figures grow while it runs. */
export interface RunningPlan {
  readonly summary: string;
  readonly statistics: ExecutorStatistics;
  /** Names of the indexes that it reads; absent: not known. */
  readonly indexNames?: readonly string[];
  /** Hashes of the query's shape and of its key in the plan cache; undefined for plans that need no choice. */
  readonly shapeHash?: string | undefined;
  readonly keyHash?: string | undefined;
  readonly fromMultiPlanner?: boolean;
  readonly fromPlanCache?: boolean;
  readonly replanReason?: string | undefined;
  /** Its stages with what they have done so far, as explain shows them; absent: it has none. */
  execStats?(): Buffer;
}

/** Is told of every plan that an operation starts. */
export interface PlanObserver {
  planStarted(plan: RunningPlan): void;
}
