/**
 * How a candidate plan stood when a trial ended: explain shows it of its own trial, $planCacheStats of the one that made a cache entry.
 */
import { DocumentBuilder, doubleValue, integerValue } from '../../bson/index.ts';
import type { PlanNode } from '../planner/plan-node.ts';
import { type PlanRun, showPlan } from './show-plan.ts';

/** @param score of the trial; absent: not shown. */
export function trialSnapshot(node: PlanNode, run: PlanRun, score?: number): Buffer {
  let keysExamined = 0;
  let docsExamined = 0;
  for (const { counters } of run.values()) {
    keysExamined += counters.keysExamined ?? 0;
    docsExamined += counters.docsExamined ?? 0;
  }
  const top = run.get(node);
  const builder = new DocumentBuilder();
  builder.append('nReturned', integerValue(top?.counters.advanced ?? 0));
  const elapsedMs = Math.round(top?.elapsedMs ?? 0);
  builder.append('executionTimeMillisEstimate', integerValue(elapsedMs));
  builder.append('totalKeysExamined', integerValue(keysExamined));
  builder.append('totalDocsExamined', integerValue(docsExamined));
  if (score !== undefined) builder.append('score', doubleValue(score));
  builder.appendDocument('executionStages', showPlan(node, { isCached: false, run }));
  return builder.finish();
}
