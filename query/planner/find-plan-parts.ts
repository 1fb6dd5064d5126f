/**
 * What a planned find consists of.
 */
import type { QueryContext } from '../context.ts';
import type { Filter } from '../matcher/filter.ts';
import type { CollectionDescription, IndexDescription } from '../../storage/index.ts';
import type { PlanNode } from './plan-node.ts';

/** One plan that answers the query. */
export interface PlanCandidate {
  /** Its name among the candidates of one shape of query. */
  readonly id: string;
  /** Makes the plan's nodes; the same ones every time. */
  readonly node: () => PlanNode;
  readonly indexes: readonly IndexDescription[];
  readonly isIntersection?: boolean;
  readonly summary: string;
}

/** How the query looks in the plan cache. */
export interface QueryIdentity {
  /** The shape's text. */
  readonly shape: string;
  /** The shape together with the names of all candidates: other indexes, another key. */
  readonly key: string;
}

export interface FindPlanParts {
  /** The most promising first; there is at least one. */
  readonly candidates: readonly [PlanCandidate, ...(readonly PlanCandidate[])];
  /** undefined: the namespace does not exist. */
  readonly collection: CollectionDescription | undefined;
  readonly context: QueryContext;
  /** The client's filter, and what it was compiled to. */
  readonly query: Buffer;
  readonly filter: Filter;
  readonly sort?: Buffer | undefined;
  readonly projection?: Buffer | undefined;
  readonly allowDiskUse: boolean;
  readonly namespace: string;
  /** An index filter narrowed the candidates down. */
  readonly indexFilterSet?: boolean;
}

/** The only way: nothing is to be chosen. */
export function onlyCandidate(
  node: PlanNode,
  summary: string,
  indexes: readonly IndexDescription[] = [],
): [PlanCandidate] {
  return [{ id: summary, node: () => node, indexes, summary }];
}

/** A candidate whose nodes are made when they are first wanted. */
export function candidateOf(
  path: Pick<PlanCandidate, 'id' | 'indexes' | 'summary' | 'isIntersection'>,
  make: () => PlanNode,
): PlanCandidate {
  let made: PlanNode | undefined;
  const node = (): PlanNode => (made ??= make());
  const { id, indexes, summary, isIntersection = false } = path;
  return { id, node, indexes, summary, isIntersection };
}
