/**
 * How the documents of a filter are reached: by a collection scan, one index, or several joined by OR.
 *
 * Owns: the enumeration of candidates, the most promising first. Which of them runs is decided by a trial (find-plan.ts), which knows
 * the data.
 */
import { CommandError } from '../../common/errors.ts';
import { collatorOf, sameCollation } from '../index-kind/collation.ts';
import type { IndexScanShape, ScanQuestion } from '../index-kind/index-kind.ts';
import { partialFilterOf } from '../index-kind/partial-filter.ts';
import { kindOf } from '../index-kind/registry.ts';
import { LongStep } from '../long-steps.ts';
import { compileTree } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import { conjunction, type FilterNode } from '../matcher/tree.ts';
import type { IndexDescription } from '../../storage/index.ts';
import type { AccessPath, AccessRequest } from './access-request.ts';
import {
  boundsOnIndex,
  directionForSort,
  explodeForSort,
  type IndexBounds,
  scanOf,
  type Selectivity,
  selectivityOf,
} from './index-candidate.ts';
import { showKeyPattern } from './index-hint.ts';
import { isHidden } from './index-usability.ts';
import { isClustered } from './clustered-scan.ts';
import { ALL_VALUES, isAllValues, sameIntervals } from './interval.ts';
import { intersectionPaths } from './intersections.ts';
import { implies } from './partial-index.ts';
import type { IxscanNode, PlanNode } from './plan-node.ts';
import type { Predicate } from './predicate.ts';
import { conjuncts, predicatesOf } from './predicates.ts';
import { raceScans } from './race.ts';
import { rangePath } from './range-path.ts';
import { isDecided, residualOf } from './residual.ts';
import { sortOrderOf } from './sort-pattern.ts';
import { specialPath } from './special-path.ts';

interface Candidate {
  readonly id: string;
  readonly bounds: IndexBounds;
  readonly selectivity: Selectivity;
  readonly direction: 1 | -1;
  readonly sorted: boolean;
  /** The scans whose merge gives the order. */
  readonly merged: readonly IndexBounds[] | undefined;
  readonly rank: number;
}

/** More candidates than these are not tried (internalQueryPlannerMaxIndexedSolutions). */
const MAX_CANDIDATES = 64;
/** Of many conditions on one path with arrays so many are tried as the one that gives bounds. */
const MAX_PREFERRED = 10;
/** Of many $or beside each other so many are tried (internalQueryEnumerationMaxOrSolutions). */
const MAX_OR_PATHS = 10;

/** The ways to the documents, the most promising first; there is at least one. */
export function accessPaths(request: AccessRequest): readonly [AccessPath, ...AccessPath[]] {
  const special = specialPath(request, { holdsAllMatches, pathsOf: accessPaths });
  if (special !== undefined) return [special];
  const { filter, hint } = request;
  const candidates = candidatesFor(filter.tree, request);
  const [best] = candidates;
  // At most one document: nothing is better.
  if (best?.selectivity.single === true) return [indexPath(best, filter, request)];
  const paths = candidates.map((candidate) => indexPath(candidate, filter, request));
  const intersections =
    hint === undefined ? intersectionPaths(candidates.filter(narrows), request) : [];
  if (intersections.length > 0 && request.context.planner?.intersections() === 'forced') {
    const [first, ...others] = intersections;
    return [first, ...others];
  }
  const either = hint === undefined || best === undefined ? orPaths(request) : [];
  // Bounds that narrow nothing stand behind an OR whose branches all narrow.
  const all = best !== undefined && narrows(best) ? [...paths, ...either] : [...either, ...paths];
  const [first, ...others] = [...all.slice(0, MAX_CANDIDATES), ...intersections];
  if (first !== undefined) return [first, ...others];
  return [hint === undefined ? collectionPath(filter, 1) : wholeIndexPath(hint, request)];
}

export function collectionPath(
  filter: Filter,
  direction: 1 | -1,
  options: { readonly tailable?: boolean } = {},
): AccessPath {
  const checked = filter.isEmpty ? undefined : filter;
  return {
    id: direction === 1 ? 'forward' : 'backward',
    node: () => ({ stage: 'COLLSCAN', filter: checked, direction, ...options }),
    sorted: false,
    decidedScan: () => undefined,
    holdsValues: false,
    indexes: [],
    summary: 'COLLSCAN',
  };
}

