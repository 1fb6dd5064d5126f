/**
 * The query that the commands of the plan cache are about: its collection, and the text of its shape.
 */
import { EMPTY_DOCUMENT, isEmpty } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  compileCollation,
  compileQueryFilter,
  shapeOf,
  type CachedQuery,
} from '../../../query/index.ts';
import type { CollectionDescription } from '../../../storage/index.ts';
import type { CommandBody } from '../../command/command-body.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { queryContext } from '../crud/query-context.ts';

/** A query as these commands name it; undefined parts are absent. */
export interface PlanCacheQuery {
  readonly namespace: string;
  readonly query: Buffer | undefined;
  readonly sort: Buffer | undefined;
  readonly projection: Buffer | undefined;
  readonly collation: Buffer | undefined;
}

export function parsePlanCacheQuery(body: CommandBody): PlanCacheQuery {
  return {
    namespace: body.collection(),
    query: body.document('query', undefined),
    sort: body.document('sort', undefined),
    projection: body.document('projection', undefined),
    collation: body.document('collation', undefined),
  };
}

/** @throws CommandError BadValue when sort, projection or collation come without a query. */
export function checkHasQuery(request: PlanCacheQuery): void {
  const { query, sort, projection, collation } = request;
  if (query !== undefined) return;
  if (sort === undefined && projection === undefined && collation === undefined) return;
  throw new CommandError('BadValue', 'sort, projection or collation provided without query');
}

/** The shape's text, as the planner makes it. */
export function shapeOfQuery(
  op: OperationContext,
  collection: CollectionDescription,
  { query = EMPTY_DOCUMENT, sort, projection, collation }: PlanCacheQuery,
): string {
  const context = queryContext(op, { collation, collection });
  const { tree } = compileQueryFilter(query, context);
  return shapeOf({ tree, sort, projection, context });
}

/** As it is kept and shown. */
export function cachedQueryOf({
  query = EMPTY_DOCUMENT,
  sort = EMPTY_DOCUMENT,
  projection = EMPTY_DOCUMENT,
  collation = EMPTY_DOCUMENT,
}: PlanCacheQuery): CachedQuery {
  const normal = isEmpty(collation)
    ? EMPTY_DOCUMENT
    : (compileCollation(collation)?.spec ?? collation);
  return {
    filter: Buffer.from(query),
    sort: Buffer.from(sort),
    projection: Buffer.from(projection),
    collation: Buffer.from(normal),
  };
}

/** Fields of a query, those that are empty left out. */
export function showQuery({ filter, sort, projection, collation }: CachedQuery) {
  return {
    query: filter,
    sort,
    projection,
    ...(isEmpty(collation) ? {} : { collation }),
  };
}
