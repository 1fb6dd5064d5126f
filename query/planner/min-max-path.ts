/**
 * The way to the documents that min() and max() say: one range of the hinted index, whatever the filter says.
 *
 * Owns: which bounds an index takes. Source: MongoDB's manual, "cursor.min()"; the errors are MongoDB 8.0's.
 */
import { encodeIndexKey, fieldsOf, isEmpty } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import { collatorOf, dependsOnCollation, sameCollation } from '../index-kind/collation.ts';
import type { Filter } from '../matcher/filter.ts';
import type { CollectionDescription, IndexDescription, KeyRange } from '../../storage/index.ts';
import type { AccessPath } from './access-request.ts';
import type { FindRequest } from './query-plan.ts';
import { rangePath } from './range-path.ts';

type BoundsRequest = Pick<FindRequest, 'min' | 'max'>;

interface BoundedQuery {
  readonly collection: CollectionDescription;
  readonly filter: Filter;
  readonly context: QueryContext;
}

/** Empty bounds are none. */
export function hasBounds({ min, max }: BoundsRequest): boolean {
  return [min, max].some((bound) => bound !== undefined && !isEmpty(bound));
}

/** @throws CommandError when no index is hinted, it does not take the bounds, or nothing lies between them. */
export function boundedPath(
  hint: IndexDescription | { readonly natural: 1 | -1 } | undefined,
  request: BoundsRequest,
  { collection, filter, context }: BoundedQuery,
): AccessPath {
  uassert(
    hint !== undefined,
    51173,
    'When using min()/max() a hint of which index to use must be provided',
  );
  if ('natural' in hint) {
    throw new CommandError(
      'NoQueryExecutionPlans',
      `error processing query: ns=${collection.namespace} planner returned error :: caused by :: min and max are incompatible with $natural`,
    );
  }
  return rangePath(hint, rangeOf(hint, request, context), filter);
}

function rangeOf(
  index: IndexDescription,
  { min, max }: BoundsRequest,
  context: QueryContext,
): KeyRange {
  const lower = keyOf(index, min, context);
  const upper = keyOf(index, max, context);
  uassert(
    lower === undefined || upper === undefined || Buffer.compare(lower, upper) < 0,
    51175,
    'The value provided for min() does not come before the value provided for max() in the hinted index',
  );
  return {
    ...(lower === undefined ? {} : { lower, lowerInclusive: true }),
    ...(upper === undefined ? {} : { upper, upperInclusive: false }),
  };
}

/** All fields of the index, in its order; no strings if the query compares them in another way than the index does. */
function keyOf(
  index: IndexDescription,
  bound: Buffer | undefined,
  { collator }: QueryContext,
): Buffer | undefined {
  if (bound === undefined || isEmpty(bound)) return undefined;
  const { fields } = index;
  const elements = Array.from(fieldsOf(bound));
  const agree = sameCollation(collatorOf(index), collator);
  uassert(
    elements.length === fields.length &&
      fields.every(
        ({ path, kind }, position) => kind !== 'wildcard' && path === elements[position][0],
      ) &&
      (agree || !elements.some(([, value]) => dependsOnCollation(value))),
    51174,
    'The index chosen is not compatible with min/max',
  );
  return encodeIndexKey(
    elements.map(([, value]) => value),
    fields.map(({ direction }) => direction),
    agree ? collator : undefined,
  ).key;
}
