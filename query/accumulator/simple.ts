/**
 * The common shape of accumulators: one expression, and a state that takes its values.
 */
import type { RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import { compileExpression } from '../expression/compile.ts';
import type { Value } from '../expression/definition.ts';
import type { Evaluate } from '../expression/expression.ts';
import type { Scope } from '../expression/scope.ts';
import {
  type Accumulator,
  type AccumulatorDefinition,
  type AccumulatorRole,
  defineAccumulator,
} from './definition.ts';

/** Memory of one accumulator's values before it fails, bytes. */
const MAX_HELD_BYTES = 100 * 1024 * 1024;

export interface AccumulatorState {
  add(value: Value): void;
  result(): Value;
  readonly heldBytes?: number;
  /** What another one can go on from; absent: the result is. */
  partial?(): Value;
  /** Takes what `partial` of another one gave; absent: `add` does. */
  merge?(partial: Value): void;
}

class OverExpression implements Accumulator {
  private readonly evaluate: Evaluate;
  private readonly state: AccumulatorState;
  private readonly name: string;
  private readonly role: AccumulatorRole;

  constructor(name: string, evaluate: Evaluate, state: AccumulatorState, role: AccumulatorRole) {
    this.name = name;
    this.role = role;
    this.evaluate = evaluate;
    this.state = state;
  }

  get heldBytes(): number {
    return this.state.heldBytes ?? 0;
  }

  accept(scope: Scope): void {
    const value = this.evaluate(scope);
    if (this.role === 'merge' && this.state.merge !== undefined) this.state.merge(value);
    else this.state.add(value);
    if (this.heldBytes > MAX_HELD_BYTES) throw tooLarge(this.name);
  }

  result(): Value {
    if (this.role === 'partial' && this.state.partial !== undefined) return this.state.partial();
    return this.state.result();
  }
}

export function tooLarge(name: string): CommandError {
  return new CommandError(
    'ExceededMemoryLimit',
    `${name} used too much memory and cannot spill to disk. Memory limit: ${MAX_HELD_BYTES} bytes`,
  );
}

/** @param makeState a fresh state for each group. */
export function simpleAccumulator(
  name: string,
  makeState: (context: QueryContext) => AccumulatorState,
): AccumulatorDefinition {
  return defineAccumulator({
    name,
    isMergeable: true,
    compile: (argument: RawValue, context, role = 'whole') => {
      const expression = compileExpression(argument, context);
      return {
        paths: expression.paths,
        create: () => new OverExpression(name, expression.evaluate, makeState(context), role),
      };
    },
  });
}
