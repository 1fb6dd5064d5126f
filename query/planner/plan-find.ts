/**
 * Plans a find: parses its parts, chooses the way to the documents, and stacks sort, skip, limit and projection on it.
 *
 * Promises: everything the client wrote is checked here, also when the collection does not exist. The plan of {_id: value}
 * takes a short way of its own.
 */
import { encodeIndexKey, EMPTY_DOCUMENT, getField, isEmpty } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import type { QueryContext } from '../context.ts';
import { compileFilter } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import type { Projection } from '../projection/projection.ts';
import type {
  CollectionDescription,
  IndexDescription,
  KeyRange,
  ReadView,
} from '../../storage/index.ts';
import {
  type AccessPath,
  type AccessPaths,
  chooseAccessPath,
  collectionPath,
  resolveHint,
  showKeyPattern,
} from './access-path.ts';
import { tryExpress } from './express-plan.ts';
import { FindPlan } from './find-plan.ts';
import { ALL_VALUES } from './interval.ts';
import type { IxscanNode, PlanNode } from './plan-node.ts';
import { projectionFor } from './projection-cache.ts';
import type { FindRequest, QueryPlan } from './query-plan.ts';
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
  const express = collection === undefined ? undefined : tryExpress(collection, request, context);
  if (express !== undefined) return express;
  const filter = compileFilter(request.filter, context);
  const sort = parseSort(request.sort);
  const projection = projectionOf(request, filter, context);
  if (collection === undefined) {
    return new FindPlan({
      winning: { stage: 'EOF' },
      rejected: [],
      collection: undefined,
      context,
      filter,
      summary: 'EOF',
      allowDiskUse: true,
      namespace: request.namespace ?? '',
    });
  }
  const paths = pathsFor(collection, request, { view, filter, sort, context });
  const stack = (path: AccessPath): PlanNode =>
    stackOn(path, { request, filter, sort, projection, context });
  return new FindPlan({
    winning: stack(paths.winning),
    rejected: paths.rejected.map(stack),
    collection,
    context,
    filter,
    summary: paths.winning.summary,
    allowDiskUse: request.allowDiskUse ?? true,
    namespace: collection.namespace,
  });
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
  },
): AccessPaths {
  const { view, filter, sort, context } = parts;
  const hint = resolveHint(request.hint, collection);
  const isNatural = hint !== undefined && 'natural' in hint;
  if (request.min !== undefined || request.max !== undefined) {
    uassert(
      hint !== undefined && !isNatural,
      51173,
      'When using min()/max() a hint of which index to use must be provided',
    );
    return { winning: boundedPath(hint, request, filter), rejected: [] };
  }
  if (isNatural) return { winning: collectionPath(filter, hint.natural), rejected: [] };
  if (sort?.natural !== undefined) {
    return { winning: collectionPath(filter, sort.natural), rejected: [] };
  }
  return chooseAccessPath({
    collection,
    filter,
    sort: sort?.fields,
    hasLimit: (request.limit ?? 0) > 0,
    hint,
    context,
    view,
  });
}

/** min() and max(): one range of the hinted index, whatever the filter says. */
function boundedPath(index: IndexDescription, request: FindRequest, filter: Filter): AccessPath {
  const range: KeyRange = {
    ...(request.min === undefined
      ? {}
      : { lower: boundKey(index, request.min, 'min'), lowerInclusive: true }),
    ...(request.max === undefined
      ? {}
      : { upper: boundKey(index, request.max, 'max'), upperInclusive: false }),
  };
  const scan: IxscanNode = {
    stage: 'IXSCAN',
    index,
    bounds: index.fields.map(() => ALL_VALUES),
    ranges: [range],
    direction: 1,
    keyFilter: undefined,
  };
  const checked = filter.isEmpty ? undefined : filter;
  return {
    node: { stage: 'FETCH', input: scan, residual: checked, whole: checked },
    sorted: false,
    decidedScan: undefined,
    holdsValues: false,
    summary: `IXSCAN ${showKeyPattern(index)}`,
  };
}

function boundKey(index: IndexDescription, bound: Buffer, option: 'min' | 'max'): Buffer {
  const values = index.fields.map((field) => {
    const value = getField(bound, field.path);
    uassert(
      value !== undefined,
      51174,
      option === 'min'
        ? 'The index specified by hint does not match the fields of min'
        : 'The index specified by hint does not match the fields of max',
    );
    return value;
  });
  return encodeIndexKey(
    values,
    index.fields.map((field) => field.direction),
  ).key;
}

interface StackParts {
  readonly request: FindRequest;
  readonly filter: Filter;
  readonly sort: SortPattern | undefined;
  readonly projection: Projection | undefined;
  readonly context: QueryContext;
}

/** Sort, skip, limit and projection, in this order, on top of an access path. */
function stackOn(path: AccessPath, parts: StackParts): PlanNode {
  const { request, sort, context } = parts;
  const skip = request.skip ?? 0;
  const limit = request.limit ?? 0;
  const mustSort = sort !== undefined && sort.natural === undefined && !path.sorted;
  const covered = mustSort ? undefined : coveredNode(path, parts);
  const counted = request.withoutDocuments === true && !mustSort ? path.decidedScan : undefined;
  let node = covered ?? counted ?? path.node;
  if (mustSort) {
    node = {
      stage: 'SORT',
      input: node,
      pattern: sort.pattern,
      order: sortOrderOf(sort, context),
      limit: limit > 0 ? limit + skip : 0,
    };
  }
  if (skip > 0) node = { stage: 'SKIP', input: node, skip };
  if (limit > 0 && !(mustSort && skip === 0)) node = { stage: 'LIMIT', input: node, limit };
  return covered === undefined ? shape(node, parts) : node;
}

function shape(node: PlanNode, { request, filter, projection }: StackParts): PlanNode {
  if (request.returnKey === true) return { stage: 'RETURN_KEY', input: node };
  let shaped = node;
  if (projection !== undefined) {
    shaped = {
      stage: projection.fieldsNeeded === undefined ? 'PROJECTION_DEFAULT' : 'PROJECTION_SIMPLE',
      input: shaped,
      spec: request.projection ?? EMPTY_DOCUMENT,
      projection,
      filter: projection.needsPosition ? filter : undefined,
    };
  }
  if (request.showRecordId === true) shaped = { stage: 'SHOW_RECORD_ID', input: shaped };
  return shaped;
}

/** The projection straight from the index, when it needs nothing but top-level fields that the index holds. */
function coveredNode(path: AccessPath, parts: StackParts): PlanNode | undefined {
  const { projection, request, filter } = parts;
  const scan = path.decidedScan;
  const needed = projection?.fieldsNeeded;
  if (scan === undefined || projection === undefined || needed === undefined) return undefined;
  if (projection.needsPosition || projection.metadataNeeded.size > 0) return undefined;
  if (request.returnKey === true || request.showRecordId === true) return undefined;
  if (scan.index.multikey) return undefined;
  if (!path.holdsValues) return undefined;
  const held = new Set(scan.index.fields.map((field) => field.path));
  if (!needed.every((name) => held.has(name)) || [...held].some((name) => name.includes('.'))) {
    return undefined;
  }
  return {
    stage: 'PROJECTION_COVERED',
    input: scan,
    spec: request.projection ?? EMPTY_DOCUMENT,
    projection,
    filter,
  };
}
