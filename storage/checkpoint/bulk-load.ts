/**
 * Index entries that a build has scanned from records, on their way into the index's tree with the next checkpoint.
 *
 * Why with a checkpoint, and before the frozen generation's own entries: what was scanned shows each record as of some
 * commit up to the freeze; a change after that commit stands in the generation being folded, and has the last word.
 */
import type { StoredKey } from '../catalog/index-keys.ts';
import type { Ident, RecordId } from '../contract.ts';
import { indexEntryValue } from '../format/tree-key.ts';
import type { IndexChanges } from '../indexes/changes.ts';
import type { Slices } from './fold.ts';

export interface ScannedEntry {
  readonly stored: StoredKey;
  readonly recordId: RecordId;
}

export class BulkLoad {
  /** What it holds costs about this much memory, bytes. */
  bytes = 0;
  readonly index: Ident;
  private readonly entries: ScannedEntry[] = [];

  constructor(index: Ident) {
    this.index = index;
  }

  get count(): number {
    return this.entries.length;
  }

  add(entry: ScannedEntry): void {
    this.entries.push(entry);
    this.bytes += 160 + entry.stored.key.length;
  }

  /** Puts the entries in order of key: a tree filled in order writes fewest pages. */
  async addTo(changes: IndexChanges, slices: Slices): Promise<void> {
    this.entries.sort(byKeyAndRecord);
    for (const { stored, recordId } of this.entries) {
      const value = indexEntryValue(stored.typeBits, stored.whole);
      changes.putIndexEntry(this.index, stored.key, recordId, value);
      if (slices.isOver) await slices.turn();
    }
  }
}

function byKeyAndRecord(a: ScannedEntry, b: ScannedEntry): number {
  return a.stored.key.compare(b.stored.key) || a.recordId - b.recordId;
}
