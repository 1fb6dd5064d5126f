/**
 * Accumulators over windows: every accumulator of $group is a window operator too.
 */
import { EMPTY_DOCUMENT } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { Accumulator, AccumulatorDefinition } from '../accumulator/definition.ts';
import type { Value } from '../expression/definition.ts';
import { Scope } from '../expression/scope.ts';
import { type ComputeWindow, defineWindow, type WindowDefinition } from './definition.ts';
import { type Partition, WHOLE_PARTITION, type WindowAt, windowsOver } from './partition.ts';

export function overAccumulator(definition: AccumulatorDefinition): WindowDefinition {
  return defineWindow({
    name: definition.name,
    compile: ({ argument, window = WHOLE_PARTITION, hasSort, context }) => {
      const isBounded = window.lower !== 'unbounded' || window.upper !== 'unbounded';
      if (isBounded && !hasSort) {
        throw new CommandError(5339901, 'Document-based bounds require a sortBy');
      }
      const compiled = definition.compile(argument, context);
      return compute(
        () => compiled.create(EMPTY_DOCUMENT),
        (partition) => windowsOver(partition, window),
      );
    },
  });
}

function compute(
  create: () => Accumulator,
  windowsOf: (partition: Partition) => WindowAt,
): ComputeWindow {
  return function* (partition) {
    const windowAt = windowsOf(partition);
    const scope = new Scope(Buffer.alloc(0));
    const values: Value[] = [];
    let accumulator = create();
    let from = 0;
    let to = 0;
    for (const position of partition.documents.keys()) {
      const [start, end] = windowAt(position);
      // A window that only grew goes on from where it was; any other is counted anew.
      if (start !== from || end < to) {
        accumulator = create();
        from = start;
        to = start;
      }
      for (; to < end; to += 1) {
        scope.document = partition.documents[to];
        accumulator.accept(scope);
        yield;
      }
      values.push(accumulator.result());
      yield;
    }
    return values;
  };
}
