/**
 * Accumulators over windows: every accumulator of $group is a window operator too.
 */
import { BsonType, EMPTY_DOCUMENT, isEmpty, NULL, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { Accumulator, AccumulatorDefinition } from '../accumulator/definition.ts';
import type { Value } from '../expression/definition.ts';
import { Scope } from '../expression/scope.ts';
import { defineWindow, type ValueAt, type WindowDefinition } from './definition.ts';
import { type Partition, WHOLE_PARTITION, type WindowAt, windowsOver } from './partition.ts';
import { eachInSteps } from './steps.ts';

export function overAccumulator(definition: AccumulatorDefinition): WindowDefinition {
  return defineWindow({
    name: definition.name,
    compile: ({ argument, window = WHOLE_PARTITION, context }) => {
      if (definition.name === '$count' && !isEmptyObject(argument)) {
        throw new CommandError('FailedToParse', '$count only accepts an empty object as input');
      }
      const compiled = definition.compile(argument, context);
      const mayBeMissing = definition.isOfOneDocument === true;
      const create = (): Accumulator => compiled.create(EMPTY_DOCUMENT);
      return (partition) =>
        accumulated(partition, { windowAt: windowsOver(partition, window), create, mayBeMissing });
    },
  });
}

function isEmptyObject(value: RawValue): boolean {
  return value.type === BsonType.object && isEmpty(value.asDocument());
}

interface Computation {
  readonly windowAt: WindowAt;
  readonly create: () => Accumulator;
  /** No value is no value, and not null, where the window has documents. */
  readonly mayBeMissing: boolean;
}

function accumulated(
  partition: Partition,
  { windowAt, create, mayBeMissing }: Computation,
): ValueAt {
  const scope = new Scope(Buffer.alloc(0));
  let accumulator = create();
  let from = 0;
  let to = 0;
  /** Of the window as it is; undefined: not asked for yet. */
  let known: { readonly value: Value } | undefined;
  const take = (position: number): void => {
    scope.document = partition.documentAt(position);
    accumulator.accept(scope);
    if (accumulator.heldBytes > partition.maxStateBytes) {
      throw tooLarge(accumulator.heldBytes, partition.maxStateBytes);
    }
  };
  return function* (position) {
    const [start, end] = yield* windowAt(position);
    // A window that only grew goes on from where it was; any other is counted anew.
    if (start !== from || end < to) {
      accumulator = create();
      from = start;
      to = start;
      known = undefined;
    }
    if (to < end) known = undefined;
    yield* eachInSteps(to, end, take);
    to = end;
    // Documents of one window share its value: an array of all of them, say.
    const nothing = mayBeMissing && end > start ? undefined : NULL;
    known ??= { value: accumulator.result() ?? nothing };
    return known.value;
  };
}

function tooLarge(bytes: number, maxBytes: number): CommandError {
  return new CommandError(
    5414201,
    `Exceeded memory limit in DocumentSourceSetWindowFields, used ${bytes} bytes but max allowed is ${maxBytes}`,
  );
}
