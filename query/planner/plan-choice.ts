/**
 * The choice between the candidates of one query: from the plan cache, else by trial.
 *
 * Owns: what the cache is asked and told. A choice serves one run of a plan.
 */
import { EMPTY_DOCUMENT } from '../../bson/index.ts';
import type { Interruption } from '../../common/interruption.ts';
import { collationSpecOf } from '../collation/collation.ts';
import { EmptyExecutor } from '../executor/empty.ts';
import { MultiPlanExecutor, type TrialResult } from '../executor/multi-plan.ts';
import type { ExecutorStatistics, OpenOptions, PlanExecutor } from '../executor/plan-executor.ts';
import { StageExecutor } from '../executor/run.ts';
import type { Stage } from '../executor/stage.ts';
import type { OnStage } from '../executor/build.ts';
import { type PlanRun, showPlan } from '../explain/show-plan.ts';
import { trialSnapshot } from '../explain/trial-snapshot.ts';
import type { CollectionDescription, MaybePromise, ReadView } from '../../storage/index.ts';
import type { FindPlanParts, PlanCandidate, QueryIdentity } from './find-plan-parts.ts';
import { REPLAN_RATIO, type CachedPlan, type CachedQuery, type PlanCache } from './plan-cache.ts';
import type { PlanNode } from './plan-node.ts';
import type { RunningPlan } from './planner-services.ts';
import { hashOf, shapeOf } from './query-shape.ts';

/** An executor that can also just count. */
export interface CountingExecutor extends PlanExecutor {
  countRemaining(): MaybePromise<number>;
}

/** What explain wants to know of a run. */
export interface RunProbe {
  /** May put another stage in its place. */
  onStage(candidate: number, node: PlanNode, stage: Stage): Stage;
  /** The trial is over; counters are as it left them. */
  onTrial(result: TrialResult): void;
}

export class PlanChoice implements RunningPlan {
  private readonly parts: FindPlanParts;
  private readonly probe: RunProbe | undefined;
  private identity: QueryIdentity | undefined;
  private executor: PlanExecutor | undefined;
  /** Position of the plan that runs; until it is known the most promising. */
  winner = 0;
  fromMultiPlanner = false;
  fromPlanCache = false;
  replanReason: string | undefined;
  /** The stages that run, of each candidate that was started. */
  private readonly stages: Map<PlanNode, Stage>[] = [];

  constructor(parts: FindPlanParts, probe?: RunProbe) {
    this.parts = parts;
    this.probe = probe;
  }

  get candidate(): PlanCandidate {
    return this.parts.candidates[this.winner];
  }

  get summary(): string {
    return this.candidate.summary;
  }

  get indexNames(): readonly string[] {
    return this.candidate.indexes.map(({ name }) => name);
  }

  get statistics(): ExecutorStatistics {
    return this.executor?.statistics ?? NOTHING_EXAMINED;
  }

  get shapeHash(): string | undefined {
    return this.parts.collection === undefined ? undefined : hashOf(this.identify().shape);
  }

  get keyHash(): string | undefined {
    return this.parts.collection === undefined ? undefined : hashOf(this.identify().key);
  }

  /** Starts the plan in a view, which the caller keeps open until detach() or close(). */
  open(view: ReadView, interruption: Interruption, options?: OpenOptions): CountingExecutor {
    const { collection } = this.parts;
    if (collection === undefined) return new EmptyExecutor();
    const executor = this.start(collection, view, interruption, options);
    this.executor = executor;
    this.parts.context.observer?.planStarted(this);
    return executor;
  }

  private start(
    collection: CollectionDescription,
    view: ReadView,
    interruption: Interruption,
    options: OpenOptions | undefined,
  ): CountingExecutor {
    const { candidates, context, allowDiskUse } = this.parts;
    if (candidates.length === 1) {
      this.noteUse();
      return new StageExecutor(
        {
          node: this.candidate.node(),
          collection,
          context,
          allowDiskUse,
          onStage: this.onStage(0),
        },
        view,
        interruption,
        options,
      );
    }
    const cached = this.cachedPlan(collection);
    if (cached !== undefined) {
      this.winner = cached.position;
      this.fromPlanCache = true;
      this.noteUse();
    } else this.fromMultiPlanner = true;
    return new MultiPlanExecutor(
      {
        collection,
        context,
        allowDiskUse,
        plans: candidates.map((candidate, position) => ({
          node: candidate.node,
          isIntersection: candidate.isIntersection === true,
          onStage: this.onStage(position),
        })),
        cached,
        onReplan: (works) => this.giveUpCached(collection, works),
        onChosen: (result) => this.noteWinner(collection, result),
      },
      view,
      interruption,
      options,
    );
  }

