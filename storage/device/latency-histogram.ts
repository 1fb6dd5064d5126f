/**
 * Counts durations in buckets that double, for statistics: cheap to add to, never grows.
 */

/** Bucket n counts durations from 2^(n-1) to 2^n microseconds; the last one whatever is longer (over 8 minutes). */
const BUCKETS = 30;

export interface LatencySummary {
  readonly count: number;
  readonly meanUs: number;
  /** Upper ends of the buckets that hold these quantiles, microseconds. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly totalUs: number;
  /** Durations by the upper end of their bucket, microseconds; without those that are empty. */
  readonly histogram: Readonly<Record<string, number>>;
}

export class LatencyHistogram {
  private readonly buckets = new Float64Array(BUCKETS);
  private count = 0;
  private totalUs = 0;
  private maxUs = 0;

  add(durationMs: number): void {
    const us = Math.max(0, durationMs * 1000);
    this.count += 1;
    this.totalUs += us;
    if (us > this.maxUs) this.maxUs = us;
    const bucket = Math.min(BUCKETS - 1, 32 - Math.clz32(Math.min(us, 2 ** 31 - 1)));
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
  }

  summary(): LatencySummary {
    return {
      count: this.count,
      meanUs: this.count === 0 ? 0 : this.totalUs / this.count,
      p50Us: this.quantileUs(0.5),
      p99Us: this.quantileUs(0.99),
      maxUs: this.maxUs,
      totalUs: this.totalUs,
      histogram: this.histogram(),
    };
  }

  private histogram(): Record<string, number> {
    const histogram: Record<string, number> = {};
    for (const [bucket, count] of this.buckets.entries()) {
      if (count > 0) histogram[String(2 ** bucket)] = count;
    }
    return histogram;
  }

  private quantileUs(quantile: number): number {
    let rest = this.count * quantile;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      rest -= this.buckets[bucket] ?? 0;
      if (rest <= 0) return this.count === 0 ? 0 : Math.min(2 ** bucket, this.maxUs);
    }
    return this.maxUs;
  }
}
