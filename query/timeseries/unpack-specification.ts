/**
 * What $_internalUnpackBucket is told: the fields of the time series, and what the planner found out about those behind it.
 */
import type { TimeRange } from './bucket-unpacker.ts';

/** An order of buckets. */
export interface BucketOrder {
  readonly direction: 1 | -1;
  /** By `control.min` of the time, or by the `_id`, which begins with its second. */
  readonly by: 'min' | '_id';
}

export interface UnpackSpecification {
  readonly timeField: string;
  readonly metaField: string | undefined;
  readonly bucketMaxSpanSeconds: number;
  /** Fields that are wanted; undefined: all but those of `exclude`. */
  readonly include: readonly string[] | undefined;
  readonly exclude: readonly string[];
  /** Measurements that are wanted; undefined: all. */
  readonly eventFilter: Buffer | undefined;
  /** Set when buckets come in the order of their first times: what is known of the times of those to come. */
  readonly bucketOrder?: BucketOrder;
  /** Times that `eventFilter` lets pass, at most: tested before a measurement is made. */
  readonly times: TimeRange | undefined;
}
