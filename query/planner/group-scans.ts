/**
 * A $group of which one document for each value is enough: a DISTINCT_SCAN in front of it gives it no more than that.
 *
 * Promises: the group stage stays where it is, so that a scan may give more than one document of a group, but never none, and the one that
 * the group looks at always. Source: MongoDB's manual, "$group Stage", "Optimizations".
 */
import { DocumentBuilder, EMPTY_DOCUMENT, fieldsOf, int32Value } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import { compileQueryFilter } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import { specialConditionsOf } from '../matcher/special-conditions.ts';
import { compileProjection } from '../projection/compile.ts';
import type { DistinctGroups, PipelineStage } from '../stage/definition.ts';
import type { CollectionDescription, ReadView } from '../../storage/index.ts';
import { accessPaths } from './access-path.ts';
import type { AccessPath } from './access-request.ts';
import { distinctPath, type DistinctPath, wholeIndexes } from './distinct-scans.ts';
import { FindPlan } from './find-plan.ts';
import { candidateOf } from './find-plan-parts.ts';
import { resolveHint } from './index-hint.ts';
import { isPoint } from './interval.ts';
import { mayHoldArrays } from './multikey.ts';
import type { DistinctScanNode, PlanNode } from './plan-node.ts';
import { indexFilterFor } from './planner-rules.ts';
import type { FindRequest } from './query-plan.ts';
import { parseSort, type SortPattern } from './sort-pattern.ts';

export interface GroupScans {
  readonly find: FindPlan;
  /** The group stage for the order that the documents come in. */
  readonly group: PipelineStage;
}

export interface GroupRequest {
  readonly filter: Buffer;
  readonly sort: Buffer | undefined;
  readonly hint: FindRequest['hint'];
  readonly stage: PipelineStage;
}

/** @returns undefined when no index can. */
export function planGroupScans(
  view: ReadView,
  collection: CollectionDescription,
  request: GroupRequest,
  context: QueryContext,
): GroupScans | undefined {
  const groups = request.stage.nature;
  if (groups.kind !== 'distinctGroups' || !isGroupable(groups, request)) return undefined;
  const isTurned = groups.takes === 'last';
  const wanted = groups.takes === 'any' ? undefined : request.sort;
  const pattern = wanted !== undefined && isTurned ? opposite(wanted) : wanted;
  const sort = parseSort(pattern);
  if (sort?.natural !== undefined || (sort?.metadata.size ?? 0) > 0) return undefined;
  const filter = compileQueryFilter(request.filter, context);
  const { text, near } = specialConditionsOf(filter.tree);
  if (text !== undefined || near !== undefined) return undefined;
  const wantedPaths = {
    path: groups.path,
    filter,
    sort,
    pattern: request.sort,
    hint: request.hint,
  };
  const paths = pathsFor(view, collection, wantedPaths, context);
  const needed = request.stage.pathsNeeded;
  const [first, ...others] = paths.map((path) =>
    candidateOf(path, () => documentsOf(path, { needed, filter, context })),
  );
  if (first === undefined) return undefined;
  const find = new FindPlan({
    candidates: [first, ...others],
    collection,
    context,
    query: request.filter,
    filter,
    sort: pattern,
    projection: EMPTY_DOCUMENT,
    allowDiskUse: true,
    namespace: collection.namespace,
  });
  return { find, group: isTurned ? groups.turned() : request.stage };
}

/** The first document of a group is one of an order. A part of a path that is a number is a name for $group, and an element for an index. */
function isGroupable({ path, takes }: DistinctGroups, { sort }: GroupRequest): boolean {
  if (/(^|\.)\d+(\.|$)/.test(path)) return false;
  return takes === 'any' || sort !== undefined;
}

function opposite(pattern: Buffer): Buffer {
  const turned = new DocumentBuilder();
  for (const [path, value] of fieldsOf(pattern)) {
    turned.append(path, value.isNumber ? int32Value(value.asNumber() < 0 ? 1 : -1) : value);
  }
  return turned.finish();
}

interface PathRequest {
  readonly path: string;
  readonly filter: Filter;
  readonly sort: SortPattern | undefined;
  /** As the client has it. */
  readonly pattern: Buffer | undefined;
  readonly hint: FindRequest['hint'];
}

function pathsFor(
  view: ReadView,
  collection: CollectionDescription,
  { path, filter, sort, pattern, hint: asked }: PathRequest,
  context: QueryContext,
): readonly DistinctPath[] {
  const hint = resolveHint(asked, collection);
  if (hint !== undefined && 'natural' in hint) return [];
  const shape = pattern === undefined ? {} : { sort: pattern };
  const allowed =
    hint === undefined ? indexFilterFor(collection, shape, { filter, context }) : undefined;
  const common = { collection, filter, sort, hasLimit: false, context, view };
  const mayBeAny = filter.isEmpty && sort === undefined;
  const paths: readonly AccessPath[] = mayBeAny
    ? wholeIndexes(collection, path, hint)
        .filter((index) => allowed?.(index) !== false)
        .flatMap((index) => accessPaths({ ...common, hint: index }).slice(0, 1))
    : accessPaths({ ...common, hint, allowed });
  return paths
    .filter(({ sorted }) => sort === undefined || sorted)
    .flatMap((each) => distinctPath(each, path, false))
    .filter(({ node }) => jumpsFar(node));
}

/** All fields in front have one value: each value of the path is met once. */
function jumpsFar({ scan, position }: DistinctScanNode): boolean {
  return scan.bounds
    .slice(0, position)
    .every(([only, second]) => only !== undefined && second === undefined && isPoint(only));
}

/** From the index alone when it has all that the group looks at. */
function documentsOf(
  { node }: DistinctPath,
  {
    needed,
    filter,
    context,
  }: {
    readonly needed: ReadonlySet<string> | undefined;
    readonly filter: Filter;
    readonly context: QueryContext;
  },
): PlanNode {
  const whole = filter.isEmpty ? undefined : filter;
  const { index } = node.scan;
  const isHeld = (path: string): boolean => {
    const position = index.fields.findIndex((field) => field.path === path);
    return position >= 0 && !mayHoldArrays(index, position);
  };
  const paths = [...(needed ?? [])];
  const isNested = paths.some((inner) => paths.some((outer) => inner.startsWith(`${outer}.`)));
  if (needed === undefined || isNested || !paths.every(isHeld)) {
    return { stage: 'FETCH', input: node, residual: undefined, whole };
  }
  const spec = new DocumentBuilder();
  if (!needed.has('_id')) spec.appendInt32('_id', 0);
  for (const path of paths) spec.appendInt32(path, 1);
  const projected = spec.finish();
  return {
    stage: 'PROJECTION_COVERED',
    input: node,
    spec: projected,
    projection: compileProjection(projected, { context, filter }),
    filter,
  };
}
