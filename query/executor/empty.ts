/**
 * An executor without results: of a collection that does not exist.
 */
import { newStatistics, type PlanExecutor } from './plan-executor.ts';

export class EmptyExecutor implements PlanExecutor {
  readonly recordId = undefined;
  readonly statistics = newStatistics();

  next(): undefined {
    return undefined;
  }

  countRemaining(): number {
    return 0;
  }

  detach(): void {
    // Holds nothing.
  }

  attach(): void {
    // Holds nothing.
  }

  close(): void {
    // Holds nothing.
  }
}
