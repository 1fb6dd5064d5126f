/**
 * Named places within a migration where a test makes it wait, to kill one of its processes there (configureFailPoint).
 *
 * MongoDB's names where it has such a place. Whoever waits there goes on when the fail point is off, or ends when its operation does.
 */
import type { OperationContext } from '../operation/operation-context.ts';

export const MIGRATION_STEPS = [
  // On the donor: the trace is written, nobody was asked yet.
  'moveChunkHangAtStep1',
  // The recipient is ready, changes are noted.
  'moveChunkHangAtStep2',
  // A part is copied.
  'moveChunkHangAtStep3',
  // All is copied, and caught up with.
  'moveChunkHangAtStep4',
  // Within the critical section: the last changes are sent.
  'moveChunkHangAtStep5',
  // What was sent is durable, the config server was not asked.
  'moveChunkHangAtStep6',
  // The config server has answered, the donor does not act by it yet.
  'hangBeforePostMigrationCommitRefresh',
  // The donor serves again, the recipient was not told how it ended.
  'hangBeforeFinishingMigration',
  // The recipient was told, the donor's trace is there still.
  'hangBeforeForgettingMigrationAfterCommitDecision',
  // What stayed is to be removed.
  'suspendRangeDeletion',
  // On the recipient: it has its task, and nothing else.
  'migrateThreadHangAtStep1',
  // Documents came, and are not stored.
  'migrateThreadHangAtStep2',
  // It is to make durable what came.
  'migrateThreadHangAtStep3',
  // It hears how it ended.
  'migrateThreadHangAtStep4',
  // On the config server: around the compare-and-set.
  'hangBeforeCommitChunkMigration',
  'hangAfterCommitChunkMigration',
] as const;

export type MigrationStep = (typeof MIGRATION_STEPS)[number];

const POLL_MS = 5;

/** Waits while the fail point is on. */
export async function pauseAtStep(op: OperationContext, step: MigrationStep): Promise<void> {
  const { failPoints } = op.service;
  if (failPoints.fire(step) === undefined) return;
  while (failPoints.names().includes(step)) await op.sleep(POLL_MS);
}
