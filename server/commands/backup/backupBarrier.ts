/**
 * backupBarrier: names the latest commit, and lets nothing leave this server from then on until backupBarrierEnd, or its time limit.
 * Of a cluster it is sent to all servers at once; what their replies name together is one state. docs/decisions/0018-backup-of-a-cluster.md
 */
import { dateValue, int64Value } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';

const DEFAULT_LIMIT_MS = 1000;
const LONGEST_LIMIT_MS = 10_000;

export const backupBarrier = defineCommand({
  name: 'backupBarrier',
  help: 'Names the latest commit and holds back all replies until backupBarrierEnd, or its time limit.',
  kind: 'admin',
  access: { action: 'fsync', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  passesBarrier: true,
  parse(body) {
    const limitMs = body.integer('limitMillis', DEFAULT_LIMIT_MS, 1);
    if (limitMs <= LONGEST_LIMIT_MS) return limitMs;
    throw new CommandError(
      'BadValue',
      `limitMillis is at most ${LONGEST_LIMIT_MS}: clients wait so long for their replies`,
    );
  },
  execute(limitMs, op) {
    // In one step: whatever is committed later is told of later.
    const barrier = op.service.backupBarrier.raise(limitMs);
    const { commitNumber } = op.renewView();
    return { barrier, commitNumber };
  },
  reply: ({ barrier, commitNumber }, op) => ({
    barrier,
    commitNumber: int64Value(BigInt(commitNumber)),
    localTime: dateValue(op.service.clock.wallMs()),
  }),
});