/** All entries of a hinted index that says nothing of the conditions. @throws CommandError for a wildcard index */
function wholeIndexPath(hint: IndexDescription, { filter, collection }: AccessRequest): AccessPath {
  if (hint.fields.some(({ kind }) => kind === 'wildcard')) {
    throw new CommandError(
      'NoQueryExecutionPlans',
      `error processing query: ns=${collection.namespace} planner returned error :: caused by :: $hint: refusing to build whole-index solution, because it's a wildcard index`,
    );
  }
  return rangePath(hint, {}, filter);
}

/** Candidates, the best first. */
function candidatesFor(tree: FilterNode, request: AccessRequest): readonly Candidate[] {
  const predicates = predicatesOf(tree, request.context);
  const { collection, hint, allowed } = request;
  const { context, view } = request;
  const question: ScanQuestion = { predicates, collator: context.collator, view };
  const candidates: Candidate[] = [];
  for (const index of hint === undefined ? collection.indexes : [hint]) {
    if (!index.ready || allowed?.(index) === false) continue;
    if (!holdsAllMatches(index, tree, request)) continue;
    kindOf(index)
      .scanShapes(index, question)
      .forEach((shape, position) => {
        const name = position === 0 ? index.name : `${index.name}@${position}`;
        candidates.push(...candidatesOf(name, shape, predicates, request));
      });
  }
  return candidates.sort((a, b) => b.rank - a.rank);
}

/** Usually one; several where an array could be searched by either of several conditions. */
function candidatesOf(
  name: string,
  shape: IndexScanShape,
  predicates: readonly Predicate[],
  request: AccessRequest,
): readonly Candidate[] {
  const first = boundsOnIndex(shape, predicates);
  if (first === undefined) return [];
  const candidates = [candidateOf(name, first, request)];
  const { index } = shape;
  if (index.multikey) {
    const leading = predicates.filter(({ path }) => path === index.fields[0].path);
    const tried = leading.length > 1 ? leading.slice(0, MAX_PREFERRED) : [];
    for (const [position, preferred] of tried.entries()) {
      const bounds = boundsOnIndex(shape, predicates, preferred);
      if (bounds === undefined || sameIntervals(bounds.bounds[0], first.bounds[0])) continue;
      candidates.push(candidateOf(`${name}#${position}`, bounds, request));
    }
  }
  return candidates.filter((candidate) => candidate !== undefined);
}

function candidateOf(
  name: string,
  bounds: IndexBounds,
  { sort, hint, hasLimit, context }: AccessRequest,
): Candidate | undefined {
  if (hint === undefined && bounds.shape.sparse && bounds.mayMissMatches) return undefined;
  const fields = sort?.fields;
  const direction = fields === undefined ? undefined : directionForSort(bounds, fields);
  // A merge compares what keys hold, which is not the values where they have a collation.
  const mayMerge =
    fields !== undefined && direction === undefined && context.collator === undefined;
  const exploded = mayMerge ? explodeForSort(bounds, fields) : undefined;
  const sorted = direction !== undefined || exploded !== undefined;
  const isUseful = hasBounds(bounds) || isPartOfCollection(bounds);
  if (!isUseful && !sorted && hint === undefined) return undefined;
  const selectivity = selectivityOf(bounds);
  return {
    id: exploded === undefined ? `${name} ${direction ?? 1}` : `${name} merged`,
    bounds,
    selectivity,
    direction: direction ?? exploded?.direction ?? 1,
    sorted,
    merged: exploded?.scans,
    rank: rankOf(bounds, selectivity, sorted, hasLimit),
  };
}

/** The leading field has a condition: the index was made for it, even if its bounds are wide. */
function hasBounds({ bounds }: IndexBounds): boolean {
  return bounds[0] !== ALL_VALUES;
}

