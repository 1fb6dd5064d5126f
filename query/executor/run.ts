/**
 * Runs a plan's stages as a PlanExecutor: what a command or cursor pulls from.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { QueryContext } from '../context.ts';
import type { PlanNode } from '../planner/plan-node.ts';
import type {
  CollectionDescription,
  MaybePromise,
  ReadView,
  RecordId,
} from '../../storage/index.ts';
import { systemTemporaryFiles } from '../spill/spill-space.ts';
import { buildStage, type OnStage } from './build.ts';
import {
  DEFAULT_STAGE_BYTES,
  type ExecutorStatistics,
  newStatistics,
  type OpenOptions,
  type PlanExecutor,
} from './plan-executor.ts';
import { Row } from './row.ts';
import type { ExecutionContext, Stage } from './stage.ts';
import { checkCollectionIsThere } from './still-there.ts';
import { Yielder } from './yielding.ts';

export interface RunRequest {
  readonly node: PlanNode;
  readonly collection: CollectionDescription;
  readonly context: QueryContext;
  readonly allowDiskUse: boolean;
  /** Is told of each stage, for explain. */
  readonly onStage?: OnStage;
}

export class StageExecutor implements PlanExecutor {
  private readonly row = new Row();
  private readonly yielder: Yielder;
  private readonly context: ExecutionContext;
  private readonly root: Stage;
  private readonly isOutermost: boolean;
  private attached = true;

  constructor(
    request: RunRequest,
    view: ReadView,
    interruption: Interruption,
    options: OpenOptions = {},
  ) {
    const { clock, random } = request.context;
    this.isOutermost = options.within === undefined;
    this.yielder = options.within?.yielder ?? new Yielder(clock, interruption, options.client);
    this.context = {
      row: this.row,
      yielder: this.yielder,
      statistics: options.within?.statistics ?? newStatistics(),
      clock,
      random,
      collection: request.collection,
      forWrites: options.forWrites ?? false,
      maxStageBytes: options.maxStageBytes ?? DEFAULT_STAGE_BYTES,
      spill: request.allowDiskUse ? (options.spill ?? systemTemporaryFiles) : undefined,
      scripts: request.context.scripts?.running,
      view,
    };
    if (this.isOutermost) this.yielder.statistics = this.context.statistics;
    const { renewView } = options;
    if (renewView !== undefined) this.yielder.onResume = () => this.moveTo(renewView());
    this.root = buildStage(request.node, this.context, {
      onStage: request.onStage,
      inPlace: options.inPlace ?? false,
    });
  }

  get recordId(): RecordId | undefined {
    return this.row.recordId;
  }

  get isInPlace(): boolean {
    return this.row.isInPlace;
  }

  get statistics(): ExecutorStatistics {
    return this.context.statistics;
  }

  /** Counts in another place from now on, what it has counted so far included. */
  reportTo(statistics: ExecutorStatistics): void {
    const own = this.context.statistics;
    statistics.keysExamined += own.keysExamined;
    statistics.docsExamined += own.docsExamined;
    statistics.hasSortStage ||= own.hasSortStage;
    statistics.usedDisk ||= own.usedDisk;
    statistics.yields += own.yields;
    this.context.statistics = statistics;
  }

  next(): MaybePromise<Buffer | undefined> {
    const moved = this.root.next();
    if (moved === true) return this.row.document;
    if (moved === false) return undefined;
    return moved.then((ok) => (ok ? this.row.document : undefined));
  }

  /** How many rows are left, without giving them out. Closes the executor. */
  countRemaining(): MaybePromise<number> {
    let count = 0;
    for (;;) {
      const moved = this.root.next();
      if (moved === true) count += 1;
      else if (moved !== false) return this.countOn(moved, count);
      else break;
    }
    this.close();
    return count;
  }

  private async countOn(moved: Promise<boolean>, counted: number): Promise<number> {
    let count = counted;
    for (let more = await moved; more;) {
      count += 1;
      const next = this.root.next();
      more = typeof next === 'boolean' ? next : await next;
    }
    this.close();
    return count;
  }

  detach(): void {
    if (!this.attached) return;
    this.attached = false;
    this.root.detach();
  }

  attach(view: ReadView, interruption?: Interruption): void {
    if (interruption !== undefined) this.yielder.interruption = interruption;
    this.yielder.startSlice();
    checkCollectionIsThere(view, this.context.collection);
    this.context.view = view;
    this.attached = true;
    this.root.attach(view);
  }

  close(): void {
    this.root.close();
    if (this.isOutermost) this.context.scripts?.close();
  }

  private moveTo(view: ReadView): void {
    this.root.detach();
    checkCollectionIsThere(view, this.context.collection);
    this.context.view = view;
    this.root.attach(view);
  }
}
