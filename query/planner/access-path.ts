/**
 * How the documents of a filter are reached: by a collection scan, one index, or several joined by OR.
 *
 * Owns: the enumeration of candidates and the choice between them: a ranking by what bounds promise, and a short race
 * between the best, which knows the data.
 */
import { fieldsOf, getField, inspect, isEmpty, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import { collatorOf, sameCollation } from '../index-kind/collation.ts';
import type { IndexScanShape, ScanQuestion } from '../index-kind/index-kind.ts';
import { partialFilterOf } from '../index-kind/partial-filter.ts';
import { kindOf } from '../index-kind/registry.ts';
import { compileTree } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import { conjunction, type FilterNode } from '../matcher/tree.ts';
import type {
  CollectionDescription,
  IndexDescription,
  IndexFieldDescription,
  ReadView,
} from '../../storage/index.ts';
import {
  boundsOnIndex,
  directionForSort,
  type IndexBounds,
  scanOf,
  type Selectivity,
  selectivityOf,
  type SortField,
} from './index-candidate.ts';
import { isHidden } from './index-usability.ts';
import { ALL_VALUES, isAllValues } from './interval.ts';
import { holdsNull, implies } from './partial-index.ts';
import type { IxscanNode, PlanNode } from './plan-node.ts';
import type { Predicate } from './predicate.ts';
import { conjuncts, predicatesOf } from './predicates.ts';
import { raceScans } from './race.ts';

export interface AccessRequest {
  readonly collection: CollectionDescription;
  readonly filter: Filter;
  /** The order that is wanted; an access path may give it. */
  readonly sort: readonly SortField[] | undefined;
  readonly hasLimit: boolean;
  readonly hint: IndexDescription | undefined;
  readonly context: QueryContext;
  /** Where candidates may be tried. */
  readonly view: ReadView;
}

/** One way to reach the documents. */
export interface AccessPath {
  readonly node: PlanNode;
  /** The wanted order comes out of it. */
  readonly sorted: boolean;
  /** The index scan, when the path is one scan whose bounds decide the whole filter: it may count, or cover. */
  readonly decidedScan: IxscanNode | undefined;
  /** The values of all the scan's fields can be read from its keys. */
  readonly holdsValues: boolean;
  readonly summary: string;
}

interface Candidate {
  readonly bounds: IndexBounds;
  readonly selectivity: Selectivity;
  readonly direction: 1 | -1;
  readonly sorted: boolean;
  readonly rank: number;
}

export interface AccessPaths {
  readonly winning: AccessPath;
  readonly rejected: readonly AccessPath[];
}

export function chooseAccessPath(request: AccessRequest): AccessPaths {
  const { filter } = request;
  const candidates = decideByRace(candidatesFor(filter.tree, request), request);
  const [best, ...others] = candidates;
  if (best !== undefined && (request.hint !== undefined || narrows(best))) {
    return {
      winning: indexPath(best, filter),
      rejected: others.filter(narrows).map((other) => indexPath(other, filter)),
    };
  }
  const either = orPath(request);
  if (either !== undefined) return { winning: either, rejected: [] };
  if (best !== undefined) return { winning: indexPath(best, filter), rejected: [] };
  return { winning: collectionPath(filter, 1), rejected: [] };
}

/** More contenders than these are not worth their keys. */
const MAX_CONTENDERS = 4;

/** Puts the winner of a race between the best candidates first. */
function decideByRace(
  candidates: readonly Candidate[],
  request: AccessRequest,
): readonly Candidate[] {
  const contenders = candidates.filter(narrows).slice(0, MAX_CONTENDERS);
  const [best] = contenders;
  if (best === undefined || contenders.length < 2 || best.selectivity.single) return candidates;
  // An index that gives the order of a limited query stops early: how many entries it has says nothing.
  if (best.sorted && request.hasLimit) return candidates;
  const winner = raceScans(contenders.map(scanNode), request.view);
  if (winner === undefined || winner === 0) return candidates;
  const first = contenders[winner];
  return [first, ...candidates.filter((candidate) => candidate !== first)];
}

export function collectionPath(filter: Filter, direction: 1 | -1): AccessPath {
  return {
    node: { stage: 'COLLSCAN', filter: filter.isEmpty ? undefined : filter, direction },
    sorted: false,
    decidedScan: undefined,
    holdsValues: false,
    summary: 'COLLSCAN',
  };
}

/** Candidates, the best first. */
function candidatesFor(tree: FilterNode, request: AccessRequest): readonly Candidate[] {
  const predicates = predicatesOf(tree, request.context);
  const indexes = request.hint === undefined ? request.collection.indexes : [request.hint];
  const question = questionOf(predicates, request);
  const candidates: Candidate[] = [];
  for (const index of indexes) {
    if (!index.ready || !holdsAllMatches(index, tree, request)) continue;
    for (const shape of kindOf(index).scanShapes(index, question)) {
      const candidate = candidateOf(shape, predicates, request);
      if (candidate !== undefined) candidates.push(candidate);
    }
  }
  return candidates.sort((a, b) => b.rank - a.rank);
}

function questionOf(predicates: readonly Predicate[], request: AccessRequest): ScanQuestion {
  return {
    paths: [...new Set(predicates.map(({ path }) => path))],
    collator: request.context.collator,
    view: request.view,
  };
}

function candidateOf(
  shape: IndexScanShape,
  predicates: readonly Predicate[],
  request: AccessRequest,
): Candidate | undefined {
  const hinted = request.hint !== undefined;
  const bounds = boundsOnIndex(shape, predicates);
  if (!hinted && shape.sparse && bounds.bounds.every(holdsNull)) return undefined;
  const direction = request.sort === undefined ? undefined : directionForSort(bounds, request.sort);
  const selectivity = selectivityOf(bounds);
  const sorted = direction !== undefined;
  const useful = hasBounds(bounds) || sorted || hinted;
  if (!useful) return undefined;
  const rank = rankOf(bounds, selectivity, sorted, request);
  return { bounds, selectivity, direction: direction ?? 1, sorted, rank };
}

/** The leading field has a condition: the index was made for it, even if its bounds are wide. */
function hasBounds({ bounds }: IndexBounds): boolean {
  return bounds[0] !== ALL_VALUES;
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
  request: AccessRequest,
): number {
  if (selectivity.single) return 100_000;
  const filtered = bounds.filter((intervals) => !isAllValues(intervals)).length;
  return (
    selectivity.equalities * 1000 +
    (selectivity.range ? 300 : 0) +
    filtered * 50 +
    (sorted ? (request.hasLimit ? 800 : 400) : 0) -
    index.fields.length
  );
}

function indexPath(candidate: Candidate, filter: Filter): AccessPath {
  const scan = scanNode(candidate);
  const residual = residualOf(filter, candidate.bounds.decided);
  return {
    node: {
      stage: 'FETCH',
      input: scan,
      residual,
      whole: filter.isEmpty ? undefined : filter,
    },
    sorted: candidate.sorted,
    decidedScan: residual === undefined ? scan : undefined,
    holdsValues: candidate.bounds.shape.fields.every((field) => field.holdsValues),
    summary: `IXSCAN ${showKeyPattern(candidate.bounds.index)}`,
  };
}

function scanNode({ bounds, direction }: Candidate): IxscanNode {
  const { ranges, keyFilter } = scanOf(bounds, direction);
  return {
    stage: 'IXSCAN',
    index: bounds.index,
    bounds: bounds.bounds,
    ranges,
    direction,
    keyFilter,
  };
}

/** What is left to check on the document; undefined when nothing is. */
function residualOf(filter: Filter, decided: ReadonlySet<FilterNode>): Filter | undefined {
  if (filter.isEmpty) return undefined;
  if (decided.size === 0) return filter;
  const open = conjuncts(filter.tree).filter((node) => !decided.has(node));
  return open.length === 0 ? undefined : compileTree(conjunction(open));
}

/** An $or all of whose branches have an index: their scans one after the other, each record once. */
function orPath(request: AccessRequest): AccessPath | undefined {
  const { filter } = request;
  const all = conjuncts(filter.tree);
  const either = all.find((node) => node.kind === 'or');
  if (either === undefined || either.kind !== 'or' || request.hint !== undefined) return undefined;
  const siblings = all.filter((node) => node !== either);
  const paths: AccessPath[] = [];
  for (const branch of either.children) {
    const tree = siblings.length === 0 ? branch : conjunction([branch, ...siblings]);
    const best = candidatesFor(tree, { ...request, sort: undefined })[0];
    if (best === undefined || !narrows(best)) return undefined;
    paths.push(indexPath(best, compileTree(tree)));
  }
  const scans = paths.map((path) => path.decidedScan);
  const decided = scans.every((scan) => scan !== undefined);
  const node: PlanNode = decided
    ? {
        stage: 'FETCH',
        input: { stage: 'OR', inputs: scans },
        residual: undefined,
        whole: filter,
      }
    : { stage: 'OR', inputs: paths.map((path) => path.node) };
  return {
    node,
    sorted: false,
    decidedScan: undefined,
    holdsValues: false,
    summary: paths.map((path) => path.summary).join(', '),
  };
}

const SHOWN_PATTERNS = new WeakMap<IndexDescription, string>();

/** `{ a: 1, b: -1 }` */
export function showKeyPattern(index: IndexDescription): string {
  let shown = SHOWN_PATTERNS.get(index);
  if (shown === undefined) {
    shown = `{ ${index.fields.map(showField).join(', ')} }`;
    SHOWN_PATTERNS.set(index, shown);
  }
  return shown;
}

function showField({ path, direction, kind }: IndexFieldDescription): string {
  return `${path}: ${kind === 'ordered' || kind === 'wildcard' ? direction : inspect(stringValue(kind))}`;
}

/**
 * The index that a hint names.
 * @returns 'natural' directions as numbers. @throws BadValue when there is no such index.
 */
export function resolveHint(
  hint: string | Buffer | undefined,
  collection: CollectionDescription,
): IndexDescription | { readonly natural: 1 | -1 } | undefined {
  if (hint === undefined || (typeof hint !== 'string' && isEmpty(hint))) return undefined;
  if (typeof hint !== 'string') {
    const natural = getField(hint, '$natural');
    if (natural !== undefined) return { natural: natural.asNumber() < 0 ? -1 : 1 };
  } else if (hint === '$natural') return { natural: 1 };
  const found = collection.indexes.find(
    (index) =>
      index.ready &&
      !isHidden(index) &&
      (typeof hint === 'string'
        ? index.name === hint
        : (getField(index.spec, 'key')?.asDocument().equals(hint) ?? false) ||
          samePattern(index, hint)),
  );
  if (found === undefined) {
    throw new CommandError(
      'BadValue',
      `error processing query: ns=${collection.namespace}: planner returned error :: caused by :: hint provided does not correspond to an existing index`,
    );
  }
  return found;
}

/** {a: 1} names the index on {a: 1.0} too. */
function samePattern(index: IndexDescription, pattern: Buffer): boolean {
  return index.fields.length > 0 && showKeyPattern(index) === showPattern(pattern);
}

function showPattern(pattern: Buffer): string {
  const fields = Array.from(fieldsOf(pattern), ([path, value]) => `${path}: ${inspect(value)}`);
  return `{ ${fields.join(', ')} }`;
}
