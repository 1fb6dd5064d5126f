/**
 * $firstN, $lastN, $minN, $maxN: {input, n}.
 */
import { compareValues, type RawValue } from '../../../bson/index.ts';
import type { QueryContext } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Value } from '../../expression/definition.ts';
import { arrayOf } from '../../expression/elements.ts';
import { namedArguments } from '../../expression/named-arguments.ts';
import { countOf } from '../../expression/operators/array-access.ts';
import { Scope } from '../../expression/scope.ts';
import { isNullish } from '../../expression/types.ts';
import { ownedOrMissing } from '../../owned.ts';
import { type AccumulatorDefinition, defineAccumulator } from '../definition.ts';
import { type AccumulatorState, tooLarge } from '../simple.ts';

const VALUE_OVERHEAD_BYTES = 64;

/** `n` is the same for all documents of a group: a constant, or an expression over the group's _id. */
export function compileCount(
  name: string,
  argument: RawValue,
  context: QueryContext,
): (id: Buffer) => number {
  const expression = compileExpression(argument, context);
  if (expression.constant === undefined) {
    return (id) => countOf(name, expression.evaluate(new Scope(id)));
  }
  const count = countOf(name, expression.constant.value);
  return () => count;
}

abstract class Kept implements AccumulatorState {
  heldBytes = 0;
  protected readonly values: Value[] = [];

  protected hold(value: Value, position: number): void {
    this.values.splice(position, 0, ownedOrMissing(value));
    this.heldBytes += sizeOf(value);
  }

  protected drop(position: number): void {
    const [value] = this.values.splice(position, 1);
    this.heldBytes -= sizeOf(value);
  }

  abstract add(value: Value): void;

  result(): Value {
    return arrayOf(this.values);
  }
}

function sizeOf(value: Value): number {
  return VALUE_OVERHEAD_BYTES + (value === undefined ? 0 : value.end - value.start);
}

class FirstValues extends Kept {
  private readonly n: number;

  constructor(n: number) {
    super();
    this.n = n;
  }

  add(value: Value): void {
    if (this.values.length < this.n) this.hold(value, this.values.length);
  }
}

class LastValues extends Kept {
  private readonly n: number;

  constructor(n: number) {
    super();
    this.n = n;
  }

  add(value: Value): void {
    this.hold(value, this.values.length);
    if (this.values.length > this.n) this.drop(0);
  }
}

/** The n least (sign 1) or greatest (sign -1) values that are not null, in order. */
class ExtremeValues extends Kept {
  private readonly n: number;
  private readonly sign: 1 | -1;
  private readonly context: QueryContext;

  constructor(n: number, sign: 1 | -1, context: QueryContext) {
    super();
    this.n = n;
    this.sign = sign;
    this.context = context;
  }

  add(value: Value): void {
    if (isNullish(value)) return;
    const position = this.positionOf(value);
    if (position >= this.n) return;
    this.hold(value, position);
    if (this.values.length > this.n) this.drop(this.n);
  }

  /** Behind all values that are equal or better. */
  private positionOf(value: RawValue): number {
    let low = 0;
    let high = this.values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = compareValues(value, this.values[middle], this.context.collator);
      if (this.sign * order < 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

type MakeState = (n: number, context: QueryContext) => AccumulatorState;

function nValues(name: string, makeState: MakeState): AccumulatorDefinition {
  return defineAccumulator({
    name,
    compile: (argument, context) => {
      const given = namedArguments(argument, {
        name,
        required: ['n', 'input'],
        codes: {
          notObject: /^.(min|max)N$/.test(name) ? 5787900 : 5787801,
          unknown: 5787901,
          missing: [5787906, 5787907],
        },
      });
      const countFor = compileCount(name, given.get('n')!, context);
      const input = compileExpression(given.get('input')!, context);
      return {
        paths: input.paths,
        create: (id) => {
          const state = makeState(countFor(id), context);
          return {
            accept: (scope) => {
              state.add(input.evaluate(scope));
              if ((state.heldBytes ?? 0) > MAX_HELD_BYTES) throw tooLarge(name);
            },
            result: () => state.result(),
            get heldBytes() {
              return state.heldBytes ?? 0;
            },
          };
        },
      };
    },
  });
}

const MAX_HELD_BYTES = 100 * 1024 * 1024;

export const N_VALUES: readonly AccumulatorDefinition[] = [
  nValues('$firstN', (n) => new FirstValues(n)),
  nValues('$lastN', (n) => new LastValues(n)),
  nValues('$minN', (n, context) => new ExtremeValues(n, 1, context)),
  nValues('$maxN', (n, context) => new ExtremeValues(n, -1, context)),
];
