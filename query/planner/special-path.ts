/**
 * The way to the documents of a filter with $text or $near: by the one index that can answer it.
 *
 * Source: MongoDB 8.0's planner: which indexes serve, and what is said when none does.
 */
import { DocumentBuilder, getField, isEmpty, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { geoScanShape } from '../geo-index/area-fields.ts';
import { PLANE_KIND } from '../geo-index/plane-keys.ts';
import { SPHERE_KIND } from '../geo-index/sphere-keys.ts';
import { dependsOnCollation } from '../index-kind/collation.ts';
import { compileTree } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import type { NearQuery } from '../matcher/geo/near-query.ts';
import { type SpecialConditions, specialConditionsOf } from '../matcher/special-conditions.ts';
import { conjunction, type FilterNode, type LeafNode } from '../matcher/tree.ts';
import type { CollectionDescription, IndexDescription } from '../../storage/index.ts';
import { termScoresOf } from '../text/term-scores.ts';
import { textIndexOf } from '../text/text-index.ts';
import { storedTerm } from '../text/text-keys.ts';
import { textMatcher } from '../text/text-matcher.ts';
import { parseTextQuery, type TextSearch } from '../text/text-query.ts';
import type { AccessPath, AccessRequest } from './access-request.ts';
import { boundsOnIndex } from './index-candidate.ts';
import { isHidden } from './index-usability.ts';
import { ALL_VALUES, allPoints, pointInterval } from './interval.ts';
import { keyRangesOf } from './key-ranges.ts';
import type { IxscanNode, PlanNode, TextOrNode } from './plan-node.ts';
import { showKeyPattern } from './index-hint.ts';
import { conjuncts, predicatesOf } from './predicates.ts';
import type { FindRequest } from './query-plan.ts';
import type { SortPattern } from './sort-pattern.ts';

/** What the choice of access paths lends. */
export interface PathHelp {
  /** Whether a partial index has all matches. */
  holdsAllMatches(index: IndexDescription, tree: FilterNode, request: AccessRequest): boolean;
  /** The ways for another filter. */
  pathsOf(request: AccessRequest): readonly [AccessPath, ...AccessPath[]];
}

/**
 * @returns undefined for a filter without $text and $near.
 * @throws CommandError IndexNotFound, NoQueryExecutionPlans when no index can answer it.
 */
export function specialPath(request: AccessRequest, help: PathHelp): AccessPath | undefined {
  const { tree } = request.filter;
  const { text, near } = specialConditionsOf(tree);
  if (near !== undefined) return nearPath(near.node, near.near, request, help);
  if (text === undefined) return undefined;
  if (conjuncts(tree).includes(text.node)) {
    return textPath(text.node, text.search, request, help);
  }
  return eitherPath(text.node, request, help);
}

/**
 * What a request with $text or $near may not ask for besides.
 * @throws CommandError BadValue; IndexNotFound for $text on a collection that is not there.
 */
export function checkSpecialRequest(
  { text, near }: SpecialConditions,
  collection: CollectionDescription | undefined,
  request: Pick<FindRequest, 'hint' | 'min' | 'max'>,
  sort?: SortPattern,
): void {
  if (text !== undefined && hasHint(request.hint)) {
    throw new CommandError('BadValue', 'text and hint not allowed in same query');
  }
  const isNatural = sort?.natural !== undefined || isNaturalHint(request.hint);
  if (text !== undefined && isNatural) {
    throw new CommandError('BadValue', 'text expression not allowed with $natural sort order');
  }
  if (near !== undefined && isNatural) {
    throw new CommandError('BadValue', 'geoNear expression not allowed with $natural sort order');
  }
  if (near !== undefined && (request.min !== undefined || request.max !== undefined)) {
    throw new CommandError('BadValue', 'geoNear expression not allowed with min() and max()');
  }
  if (text !== undefined && collection === undefined) {
    throw new CommandError('IndexNotFound', 'text index required for $text query');
  }
}

function hasHint(hint: FindRequest['hint']): boolean {
  return hint !== undefined && (typeof hint === 'string' || !isEmpty(hint));
}

function isNaturalHint(hint: FindRequest['hint']): boolean {
  if (hint === undefined || typeof hint === 'string') return hint === '$natural';
  return getField(hint, '$natural') !== undefined;
}

function noPlan({ collection }: AccessRequest, cause: string): CommandError {
  return new CommandError(
    'NoQueryExecutionPlans',
    `error processing query: ns=${collection.namespace} planner returned error :: caused by :: ${cause}`,
  );
}

/** The filter without one of its conditions; undefined when nothing is left. */
function without(tree: FilterNode, ...taken: readonly FilterNode[]): Filter | undefined {
  const left = conjuncts(tree).filter((node) => !taken.includes(node));
  return left.length === 0 ? undefined : compileTree(conjunction(left));
}

/** $text in one branch of an $or: all the other branches need indexes, too. */
function eitherPath(text: FilterNode, request: AccessRequest, help: PathHelp): AccessPath {
  const all = conjuncts(request.filter.tree);
  const either = all.find((node) => node.kind === 'or' && holds(node, text));
  const branches = either?.kind === 'or' ? either.children : [];
  const siblings = all.filter((node) => node !== either);
  const paths = branches.map((branch) => {
    const filter = compileTree(conjunction([branch, ...siblings]));
    return help.pathsOf({ ...request, filter, sort: undefined })[0];
  });
  if (paths.length === 0 || paths.some(({ indexes }) => indexes.length === 0)) {
    throw noPlan(
      request,
      'Failed to produce a solution for TEXT under OR - other non-TEXT clauses under OR have to be indexed as well.',
    );
  }
  return {
    ...NEITHER,
    id: 'text or',
    node: () => ({ stage: 'OR', inputs: paths.map((path) => path.node()) }),
    indexes: paths.flatMap(({ indexes }) => indexes),
    summary: paths.map(({ summary }) => summary).join(', '),
  };
}

function holds(node: FilterNode, wanted: FilterNode): boolean {
  if (node === wanted) return true;
  return (
    (node.kind === 'and' || node.kind === 'or') &&
    node.children.some((child) => holds(child, wanted))
  );
}

/** Such a path gives no order that was asked for, and reads documents. */
const NEITHER = { sorted: false, decidedScan: () => undefined, holdsValues: false } as const;

function textPath(
  node: FilterNode,
  search: TextSearch,
  request: AccessRequest,
  help: PathHelp,
): AccessPath {
  const { filter, collection } = request;
  const index = textIndexIn(collection.indexes);
  if (index === undefined) {
    throw new CommandError('IndexNotFound', 'text index required for $text query');
  }
  const text = textIndexOf(index.spec);
  const query = parseTextQuery(search, text.defaultLanguage);
  const prefix = prefixOf(text.before, request);
  if (prefix === undefined || !help.holdsAllMatches(index, filter.tree, request)) {
    throw noPlan(
      request,
      'failed to use text index to satisfy $text query (if text index is compound, are equality predicates given for all prefix fields?)',
    );
  }
  const terms = [...query.lookedUp].sort();
  const scans = terms.map((term) => termScan(index, prefix, term));
  // Null stands for a missing field, too: such a condition is checked again.
  const decided = prefix.filter(({ operands }) => operands[0]?.isNullish === false);
  const residual = without(filter.tree, node, ...decided);
  const whole = without(filter.tree, node);
  const scored: TextOrNode = {
    stage: 'TEXT_OR',
    inputs: scans,
    index,
    text,
    terms: query.lookedUp,
    scorePosition: text.before.length + 1,
    filter: residual,
    whole,
  };
  const input: PlanNode =
    request.wantsMetadata === true
      ? scored
      : { stage: 'FETCH', input: unionOf(scans), residual, whole };
  const storedTerms = new Set(terms.map(storedTerm));
  return {
    ...NEITHER,
    id: 'text',
    node: () => ({
      stage: 'TEXT_MATCH',
      input,
      index,
      query,
      prefix: shownPrefix(prefix),
      matches: textMatcher(query, text),
      holdsTerm: (document) =>
        [...termScoresOf(document, text).keys()].some((term) => storedTerms.has(storedTerm(term))),
    }),
    indexes: [index],
    summary: `TEXT_MATCH ${showKeyPattern(index)}`,
  };
}

export function textIndexIn(indexes: readonly IndexDescription[]): IndexDescription | undefined {
  return indexes.find(
    (index) => index.ready && !isHidden(index) && index.fields.some(({ kind }) => kind === 'text'),
  );
}

function unionOf(scans: readonly IxscanNode[]): PlanNode {
  const [only] = scans;
  return scans.length === 1 && only !== undefined ? only : { stage: 'OR', inputs: scans };
}

/** The equality on each field in front of the text; undefined when one has none that the index can serve. */
function prefixOf(
  fields: readonly { readonly path: string }[],
  { filter, context }: AccessRequest,
): readonly LeafNode[] | undefined {
  const found = fields.map(({ path }) =>
    conjuncts(filter.tree).find((node): node is LeafNode => {
      if (node.kind !== 'leaf' || node.operator !== '$eq' || node.path !== path) return false;
      return context.collator === undefined || !node.operands.some(dependsOnCollation);
    }),
  );
  const known = found.filter((leaf) => leaf !== undefined);
  return known.length === found.length ? known : undefined;
}

function shownPrefix(prefix: readonly LeafNode[]): Buffer {
  const out = new DocumentBuilder();
  for (const { path, operands } of prefix) out.append(path, operands[0]);
  return out.finish();
}

function termScan(index: IndexDescription, prefix: readonly LeafNode[], term: string): IxscanNode {
  const points = [
    ...prefix.map(({ operands }) => [pointInterval(operands[0])]),
    [pointInterval(stringValue(storedTerm(term)))],
  ];
  const bounds = index.fields.map((_, position) => points[position] ?? ALL_VALUES);
  // From the highest score down, as MongoDB does.
  const { ranges } = keyRangesOf(index, bounds, -1);
  return { stage: 'IXSCAN', index, bounds, ranges, direction: -1, keyBounds: undefined };
}

function nearPath(
  node: FilterNode,
  near: NearQuery,
  request: AccessRequest,
  help: PathHelp,
): AccessPath {
  const { filter, collection, hint, allowed, context } = request;
  const predicates = predicatesOf(filter.tree, context);
  const found = (hint === undefined ? collection.indexes : [hint])
    .filter(
      (index) =>
        index.ready &&
        allowed?.(index) !== false &&
        help.holdsAllMatches(index, filter.tree, request),
    )
    .flatMap((index) => {
      const geoPosition = servingField(index, near);
      if (geoPosition < 0) return [];
      const served = boundsOnIndex(geoScanShape(index, context.collator), predicates);
      if (served === undefined) return [];
      const bounds = served.bounds.map((intervals, at) =>
        at === geoPosition ? ALL_VALUES : intervals,
      );
      return [{ index, geoPosition, bounds }];
    })
    // Fields in front of the geometry that have one value each keep the search in one part of the index.
    .sort((a, b) => Number(isDirect(b)) - Number(isDirect(a)));
  const [best] = found;
  if (best === undefined) throw noPlan(request, 'unable to find index for $geoNear query');
  const kind = best.index.fields[best.geoPosition].kind;
  const stage = kind === SPHERE_KIND ? 'GEO_NEAR_2DSPHERE' : 'GEO_NEAR_2D';
  return {
    ...NEITHER,
    id: `near ${best.index.name}`,
    node: () => ({
      stage,
      ...best,
      near,
      filter: without(filter.tree, node),
      wantsMetadata: request.wantsMetadata === true,
    }),
    indexes: [best.index],
    summary: `${stage} ${showKeyPattern(best.index)}`,
  };
}

/** The field of an index that serves the search; -1 when none does. */
export function servingField({ fields }: IndexDescription, near: NearQuery): number {
  return fields.findIndex(({ kind, path }) => {
    if (path !== near.path) return false;
    if (kind === SPHERE_KIND) return near.point !== undefined;
    return kind === PLANE_KIND && !near.isGeoJson;
  });
}

function isDirect({
  bounds,
  geoPosition,
}: {
  readonly bounds: readonly (typeof ALL_VALUES)[];
  readonly geoPosition: number;
}): boolean {
  return bounds.slice(0, geoPosition).every(allPoints);
}
