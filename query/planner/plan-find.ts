/**
 * Plans a find: parses its parts, chooses the way to the documents, and stacks sort, skip, limit and projection on it.
 *
 * Promises: everything the client wrote is checked here, also when the collection does not exist. The plan of {_id: value}
 * takes a short way of its own.
 */
import { DocumentBuilder, EMPTY_DOCUMENT, isEmpty } from '../../bson/index.ts';
import { ownershipOf, type Ownership, type QueryContext } from '../context.ts';
import { compileQueryFilter } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import { type SpecialConditions, specialConditionsOf } from '../matcher/special-conditions.ts';
import { checkMetadata, collectMetadata, isOfRows } from '../metadata-needed.ts';
import type { Projection } from '../projection/projection.ts';
import type { CollectionDescription, IndexDescription, ReadView } from '../../storage/index.ts';
import { accessPaths, collectionPath } from './access-path.ts';
import { resolveHint } from './index-hint.ts';
import type { AccessPath, AccessRequest } from './access-request.ts';
import { tryExpress } from './express-plan.ts';
import { FindPlan } from './find-plan.ts';
import { topLevel } from './fields-needed.ts';
import { candidateOf, onlyCandidate, type PlanCandidate } from './find-plan-parts.ts';
import { checkTableScan, indexFilterFor } from './planner-rules.ts';
import { boundedPath, hasBounds } from './min-max-path.ts';
import { mayHoldArrays } from './multikey.ts';
import type { PlanNode, ProjectionNode, SortNode } from './plan-node.ts';
import { projectionFor } from './projection-cache.ts';
import type { FindRequest, QueryPlan } from './query-plan.ts';
import { checkSpecialRequest } from './special-path.ts';
import type { SortOrder } from '../executor/sorter.ts';
import { parseSort, sortOrderOf, type SortPattern } from './sort-pattern.ts';

/**
 * @param view where candidate indexes may be tried; the plan is opened in any view.
 * @param collection undefined when the namespace does not exist: then nothing is found.
 * @throws CommandError for whatever is wrong with the request.
 */
export function planFind(
  view: ReadView,
  collection: CollectionDescription | undefined,
  request: FindRequest,
  context: QueryContext,
): QueryPlan {
  const isWhole =
    collection !== undefined &&
    context.indexHints === undefined &&
    ownershipOf(context, collection.namespace) === undefined;
  const express = isWhole ? tryExpress(collection, request, context) : undefined;
  if (express !== undefined && !express.takesLong) return express;
  const filter = compileQueryFilter(request.filter, context);
  const sort = parseSort(request.sort);
  const special = specialConditionsOf(filter.tree);
  checkSpecialRequest(special, collection, request, sort);
  const projection = projectionOf(request, filter, context);
  const wantsMetadata = needsMetadata(request, special);
  if (collection === undefined) {
    return new FindPlan({
      candidates: onlyCandidate({ stage: 'EOF' }, 'EOF'),
      collection: undefined,
      context,
      query: request.filter,
      filter,
      allowDiskUse: true,
      namespace: request.namespace ?? '',
    });
  }
  const indexFilter = indexFilterFor(collection, request, { filter, context });
  const [first, ...others] = pathsFor(collection, request, {
    view,
    filter,
    sort,
    context,
    allowed: indexFilter,
    wantsMetadata,
  });
  const ownership = ownershipOf(context, collection.namespace);
  const parts = { request, filter, sort, projection, context, ownership };
  const stack = (path: AccessPath): PlanCandidate => candidateOf(path, () => stackOn(path, parts));
  checkTableScan(first, collection, context);
  return new FindPlan({
    candidates: [stack(first), ...others.map(stack)],
    collection,
    context,
    query: request.filter,
    filter,
    sort: request.sort,
    projection: request.projection,
    allowDiskUse: request.allowDiskUse ?? true,
    namespace: collection.namespace,
    indexFilterSet: indexFilter !== undefined,
  });
}

/** @throws CommandError 40218 for metadata that the query does not have. */
function needsMetadata(request: FindRequest, special: SpecialConditions): boolean {
  const names = new Set(request.metadata);
  for (const part of [request.sort, request.projection]) {
    if (part !== undefined) collectMetadata(part, names);
  }
  return checkMetadata(names, special);
}

function projectionOf(
  request: FindRequest,
  filter: Filter,
  context: QueryContext,
): Projection | undefined {
  if (request.projection === undefined || isEmpty(request.projection)) return undefined;
  const projection = projectionFor(request.projection, context, () => filter);
  return projection.isIdentity ? undefined : projection;
}

