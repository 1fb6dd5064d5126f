/**
 * Plans a count. Without a condition the collection knows the answer; with bounds that decide the condition the index
 * entries are counted; only else are documents read.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { QueryContext } from '../context.ts';
import type { OpenOptions } from '../executor/plan-executor.ts';
import { StageExecutor } from '../executor/run.ts';
import { explainFind } from '../explain/explain-find.ts';
import { compileFilter } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import type { CollectionDescription, MaybePromise, ReadView } from '../../storage/index.ts';
import { type AccessPath, chooseAccessPath, collectionPath, resolveHint } from './access-path.ts';
import type { FindPlanParts } from './find-plan-parts.ts';
import type { PlanNode } from './plan-node.ts';
import type { CountPlan, CountRequest, ExplainVerbosity } from './query-plan.ts';

/** @param collection undefined when the namespace does not exist: its count is 0. */
export function planCollectionCount(
  view: ReadView,
  collection: CollectionDescription | undefined,
  request: CountRequest,
  context: QueryContext,
): CountPlan {
  const filter = compileFilter(request.filter, context);
  const { node, summary } = countedNode(collection, request, { view, filter, context });
  return new CollectionCount(request, {
    winning: node,
    rejected: [],
    collection,
    context,
    filter,
    summary,
    allowDiskUse: true,
    namespace: collection?.namespace ?? '',
  });
}

interface CountParts {
  readonly view: ReadView;
  readonly filter: Filter;
  readonly context: QueryContext;
}

function countedNode(
  collection: CollectionDescription | undefined,
  request: CountRequest,
  parts: CountParts,
): { readonly node: PlanNode; readonly summary: string } {
  if (collection === undefined) return { node: { stage: 'EOF' }, summary: 'EOF' };
  const path = countPath(collection, request, parts);
  if (path === undefined) {
    const stage = 'RECORD_STORE_FAST_COUNT';
    return { node: { stage }, summary: stage };
  }
  // Bounds that decide everything: no document is read.
  let input: PlanNode = path.decidedScan ?? path.node;
  const { skip = 0, limit = 0 } = request;
  if (skip > 0) input = { stage: 'SKIP', input, skip };
  if (limit > 0) input = { stage: 'LIMIT', input, limit };
  const summary =
    path.decidedScan === undefined ? path.summary : path.summary.replace('IXSCAN', 'COUNT_SCAN');
  return { node: { stage: 'COUNT', input }, summary };
}

/** undefined: the number of records is the answer. */
function countPath(
  collection: CollectionDescription,
  request: CountRequest,
  { view, filter, context }: CountParts,
): AccessPath | undefined {
  const hint = resolveHint(request.hint, collection);
  const natural = hint !== undefined && 'natural' in hint ? hint : undefined;
  if (filter.isEmpty && (hint === undefined || natural !== undefined)) return undefined;
  if (natural !== undefined) return collectionPath(filter, natural.natural);
  const index = hint !== undefined && !('natural' in hint) ? hint : undefined;
  return chooseAccessPath({
    collection,
    filter,
    sort: undefined,
    hasLimit: false,
    hint: index,
    context,
    view,
  }).winning;
}

class CollectionCount implements CountPlan {
  private readonly request: CountRequest;
  private readonly parts: FindPlanParts;

  constructor(request: CountRequest, parts: FindPlanParts) {
    this.request = request;
    this.parts = parts;
  }

  get summary(): string {
    return this.parts.summary;
  }

  count(view: ReadView, interruption: Interruption, options?: OpenOptions): MaybePromise<number> {
    const { collection, winning, context } = this.parts;
    if (collection === undefined) return 0;
    if (winning.stage === 'RECORD_STORE_FAST_COUNT') {
      return this.withSkipAndLimit(view.recordCount(collection));
    }
    const executor = new StageExecutor(
      { node: winning, collection, context, allowDiskUse: true },
      view,
      interruption,
      options,
    );
    return executor.countRemaining();
  }

  private withSkipAndLimit(records: number): number {
    const { skip = 0, limit = 0 } = this.request;
    const after = Math.max(0, records - skip);
    return limit > 0 ? Math.min(limit, after) : after;
  }

  explain(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): MaybePromise<Buffer> {
    return explainFind(this.parts, verbosity, view, interruption);
  }
}