  private onStage(candidate: number): OnStage {
    const { probe } = this;
    const stages = new Map<PlanNode, Stage>();
    this.stages[candidate] = stages;
    return (node, made) => {
      const stage = probe === undefined ? made : probe.onStage(candidate, node, made);
      stages.set(node, stage);
      return stage;
    };
  }

  /** The plan with what its stages have done so far. */
  execStats(): Buffer {
    return showPlan(this.candidate.node(), { run: this.runOf(this.winner) });
  }

  private runOf(candidate: number): PlanRun {
    const { yields } = this.statistics;
    const stages = this.stages[candidate] ?? [];
    return new Map(
      Array.from(stages, ([node, { counters }]) => [node, { counters, elapsedMs: 0, yields }]),
    );
  }

  /** How the candidates stood when the trial ended; nothing when that is more than a cache should hold. */
  private snapshots(): readonly Buffer[] {
    const shown: Buffer[] = [];
    let bytes = 0;
    for (const [position, candidate] of this.parts.candidates.entries()) {
      if (this.stages[position]?.size === 0) continue;
      const snapshot = trialSnapshot(candidate.node(), this.runOf(position));
      bytes += snapshot.length;
      if (bytes > MAX_SNAPSHOT_BYTES) return [];
      shown.push(snapshot);
    }
    return shown;
  }

  /** Explain neither uses nor changes the cache. */
  private cacheOf(collection: CollectionDescription): PlanCache | undefined {
    if (this.probe !== undefined) return undefined;
    return this.parts.context.planner?.planCaches.of(collection);
  }

  private cachedPlan(
    collection: CollectionDescription,
  ): { readonly position: number; readonly maxWorks: number } | undefined {
    const entry = this.cacheOf(collection)?.get(this.identify().key);
    if (entry?.isActive !== true) return undefined;
    const position = this.parts.candidates.findIndex(({ id }) => id === entry.id);
    return position < 0 ? undefined : { position, maxWorks: entry.works * REPLAN_RATIO };
  }

  /** Whether the winning plan is what the cache would give. */
  isCached(): boolean {
    const { collection, context, candidates } = this.parts;
    if (collection === undefined || candidates.length === 1) return false;
    const entry = context.planner?.planCaches.peek(collection)?.get(this.identify().key);
    return entry?.isActive === true && entry.id === this.candidate.id;
  }

  private giveUpCached(collection: CollectionDescription, works: number): void {
    this.fromPlanCache = false;
    this.fromMultiPlanner = true;
    this.replanReason = `cached plan was less efficient than expected: expected trial execution to take ${Math.round(works / REPLAN_RATIO)} works but it took at least ${works} works`;
    this.cacheOf(collection)?.deactivate(this.identify().key);
  }

  private noteWinner(collection: CollectionDescription, result: TrialResult): void {
    this.winner = result.winner;
    this.noteUse();
    this.probe?.onTrial(result);
    const cache = this.cacheOf(collection);
    if (cache === undefined) return;
    const { shape, key } = this.identify();
    const entry: Omit<CachedPlan, 'isActive'> = {
      id: this.candidate.id,
      works: Math.max(1, result.works),
      query: cachedQueryOf(this.parts),
      shapeHash: hashOf(shape),
      keyHash: hashOf(key),
      createdWallMs: this.parts.context.clock.wallMs(),
      scores: result.trials.flatMap((trial) => trial?.score ?? []).sort((a, b) => b - a),
      shown: showPlan(this.candidate.node()),
      trials: this.snapshots(),
    };
    cache.note(key, entry);
  }

  private noteUse(): void {
    if (this.probe !== undefined) return;
    const { indexes } = this.candidate;
    if (indexes.length > 0) this.parts.context.planner?.indexUsage.used(indexes);
  }

  private identify(): QueryIdentity {
    this.identity ??= identityOf(this.parts);
    return this.identity;
  }
}

/** Of one cache entry. */
const MAX_SNAPSHOT_BYTES = 32 * 1024;

const NOTHING_EXAMINED: ExecutorStatistics = {
  keysExamined: 0,
  docsExamined: 0,
  hasSortStage: false,
  usedDisk: false,
  yields: 0,
};

export function identityOf(parts: FindPlanParts): QueryIdentity {
  const { filter, sort, projection, context, candidates } = parts;
  const shape = shapeOf({ tree: filter.tree, sort, projection, context });
  const names = candidates.map(({ id }) => id).sort();
  return { shape, key: `${shape}\n${names.join(',')}` };
}

function cachedQueryOf({ query, sort, projection, context }: FindPlanParts): CachedQuery {
  return {
    filter: query,
    sort: sort ?? EMPTY_DOCUMENT,
    projection: projection ?? EMPTY_DOCUMENT,
    collation: collationSpecOf(context.collator) ?? EMPTY_DOCUMENT,
  };
}
