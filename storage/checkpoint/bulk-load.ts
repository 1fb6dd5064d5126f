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

/** Entries that are sorted in one go, about a millisecond; runs of them are merged. */
const RUN_ENTRIES = 1024;

export class BulkLoad {
  /** What it holds costs about this much memory, bytes. */
  bytes = 0;
  count = 0;
  readonly index: Ident;
  /** Sorted but for the last one. */
  private readonly runs: ScannedEntry[][] = [];

  constructor(index: Ident) {
    this.index = index;
  }

  add(entry: ScannedEntry): void {
    let run = this.runs.at(-1);
    if (run === undefined || run.length === RUN_ENTRIES) {
      run?.sort(byKeyAndRecord);
      run = [];
      this.runs.push(run);
    }
    run.push(entry);
    this.count += 1;
    this.bytes += 160 + entry.stored.key.length;
  }

  /** Puts the entries in order of key: a tree filled in order writes fewest pages. */
  async addTo(changes: IndexChanges, slices: Slices): Promise<void> {
    this.runs.at(-1)?.sort(byKeyAndRecord);
    const heads = new RunHeads(this.runs);
    for (let entry = heads.take(); entry !== undefined; entry = heads.take()) {
      const { stored, recordId } = entry;
      const value = indexEntryValue(stored.typeBits, stored.whole);
      changes.putIndexEntry(this.index, stored.key, recordId, value);
      if (slices.isOver) await slices.turn();
    }
  }
}

/** A run and how far it has been taken. */
interface Head {
  readonly run: readonly ScannedEntry[];
  next: number;
}

/** Sorted runs as one, least entry first: a binary heap of their heads. */
class RunHeads {
  private readonly heap: Head[] = [];

  constructor(runs: readonly (readonly ScannedEntry[])[]) {
    for (const run of runs) this.heap.push({ run, next: 0 });
    for (let at = (this.heap.length >> 1) - 1; at >= 0; at -= 1) this.sink(at);
  }

  take(): ScannedEntry | undefined {
    const { heap } = this;
    const [head] = heap;
    if (head === undefined) return undefined;
    const entry = head.run[head.next];
    head.next += 1;
    if (head.next === head.run.length) {
      const last = heap.pop();
      if (heap.length > 0 && last !== undefined) heap[0] = last;
    }
    this.sink(0);
    return entry;
  }

  private sink(from: number): void {
    const { heap } = this;
    let at = from;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && precedes(heap[child], heap[least])) least = child;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least], heap[at]];
      at = least;
    }
  }
}

function precedes(a: Head, b: Head): boolean {
  return byKeyAndRecord(a.run[a.next], b.run[b.next]) < 0;
}

function byKeyAndRecord(a: ScannedEntry, b: ScannedEntry): number {
  return a.stored.key.compare(b.stored.key) || a.recordId - b.recordId;
}
