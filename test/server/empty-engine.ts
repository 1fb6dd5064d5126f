/**
 * A storage engine without a store, for tests of what stands in front of it: an empty view that counts its closes, and
 * nothing that can be written.
 */
import { EMPTY_DOCUMENT } from '../../bson/index.ts';
import { SpillArea } from '../../storage/index.ts';
import type {
  CommitNumber,
  CollectionDescription,
  EngineStatistics,
  ReadView,
  StorageEngine,
  Transaction,
  ScrubResult,
  ValidationReport,
} from '../../storage/index.ts';

const unsupported = (): never => {
  throw new Error('the empty engine has no data');
};

export class EmptyEngine implements StorageEngine {
  openViews = 0;
  readonly spill = new SpillArea();
  checkpoints = 0;
  flushes: CommitNumber[] = [];

  snapshot(): ReadView {
    this.openViews += 1;
    let open = true;
    return {
      // The brand exists for the compiler only.
      commitNumber: 0 as CommitNumber,
      collection: () => undefined,
      collectionByUuid: () => undefined,
      collections: () => [],
      databases: () => [],
      record: () => undefined,
      scanRecords: unsupported,
      scanIndex: unsupported,
      uniqueRecordId: () => undefined,
      recordCount: () => 0,
      dataBytes: () => 0,
      close: () => {
        if (open) this.openViews -= 1;
        open = false;
      },
    };
  }

  begin(): Transaction {
    return unsupported();
  }

  flushed(commitNumber: CommitNumber): Promise<void> {
    this.flushes.push(commitNumber);
    return Promise.resolve();
  }

  admitWrite(): undefined {}

  compact(): Promise<number> {
    return Promise.resolve(0);
  }

  buildIndexes(): Promise<void> {
    return Promise.reject(new Error('the empty engine has no data'));
  }

  validate(): Promise<ValidationReport> {
    return Promise.reject(new Error('the empty engine has no data'));
  }

  scrub(): Promise<ScrubResult> {
    return Promise.reject(new Error('the empty engine has no data'));
  }

  openBackup(): Promise<never> {
    return Promise.reject(new Error('the empty engine has no data'));
  }

  openJournalTail(): Promise<never> {
    return Promise.reject(new Error('the empty engine has no data'));
  }

  checkpoint(): Promise<void> {
    this.checkpoints += 1;
    return Promise.resolve();
  }

  statistics(): EngineStatistics {
    return { journal: { flushes: this.flushes.length }, empty: EMPTY_DOCUMENT.length };
  }

  storageBytes(_collection: CollectionDescription): {
    data: number;
    free: number;
    indexes: Record<string, number>;
  } {
    return { data: 0, free: 0, indexes: {} };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
