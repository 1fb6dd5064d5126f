/**
 * Buckets in the order of their first times, for a sort by time behind them: found when an index gives that order by itself.
 */
import { BsonType, documentOf, fieldsOf, firstFieldName, getField } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import type { PipelineStage } from '../stage/definition.ts';
import { boundedSortStage } from '../stage/operators/internal-bounded-sort.ts';
import { unpackStage } from '../stage/operators/internal-unpack-bucket.ts';
import type { CollectionDescription } from '../../storage/index.ts';
import { conjunctsOf } from '../timeseries/conjuncts.ts';
import type { BucketOrder } from '../timeseries/unpack-specification.ts';
import { FindPlan } from './find-plan.ts';
import { type PlanNode, inputsOf } from './plan-node.ts';
import type { QueryPlan } from './query-plan.ts';
import { parseSort, sortOrderOf } from './sort-pattern.ts';

/** How to read the buckets, and what comes behind them instead. */
export interface OrderedBuckets {
  /** Of buckets. */
  readonly sort: Buffer;
  /** The index that gives the order. */
  readonly hint: string;
  readonly stages: readonly PipelineStage[];
}

/**
 * @param filter of the buckets. @param stages behind it: an unpack stage and a sort by time to begin with.
 * @returns undefined when they are not, or no index gives the order.
 */
export function orderedBuckets(
  collection: CollectionDescription | undefined,
  filter: Buffer,
  [unpack, sort, ...rest]: readonly PipelineStage[],
  context: QueryContext,
): OrderedBuckets | undefined {
  if (collection === undefined || unpack?.nature.kind !== 'unpack') return undefined;
  if (sort?.nature.kind !== 'sort') return undefined;
  const specification = unpack.nature.unpack;
  const { timeField } = specification;
  const pattern = parseSort(sort.nature.pattern);
  const [field] = pattern?.fields ?? [];
  if (pattern?.fields.length !== 1 || field?.path !== timeField) return undefined;
  const order = orderBy(collection, filter, timeField, field.direction);
  if (order === undefined) return undefined;
  const { limit } = sort.nature;
  return {
    sort: order.sort,
    hint: order.hint,
    stages: [
      unpackStage({ ...specification, bucketOrder: order.order }, context),
      boundedSortStage({
        timeField,
        direction: field.direction,
        limit,
        order: sortOrderOf(pattern, context),
      }),
      ...rest,
    ],
  };
}

interface IndexOrder {
  readonly sort: Buffer;
  readonly hint: string;
  readonly order: BucketOrder;
}

function orderBy(
  { indexes }: CollectionDescription,
  filter: Buffer,
  timeField: string,
  direction: 1 | -1,
): IndexOrder | undefined {
  const onMeta = conjunctsOf(filter).filter(isOnMeta);
  if (onMeta.length === 0) {
    const id = indexes.find(({ name, ready }) => ready && name === '_id_');
    if (id === undefined) return undefined;
    return {
      sort: documentOf({ _id: direction }),
      hint: id.name,
      order: { by: '_id', direction },
    };
  }
  const [only] = onMeta;
  if (onMeta.length > 1 || !isEqualityWithMeta(only)) return undefined;
  const min = `control.min.${timeField}`;
  const index = indexes.find(
    ({ ready, fields, multikey, sparse, spec }) =>
      ready &&
      !multikey &&
      !sparse &&
      fields[0]?.path === 'meta' &&
      fields[1]?.path === min &&
      getField(spec, 'partialFilterExpression') === undefined &&
      getField(spec, 'hidden') === undefined,
  );
  if (index === undefined) return undefined;
  return {
    sort: documentOf({ [min]: direction }),
    hint: index.name,
    order: { by: 'min', direction },
  };
}

/** Conditions on meta narrow the buckets down: an order by _id alone would read them all. Unknown ones count as such. */
function isOnMeta(condition: Buffer): boolean {
  const name = firstFieldName(condition) ?? '';
  return name !== '_id' && !name.startsWith('control.');
}

/** {meta: value}: one series. */
function isEqualityWithMeta(condition: Buffer): boolean {
  const value = getField(condition, 'meta');
  if (value === undefined || value.type === BsonType.regex || value.isNullish) return false;
  if (value.type === BsonType.array) return false;
  if (value.type !== BsonType.object) return true;
  for (const [name] of fieldsOf(value.asDocument())) {
    if (name.startsWith('$')) return false;
  }
  return true;
}

/** Whether a plan gives its rows in the order of an index: it sorts nothing itself. */
export function keepsIndexOrder(plan: QueryPlan): boolean {
  if (!(plan instanceof FindPlan)) return false;
  return plan.parts.candidates.every(({ node }) => !hasSort(node()));
}

function hasSort(node: PlanNode): boolean {
  return node.stage === 'SORT' || inputsOf(node).some(hasSort);
}
