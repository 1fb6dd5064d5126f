/**
 * What an operator of the server set for all queries: index filters, and that no collection may be scanned.
 */
import { getField } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import type { Filter } from '../matcher/filter.ts';
import type { CollectionDescription, IndexDescription } from '../../storage/index.ts';
import { hasKeyPattern } from './index-hint.ts';
import type { AccessPath } from './access-request.ts';
import { shapeOf } from './query-shape.ts';

/** @returns which indexes the filter for queries of this shape allows; undefined when there is none. */
export function indexFilterFor(
  collection: CollectionDescription,
  request: { readonly sort?: Buffer; readonly projection?: Buffer },
  { filter, context }: { readonly filter: Filter; readonly context: QueryContext },
): ((index: IndexDescription) => boolean) | undefined {
  const hinted = hintedIndexes(collection, context);
  if (hinted !== undefined) return hinted;
  const cache = context.planner?.planCaches.peek(collection);
  if (cache?.hasFilters !== true) return undefined;
  const { sort, projection } = request;
  const set = cache.filterOf(shapeOf({ tree: filter.tree, sort, projection, context }));
  if (set === undefined) return undefined;
  return among(set.indexes);
}

/** By the operation's query settings, which go before index filters. */
function hintedIndexes(
  { namespace, indexes }: CollectionDescription,
  { indexHints }: QueryContext,
): ((index: IndexDescription) => boolean) | undefined {
  const allowed = indexHints?.get(namespace);
  if (allowed === undefined) return undefined;
  const isAllowed = among(allowed);
  const mayScan = allowed.some(
    (each) => typeof each !== 'string' && getField(each, '$natural') !== undefined,
  );
  return mayScan || indexes.some(isAllowed) ? isAllowed : undefined;
}

function among(allowed: readonly (string | Buffer)[]): (index: IndexDescription) => boolean {
  return (index) =>
    allowed.some((each) =>
      typeof each === 'string' ? each === index.name : hasKeyPattern(index, each),
    );
}

/** @throws CommandError NoQueryExecutionPlans when the plan reads the whole collection and the server forbids that. */
export function checkTableScan(
  path: AccessPath,
  collection: CollectionDescription,
  { planner }: QueryContext,
): void {
  if (path.summary !== 'COLLSCAN' || planner?.refusesTableScans() !== true) return;
  const { namespace } = collection;
  const isInternal = /^(admin|local|config)\.|\.system\./.test(namespace);
  if (isInternal) return;
  throw new CommandError(
    'NoQueryExecutionPlans',
    `error processing query: ns=${namespace} planner returned error :: caused by :: No indexed plans available, and running with 'notablescan'`,
  );
}
