/**
 * Explain of a find, in MongoDB's shape: queryPlanner always, executionStats by running the plan.
 *
 * Promises: what is shown is what would run: candidates are tried as for the query itself, though the plan cache is neither asked nor
 * told. Source: MongoDB's manual, "Explain Results".
 */
import { createHash } from 'node:crypto';
import { ArrayBuilder, DocumentBuilder, integerValue } from '../../bson/index.ts';
import type { Interruption } from '../../common/interruption.ts';
import { collationSpecOf } from '../collation/collation.ts';
import { TimedStage } from '../executor/timed-stage.ts';
import type { FindPlanParts } from '../planner/find-plan-parts.ts';
import { identityOf, PlanChoice } from '../planner/plan-choice.ts';
import type { PlanNode } from '../planner/plan-node.ts';
import { hashOf } from '../planner/query-shape.ts';
import type { ExplainVerbosity } from '../planner/query-plan.ts';
import type { MaybePromise, ReadView } from '../../storage/index.ts';
import { showFilter } from './show-filter.ts';
import { showPlan, type PlanRun, type StageRun } from './show-plan.ts';
import { trialSnapshot } from './trial-snapshot.ts';

export function explainFind(
  parts: FindPlanParts,
  verbosity: ExplainVerbosity,
  view: ReadView,
  interruption: Interruption,
): MaybePromise<Buffer> {
  const run = new ExplainedRun(parts);
  const isChosen = parts.collection === undefined || parts.candidates.length === 1;
  if (verbosity === 'queryPlanner' && isChosen) return run.document(verbosity);
  return run.execute(verbosity, view, interruption).then(() => run.document(verbosity));
}

class ExplainedRun {
  private readonly parts: FindPlanParts;
  private readonly choice: PlanChoice;
  private readonly runs: Map<PlanNode, TimedStage>[];
  /** How the candidates stood when the trial ended. */
  private trial: readonly Buffer[] = [];
  private startMs: number;
  private elapsedMs = 0;
  private chosenMs = 0;
  private returned = 0;

  constructor(parts: FindPlanParts) {
    this.parts = parts;
    const { clock } = parts.context;
    this.startMs = clock.monotonicMs();
    this.runs = parts.candidates.map(() => new Map<PlanNode, TimedStage>());
    this.choice = new PlanChoice(parts, {
      onStage: (candidate, node, stage) => {
        const timed = new TimedStage(stage, clock);
        this.runs[candidate].set(node, timed);
        return timed;
      },
      onTrial: (result) => {
        this.chosenMs = clock.monotonicMs() - this.startMs;
        this.trial = parts.candidates.flatMap((candidate, position) => {
          const tried = result.trials[position];
          if (tried === undefined) return [];
          return trialSnapshot(candidate.node(), this.runOf(position), tried.score);
        });
      },
    });
  }

  /** Runs the plan: to its end, or only until it is chosen. */
  async execute(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): Promise<void> {
    const { clock } = this.parts.context;
    this.startMs = clock.monotonicMs();
    const executor = this.choice.open(view, interruption);
    try {
      if (verbosity === 'queryPlanner') await executor.next();
      else this.returned = await executor.countRemaining();
    } finally {
      executor.close();
    }
    this.elapsedMs = clock.monotonicMs() - this.startMs;
  }

  document(verbosity: ExplainVerbosity): Buffer {
    const builder = new DocumentBuilder();
    builder.appendString('explainVersion', '1');
    if (this.parts.collection !== undefined) {
      builder.appendString('queryShapeHash', this.queryShapeHash());
    }
    builder.appendDocument('queryPlanner', this.queryPlanner());
    if (verbosity !== 'queryPlanner') {
      builder.appendDocument('executionStats', this.executionStats(verbosity));
    }
    return builder.finish();
  }

  private queryShapeHash(): string {
    const { namespace } = this.parts;
    const hash = createHash('sha256').update(`${namespace}\n${identityOf(this.parts).shape}`);
    return hash.digest('hex').toUpperCase();
  }

  private queryPlanner(): Buffer {
    const { parts, choice } = this;
    const builder = new DocumentBuilder();
    builder.appendString('namespace', parts.namespace);
    builder.appendDocument('parsedQuery', showFilter(parts.filter.tree));
    const collation = collationSpecOf(parts.context.collator);
    if (collation !== undefined) builder.appendDocument('collation', collation);
    builder.appendBoolean('indexFilterSet', parts.indexFilterSet ?? false);
    const identity = identityOf(parts);
    builder.appendString('queryHash', hashOf(identity.shape));
    builder.appendString('planCacheShapeHash', hashOf(identity.shape));
    builder.appendString('planCacheKey', hashOf(identity.key));
    builder.append('optimizationTimeMillis', integerValue(Math.round(this.chosenMs)));
    builder.appendBoolean('maxIndexedOrSolutionsReached', false);
    builder.appendBoolean('maxIndexedAndSolutionsReached', false);
    builder.appendBoolean('maxScansToExplodeReached', false);
    builder.appendBoolean('prunedSimilarIndexes', false);
    const isCached = choice.isCached();
    builder.appendDocument('winningPlan', showPlan(choice.candidate.node(), { isCached }));
    const rejected = new ArrayBuilder();
    for (const [position, candidate] of parts.candidates.entries()) {
      if (candidate === choice.candidate) continue;
      // Nobody would have run an intersection that was not even tried.
      if (candidate.isIntersection === true && this.runs[position].size === 0) continue;
      rejected.pushDocument(showPlan(candidate.node(), { isCached: false }));
    }
    builder.appendArray('rejectedPlans', rejected.finish());
    return builder.finish();
  }

  private executionStats(verbosity: ExplainVerbosity): Buffer {
    const { choice } = this;
    const { keysExamined, docsExamined } = choice.statistics;
    const builder = new DocumentBuilder();
    const node = choice.candidate.node();
    builder.appendBoolean('executionSuccess', true);
    builder.append('nReturned', integerValue(node.stage === 'COUNT' ? 0 : this.returned));
    builder.append('executionTimeMillis', integerValue(Math.round(this.elapsedMs)));
    builder.append('totalKeysExamined', integerValue(keysExamined));
    builder.append('totalDocsExamined', integerValue(docsExamined));
    const run = this.runOf(choice.winner);
    builder.appendDocument(
      'executionStages',
      showPlan(node, { isCached: false, ...(run.size === 0 ? {} : { run }) }),
    );
    if (verbosity === 'allPlansExecution') {
      const plans = new ArrayBuilder();
      for (const snapshot of this.trial) plans.pushDocument(snapshot);
      builder.appendArray('allPlansExecution', plans.finish());
    }
    return builder.finish();
  }

  private runOf(candidate: number): PlanRun {
    const stages = this.runs[candidate];
    const { yields } = this.choice.statistics;
    const entries = Array.from(stages, ([node, { counters, elapsedMs }]): [PlanNode, StageRun] => [
      node,
      { counters, elapsedMs, yields },
    ]);
    return new Map(entries);
  }
}