/** All of an index that lacks documents, for a condition on its leading field that all its documents may meet: {$exists: true}. */
function isPartOfCollection({ shape, index, asksForFirst }: IndexBounds): boolean {
  return asksForFirst && (shape.sparse || partialFilterOf(index) !== undefined);
}

function narrows({ selectivity }: Candidate): boolean {
  return selectivity.equalities > 0 || selectivity.range;
}

/** A hidden index is not there; a partial one serves only filters whose matches it all holds, unless it is hinted. */
function holdsAllMatches(
  index: IndexDescription,
  tree: FilterNode,
  { context, hint }: AccessRequest,
): boolean {
  if (hint !== undefined) return true;
  if (isHidden(index)) return false;
  const filter = partialFilterOf(index);
  return (
    filter === undefined ||
    implies(tree, filter.tree, {
      simple: collatorOf(index) === undefined && context.collator === undefined,
      same: sameCollation(collatorOf(index), context.collator),
    })
  );
}

/** What a candidate promises: points before ranges before order. Numbers are weights, not costs. */
function rankOf(
  { bounds, index }: IndexBounds,
  selectivity: Selectivity,
  sorted: boolean,
  hasLimit: boolean,
): number {
  if (selectivity.single) return 100_000;
  const filtered = bounds.filter((intervals) => !isAllValues(intervals)).length;
  return (
    selectivity.equalities * 1000 +
    (selectivity.range ? 300 : 0) +
    filtered * 50 +
    (sorted ? (hasLimit ? 800 : 400) : 0) -
    index.fields.length
  );
}

function indexPath(
  candidate: Candidate,
  filter: Filter,
  { sort, context }: AccessRequest,
): AccessPath {
  const { bounds, direction, merged } = candidate;
  const decides = isDecided(filter, bounds.decided);
  const order = candidate.sorted && sort !== undefined ? sortOrderOf(sort, context) : undefined;
  const makeScan = (whole?: Filter): PlanNode => {
    const scan = (of: IndexBounds): PlanNode => {
      const node = scanOf(of, direction);
      return {
        ...node,
        ...(whole === undefined || whole.isEmpty ? {} : { whole }),
        ...(order === undefined ? {} : { order }),
      };
    };
    if (merged === undefined || sort === undefined) return scan(bounds);
    return {
      stage: 'SORT_MERGE',
      inputs: merged.map(scan),
      pattern: sort.pattern,
      order: sortOrderOf(sort, context),
    };
  };
  const pattern = showKeyPattern(bounds.index);
  if (merged === undefined && isClustered(bounds.index)) {
    return clusteredPath(candidate, filter, scanOf(bounds, direction));
  }
  return {
    id: candidate.id,
    node: () => ({
      stage: 'FETCH',
      input: makeScan(),
      residual: decides ? undefined : residualOf(filter, bounds.decided),
      whole: filter.isEmpty ? undefined : filter,
    }),
    sorted: candidate.sorted,
    decidedScan: () => (decides ? makeScan(filter) : undefined),
    holdsValues: bounds.shape.fields.every((field) => field.holdsValues),
    indexes: [bounds.index],
    summary: Array.from({ length: merged?.length ?? 1 }, () => `IXSCAN ${pattern}`).join(', '),
  };
}

/** A scan of a clustered collection: its index is the collection itself, so that nothing is covered or counted without it. */
function clusteredPath(candidate: Candidate, filter: Filter, scan: IxscanNode): AccessPath {
  const { direction, bounds } = candidate;
  const checked = filter.isEmpty ? undefined : filter;
  const isWhole = bounds.bounds[0] === ALL_VALUES;
  return {
    id: candidate.id,
    node: () =>
      isWhole
        ? { stage: 'COLLSCAN', filter: checked, direction }
        : { stage: 'CLUSTERED_IXSCAN', scan, filter: checked },
    sorted: candidate.sorted,
    decidedScan: () => undefined,
    holdsValues: false,
    indexes: [bounds.index],
    summary: isWhole ? 'COLLSCAN' : 'CLUSTERED_IXSCAN',
  };
}

/**
 * An $or all of whose branches have an index: their scans one after the other, or merged when each gives the wanted order; each record
 * once. The index of a branch is found by a short race of its candidates.
 */
