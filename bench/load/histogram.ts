/**
 * Latencies in logarithmic buckets: recording costs an index and an increment, percentiles are exact to 2 %.
 */

const BUCKETS_PER_DOUBLING = 32;
const BUCKETS = 64 * BUCKETS_PER_DOUBLING;

export class LatencyHistogram {
  private readonly counts = new Uint32Array(BUCKETS);
  private total = 0;

  /** @param latencyUs microseconds, >= 0. */
  record(latencyUs: number): void {
    const bucket = latencyUs < 1 ? 0 : Math.floor(Math.log2(latencyUs) * BUCKETS_PER_DOUBLING);
    const index = Math.min(bucket, BUCKETS - 1);
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.total += 1;
  }

  /** @param share in (0, 1]. @returns microseconds; 0 when nothing was recorded. */
  percentile(share: number): number {
    let left = Math.ceil(this.total * share);
    for (let index = 0; index < BUCKETS; index += 1) {
      left -= this.counts[index] ?? 0;
      if (left <= 0) return 2 ** ((index + 0.5) / BUCKETS_PER_DOUBLING);
    }
    return 0;
  }
}
