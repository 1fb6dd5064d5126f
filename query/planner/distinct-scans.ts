/**
 * The ways to the distinct values of a path that need not look at all documents: DISTINCT_SCANs over indexes that hold the path.
 */
import { DocumentBuilder } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import { partialFilterOf } from '../index-kind/partial-filter.ts';
import { compileQueryFilter } from '../matcher/compile.ts';
import { specialConditionsOf } from '../matcher/special-conditions.ts';
import { compileProjection } from '../projection/compile.ts';
import type { CollectionDescription, IndexDescription, ReadView } from '../../storage/index.ts';
import { accessPaths } from './access-path.ts';
import { resolveHint } from './index-hint.ts';
import type { AccessPath } from './access-request.ts';
import { FindPlan } from './find-plan.ts';
import { candidateOf, type PlanCandidate } from './find-plan-parts.ts';
import { isHidden } from './index-usability.ts';
import { mayHoldArrays } from './multikey.ts';
import type { DistinctScanNode } from './plan-node.ts';
import { indexFilterFor } from './planner-rules.ts';
import type { DistinctRequest } from './query-plan.ts';

/** @returns a plan that gives at least one document for each distinct value; undefined when no index can. */
export function planDistinctScans(
  view: ReadView,
  collection: CollectionDescription,
  request: DistinctRequest,
  context: QueryContext,
): FindPlan | undefined {
  const { key } = request;
  // Elements of arrays by their number: an index and a condition may differ in what they take a number for.
  if (/(^|\.)\d+(\.|$)/.test(key)) return undefined;
  const filter = compileQueryFilter(request.filter, context);
  const { text, near } = specialConditionsOf(filter.tree);
  // They read documents.
  if (text !== undefined || near !== undefined) return undefined;
  const hint = resolveHint(request.hint, collection);
  if (hint !== undefined && 'natural' in hint) return undefined;
  const allowed = indexFilterFor(collection, {}, { filter, context });
  const common = { collection, filter, sort: undefined, hasLimit: false, context, view };
  const paths = filter.isEmpty
    ? wholeIndexes(collection, key, hint)
        .filter((index) => allowed?.(index) !== false)
        .flatMap((index) => accessPaths({ ...common, hint: index }).slice(0, 1))
    : accessPaths({ ...common, hint, allowed });
  const [first, ...others] = paths.flatMap((path) => distinctPath(path, key, filter.isEmpty));
  if (first === undefined) return undefined;
  const projection = projectionOf(key);
  const covered = (path: DistinctPath): PlanCandidate =>
    candidateOf(path, () => ({
      stage: 'PROJECTION_COVERED',
      input: path.node,
      spec: projection,
      projection: compileProjection(projection, { context, filter }),
      filter,
    }));
  return new FindPlan({
    candidates: [covered(first), ...others.map(covered)],
    collection,
    context,
    query: request.filter,
    filter,
    projection,
    allowDiskUse: true,
    namespace: collection.namespace,
    indexFilterSet: allowed !== undefined,
  });
}

/** Of the path alone. */
function projectionOf(key: string): Buffer {
  const builder = new DocumentBuilder();
  if (key !== '_id' && !key.startsWith('_id.')) builder.appendInt32('_id', 0);
  return builder.appendInt32(key, 1).finish();
}

/** Without a condition any index does that begins with the path and lacks no document. */
export function wholeIndexes(
  collection: CollectionDescription,
  key: string,
  hint: IndexDescription | undefined,
): readonly IndexDescription[] {
  const indexes = hint === undefined ? collection.indexes : [hint];
  return indexes
    .filter(
      (index) =>
        index.ready &&
        !isHidden(index) &&
        !index.sparse &&
        partialFilterOf(index) === undefined &&
        index.fields[0].path === key,
    )
    .toSorted((a, b) => a.fields.length - b.fields.length);
}

export interface DistinctPath extends Pick<AccessPath, 'id' | 'indexes' | 'summary'> {
  readonly node: DistinctScanNode;
}

/** @param takesArrays elements of arrays count as values. @returns the path, or nothing when it does not hold the values */
export function distinctPath(path: AccessPath, key: string, takesArrays: boolean): DistinctPath[] {
  if (!path.holdsValues) return [];
  const scan = path.decidedScan();
  if (scan?.stage !== 'IXSCAN') return [];
  const { index } = scan;
  const position = index.fields.findIndex((field) => field.path === key);
  if (position < 0) return [];
  // Of an array with one matching element all elements count: those that do not match are outside the bounds.
  if (mayHoldArrays(index, position) && !takesArrays) return [];
  return [
    {
      id: `distinct ${path.id}`,
      indexes: path.indexes,
      summary: path.summary.replace('IXSCAN', 'DISTINCT_SCAN'),
      node: { stage: 'DISTINCT_SCAN', scan, position },
    },
  ];
}
