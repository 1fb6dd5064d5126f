/**
 * How a window operator is defined: from a partition to one value per document.
 */
import type { RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import type { Value } from '../expression/definition.ts';
import type { Partition, Window } from './partition.ts';
import type { Steps } from './steps.ts';

/** The value of each document of the partition, in its order; in steps, because a partition may be all of a collection. */
export type ComputeWindow = (partition: Partition) => Steps<readonly Value[]>;

export interface WindowUse {
  readonly name: string;
  readonly argument: RawValue;
  /** undefined: none was given. */
  readonly window: Window | undefined;
  readonly hasSort: boolean;
  readonly context: QueryContext;
}

export interface WindowDefinition {
  readonly name: string;
  compile(use: WindowUse): ComputeWindow;
}

export function defineWindow(definition: WindowDefinition): WindowDefinition {
  return definition;
}
