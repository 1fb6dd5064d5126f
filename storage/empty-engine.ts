/**
 * An engine with nothing in it, for servers that keep no data of their own (the router).
 *
 * Promises: every view is empty, every write is refused; what operations cannot hold in memory goes to temporary files of the
 * system, and is gone with the process. No thread, no file, no timer.
 */
import { tassert } from '../common/assert.ts';
import { CommandError } from '../common/errors.ts';
import type {
  CommitNumber,
  EngineStatistics,
  JournalTail,
  ReadView,
  ScrubResult,
  StorageEngine,
  StoreBackup,
  Transaction,
  ValidationReport,
} from './contract.ts';
import { SpillArea } from './spill/spill-area.ts';

function noData(): CommandError {
  return new CommandError('IllegalOperation', 'this server keeps no data of its own');
}

function refuse(): never {
  throw noData();
}

/** Nobody has a description to ask it with. */
function unreachable(): never {
  tassert(false, 'the empty engine was asked for a collection');
  throw noData();
}

const NOTHING: ReadView = {
  // The brand exists for the compiler only.
  commitNumber: 0 as CommitNumber,
  collection: () => undefined,
  collectionByUuid: () => undefined,
  collections: () => [],
  databases: () => [],
  record: () => undefined,
  scanRecords: unreachable,
  scanIndex: unreachable,
  uniqueRecordId: () => undefined,
  recordCount: () => 0,
  dataBytes: () => 0,
  close: () => {},
};

export class EmptyEngine implements StorageEngine {
  readonly spill = new SpillArea();

  snapshot(): ReadView {
    return NOTHING;
  }

  begin(): Transaction {
    return refuse();
  }

  flushed(_commitNumber: CommitNumber): Promise<void> {
    return Promise.resolve();
  }

  admitWrite(): undefined {
    return refuse();
  }

  buildIndexes(): Promise<void> {
    return Promise.reject(noData());
  }

  validate(): Promise<ValidationReport> {
    return Promise.reject(noData());
  }

  /** There is nothing to read: the pass is over at once. */
  scrub(): Promise<ScrubResult> {
    return Promise.resolve({ pages: 0, bytes: 0, records: 0, entries: 0, errors: 0 });
  }

  openBackup(): Promise<StoreBackup> {
    return Promise.reject(noData());
  }

  openJournalTail(): Promise<JournalTail> {
    return Promise.reject(noData());
  }

  checkpoint(): Promise<void> {
    return Promise.resolve();
  }

  compact(): Promise<number> {
    return Promise.resolve(0);
  }

  statistics(): EngineStatistics {
    return {};
  }

  storageBytes(): { data: number; free: number; indexes: Record<string, number> } {
    return { data: 0, free: 0, indexes: {} };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