function pathsFor(
  collection: CollectionDescription,
  request: FindRequest,
  parts: {
    readonly view: ReadView;
    readonly filter: Filter;
    readonly sort: SortPattern | undefined;
    readonly context: QueryContext;
    readonly allowed: AccessRequest['allowed'];
    readonly wantsMetadata: boolean;
  },
): readonly [AccessPath, ...AccessPath[]] {
  const { view, filter, sort, context, allowed, wantsMetadata } = parts;
  const hint = resolveHint(request.hint, collection);
  const isNatural = hint !== undefined && 'natural' in hint;
  if (request.tailable === true) return [collectionPath(filter, 1, { tailable: true })];
  if (hasBounds(request)) return [boundedPath(hint, request, { collection, filter, context })];
  if (isNatural) return [collectionPath(filter, hint.natural)];
  if (sort?.natural !== undefined) {
    return [collectionPath(filter, sort.natural)];
  }
  return accessPaths({
    collection,
    filter,
    sort,
    hasLimit: (request.limit ?? 0) > 0,
    hint,
    allowed: hint === undefined ? allowed : undefined,
    wantsMetadata,
    context,
    view,
  });
}

interface StackParts {
  readonly request: FindRequest;
  readonly filter: Filter;
  readonly sort: SortPattern | undefined;
  readonly projection: Projection | undefined;
  readonly context: QueryContext;
  readonly ownership: Ownership | undefined;
}

/** Sort, skip, limit and projection, in this order, on top of an access path. */
function stackOn(path: AccessPath, parts: StackParts): PlanNode {
  const { request, sort, context } = parts;
  const skip = request.skip ?? 0;
  const limit = request.limit ?? 0;
  const mustSort = sort !== undefined && sort.natural === undefined && !path.sorted;
  // What a shard answers for is seen in documents alone.
  const isWhole = parts.ownership === undefined;
  const covered = mustSort || !isWhole ? undefined : coveredNode(path, parts);
  const isCounted = request.withoutDocuments === true && !mustSort && isWhole;
  const counted = isCounted ? path.decidedScan() : undefined;
  const sortedKeys = mustSort && isWhole ? coveredSort(path, sort, parts) : undefined;
  let node = covered ?? counted ?? sortedKeys?.scan ?? ownedOnly(path.node(), parts.ownership);
  // A sort holds what it is given, all of it unless it has a limit.
  const holds = mustSort && limit === 0;
  if (covered === undefined && counted === undefined && sortedKeys === undefined) {
    node = pruned(node, parts, holds || request.fieldsWanted?.pays === true);
  }
  if (mustSort) {
    node = {
      stage: 'SORT',
      input: node,
      pattern: sort.pattern,
      order: sortOrderOf(sort, context),
      limit: limit > 0 ? limit + skip : 0,
      ...(sortedKeys === undefined ? {} : { covering: sortedKeys.covering }),
    };
  }
  if (skip > 0) node = { stage: 'SKIP', input: node, skip };
  if (limit > 0 && !(mustSort && skip === 0)) node = { stage: 'LIMIT', input: node, limit };
  if (sortedKeys !== undefined) return { ...sortedKeys.projection, input: node };
  return covered === undefined ? shape(node, parts, mustSort ? undefined : keysShown(parts)) : node;
}

function ownedOnly(input: PlanNode, ownership: Ownership | undefined): PlanNode {
  return ownership === undefined ? input : { stage: 'SHARDING_FILTER', input, ownership };
}

/** The order's keys where {$meta: 'sortKey'} asks for them. */
function keysShown({ request, projection, sort, context }: StackParts): SortOrder | undefined {
  if (sort === undefined || sort.natural !== undefined) return undefined;
  const isAsked =
    projection?.metadataNeeded.has('sortKey') === true ||
    request.metadata?.includes('sortKey') === true;
  return isAsked ? sortOrderOf(sort, context) : undefined;
}

function shape(
  node: PlanNode,
  { request, filter, projection }: StackParts,
  sortKeys: SortOrder | undefined,
): PlanNode {
  if (request.returnKey === true) return { stage: 'RETURN_KEY', input: node };
  let shaped = node;
  if (projection !== undefined) {
    shaped = {
      stage: projection.fieldsNeeded === undefined ? 'PROJECTION_DEFAULT' : 'PROJECTION_SIMPLE',
      input: shaped,
      spec: request.projection ?? EMPTY_DOCUMENT,
      projection,
      filter: projection.needsPosition ? filter : undefined,
      ...(sortKeys === undefined ? {} : { sortKeys }),
    };
  }
  if (request.showRecordId === true) shaped = { stage: 'SHOW_RECORD_ID', input: shaped };
  if (request.metadata?.some(isOfRows) === true) {
    shaped = { stage: 'METADATA', input: shaped, ...(sortKeys === undefined ? {} : { sortKeys }) };
  }
  return shaped;
}

