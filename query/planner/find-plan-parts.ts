/**
 * What a planned find consists of.
 */
import type { QueryContext } from '../context.ts';
import type { Filter } from '../matcher/filter.ts';
import type { CollectionDescription } from '../../storage/index.ts';
import type { PlanNode } from './plan-node.ts';

export interface FindPlanParts {
  readonly winning: PlanNode;
  readonly rejected: readonly PlanNode[];
  /** undefined: the namespace does not exist. */
  readonly collection: CollectionDescription | undefined;
  readonly context: QueryContext;
  readonly filter: Filter;
  readonly summary: string;
  readonly allowDiskUse: boolean;
  readonly namespace: string;
}
