/**
 * What is asked of the choice of access paths, and what it answers.
 */
import type { QueryContext } from '../context.ts';
import type { Filter } from '../matcher/filter.ts';
import type { CollectionDescription, IndexDescription, ReadView } from '../../storage/index.ts';
import type { PlanNode } from './plan-node.ts';
import type { SortPattern } from './sort-pattern.ts';

export interface AccessRequest {
  readonly collection: CollectionDescription;
  readonly filter: Filter;
  /** The order that is wanted; an access path may give it. */
  readonly sort: SortPattern | undefined;
  readonly hasLimit: boolean;
  readonly hint: IndexDescription | undefined;
  /** Of an index filter: the only indexes that may be used. */
  readonly allowed?: ((index: IndexDescription) => boolean) | undefined;
  readonly context: QueryContext;
  /** Documents must come out with what only their search knows: text score, distance. */
  readonly wantsMetadata?: boolean;
  /** Where the branches of an OR may be tried. */
  readonly view: ReadView;
}

/** One way to reach the documents. */
export interface AccessPath {
  /** Its name among the candidates of one shape of query: the same for other values. */
  readonly id: string;
  /** Makes the nodes of the plan. */
  readonly node: () => PlanNode;
  /** The wanted order comes out of it. */
  readonly sorted: boolean;
  /** The index scans without FETCH, when their bounds decide the whole filter: they may count, or cover. */
  readonly decidedScan: () => PlanNode | undefined;
  /** The values of all the scans' fields can be read from their keys. */
  readonly holdsValues: boolean;
  /** Indexes that it reads. */
  readonly indexes: readonly IndexDescription[];
  /** It needs more than one index for one conjunction: taken where it pays (executor/multi-plan.ts). */
  readonly isIntersection?: boolean;
  readonly summary: string;
}