/** The projection straight from the index, when it needs nothing but top-level fields that the index holds. */
function coveredNode(path: AccessPath, parts: StackParts): PlanNode | undefined {
  const { projection, spec } = projectionOrFields(parts);
  const scan = coveringScan(path, parts, { projection });
  if (scan === undefined || projection === undefined) return undefined;
  const { filter } = parts;
  return { stage: 'PROJECTION_COVERED', input: scan, spec, projection, filter };
}

/** The scan that has all the fields of a projection, and others. */
function coveringScan(
  path: AccessPath,
  { request }: StackParts,
  wanted: {
    readonly projection: Projection | undefined;
    readonly others?: readonly string[];
  },
): PlanNode | undefined {
  const { projection, others = [] } = wanted;
  const needed = projection?.fieldsNeeded;
  if (projection === undefined || needed === undefined) return undefined;
  if (projection.needsPosition || projection.metadataNeeded.size > 0) return undefined;
  if (request.returnKey === true || request.showRecordId === true) return undefined;
  const all = [...needed, ...others];
  if (!path.holdsValues || !path.indexes.every((index) => covers(index, all))) return undefined;
  return path.decidedScan();
}

interface CoveredSort {
  readonly scan: PlanNode;
  readonly covering: NonNullable<SortNode['covering']>;
  readonly projection: Omit<ProjectionNode, 'input'>;
}

/** A sort of what an index has, when it has all that is sorted by and wanted: no document is read. */
function coveredSort(
  path: AccessPath,
  { fields }: SortPattern,
  parts: StackParts,
): CoveredSort | undefined {
  const { request, filter } = parts;
  const { projection, spec } = projectionOrFields(parts);
  if (projection === undefined || request.metadata?.some(isOfRows) === true) return undefined;
  const sorted = fields.map((field) => field.path);
  const scan = coveringScan(path, parts, { projection, others: sorted });
  if (scan === undefined) return undefined;
  const names = [...new Set([...(projection.fieldsNeeded ?? []), ...sorted])];
  // No projection names a field and a part of it.
  if (names.some((inner) => names.some((outer) => inner.startsWith(`${outer}.`)))) return undefined;
  return {
    scan,
    covering: { projection: inclusionOf(new Set(names), parts).projection, filter },
    projection: { stage: 'PROJECTION_COVERED', spec, projection, filter, isSorted: true },
  };
}

interface SpecifiedProjection {
  readonly spec: Buffer;
  readonly projection: Projection | undefined;
}

/** What the client wants of the documents, or else what the stages behind the find do. */
function projectionOrFields(parts: StackParts): SpecifiedProjection {
  const { request, projection } = parts;
  if (projection !== undefined || request.fieldsWanted === undefined) {
    return { spec: request.projection ?? EMPTY_DOCUMENT, projection };
  }
  return inclusionOf(request.fieldsWanted.names, parts);
}

/** Only what is wanted behind the find, and what is sorted by. */
function pruned(node: PlanNode, parts: StackParts, pays: boolean): PlanNode {
  const { request, sort } = parts;
  if (!pays || request.fieldsWanted === undefined || request.projection !== undefined) return node;
  const sorted = sort?.fields.map(({ path }) => topLevel(path)) ?? [];
  const included = inclusionOf(new Set([...request.fieldsWanted.names, ...sorted]), parts);
  return { stage: 'PROJECTION_SIMPLE', input: node, filter: undefined, ...included };
}

function inclusionOf(
  names: ReadonlySet<string>,
  { context, filter }: StackParts,
): SpecifiedProjection & { readonly projection: Projection } {
  const spec = new DocumentBuilder();
  for (const name of names) if (name !== '_id') spec.appendBoolean(name, true);
  spec.appendBoolean('_id', names.has('_id'));
  const written = spec.finish();
  return { spec: written, projection: projectionFor(written, context, () => filter) };
}

/** The index has all paths, and no array on them. */
function covers(index: IndexDescription, needed: readonly string[]): boolean {
  return needed.every((name) => {
    const position = index.fields.findIndex(({ path }) => path === name);
    return position >= 0 && !mayHoldArrays(index, position);
  });
}
