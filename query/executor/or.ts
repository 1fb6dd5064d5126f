/**
 * OR: the rows of several inputs one after the other, each record once.
 */
import { RecordIdSet } from './record-id-set.ts';
import {
  type ExecutionContext,
  StageOverInputs,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

export class Or extends StageOverInputs {
  readonly counters: StageCounters = { advanced: 0, dupsDropped: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly seen = new RecordIdSet();
  private current = 0;

  constructor(context: ExecutionContext, inputs: readonly Stage[]) {
    super(context.yielder, inputs);
    this.context = context;
  }

  protected step(): Step {
    for (;;) {
      const input = this.inputs[this.current];
      if (input === undefined) return this.end();
      const moved = input.next();
      if (moved === true) {
        if (this.isNew()) return true;
      } else if (moved === false) this.current += 1;
      else return this.afterInput(moved);
    }
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    if (!(await moved)) this.current += 1;
    else if (this.isNew()) return true;
    return undefined;
  }

  private isNew(): boolean {
    const recordId = this.context.row.recordId!;
    if (this.seen.has(recordId)) {
      this.counters.dupsDropped! += 1;
      return false;
    }
    this.seen.add(recordId);
    this.counters.advanced += 1;
    return true;
  }
}
