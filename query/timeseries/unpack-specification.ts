/**
 * What $_internalUnpackBucket is told: the fields of the time series, and what the planner found out about those behind it.
 */
import type { TimeRange } from './bucket-unpacker.ts';

export interface UnpackSpecification {
  readonly timeField: string;
  readonly metaField: string | undefined;
  readonly bucketMaxSpanSeconds: number;
  /** Fields that are wanted; undefined: all but those of `exclude`. */
  readonly include: readonly string[] | undefined;
  readonly exclude: readonly string[];
  /** Measurements that are wanted; undefined: all. */
  readonly eventFilter: Buffer | undefined;
  /** Times that `eventFilter` lets pass, at most: tested before a measurement is made. */
  readonly times: TimeRange | undefined;
}
