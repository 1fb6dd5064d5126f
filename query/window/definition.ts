/**
 * How a window operator is defined: from a partition to one value per document.
 */
import type { RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import type { Value } from '../expression/definition.ts';
import type { Partition, Window } from './partition.ts';
import type { Steps } from './steps.ts';

/**
 * Computes the value of the document at a position. Asked for each position once, in order: nothing is kept of what lies behind.
 * In steps, because a window may be all of a collection.
 */
export type ValueAt = (position: number) => Steps<Value>;

export type ComputeWindow = (partition: Partition) => ValueAt;

export interface WindowUse {
  readonly name: string;
  readonly argument: RawValue;
  /** undefined: none was given. */
  readonly window: Window | undefined;
  /** How many fields the stage sorts by; 0: it does not sort. */
  readonly sortFields: number;
  readonly context: QueryContext;
}

export interface WindowDefinition {
  readonly name: string;
  compile(use: WindowUse): ComputeWindow;
}

export function defineWindow(definition: WindowDefinition): WindowDefinition {
  return definition;
}

/** A value that one look at the partition gives. */
export function inOneStep(valueAt: (position: number) => Value): ValueAt {
  // oxlint-disable-next-line require-yield
  return function* (position) {
    return valueAt(position);
  };
}
