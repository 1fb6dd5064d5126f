/**
 * How an accumulator of $group (and of a window) is defined.
 *
 * Owns: defineAccumulator and the shapes of accumulators. The registry collects definitions.
 */
import type { RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import type { Value } from '../expression/definition.ts';
import type { Scope } from '../expression/scope.ts';
import type { ScriptCall, ScriptOutcome } from '../script/script-calls.ts';

/** The running value of one group. */
export interface Accumulator {
  /** Takes the document of the scope. */
  accept(scope: Scope): void;
  /** The value so far; undefined becomes null in $group. */
  result(): Value;
  /** Memory held besides a small fixed size, bytes; for the stage's budget. */
  readonly heldBytes: number;
}

/**
 * An accumulator whose values JavaScript computes: it gathers inputs, and its stage runs them in another thread, many
 * groups at a time, before it asks for the result.
 */
export interface ScriptedAccumulator extends Accumulator {
  /** Bytes of the input that it accepted last; the stage runs them when they are many. */
  readonly lastInputBytes: number;
  /** The next call; undefined when nothing is left to do. @param end the result is wanted: nothing comes after. */
  nextCall(end: boolean): ScriptCall | undefined;
  /** What that call gave. @throws its exception. */
  answered(outcome: ScriptOutcome): void;
}

export function isScripted(accumulator: Accumulator): accumulator is ScriptedAccumulator {
  return 'nextCall' in accumulator;
}

/** An accumulator with its arguments compiled. */
export interface CompiledAccumulator {
  /**
   * @param id the group's _id when that is a document, empty otherwise: `n` and `initArgs` are expressions over it.
   * @throws CommandError when they do not fit.
   */
  create(id: Buffer): Accumulator;
  /** Paths of the document that it reads; undefined: possibly all. */
  readonly paths: ReadonlySet<string> | undefined;
  /** What it makes are ScriptedAccumulators. */
  readonly isScripted?: boolean;
}

/**
 * Which part of a group's values an accumulator sees: all of them; those of one shard, which it gives as a state to go on from; or such
 * states of several shards.
 */
export type AccumulatorRole = 'whole' | 'partial' | 'merge';

export interface AccumulatorDefinition {
  readonly name: string;
  /** It can be worked out in parts: `compile` knows all roles. */
  readonly isMergeable?: boolean;
  /** It has no place in a window. */
  readonly inGroupsOnly?: boolean;
  /** What it gives is the value of one document: in a window it is missing where that is. */
  readonly isOfOneDocument?: boolean;
  /** @param role absent: whole. To merge, the argument is an expression that gives a part's state. */
  compile(argument: RawValue, context: QueryContext, role?: AccumulatorRole): CompiledAccumulator;
}

/** Declares one accumulator. The registry refuses a second definition of the name. */
export function defineAccumulator(definition: AccumulatorDefinition): AccumulatorDefinition {
  return definition;
}
