/**
 * An aggregation as the command parsed it.
 */
import type { PipelineHost } from '../stage/host.ts';

export interface AggregateRequest {
  readonly pipeline: readonly Buffer[];
  /** "database.collection", or "database.$cmd.aggregate" for a pipeline on no collection (aggregate: 1). */
  readonly namespace: string;
  readonly hint?: string | Buffer;
  readonly allowDiskUse?: boolean;
  readonly host?: PipelineHost;
}
