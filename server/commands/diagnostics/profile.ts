/**
 * profile: which operations of a database are written to its system.profile, and which are logged as slow.
 * Source: MongoDB's manual, "profile".
 */
import { BsonType, doubleValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileFilter, simpleContext } from '../../../query/index.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

interface Request {
  readonly database: string;
  /** -1: only asks. */
  readonly level: number;
  readonly slowMs: number | undefined;
  readonly sampleRate: number | undefined;
  /** 'unset' takes the filter away. */
  readonly filter: Buffer | 'unset' | undefined;
}

export const profile = defineCommand({
  name: 'profile',
  help: 'Sets which operations are profiled.',
  kind: 'admin',
  access: { action: 'enableProfiler', on: 'database' },
  route: 'never',
  parse(body): Request {
    const level = levelOf(body);
    return {
      database: body.database,
      level,
      slowMs: body.integer('slowms', undefined),
      sampleRate: body.number('sampleRate', undefined),
      filter: filterOf(body),
    };
  },
  execute(request, op): ReplyFields {
    const { profiler } = op.service;
    const { database, level, slowMs, sampleRate } = request;
    const before = {
      was: profiler.levelOf(database),
      slowms: profiler.slowMs,
      sampleRate: doubleValue(profiler.sampleRate),
      filter: profiler.filterOf(database)?.source,
    };
    uassert(
      sampleRate === undefined || (sampleRate >= 0 && sampleRate <= 1),
      'BadValue',
      "'sampleRate' must be between 0.0 and 1.0 inclusive",
    );
    // The last that can be refused: a request that is wrong in part changes nothing.
    setFilter(request, op);
    if (sampleRate !== undefined) profiler.sampleRate = sampleRate;
    if (slowMs !== undefined) profiler.slowMs = slowMs;
    if (level === 0 || level === 1 || level === 2) profiler.setLevel(database, level);
    return {
      ...before,
      note:
        before.filter === undefined
          ? undefined
          : 'When a filter expression is set, slowms and sampleRate are not used for profiling and slow-query log lines.',
    };
  },
  reply: (fields) => fields,
});

function levelOf(body: CommandBody): number {
  const { target } = body;
  if (!target.isNumber) {
    throw body.wrongType('profile', target, "expected types '[long, int, decimal, double]'");
  }
  return Math.trunc(target.asNumber());
}

function filterOf(body: CommandBody): Request['filter'] {
  const value = body.value('filter');
  if (value === undefined) return undefined;
  if (value.type === BsonType.object) return value.asDocument();
  if (value.type === BsonType.string && value.asString() === 'unset') return 'unset';
  throw new CommandError('BadValue', "Expected an object, or the string 'unset'.");
}

function setFilter({ database, filter }: Request, op: OperationContext): void {
  if (filter === undefined) return;
  const { profiler, clock, random } = op.service;
  if (filter === 'unset') {
    profiler.setFilter(database, undefined);
    return;
  }
  const source = Buffer.from(filter);
  const compiled = compileFilter(source, simpleContext(clock, random));
  profiler.setFilter(database, { source, matches: (entry) => compiled.matches(entry) });
}
