/**
 * SHARDING_FILTER: lets pass the documents that this shard answers for.
 *
 * As long as it is open nobody removes what it may still give: the ownership knows that it is used.
 */
import { tassert } from '../../common/assert.ts';
import type { Ownership } from '../context.ts';
import {
  StageOverInput,
  type ExecutionContext,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

export class ShardingFilter extends StageOverInput {
  readonly counters: StageCounters = { advanced: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly ownership: Ownership;
  private endUse: (() => void) | undefined;

  constructor(context: ExecutionContext, input: Stage, ownership: Ownership) {
    super(context.yielder, input);
    this.context = context;
    this.ownership = ownership;
    this.endUse = ownership.use();
  }

  override close(): void {
    this.endUse?.();
    this.endUse = undefined;
    super.close();
  }

  protected step(): Step {
    for (;;) {
      const moved = this.input.next();
      if (typeof moved !== 'boolean') return this.afterInput(moved);
      if (!moved) return this.end();
      if (this.passes()) return true;
    }
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    if (!(await moved)) return this.end();
    return this.passes() ? true : undefined;
  }

  private passes(): boolean {
    const { document } = this.context.row;
    tassert(document !== undefined, 'SHARDING_FILTER: a row without its document');
    if (!this.ownership.owns(document)) return false;
    this.counters.advanced += 1;
    return true;
  }
}
