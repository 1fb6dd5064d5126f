/**
 * UPDATE and DELETE under explain: finds what a write would change, and changes nothing.
 */
import type { ExplainedWriteNode } from '../planner/plan-node.ts';
import {
  type ExecutionContext,
  StageOverInput,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

export class ExplainedWrite extends StageOverInput {
  readonly counters: StageCounters = { advanced: 0, matched: 0, changed: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly write: ExplainedWriteNode;

  constructor(context: ExecutionContext, input: Stage, write: ExplainedWriteNode) {
    super(context.yielder, input);
    this.context = context;
    this.write = write;
  }

  protected step(): Step {
    for (;;) {
      if (!this.write.multi && this.counters.matched === 1) return this.end();
      const moved = this.input.next();
      if (moved === false) return this.end();
      if (moved !== true) return this.afterInput(moved);
      this.note();
    }
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    if (!(await moved)) return this.end();
    this.note();
    return undefined;
  }

  private note(): void {
    this.counters.matched! += 1;
    if (this.write.changes(this.context.row.document)) this.counters.changed! += 1;
  }
}
