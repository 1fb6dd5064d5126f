/**
 * A generation: versions of records and of index entries written since the one before it was frozen.
 *
 * Owns: slabs, version rows, and the tables per collection and per index. Dropped as a whole.
 * Invariants:
 *  1. The active generation is written by commits only, each in one synchronous step; a frozen one is never written again.
 *  2. A version in it was written after the commit at which the generation below it was frozen.
 * A transaction's own writes are a generation, too: private, all versions at commit number 0, so that views read them
 * like any other.
 */
import { KeyTable } from './key-table.ts';
import type { MemoryCounter } from './memory-counter.ts';
import { RecordTable } from './record-table.ts';
import { NO_POOL, type SlabPool } from './slab-pool.ts';
import { Slabs } from './slabs.ts';
import { VersionRows } from './version-rows.ts';

export class Generation {
  private readonly memory: MemoryCounter = { bytes: 0 };
  private readonly keepsRemoved: boolean;
  readonly slabs: Slabs;
  readonly rows: VersionRows;
  /** By ident of the collection. */
  readonly records = new Map<number, RecordTable>();
  /** By ident of the index. */
  readonly keys = new Map<number, KeyTable>();

  /**
   * @param options.keepsRemoved index entries that came and went here are remembered; default false
   * @param options.pool where its slabs come from and go to; default: from the system, to the collector
   */
  constructor(options: { readonly keepsRemoved?: boolean; readonly pool?: SlabPool } = {}) {
    this.keepsRemoved = options.keepsRemoved ?? false;
    this.slabs = new Slabs(this.memory, options.pool ?? NO_POOL);
    this.rows = new VersionRows(this.slabs, this.memory);
  }

  /** What it costs in memory, bytes. */
  get memoryBytes(): number {
    return this.memory.bytes;
  }

  /** Gives its slabs back at once: nobody reads it any more, nor ever will. */
  recycle(): void {
    this.slabs.recycle();
  }

  /** The table of a collection, made when it is missing. */
  recordsOf(collectionIdent: number): RecordTable {
    let table = this.records.get(collectionIdent);
    if (table === undefined) {
      table = new RecordTable(this.rows, this.memory);
      this.records.set(collectionIdent, table);
    }
    return table;
  }

  /** The table of an index, made when it is missing. */
  keysOf(indexIdent: number): KeyTable {
    let table = this.keys.get(indexIdent);
    if (table === undefined) {
      table = new KeyTable(this.memory, this.keepsRemoved);
      this.keys.set(indexIdent, table);
    }
    return table;
  }
}