function orPaths(request: AccessRequest): readonly AccessPath[] {
  const all = conjuncts(request.filter.tree);
  const tried = all.filter(({ kind }) => kind === 'or').slice(0, MAX_OR_PATHS);
  return tried.flatMap((either, position) => {
    if (either.kind !== 'or') return [];
    const siblings = all.filter((node) => node !== either);
    const branches = either.children.map((branch) =>
      siblings.length === 0 ? branch : conjunction([branch, ...siblings]),
    );
    const unsorted = joinedPath(branches, { ...request, sort: undefined }, `or${position}`);
    const mayMerge = request.sort !== undefined && request.context.collator === undefined;
    if (!mayMerge) return unsorted === undefined ? [] : [unsorted];
    const sorted = joinedPath(branches, request, `merge${position}`);
    return [sorted, unsorted].filter((path) => path !== undefined);
  });
}

function joinedPath(
  branches: readonly FilterNode[],
  request: AccessRequest,
  name: string,
): AccessPath | undefined {
  const { sort, context, filter } = request;
  const paths = BRANCH_PATHS.run(() => branchPaths(branches, request));
  if (paths === undefined) return undefined;
  const join = (inputs: readonly PlanNode[]): PlanNode =>
    sort === undefined
      ? { stage: 'OR', inputs }
      : { stage: 'SORT_MERGE', inputs, pattern: sort.pattern, order: sortOrderOf(sort, context) };
  const scans = (): PlanNode | undefined => {
    const decided = paths.map((path) => path.decidedScan());
    const known = decided.filter((scan) => scan !== undefined);
    return known.length === decided.length ? join(known) : undefined;
  };
  return {
    id: name,
    node: () => {
      const input = scans();
      if (input === undefined) return join(paths.map((path) => path.node()));
      return { stage: 'FETCH', input, residual: undefined, whole: filter };
    },
    sorted: sort !== undefined,
    decidedScan: scans,
    holdsValues: paths.every((path) => path.holdsValues),
    indexes: paths.flatMap(({ indexes }) => indexes),
    summary: paths.map((path) => path.summary).join(', '),
  };
}

const BRANCH_PATHS = new LongStep<readonly AccessPath[] | undefined>();
const BRANCHES_PER_PIECE = 16;
/** A race costs more than all else about a branch: so many are raced, of the others the most promising index is taken. */
const MAX_RACES = 64;

/** The way of each branch; undefined when one has none. */
function* branchPaths(
  branches: readonly FilterNode[],
  request: AccessRequest,
): Generator<undefined, readonly AccessPath[] | undefined> {
  const paths: AccessPath[] = [];
  for (const tree of branches) {
    const candidates = candidatesFor(tree, request).filter(
      (candidate) => narrows(candidate) && (request.sort === undefined || candidate.sorted),
    );
    const best = paths.length < MAX_RACES ? fastest(candidates, request) : candidates[0];
    if (best === undefined) return undefined;
    const path = indexPath(best, compileTree(tree), request);
    paths.push(branches.length > MAX_RACES ? withScanMade(path) : path);
    if (paths.length % BRANCHES_PER_PIECE === 0) yield;
  }
  return paths;
}

/** The same, its scan made now, in this piece of the planning: all of them at once would take long. */
function withScanMade(path: AccessPath): AccessPath {
  const scan = path.decidedScan();
  const node = scan === undefined ? path.node() : undefined;
  return { ...path, decidedScan: () => scan, node: () => node ?? path.node() };
}

/** More contenders than these are not worth their keys. */
const MAX_CONTENDERS = 4;

/** The candidate whose scan ends first; the most promising when none does soon. */
function fastest(candidates: readonly Candidate[], request: AccessRequest): Candidate | undefined {
  const [best] = candidates;
  if (best === undefined || candidates.length < 2 || best.selectivity.single) return best;
  const contenders = candidates.slice(0, MAX_CONTENDERS);
  const scans = contenders.map(({ bounds, direction }) => scanOf(bounds, direction));
  return contenders[raceScans(scans, request.view) ?? 0];
}
