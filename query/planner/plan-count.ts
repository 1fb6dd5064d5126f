/**
 * Plans a count. Without a condition the collection knows the answer; with bounds that decide the condition the index
 * entries are counted; only else are documents read.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { QueryContext } from '../context.ts';
import type { OpenOptions } from '../executor/plan-executor.ts';
import { explainFind } from '../explain/explain-find.ts';
import { compileQueryFilter } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import { specialConditionsOf } from '../matcher/special-conditions.ts';
import type { CollectionDescription, MaybePromise, ReadView } from '../../storage/index.ts';
import { accessPaths, collectionPath } from './access-path.ts';
import { resolveHint } from './index-hint.ts';
import type { AccessPath } from './access-request.ts';
import {
  candidateOf,
  type FindPlanParts,
  onlyCandidate,
  type PlanCandidate,
} from './find-plan-parts.ts';
import { PlanChoice } from './plan-choice.ts';
import type { PlanNode } from './plan-node.ts';
import { checkTableScan, indexFilterFor } from './planner-rules.ts';
import { checkSpecialRequest } from './special-path.ts';
import type { CountPlan, CountRequest, ExplainVerbosity } from './query-plan.ts';

/** @param collection undefined when the namespace does not exist: its count is 0. */
export function planCollectionCount(
  view: ReadView,
  collection: CollectionDescription | undefined,
  request: CountRequest,
  context: QueryContext,
): CountPlan {
  const filter = compileQueryFilter(request.filter, context);
  checkSpecialRequest(specialConditionsOf(filter.tree), collection, request);
  const indexFilter =
    collection === undefined ? undefined : indexFilterFor(collection, {}, { filter, context });
  return new CollectionCount(request, {
    candidates: candidatesFor(collection, request, { view, filter, context, indexFilter }),
    collection,
    context,
    query: request.filter,
    filter,
    allowDiskUse: true,
    namespace: collection?.namespace ?? request.namespace ?? '',
    indexFilterSet: indexFilter !== undefined,
  });
}

interface CountParts {
  readonly view: ReadView;
  readonly filter: Filter;
  readonly context: QueryContext;
  readonly indexFilter: ReturnType<typeof indexFilterFor>;
}

function candidatesFor(
  collection: CollectionDescription | undefined,
  request: CountRequest,
  parts: CountParts,
): FindPlanParts['candidates'] {
  if (collection === undefined) return onlyCandidate({ stage: 'EOF' }, 'EOF');
  const paths = countPaths(collection, request, parts);
  const count = (input: PlanNode): PlanNode => {
    const { skip = 0, limit = 0 } = request;
    return { stage: 'COUNT', input, skip, limit };
  };
  if (paths === undefined) {
    const stage = 'RECORD_STORE_FAST_COUNT';
    return onlyCandidate(count({ stage }), stage);
  }
  const [first, ...others] = paths;
  checkTableScan(first, collection, parts.context);
  const counted = (path: AccessPath): PlanCandidate => {
    const scan = path.decidedScan();
    if (scan === undefined) return candidateOf(path, () => count(path.node()));
    if (scan.stage !== 'IXSCAN' || scan.ranges.length !== 1 || scan.keyBounds !== undefined) {
      return candidateOf(path, () => count(scan));
    }
    const summary = path.summary.replace('IXSCAN', 'COUNT_SCAN');
    return candidateOf({ ...path, summary }, () => count({ stage: 'COUNT_SCAN', scan }));
  };
  return [counted(first), ...others.map(counted)];
}

/** undefined: the number of records is the answer. */
function countPaths(
  collection: CollectionDescription,
  request: CountRequest,
  { view, filter, context, indexFilter }: CountParts,
): readonly [AccessPath, ...AccessPath[]] | undefined {
  const hint = resolveHint(request.hint, collection);
  const natural = hint !== undefined && 'natural' in hint ? hint : undefined;
  if (filter.isEmpty && (hint === undefined || natural !== undefined)) return undefined;
  if (natural !== undefined) return [collectionPath(filter, natural.natural)];
  const index = hint !== undefined && !('natural' in hint) ? hint : undefined;
  return accessPaths({
    collection,
    filter,
    sort: undefined,
    hasLimit: false,
    hint: index,
    allowed: indexFilter,
    context,
    view,
  });
}

class CollectionCount implements CountPlan {
  private readonly request: CountRequest;
  private readonly parts: FindPlanParts;
  private choice: PlanChoice | undefined;

  constructor(request: CountRequest, parts: FindPlanParts) {
    this.request = request;
    this.parts = parts;
  }

  get summary(): string {
    return this.choice?.summary ?? this.parts.candidates[0].summary;
  }

  count(view: ReadView, interruption: Interruption, options?: OpenOptions): MaybePromise<number> {
    const { collection, context } = this.parts;
    if (collection === undefined) return 0;
    this.choice = new PlanChoice(this.parts);
    if (this.summary === 'RECORD_STORE_FAST_COUNT') {
      context.observer?.planStarted(this.choice);
      return this.withSkipAndLimit(view.recordCount(collection));
    }
    return this.choice.open(view, interruption, options).countRemaining();
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
