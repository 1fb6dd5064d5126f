/**
 * What the store counts per collection: live bytes, what they occupy, and the highest record id ever given out.
 */
import { invariant } from '../../common/assert.ts';
import type { Ident, RecordId } from '../contract.ts';
import type { ManifestCollection } from '../format/manifest.ts';
import type { CollectionSpace } from './contract.ts';

interface Entry {
  readonly ident: Ident;
  recordIdHighWater: RecordId;
  liveBytes: number;
  storedBytes: number;
}

export class CollectionTable {
  private readonly collections = new Map<Ident, Entry>();

  constructor(stored: readonly ManifestCollection[] = []) {
    for (const { ident, recordIdHighWater, liveBytes, storedBytes } of stored) {
      this.collections.set(ident as Ident, {
        ident: ident as Ident,
        recordIdHighWater: recordIdHighWater as RecordId,
        liveBytes,
        storedBytes,
      });
    }
  }

  /** A table that changes apart from this one. */
  copy(): CollectionTable {
    return new CollectionTable(this.stored);
  }

  get stored(): CollectionSpace[] {
    return [...this.collections.values()].map((entry) => ({ ...entry }));
  }

  get(ident: Ident): CollectionSpace | undefined {
    const entry = this.collections.get(ident);
    return entry === undefined ? undefined : { ...entry };
  }

  liveBytesOf(ident: Ident): number {
    return this.collections.get(ident)?.liveBytes ?? 0;
  }

  addLive(ident: Ident, bytes: number): void {
    this.entry(ident).liveBytes += bytes;
  }

  removeLive(ident: Ident, bytes: number): void {
    const entry = this.collections.get(ident);
    // A dropped collection, whose record map is still being reaped.
    if (entry === undefined) return;
    invariant(entry.liveBytes >= bytes, 'collection table: more died than lived');
    // How well its own page was compressed nobody remembers: it takes its part of the collection's average.
    if (bytes > 0) entry.storedBytes -= Math.round((entry.storedBytes * bytes) / entry.liveBytes);
    entry.liveBytes -= bytes;
  }

  /** What pages with documents of a collection occupy on the disk. */
  addStored(ident: Ident, bytes: number): void {
    this.entry(ident).storedBytes += bytes;
  }

  noteRecordId(ident: Ident, recordId: RecordId): void {
    const entry = this.entry(ident);
    if (recordId > entry.recordIdHighWater) entry.recordIdHighWater = recordId;
  }

  drop(ident: Ident): void {
    this.collections.delete(ident);
  }

  private entry(ident: Ident): Entry {
    const known = this.collections.get(ident);
    if (known !== undefined) return known;
    const entry = { ident, recordIdHighWater: 0 as RecordId, liveBytes: 0, storedBytes: 0 };
    this.collections.set(ident, entry);
    return entry;
  }
}
