/**
 * What the migrations of this shard have cost: counters for serverStatus, under MongoDB's names.
 *
 * Times are milliseconds with fractions, summed up over all migrations. The critical section counts from the moment at which new writers
 * are held back, so that the wait for those under way is part of it.
 */
export class MigrationStatistics {
  countDonorMoveChunkStarted = 0;
  countDonorMoveChunkCommitted = 0;
  countDonorMoveChunkAborted = 0;
  totalDonorMoveChunkTimeMillis = 0;
  totalDonorChunkCloneTimeMillis = 0;
  totalCriticalSectionCommitTimeMillis = 0;
  totalCriticalSectionTimeMillis = 0;
  countDocsClonedOnDonor = 0;
  countBytesClonedOnDonor = 0;
  /** Ours: how often changes were sent before the critical section, and how many documents those were. */
  countCatchUpRounds = 0;
  countDocsCaughtUp = 0;
}
