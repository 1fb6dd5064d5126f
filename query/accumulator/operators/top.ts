/**
 * $top, $topN, $bottom, $bottomN: {sortBy, output, n}: the first or last documents of a group in an order of its own.
 */
import { BsonType, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import type { QueryContext } from '../../context.ts';
import type { SortKey, SortOrder } from '../../executor/sorter.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Value } from '../../expression/definition.ts';
import { arrayOf } from '../../expression/elements.ts';
import type { Expression } from '../../expression/expression.ts';
import { namedArguments } from '../../expression/named-arguments.ts';
import type { Scope } from '../../expression/scope.ts';
import { ownedOrMissing } from '../../owned.ts';
import { parseSort, sortOrderOf } from '../../planner/sort-pattern.ts';
import { type Accumulator, type AccumulatorDefinition, defineAccumulator } from '../definition.ts';
import { tooLarge } from '../simple.ts';
import { compileCount } from './n-values.ts';

const ROW_OVERHEAD_BYTES = 160;
const MAX_HELD_BYTES = 100 * 1024 * 1024;

interface Ranked {
  readonly key: SortKey;
  readonly output: Value;
}

interface Ranking {
  readonly name: string;
  readonly order: SortOrder;
  readonly output: Expression;
  readonly countFor: (id: Buffer) => number;
  /** 'top': the first in order; 'bottom': the last. */
  readonly end: 'top' | 'bottom';
  /** One value instead of an array. */
  readonly single: boolean;
}

class RankedValues implements Accumulator {
  heldBytes = 0;
  private readonly ranking: Ranking;
  private readonly n: number;
  /** In the sort's order. */
  private readonly rows: Ranked[] = [];

  constructor(ranking: Ranking, id: Buffer) {
    this.ranking = ranking;
    this.n = ranking.countFor(id);
  }

  accept(scope: Scope): void {
    const { n } = this;
    const { order, output, end, name } = this.ranking;
    const key = order.keyOf(scope.document);
    const position = this.positionOf(key);
    if (this.rows.length === n) {
      if (end === 'top' ? position === n : position === 0) return;
    }
    const row = {
      key: key.map(ownedOrMissing),
      output: ownedOrMissing(output.evaluate(scope)),
    };
    this.rows.splice(position, 0, row);
    this.heldBytes += bytesOf(row);
    if (this.rows.length > n) {
      const dropped = end === 'top' ? this.rows.pop() : this.rows.shift();
      if (dropped !== undefined) this.heldBytes -= bytesOf(dropped);
    }
    if (this.heldBytes > MAX_HELD_BYTES) throw tooLarge(name);
  }

  /** Behind all rows with an equal key, so that equal rows stay in the order they came in. */
  private positionOf(key: SortKey): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ranking.order.compare(key, this.rows[middle].key) < 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  result(): Value {
    const { single, end } = this.ranking;
    if (!single) return arrayOf(this.rows.map((row) => row.output));
    return this.rows.at(end === 'top' ? 0 : -1)?.output;
  }
}

function bytesOf(row: Ranked): number {
  return ROW_OVERHEAD_BYTES + (row.output === undefined ? 0 : row.output.end - row.output.start);
}

function compileRanking(
  name: string,
  argument: RawValue,
  context: QueryContext,
  end: 'top' | 'bottom',
): Ranking {
  const single = !name.endsWith('N');
  const given = namedArguments(argument, {
    name,
    required: single ? ['output', 'sortBy'] : ['n', 'output', 'sortBy'],
    codes: {
      notObject: 5788001,
      unknown: 5788002,
      missing: single ? [5788004, 5788005] : [5788003, 5788004, 5788005],
    },
  });
  const sortBy = given.get('sortBy')!;
  uassert(
    sortBy.type === BsonType.object || sortBy.type === BsonType.array,
    10065,
    'invalid parameter: expected an object (sortBy)',
  );
  const sort = parseSort(sortBy.asDocument());
  const order: SortOrder =
    sort === undefined ? { keyOf: () => [], compare: () => 0 } : sortOrderOf(sort, context);
  return {
    name,
    order,
    output: compileExpression(given.get('output')!, context),
    countFor: single ? () => 1 : compileCount(name, given.get('n')!, context),
    end,
    single,
  };
}

function ranked(name: string, end: 'top' | 'bottom'): AccumulatorDefinition {
  return defineAccumulator({
    name,
    compile: (argument, context) => {
      const ranking = compileRanking(name, argument, context, end);
      return { paths: undefined, create: (id) => new RankedValues(ranking, id) };
    },
  });
}

export const TOP: readonly AccumulatorDefinition[] = [
  ranked('$top', 'top'),
  ranked('$topN', 'top'),
  ranked('$bottom', 'bottom'),
  ranked('$bottomN', 'bottom'),
];
