/**
 * A plan that runs: what commands and cursors pull documents from.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { MaybePromise, ReadView, RecordId } from '../../storage/index.ts';
import type { SpillSpace } from '../spill/spill-space.ts';
import type { TurnClient, Yielder } from './yielding.ts';

export interface PlanExecutor {
  /**
   * The next document, or undefined at the end. Synchronous unless a page has to be read or the work yields.
   * @throws the interruption's reason; CommandError for a failing expression.
   */
  next(): MaybePromise<Buffer | undefined>;
  /** The record that the last document was read from; undefined when the plan computed the document. */
  readonly recordId: RecordId | undefined;
  /** Of the last document: it was opened with `inPlace`, and the next document may take this one's place. Absent: never. */
  readonly isInPlace?: boolean;
  /** Counters for the slow log and the profiler. */
  readonly statistics: ExecutorStatistics;
  /** Lets go of the view and keeps the position (between two batches of a cursor). */
  detach(): void;
  /** Goes on in another view; `interruption` is that of the operation which now pulls. */
  attach(view: ReadView, interruption?: Interruption): void;
  close(): void;
}

export interface ExecutorStatistics {
  keysExamined: number;
  docsExamined: number;
  /** The plan sorted in memory. */
  hasSortStage: boolean;
  usedDisk: boolean;
  /** How often it gave up its turn. */
  yields: number;
}

export interface OpenOptions {
  /**
   * For a scan that needs no snapshot: called after each yield; the executor then goes on in the view it returns.
   * The caller closes the view it gave before.
   */
  readonly renewView?: () => ReadView;
  /** Who the work is done for: turns are dealt out in equal shares per client. Absent: a client of its own. */
  readonly client?: TurnClient;
  /** The caller changes documents while it pulls: no record is returned twice, however its index keys move. */
  readonly forWrites?: boolean;
  /**
   * The caller is done with each document when it asks for the next one, or closes, and keeps no value of it but copies: documents need not
   * be copied then. Absent: it may keep what it gets. Tests: test/query/executor/in-place.test.ts.
   */
  readonly inPlace?: boolean;
  /** Memory of one stage that holds documents, bytes. Absent: 100 MB, as MongoDB has it. */
  readonly maxStageBytes?: number;
  /** Where stages put what exceeds their memory. Absent: temporary files of the system. */
  readonly spill?: SpillSpace;
  /** Of the pipeline that this executor feeds: its turns and its counters. */
  readonly within?: { readonly yielder: Yielder; readonly statistics: ExecutorStatistics };
}

/** Memory of one blocking stage before it spills or fails, bytes. */
export const DEFAULT_STAGE_BYTES = 100 * 1024 * 1024;

export function newStatistics(): ExecutorStatistics {
  return { keysExamined: 0, docsExamined: 0, hasSortStage: false, usedDisk: false, yields: 0 };
}
