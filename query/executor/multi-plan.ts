/**
 * Chooses between several plans by running them side by side for a while, and goes on with the best.
 *
 * Owns: the trial, its ranking, and the short cut over a cached winner, which is given up when it takes much more work than it
 * did when it won.
 * Source: MongoDB's manual, "Query Plans"; the weights are MongoDB 8.0's.
 */
import type { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { QueryContext } from '../context.ts';
import { inputsOf, type PlanNode } from '../planner/plan-node.ts';
import type {
  CollectionDescription,
  MaybePromise,
  ReadView,
  RecordId,
} from '../../storage/index.ts';
import {
  type ExecutorStatistics,
  newStatistics,
  type OpenOptions,
  type PlanExecutor,
} from './plan-executor.ts';
import type { OnStage } from './build.ts';
import { PlanTrial } from './plan-trial.ts';
import { StageExecutor } from './run.ts';
import { TrialYielder } from './trial-yielder.ts';
import { Yielder } from './yielding.ts';

/** Works of each plan in a trial, at most (internalQueryPlanEvaluationWorks). */
const TRIAL_WORKS = 10_000;
/** Of a large collection it may be this share of its records instead (internalQueryPlanEvaluationCollFraction). */
const TRIAL_SHARE = 0.3;
/** Plans take turns of so many works. */
const TURN_WORKS = 16;

/** A document that a plan looks at counts like so many keys when an intersection is weighed; from disk it costs more. */
const WORKS_PER_DOCUMENT = 3;
/** Fewer documents that were looked at in vain are not worth the overtime. */
const MIN_WASTED_DOCUMENTS = 128;
/** An intersection must not cost more than this share of what the best plan cost for the same. */
const INTERSECTION_SHARE = 0.75;

export interface TrialPlan {
  readonly node: () => PlanNode;
  /** It is tried only when the best of the others looked at many documents in vain. */
  readonly isIntersection?: boolean;
  /** Is told of each stage, for explain. */
  readonly onStage?: OnStage;
}

export interface TrialResult {
  /** Position of the best plan. */
  readonly winner: number;
  /** By position; undefined: an intersection that was not tried. */
  readonly trials: readonly ({ readonly works: number; readonly score: number } | undefined)[];
  /** Works of the best plan. */
  readonly works: number;
}

export interface MultiPlanRequest {
  readonly collection: CollectionDescription;
  readonly context: QueryContext;
  readonly allowDiskUse: boolean;
  readonly plans: readonly TrialPlan[];
  /** The plan that won before, and the works after which it is given up. */
  readonly cached?: { readonly position: number; readonly maxWorks: number } | undefined;
  /** The cached plan took too much work. */
  readonly onReplan?: (works: number) => void;
  readonly onChosen: (result: TrialResult) => void;
}

export class MultiPlanExecutor implements PlanExecutor {
  readonly statistics: ExecutorStatistics;
  private readonly request: MultiPlanRequest;
  private readonly options: OpenOptions;
  private readonly yielder: Yielder;
  private view: ReadView;
  private running: PlanTrial[] = [];
  private chosen: PlanTrial | undefined;
  private isClosed = false;

  constructor(
    request: MultiPlanRequest,
    view: ReadView,
    interruption: Interruption,
    options: OpenOptions = {},
  ) {
    this.request = request;
    this.view = view;
    this.options = options;
    this.statistics = options.within?.statistics ?? newStatistics();
    this.yielder =
      options.within?.yielder ?? new Yielder(request.context.clock, interruption, options.client);
    if (options.within === undefined) this.yielder.statistics = this.statistics;
    const { renewView } = options;
    if (renewView !== undefined) this.yielder.onResume = () => this.moveTo(renewView());
  }

  get recordId(): RecordId | undefined {
    return this.chosen?.recordId;
  }

  next(): MaybePromise<Buffer | undefined> {
    if (this.chosen !== undefined) return this.chosen.next();
    if (this.isClosed) return undefined;
    const { cached } = this.request;
    if (cached === undefined) return this.tryAll().then((best) => best.next());
    const kept = this.tryCached(cached);
    return kept instanceof Promise ? kept.then((trial) => trial.next()) : kept.next();
  }

  /** How many rows are left, without giving them out. Closes the executor. */
  async countRemaining(): Promise<number> {
    let count = 0;
    for (;;) {
      const next = this.next();
      if ((next instanceof Promise ? await next : next) === undefined) break;
      count += 1;
    }
    this.close();
    return count;
  }

  /** The cached plan, unless it does too much: then the best of all. */
  private tryCached(cached: { position: number; maxWorks: number }): MaybePromise<PlanTrial> {
    const trial = this.open(this.request.plans[cached.position]);
    this.running = [trial];
    const turned = trial.turn(cached.maxWorks);
    if (turned instanceof Promise) return turned.then(() => this.keepOrReplan(trial));
    return this.keepOrReplan(trial);
  }

  private keepOrReplan(trial: PlanTrial): MaybePromise<PlanTrial> {
    if (trial.isDone && trial.failure === undefined) return this.goOnWith(trial);
    this.request.onReplan?.(trial.works);
    trial.close();
    this.running = [];
    return this.tryAll();
  }

  private async tryAll(): Promise<PlanTrial> {
    const { plans, collection } = this.request;
    const isFirst = (plan: TrialPlan): boolean => plan.isIntersection !== true;
    const regular = plans.some(isFirst) ? plans.filter(isFirst) : plans;
    const trials = new Map(regular.map((plan) => [plan, this.open(plan)]));
    const running = [...trials.values()];
    this.running = running;
    const share = Math.floor(this.view.recordCount(collection) * TRIAL_SHARE);
    const maxWorks = Math.max(TRIAL_WORKS, share);
    for (let works = 0; works < maxWorks; works += TURN_WORKS) {
      for (const trial of running) {
        const turned = trial.turn(TURN_WORKS);
        if (turned instanceof Promise) await turned;
      }
      if (running.some((trial) => trial.isDone && trial.failure === undefined)) break;
      if (running.every((trial) => trial.failure !== undefined)) throw failureOf(running);
    }
    const best = bestOf(trials);
    const better = await this.tryIntersections(best, trials);
    return this.choose(trials, better ?? best);
  }

  /**
   * MongoDB's ranking counts keys and never documents, so that two scans look like twice the work of one. Here an intersection gets
   * overtime, as long as its cost stays below the share of what the best plan has cost so far; when it comes as far as that, it pays.
   */
  private async tryIntersections(
    best: PlanTrial,
    trials: Map<TrialPlan, PlanTrial>,
  ): Promise<PlanTrial | undefined> {
    const wasted = best.executor.statistics.docsExamined - best.advanced;
    if (wasted < MIN_WASTED_DOCUMENTS) return undefined;
    const added = this.request.plans
      .filter((plan) => !trials.has(plan))
      .map((plan) => {
        const trial = this.open(plan);
        trials.set(plan, trial);
        return trial;
      });
    this.running = [...this.running, ...added];
    const limit = costOf(best) * INTERSECTION_SHARE;
    const caughtUp = (trial: PlanTrial): boolean =>
      trial.isEof || trial.advanced >= Math.max(1, best.advanced);
    let going = added;
    while (going.length > 0) {
      for (const trial of going) {
        const turned = trial.turn(TURN_WORKS);
        if (turned instanceof Promise) await turned;
      }
      going = going.filter((trial) => trial.failure === undefined && costOf(trial) <= limit);
      const winner = going.find(caughtUp);
      if (winner !== undefined) return winner;
      going = going.filter((trial) => !trial.isDone);
    }
    return undefined;
  }

  private choose(trials: ReadonlyMap<TrialPlan, PlanTrial>, best: PlanTrial): PlanTrial {
    if (best.failure !== undefined) throw best.failure;
    const { plans } = this.request;
    const shown = plans.map((plan) => {
      const trial = trials.get(plan);
      if (trial === undefined) return undefined;
      return { works: trial.works, score: scoreOf(trial, plan.node()) };
    });
    const winner = plans.findIndex((plan) => trials.get(plan) === best);
    this.request.onChosen({ winner, trials: shown, works: best.works });
    for (const trial of trials.values()) if (trial !== best) trial.close();
    return this.goOnWith(best);
  }

  /** What other plans examined is the price of the choice, not of the query. */
  private goOnWith(trial: PlanTrial): PlanTrial {
    trial.executor.reportTo(this.statistics);
    this.running = [trial];
    this.chosen = trial;
    return trial;
  }

  private open({ node, onStage }: TrialPlan): PlanTrial {
    const { collection, context, allowDiskUse } = this.request;
    const yielder = new TrialYielder(this.yielder);
    const { forWrites, maxStageBytes, spill } = this.options;
    const executor = new StageExecutor(
      {
        node: node(),
        collection,
        context,
        allowDiskUse,
        ...(onStage === undefined ? {} : { onStage }),
      },
      this.view,
      this.yielder.interruption,
      {
        within: { yielder, statistics: newStatistics() },
        ...(forWrites === undefined ? {} : { forWrites }),
        ...(maxStageBytes === undefined ? {} : { maxStageBytes }),
        ...(spill === undefined ? {} : { spill }),
      },
    );
    return new PlanTrial(executor, yielder);
  }

  private moveTo(view: ReadView): void {
    this.view = view;
    for (const trial of this.running) trial.move(view);
  }

  detach(): void {
    for (const trial of this.running) trial.executor.detach();
  }

  attach(view: ReadView, interruption?: Interruption): void {
    this.view = view;
    if (interruption !== undefined) this.yielder.interruption = interruption;
    this.yielder.startSlice();
    for (const trial of this.running) trial.executor.attach(view);
  }

  close(): void {
    this.isClosed = true;
    for (const trial of this.running) trial.close();
  }
}

function failureOf(trials: readonly PlanTrial[]): CommandError | undefined {
  return trials.find((trial) => trial.failure !== undefined)?.failure;
}

/**
 * What a plan showed: documents per work, and a little for what it can do without. A plan that came to its end wins over all that did
 * not.
 */
function scoreOf(trial: PlanTrial, node: PlanNode): number {
  if (trial.failure !== undefined) return 0;
  const works = Math.max(1, trial.works);
  const epsilon = Math.min(1 / (10 * works), 1e-4);
  const bonus =
    (hasStage(node, 'FETCH') ? 0 : epsilon) +
    (hasStage(node, 'SORT') ? 0 : epsilon) +
    (hasStage(node, 'AND_HASH') || hasStage(node, 'AND_SORTED') ? 0 : epsilon);
  return 1 + trial.advanced / works + bonus + (trial.isEof ? 1 : 0);
}

/** The first of those with the highest score. */
function bestOf(trials: ReadonlyMap<TrialPlan, PlanTrial>): PlanTrial {
  const scored = Array.from(trials, ([plan, trial]) => ({
    trial,
    score: scoreOf(trial, plan.node()),
  }));
  return scored.reduce((best, other) => (other.score > best.score ? other : best)).trial;
}

/** In keys: what the plan has read so far. */
function costOf({ works, executor }: PlanTrial): number {
  return works + WORKS_PER_DOCUMENT * executor.statistics.docsExamined;
}

function hasStage(node: PlanNode, stage: PlanNode['stage']): boolean {
  return node.stage === stage || inputsOf(node).some((input) => hasStage(input, stage));
}
