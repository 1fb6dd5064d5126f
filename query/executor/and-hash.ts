/**
 * AND_HASH: keeps the record ids of its first input, then gives the rows of the second whose record is among them.
 *
 * Owns: those ids, as bits. They may take what one stage may, at most AND_HASH_MAX_BYTES; beyond that the plan fails, since it has
 * nothing to write to disk. Source: MongoDB's manual, "Index Intersection"; the limit and the error are MongoDB 8.0's.
 */
import { CommandError } from '../../common/errors.ts';
import type { ReadView } from '../../storage/index.ts';
import { Intersection, type IntersectionOptions } from './intersection.ts';
import { RecordIdSet } from './record-id-set.ts';
import type { ExecutionContext, Stage, StageCounters, Step } from './stage.ts';

/** Of the ids, bytes. */
export const AND_HASH_MAX_BYTES = 32 * 1024 * 1024;

export class AndHash extends Intersection {
  readonly counters: StageCounters = { advanced: 0, hashBytes: 0, mapAfterChild: [], isEOF: false };
  private readonly maxBytes: number;
  private readonly hashed = new RecordIdSet();
  /** Those of them whose key was cut. */
  private readonly cut = new RecordIdSet();
  private hashedCount = 0;
  private isHashing = true;
  /** The view was renewed since the first id was kept: documents may have other keys by now. */
  private isStale = false;

  constructor(
    context: ExecutionContext,
    inputs: readonly [Stage, Stage],
    options: IntersectionOptions = {},
  ) {
    super(context, inputs, options);
    this.maxBytes = Math.min(AND_HASH_MAX_BYTES, context.maxStageBytes);
  }

  protected asked(): Stage | undefined {
    if (this.isHashing) return this.inputs[0];
    return this.hashedCount === 0 ? undefined : this.inputs[1];
  }

  protected receive(moved: boolean): Step {
    if (this.isHashing) {
      if (moved) this.keep();
      else this.endHashing();
      return undefined;
    }
    if (!moved) return this.end();
    const recordId = this.context.row.recordId!;
    if (!this.hashed.has(recordId)) return undefined;
    return this.give(!this.isStale && !this.cut.has(recordId));
  }

  private keep(): void {
    const { recordId, keyIsWhole } = this.context.row;
    this.hashed.add(recordId!);
    if (!keyIsWhole) this.cut.add(recordId!);
    this.hashedCount += 1;
    const bytes = this.hashed.bytes + this.cut.bytes;
    this.counters.hashBytes = bytes;
    if (bytes <= this.maxBytes) return;
    throw new CommandError(
      'QueryExceededMemoryLimitNoDiskUseAllowed',
      `Executor error during find command :: caused by :: hashed AND stage buffered data usage of ${bytes} bytes exceeds internal limit of ${this.maxBytes} bytes`,
    );
  }

  private endHashing(): void {
    this.isHashing = false;
    if (this.hashedCount > 0) this.counters.mapAfterChild!.push(this.hashedCount);
  }

  override attach(view: ReadView): void {
    this.isStale ||= this.hashedCount > 0;
    super.attach(view);
  }
}
