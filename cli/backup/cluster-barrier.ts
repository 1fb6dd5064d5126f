/**
 * Fixes a point of a cluster: every server names its latest commit while nothing that is done later can be told of.
 *
 * Promises: a point is one only if every server was held back from its own naming until all others had named theirs; otherwise it is tried again.
 * The servers go on by themselves when this process dies. docs/decisions/0018-backup-of-a-cluster.md
 */
import { foregroundClock, sleep } from '../../common/clock.ts';
import type { ClusterPoint } from '../../storage/index.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { isNotFound, type RaisedBarrier, type ServerBackup } from './server-backup.ts';

/** No client waits longer for a reply. */
const LIMIT_MS = 1000;
const ATTEMPTS = 10;
const PAUSE_MS = 200;

export interface FixedPoint {
  readonly point: ClusterPoint;
  /** The longest that any server was held, milliseconds. */
  readonly heldMs: number;
}

/** @param servers the config server first @throws FailedCommand; what a server or the way to it says */
export async function fixPoint(servers: readonly ServerBackup[]): Promise<FixedPoint> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const fixed = await tryFixPoint(servers);
    if (fixed !== undefined) return fixed;
    await sleep(foregroundClock, PAUSE_MS * attempt);
  }
  throw new FailedCommand(
    `the servers could not be held back together within ${LIMIT_MS} ms, ${ATTEMPTS} times over: they are too busy. Try again later.`,
  );
}

/** @returns undefined when a server has gone on before all were asked */
async function tryFixPoint(servers: readonly ServerBackup[]): Promise<FixedPoint | undefined> {
  const raised = await Promise.allSettled(servers.map((server) => server.raiseBarrier(LIMIT_MS)));
  const released = await Promise.allSettled(
    raised.map(async (outcome, index) => {
      if (outcome.status === 'fulfilled') return servers[index].releaseBarrier(outcome.value.id);
      return 0;
    }),
  );
  const barriers: RaisedBarrier[] = [];
  for (const outcome of raised) {
    if (outcome.status === 'rejected') throw outcome.reason;
    barriers.push(outcome.value);
  }
  let heldMs = 0;
  for (const outcome of released) {
    if (outcome.status === 'fulfilled') {
      heldMs = Math.max(heldMs, outcome.value);
      continue;
    }
    if (!isNotFound(outcome.reason)) throw outcome.reason;
    return undefined;
  }
  const [{ wallMs }] = barriers;
  return { point: { wallMs, commits: barriers.map(({ commitNumber }) => commitNumber) }, heldMs };
}
