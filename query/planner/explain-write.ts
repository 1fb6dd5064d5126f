/**
 * Explain of a write: the search for its documents, and what it would do to them.
 */
import { explainFind } from '../explain/explain-find.ts';
import { ExpressPlan } from './express-plan.ts';
import { FindPlan } from './find-plan.ts';
import { candidateOf, type PlanCandidate } from './find-plan-parts.ts';
import type { ExplainedWriteNode } from './plan-node.ts';
import type { QueryPlan } from './query-plan.ts';

/** What the write would do. */
export type WriteToExplain = Omit<ExplainedWriteNode, 'input'>;

/** @param plan of the search. */
export function explainWrite(plan: QueryPlan, write: WriteToExplain): Pick<QueryPlan, 'explain'> {
  const find = plan instanceof ExpressPlan ? plan.asStages() : plan;
  if (!(find instanceof FindPlan)) return plan;
  const { parts } = find;
  const wrap = (candidate: PlanCandidate): PlanCandidate =>
    candidateOf(candidate, () => {
      const node = candidate.node();
      // Without a collection there is nothing to write to.
      if (node.stage === 'EOF') return node;
      // A write of one document stops by itself.
      const input = node.stage === 'LIMIT' ? node.input : node;
      return { ...write, input };
    });
  const [first, ...others] = parts.candidates;
  const wrapped = { ...parts, candidates: [wrap(first), ...others.map(wrap)] as const };
  return {
    explain: (verbosity, view, interruption) => explainFind(wrapped, verbosity, view, interruption),
  };
}
