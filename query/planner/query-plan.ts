/**
 * What planning gives to commands: a plan that can be opened, explained and named in a log line.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { MaybePromise, ReadView } from '../../storage/index.ts';
import type { OpenOptions, PlanExecutor } from '../executor/plan-executor.ts';

/** `queryPlanner` shows the plan; the others run it and show counters as well. */
export type ExplainVerbosity = 'queryPlanner' | 'executionStats' | 'allPlansExecution';

export interface QueryPlan {
  /** Starts the plan in a view, which the caller keeps open until detach() or close(). */
  open(view: ReadView, interruption: Interruption, options?: OpenOptions): PlanExecutor;
  /**
   * The fields `explainVersion`, `queryPlanner` and, by verbosity, `executionStats` (for pipelines also `stages`) as one
   * document; the command adds its own (`command`, `serverInfo`, `ok`).
   */
  explain(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): MaybePromise<Buffer>;
  /** As the slow log and the profiler show it: `IXSCAN { a: 1 }`, `COLLSCAN`, `IDHACK`, `EXPRESS`. */
  readonly summary: string;
  /** For a view: the namespace that was read in its place. */
  readonly namespace: string;
}

/** A count that can be run. */
export interface CountPlan {
  count(view: ReadView, interruption: Interruption, options?: OpenOptions): MaybePromise<number>;
  explain: QueryPlan['explain'];
  readonly summary: string;
}

/** The distinct values of a key. */
export interface DistinctPlan {
  /** One BSON array of the values, each once. @throws 17217 when it exceeds the largest document. */
  values(view: ReadView, interruption: Interruption, options?: OpenOptions): MaybePromise<Buffer>;
  explain: QueryPlan['explain'];
  readonly summary: string;
}

/** A find as the command parsed it. */
/** Fields that the stages behind a find read. */
export interface FieldsWanted {
  readonly names: ReadonlySet<string>;
  /** Documents are held, or copied again and again, behind the find: others had better be left out at once. */
  readonly pays: boolean;
}

export interface FindRequest {
  readonly filter: Buffer;
  readonly sort?: Buffer;
  readonly projection?: Buffer;
  readonly skip?: number;
  /** 0 or absent: all. */
  readonly limit?: number;
  /** An index's name or key pattern, or {$natural: 1 | -1}. */
  readonly hint?: string | Buffer;
  /** Inclusive lower and exclusive upper bound on the hinted index's key. */
  readonly min?: Buffer;
  readonly max?: Buffer;
  readonly returnKey?: boolean;
  readonly showRecordId?: boolean;
  readonly allowDiskUse?: boolean;
  /** Metadata by name ("textScore") that the stages behind the find ask for. */
  readonly metadata?: readonly string[];
  /** The end of the collection, a capped one, is not the end of the plan: see CollscanNode. */
  readonly tailable?: boolean;
  /** Only the number of documents matters: they may come out empty (a $group that reads no field). */
  readonly withoutDocuments?: boolean;
  /** Of the documents only these top-level fields matter. */
  readonly fieldsWanted?: FieldsWanted;
  /** The namespace in explain and for collections that do not exist. */
  readonly namespace?: string;
}

export interface CountRequest {
  readonly filter: Buffer;
  /** What explain shows when there is no such collection. */
  readonly namespace?: string;
  readonly skip?: number;
  readonly limit?: number;
  readonly hint?: string | Buffer;
}

export interface DistinctRequest {
  readonly key: string;
  readonly filter: Buffer;
  readonly namespace?: string;
  readonly hint?: string | Buffer;
}
