/**
 * How an aggregation operator is defined: its name, its arguments, and what it computes.
 *
 * Owns: defineExpression and the shapes of definitions. The registry collects them, compile.ts turns uses into closures.
 */
import type { RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import type { Expression } from './expression.ts';

/** A value, or undefined for a missing one. */
export type Value = RawValue | undefined;

/** The types that an argument may have, and how MongoDB's messages call them. */
export interface TypeSet {
  readonly words: string;
  accepts(value: RawValue): boolean;
}

/** What an operator with its own syntax may ask of the compiler. */
export interface ExpressionCompiler {
  readonly context: QueryContext;
  /** Compiles an operand in the present environment. */
  compile(value: RawValue): Expression;
  /** A compiler in whose environment these variables exist, and the slots that hold their values. */
  withVariables(names: readonly string[]): {
    readonly compiler: ExpressionCompiler;
    readonly slots: readonly number[];
  };
  constant(value: Value): Expression;
  /** Combines parts into one expression; folds it to a constant when all parts are, unless `pure` is false. */
  combine(
    parts: readonly Expression[],
    evaluate: Expression['evaluate'],
    options?: { readonly pure?: boolean; readonly readsAll?: boolean },
  ): Expression;
}

interface Common {
  readonly name: string;
  /** False when two evaluations may differ ($rand): never folded to a constant. */
  readonly pure?: boolean;
  /** Types of every argument; another type ends with `wrongType`. */
  readonly accepts?: TypeSet;
  /** Error code for an argument of another type. */
  readonly wrongType?: number;
  /**
   * Its work grows with its operands: large ones it gets on another thread. It then evaluates all of them, and has no variables of its
   * own.
   */
  readonly isLong?: boolean;
}

/** Null or missing in any argument gives null, before `evaluate` is called. */
interface NullishIsNull {
  readonly nullish: 'null';
}
/** `evaluate` sees null and missing. */
interface NullishPasses {
  readonly nullish: 'pass';
}

export type ExpressionDefinition =
  | (Common &
      NullishIsNull & {
        readonly args: 1;
        readonly evaluate: (value: RawValue, context: QueryContext) => Value;
      })
  | (Common &
      NullishPasses & {
        readonly args: 1;
        readonly evaluate: (value: Value, context: QueryContext) => Value;
      })
  | (Common &
      NullishIsNull & {
        readonly args: 2;
        readonly evaluate: (a: RawValue, b: RawValue, context: QueryContext) => Value;
      })
  | (Common &
      NullishPasses & {
        readonly args: 2;
        readonly evaluate: (a: Value, b: Value, context: QueryContext) => Value;
      })
  | (Common &
      NullishPasses & {
        /** Fewest and most positional arguments. */
        readonly args: readonly [min: number, max: number];
        readonly evaluate: (values: readonly Value[], context: QueryContext) => Value;
      })
  | (Common & {
      /** Operators with a syntax of their own: named arguments, branches, variables. */
      readonly args: 'special';
      readonly compile: (argument: RawValue, compiler: ExpressionCompiler) => Expression;
    });

/** Declares one operator. The registry refuses a second definition of the name. */
export function defineExpression(definition: ExpressionDefinition): ExpressionDefinition {
  return definition;
}
