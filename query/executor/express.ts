/**
 * EXPRESS: one document by a unique key. The most frequent operation of all, so it has an executor of its own: one index
 * look-up, one record, no stages. Estimated 1-2 µs besides storage; bench/micro/query/plans.bench.ts.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { Projection } from '../projection/projection.ts';
import type { CollectionDescription, IndexDescription } from '../../storage/index.ts';
import type { MaybePromise, ReadView, RecordId } from '../../storage/index.ts';
import {
  type ExecutorStatistics,
  newStatistics,
  type OpenOptions,
  type PlanExecutor,
} from './plan-executor.ts';

export interface ExpressLookup {
  readonly collection: CollectionDescription;
  readonly index: IndexDescription;
  readonly key: Buffer;
  readonly projection: Projection | undefined;
  /** Checks the document again where the index compared a hash (a key that may have been cut). */
  matches(document: Buffer): boolean;
}

/** No index cuts keys up to this length. */
const NEVER_CUT_BYTES = 512;

export class ExpressExecutor implements PlanExecutor {
  recordId: RecordId | undefined = undefined;
  readonly statistics: ExecutorStatistics;
  private readonly lookup: ExpressLookup;
  private view: ReadView;
  private interruption: Interruption;
  private done = false;

  constructor(
    lookup: ExpressLookup,
    view: ReadView,
    interruption: Interruption,
    options?: OpenOptions,
  ) {
    this.statistics = options?.within?.statistics ?? newStatistics();
    this.lookup = lookup;
    this.view = view;
    this.interruption = interruption;
  }

  next(): MaybePromise<Buffer | undefined> {
    if (this.done) return undefined;
    this.done = true;
    if (this.interruption.reason !== undefined) throw this.interruption.reason;
    const { collection, index, key } = this.lookup;
    const recordId = this.view.uniqueRecordId(index, key);
    if (recordId === undefined) return undefined;
    this.statistics.keysExamined += 1;
    const document = this.view.record(collection, recordId);
    if (document instanceof Promise) return document.then((found) => this.accept(found, recordId));
    return this.accept(document, recordId);
  }

  private accept(document: Buffer | undefined, recordId: RecordId): Buffer | undefined {
    if (document === undefined) return undefined;
    const { key, projection } = this.lookup;
    this.statistics.docsExamined += 1;
    if (key.length > NEVER_CUT_BYTES && !this.lookup.matches(document)) return undefined;
    this.recordId = recordId;
    return projection === undefined ? document : projection.apply(document);
  }

  detach(): void {
    // Nothing is held between the only next() and the end.
  }

  attach(view: ReadView, interruption?: Interruption): void {
    this.view = view;
    if (interruption !== undefined) this.interruption = interruption;
  }

  close(): void {
    this.done = true;
  }
}
