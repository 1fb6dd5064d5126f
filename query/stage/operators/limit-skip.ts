/**
 * $limit and $skip.
 */
import { BsonType, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineStage, type PipelineStage } from '../definition.ts';
import { type DocumentSource, MapSource } from '../source.ts';

/** A whole number that a stage takes as its argument. */
function wholeNumber(name: string, code: number, argument: RawValue): number {
  const number = argument.asNumber();
  if (!argument.isNumber) {
    throw new CommandError(
      code,
      `invalid argument to ${name} stage: Expected a number in: ${name}: ${argument.typeName}`,
    );
  }
  // As a double 2^63 - 1 is 2^63, which is no int64 any more.
  const isInt64 = Math.abs(number) < 2 ** 63 || isGreatestInt64(argument);
  if (!isInt64 || !Number.isInteger(number)) {
    throw new CommandError(
      code,
      `invalid argument to ${name} stage: Expected an integer: ${name}: ${number}`,
    );
  }
  if (number < 0) {
    throw new CommandError(
      code,
      `invalid argument to ${name} stage: Expected a non-negative number in: ${name}: ${number}`,
    );
  }
  return number;
}

function isGreatestInt64(value: RawValue): boolean {
  if (value.type === BsonType.int64) return value.asInt64() > 0n;
  return value.type === BsonType.decimal128 && value.asDecimal().toBigInt() === 2n ** 63n - 1n;
}

class LimitSource implements DocumentSource {
  private readonly input: DocumentSource;
  private remaining: number;

  constructor(input: DocumentSource, limit: number) {
    this.input = input;
    this.remaining = limit;
  }

  next(): ReturnType<DocumentSource['next']> {
    if (this.remaining <= 0) {
      // Nothing more is wanted: what stands below may let go at once.
      this.input.close();
      return undefined;
    }
    this.remaining -= 1;
    return this.input.next();
  }

  close(): void {
    this.remaining = 0;
    this.input.close();
  }
}

/** A $limit that the planner or another stage makes. */
export function limitStage(limit: number, shown: Buffer): PipelineStage {
  return {
    name: '$limit',
    nature: { kind: 'limit', limit },
    shown,
    letsGo: true,
    open: (input) => new LimitSource(input, limit),
  };
}

export function skipStage(skip: number, shown: Buffer): PipelineStage {
  return {
    name: '$skip',
    nature: { kind: 'skip', skip },
    shown,
    letsGo: true,
    open: (input, run) => {
      let remaining = skip;
      return new MapSource(run.yielder, input, (document) => {
        if (remaining === 0) return document;
        remaining -= 1;
        return undefined;
      });
    },
  };
}

export const $limit = defineStage({
  name: '$limit',
  position: 'anywhere',
  parse: (argument, _parser, shown) => {
    const limit = wholeNumber('$limit', 5107201, argument);
    if (limit === 0) throw new CommandError(15958, 'the limit must be positive');
    return [limitStage(limit, shown)];
  },
});

export const $skip = defineStage({
  name: '$skip',
  position: 'anywhere',
  parse: (argument, _parser, shown) => [skipStage(wholeNumber('$skip', 5107200, argument), shown)],
});
