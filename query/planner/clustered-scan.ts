/**
 * Clustered collections: records in the order of their _id.
 *
 * The store keeps records in the order of their insertion, and an index on _id. A clustered collection marks that index
 * (clustered: true), and all that reads the collection goes along it: docs/decisions/0006-clustered-collections.md.
 */
import {
  compileSort,
  documentOf,
  encodeIndexKey,
  getField,
  isEmpty,
  MAX_KEY,
  MIN_KEY,
} from '../../bson/index.ts';
import type { CollectionDescription, IndexDescription } from '../../storage/index.ts';
import type { SortOrder } from '../executor/sorter.ts';
import { collatorOf } from '../index-kind/collation.ts';
import { ALL_VALUES } from './interval.ts';
import type { IxscanNode } from './plan-node.ts';

const CLUSTERED = new WeakMap<Buffer, boolean>();

/** Whether an index is the order of its collection. Each specification is read once. */
export function isClustered({ spec }: Pick<IndexDescription, 'spec'>): boolean {
  let known = CLUSTERED.get(spec);
  if (known === undefined) {
    known = getField(spec, 'clustered')?.isTruthy() === true;
    CLUSTERED.set(spec, known);
  }
  return known;
}

/** The index along which a collection is read; undefined for one that is not clustered. */
export function clusteredIndexOf(collection: CollectionDescription): IndexDescription | undefined {
  if (isEmpty(collection.options)) return undefined;
  const [index] = collection.indexes;
  return index !== undefined && isClustered(index) ? index : undefined;
}

/** All of a clustered collection. */
export function wholeClusteredScan(index: IndexDescription, direction: 1 | -1): IxscanNode {
  return {
    stage: 'IXSCAN',
    index,
    bounds: [ALL_VALUES],
    ranges: [WHOLE],
    direction,
    keyBounds: undefined,
  };
}

/** The order of a clustered collection: that of its index, for entries whose keys were cut. */
export function clusteredOrder(index: IndexDescription, direction: 1 | -1): SortOrder {
  return compileSort(documentOf({ _id: direction }), collatorOf(index));
}

const WHOLE = {
  lower: encodeIndexKey([MIN_KEY], [1]).key,
  lowerInclusive: true,
  upper: encodeIndexKey([MAX_KEY], [1]).key,
  upperInclusive: true,
};
