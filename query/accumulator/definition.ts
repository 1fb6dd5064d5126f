/**
 * How an accumulator of $group (and of a window) is defined.
 *
 * Owns: defineAccumulator and the shapes of accumulators. The registry collects definitions.
 */
import type { RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import type { Value } from '../expression/definition.ts';
import type { Scope } from '../expression/scope.ts';

/** The running value of one group. */
export interface Accumulator {
  /** Takes the document of the scope. */
  accept(scope: Scope): void;
  /** The value so far; undefined becomes null in $group. */
  result(): Value;
  /** Memory held besides a small fixed size, bytes; for the stage's budget. */
  readonly heldBytes: number;
}

/** An accumulator with its arguments compiled. */
export interface CompiledAccumulator {
  create(): Accumulator;
  /** Paths of the document that it reads; undefined: possibly all. */
  readonly paths: ReadonlySet<string> | undefined;
}

export interface AccumulatorDefinition {
  readonly name: string;
  compile(argument: RawValue, context: QueryContext): CompiledAccumulator;
}

/** Declares one accumulator. The registry refuses a second definition of the name. */
export function defineAccumulator(definition: AccumulatorDefinition): AccumulatorDefinition {
  return definition;
}
