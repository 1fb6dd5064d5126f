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
import { ScannedRun } from './scanned-run.ts';

export interface ScannedEntry {
  readonly stored: StoredKey;
  readonly recordId: RecordId;
}

/** An entry costs so much besides its key: here, among the changes of its commit, and in pages that LMDB holds until then. Estimated. */
const ENTRY_BYTES = 160;

export class BulkLoad {
  /** What it holds costs about this much memory, bytes. */
  bytes = 0;
  count = 0;
  readonly index: Ident;
  /** Sorted but for the last one. */
  private readonly runs: ScannedRun[] = [];

  constructor(index: Ident) {
    this.index = index;
  }

  add({ stored, recordId }: ScannedEntry): void {
    let run = this.runs.at(-1);
    if (run === undefined || run.isFull) {
      run?.sort();
      run = new ScannedRun();
      this.runs.push(run);
    }
    run.add(stored.key, indexEntryValue(stored.typeBits, stored.whole), recordId);
    this.count += 1;
    this.bytes += ENTRY_BYTES + stored.key.length;
  }

  /** Puts the entries in order of key: a tree filled in order writes fewest pages. */
  async addTo(changes: IndexChanges, slices: Slices): Promise<void> {
    this.runs.at(-1)?.sort();
    const heads = new RunHeads(this.runs);
    for (let head = heads.first; head !== undefined; head = heads.first) {
      const { run, next } = head;
      changes.putIndexEntry(this.index, run.key(next), run.recordId(next), run.value(next));
      heads.advance(head);
      if (slices.isOver) await slices.turn();
    }
  }
}

/** A run and how far it has been taken. */
interface Head {
  readonly run: ScannedRun;
  next: number;
}

/** Sorted runs as one, least entry first: a binary heap of their heads. */
class RunHeads {
  private readonly heap: Head[] = [];

  constructor(runs: readonly ScannedRun[]) {
    for (const run of runs) this.heap.push({ run, next: 0 });
    for (let at = (this.heap.length >> 1) - 1; at >= 0; at -= 1) this.sink(at);
  }

  /** The head with the least entry. */
  get first(): Head | undefined {
    return this.heap[0];
  }

  /** Takes the entry of the first head. */
  advance(first: Head): void {
    const { heap } = this;
    first.next += 1;
    if (first.next === first.run.count) {
      const last = heap.pop();
      if (heap.length > 0 && last !== undefined) heap[0] = last;
    }
    this.sink(0);
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
  return a.run.compare(a.next, b.run, b.next) < 0;
}
