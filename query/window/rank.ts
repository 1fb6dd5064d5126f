/**
 * Window operators about order: $rank, $denseRank, $documentNumber, $shift.
 */
import { BsonType, integerValue, isEmpty, NULL } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { compileExpression } from '../expression/compile.ts';
import type { SortKey } from '../executor/sorter.ts';
import { int32Of } from '../expression/integers.ts';
import { namedArguments } from '../expression/named-arguments.ts';
import { Scope } from '../expression/scope.ts';
import {
  type ComputeWindow,
  defineWindow,
  inOneStep,
  type ValueAt,
  type WindowDefinition,
  type WindowUse,
} from './definition.ts';
import type { Partition } from './partition.ts';

interface Ranks {
  readonly rank: number;
  readonly denseRank: number;
  readonly documentNumber: number;
}

function ranksOf(partition: Partition, read: (ranks: Ranks) => number): ValueAt {
  let before: Ranks = { rank: 0, denseRank: 0, documentNumber: 0 };
  let keyBefore: SortKey | undefined;
  return inOneStep((position) => {
    const key = partition.keyAt(position);
    const isTied = keyBefore !== undefined && partition.order?.compare(keyBefore, key) === 0;
    before = {
      rank: isTied ? before.rank : position + 1,
      denseRank: before.denseRank + (isTied ? 0 : 1),
      documentNumber: position + 1,
    };
    keyBefore = key;
    return integerValue(read(before));
  });
}

function ranking(name: string, read: (ranks: Ranks) => number): WindowDefinition {
  return defineWindow({
    name,
    compile: ({ argument, window, sortFields }) => {
      const takesNothing = argument.type === BsonType.object && isEmpty(argument.asDocument());
      uassert(takesNothing, 5371603, 'Rank style window functions take no other arguments');
      uassert(window === undefined, 5371601, 'Rank style window functions take no other arguments');
      uassert(
        sortFields === 1,
        5371602,
        `${name} must be specified with a top level sortBy expression with exactly one element`,
      );
      return (partition) => ranksOf(partition, read);
    },
  });
}

function compileShift({ argument, context, sortFields, window }: WindowUse): ComputeWindow {
  const given = namedArguments(argument, {
    name: '$shift',
    required: ['output', 'by'],
    optional: ['default'],
    codes: { notObject: 'FailedToParse', unknown: 'FailedToParse', missing: 'FailedToParse' },
  });
  uassert(window === undefined, 'FailedToParse', "$shift does not accept a 'window' field");
  uassert(sortFields > 0, 'FailedToParse', "'$shift' requires a sortBy");
  const output = compileExpression(given.get('output')!, context);
  const by = int32Of(given.get('by'));
  if (by === undefined) {
    throw new CommandError('FailedToParse', "'$shift:by' field must be an integer");
  }
  const defaultArgument = given.get('default');
  const constant =
    defaultArgument === undefined
      ? { value: NULL }
      : compileExpression(defaultArgument, context).constant;
  uassert(
    constant !== undefined,
    'FailedToParse',
    "'$shift:default' expression must yield a constant value.",
  );
  return (partition) => {
    const scope = new Scope(Buffer.alloc(0));
    return inOneStep((position) => {
      const other = position + by;
      if (other < 0 || other >= partition.length) return constant.value;
      scope.document = partition.documentAt(other);
      return output.evaluate(scope);
    });
  };
}

export const RANKS: readonly WindowDefinition[] = [
  ranking('$rank', (ranks) => ranks.rank),
  ranking('$denseRank', (ranks) => ranks.denseRank),
  ranking('$documentNumber', (ranks) => ranks.documentNumber),
  defineWindow({ name: '$shift', compile: compileShift }),
];
