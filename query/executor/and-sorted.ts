/**
 * AND_SORTED: walks two inputs that come in order of record id side by side, and gives the records that both have.
 *
 * Needs no memory and no hashing, but inputs whose bounds are one key each. Source: MongoDB's manual, "Index Intersection".
 */
import type { ReadView, RecordId } from '../../storage/index.ts';
import { Intersection, type IntersectionOptions } from './intersection.ts';
import type { ExecutionContext, Stage, StageCounters, Step } from './stage.ts';

/** The record that one input stands at and the other walks up to. */
interface Target {
  readonly recordId: RecordId;
  /** Position of the input that stands at it. */
  readonly from: 0 | 1;
  /** Not so any more once the view was renewed. */
  keyIsWhole: boolean;
}

export class AndSorted extends Intersection {
  readonly counters: StageCounters = { advanced: 0, failedAnd: [0, 0], isEOF: false };
  private target: Target | undefined;
  private isOver = false;

  constructor(
    context: ExecutionContext,
    inputs: readonly [Stage, Stage],
    options: IntersectionOptions = {},
  ) {
    super(context, inputs, options);
  }

  protected asked(): Stage | undefined {
    return this.isOver ? undefined : this.inputs[this.position];
  }

  private get position(): 0 | 1 {
    return this.target?.from === 0 ? 1 : 0;
  }

  protected receive(moved: boolean): Step {
    if (!moved) {
      this.isOver = true;
      return this.end();
    }
    const recordId = this.context.row.recordId!;
    const { target, position } = this;
    if (target === undefined || recordId > target.recordId) {
      if (target !== undefined) this.counters.failedAnd![target.from] += 1;
      this.target = { recordId, from: position, keyIsWhole: this.context.row.keyIsWhole };
      return undefined;
    }
    if (recordId < target.recordId) return undefined;
    this.target = undefined;
    return this.give(target.keyIsWhole);
  }

  override attach(view: ReadView): void {
    if (this.target !== undefined) this.target.keyIsWhole = false;
    super.attach(view);
  }
}
