/**
 * top: time spent on each collection, by kind of operation.
 * Source: MongoDB's manual, "top".
 */
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields, ReplyValue } from '../../command/reply.ts';
import type { NamespaceUsage, UsageCounter } from '../../profiling/collection-usage.ts';

export const top = defineCommand({
  name: 'top',
  help: 'Shows the time spent on each collection.',
  kind: 'admin',
  access: { action: 'top', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  parse: () => undefined,
  execute: (_request, op) => op.service.collectionUsage.all(),
  reply(usage) {
    const totals: Record<string, ReplyValue> = { note: 'all times in microseconds' };
    for (const [namespace, counters] of [...usage].sort(([a], [b]) => (a < b ? -1 : 1))) {
      totals[namespace] = showUsage(counters);
    }
    return { totals };
  },
});

function showUsage(usage: NamespaceUsage): ReplyFields {
  const { total, readLock, writeLock, queries, getmore, insert, update, remove, commands } = usage;
  return {
    total: show(total),
    readLock: show(readLock),
    writeLock: show(writeLock),
    queries: show(queries),
    getmore: show(getmore),
    insert: show(insert),
    update: show(update),
    remove: show(remove),
    commands: show(commands),
  };
}

function show({ micros, count }: UsageCounter): ReplyFields {
  return { time: BigInt(Math.round(micros)), count: BigInt(count) };
}
