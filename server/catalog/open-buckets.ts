/**
 * Remembers, for each series of each time series collection, the bucket that its last measurement went to.
 *
 * Owns: hints only, lost without harm: who uses one reads the bucket in its own transaction, and looks whether it is one of
 * the series at all. So a restart, an aborted transaction, a deletion or another writer need not be told to it.
 * Memory is bounded: the series that was written to longest ago is forgotten first.
 */
import type { CollectionUuid, RecordId } from '../../storage/index.ts';

/** What an entry costs besides its key, estimated, bytes. */
const ENTRY_BYTES = 120;
const DEFAULT_BYTES = 32 * 1024 * 1024;

export class OpenBuckets {
  private readonly maxBytes: number;
  /** In the order of their last use. */
  private readonly records = new Map<string, RecordId>();
  private bytes = 0;

  constructor(maxBytes: number = DEFAULT_BYTES) {
    this.maxBytes = maxBytes;
  }

  /** Series that are remembered. */
  get size(): number {
    return this.records.size;
  }

  /** @param uuid of the collection of buckets. @param series as seriesKey (query/) names it. */
  find(uuid: CollectionUuid, series: string): RecordId | undefined {
    const key = uuid + series;
    const recordId = this.records.get(key);
    if (recordId === undefined) return undefined;
    this.records.delete(key);
    this.records.set(key, recordId);
    return recordId;
  }

  note(uuid: CollectionUuid, series: string, recordId: RecordId): void {
    const key = uuid + series;
    if (!this.records.delete(key)) this.bytes += bytesOf(key);
    this.records.set(key, recordId);
    if (this.bytes > this.maxBytes) this.forgetOldest();
  }

  private forgetOldest(): void {
    for (const key of this.records.keys()) {
      if (this.bytes <= this.maxBytes) return;
      this.records.delete(key);
      this.bytes -= bytesOf(key);
    }
  }
}

function bytesOf(key: string): number {
  return key.length + ENTRY_BYTES;
}
