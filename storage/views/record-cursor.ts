/**
 * Walks the records of a collection in one view: layers merged chunk by chunk, 32 record ids at a time.
 *
 * Invariants:
 *  1. A record shows once, as its newest version at or before the view's commit number; a deletion hides what lies below.
 *  2. Between two calls of next() nothing of the index store is open: the caller may await, and the view may move to
 *     another epoch.
 * Benchmark: bench/micro/storage/scan.bench.ts.
 */
import { invariant } from '../../common/assert.ts';
import type {
  CollectionDescription,
  Ident,
  MaybePromise,
  ReadView,
  RecordCursor,
  RecordId,
  ScanOptions,
} from '../contract.ts';
import type { DocumentLocation } from '../blocks/contract.ts';
import { documentFrom, documentInPlace, type LentMemory } from '../lent-memory.ts';
import { CHUNK_RECORDS, type RecordTable } from '../delta/record-table.ts';
import { NO_ROW, TOMBSTONE, type VersionRows } from '../delta/version-rows.ts';
import {
  presentRecords,
  readRecordPlace,
  recordEntryOffset,
  type RecordPlace,
} from '../format/record-map.ts';
import { BaseBlocks } from './base-blocks.ts';
import type { BaseEpoch } from './base-epoch.ts';
import { damagedRecord } from './damaged-record.ts';
import type { Epoch } from './epoch.ts';
import { LayeredView } from './layered-view.ts';

interface Layer {
  readonly table: RecordTable;
  readonly rows: VersionRows;
  /** Of the current chunk; -1 when the layer has nothing in it. */
  chunkStart: number;
}

export class MergedRecordCursor implements RecordCursor, DocumentLocation {
  recordId: RecordId;
  /** Where the current record's document lies in `bytes`; `length` is 0 when there is no current record. */
  start = 0;
  length = 0;

  private memory: LentMemory = NO_MEMORY;
  /** The current document, once somebody asked for it. */
  private given: Buffer | undefined;
  private view: LayeredView | undefined;
  private readonly collection: Ident;
  /** For errors. */
  private readonly namespace: string;
  private readonly direction: 1 | -1;
  private epoch: Epoch | undefined;
  private ownWriteCount = 0;
  private layers: Layer[] = [];
  private baseBlocks: BaseBlocks | undefined;

  private chunk: number;
  private position: number;
  private block: Buffer | undefined;
  private present = 0;

  constructor(
    view: LayeredView,
    { ident, namespace }: Pick<CollectionDescription, 'ident' | 'namespace'>,
    options: ScanOptions,
  ) {
    this.view = view;
    this.collection = ident;
    this.namespace = namespace;
    this.direction = options.direction ?? 1;
    this.recordId = options.after ?? startOf(this.direction);
    this.chunk = chunkOf(this.recordId);
    this.position = positionOf(this.recordId, this.direction);
  }

  /** Good until next() is called again. */
  get bytes(): Buffer {
    return this.memory.bytes;
  }

  get document(): Buffer {
    invariant(this.length > 0, 'record cursor: no current record');
    this.given ??= documentFrom(this.memory, this.start, this.length);
    return this.given;
  }

  get documentInPlace(): Buffer {
    invariant(this.length > 0, 'record cursor: no current record');
    return documentInPlace(this.memory, this.start, this.length);
  }

  lookAt(memory: LentMemory): void {
    if (memory === this.memory) return;
    this.memory.lookers -= 1;
    memory.lookers += 1;
    this.memory = memory;
  }

  next(): MaybePromise<boolean> {
    const view = this.view;
    invariant(view !== undefined, 'record cursor: used while detached');
    this.given = undefined;
    if (view.epoch !== this.epoch) this.reload(view);
    if (view.ownWriteCount !== this.ownWriteCount) this.refreshOwnWrites(view);
    const commitNumber = view.commitNumber;
    const direction = this.direction;
    const layers = this.layers;
    for (;;) {
      for (
        let position = this.position + direction;
        position >= 0 && position < CHUNK_RECORDS;
        position += direction
      ) {
        let found = false;
        for (const layer of layers) {
          if (layer.chunkStart < 0) continue;
          const row = layer.table.visibleRowInChunk(layer.chunkStart, position, commitNumber);
          if (row === NO_ROW) continue;
          found = true;
          const { rows } = layer;
          if (rows.slab[row] === TOMBSTONE) break;
          this.position = position;
          this.recordId = (this.chunk * CHUNK_RECORDS + position) as RecordId;
          this.lookAt(rows.slabOf(row));
          this.start = rows.offset[row];
          this.length = rows.length[row];
          return true;
        }
        if (!found && (this.present & (1 << position)) !== 0) return this.readBase(position);
      }
      if (!this.nextChunk()) return false;
    }
  }

  detach(): void {
    this.view = undefined;
    this.epoch = undefined;
    this.layers = [];
    this.baseBlocks = undefined;
    this.block = undefined;
  }

  attach(view: ReadView): void {
    invariant(view instanceof LayeredView, 'record cursor: attached to a foreign view');
    this.view = view;
    this.epoch = undefined;
  }

  close(): void {
    this.detach();
    this.lookAt(NO_MEMORY);
    this.given = undefined;
    this.length = 0;
  }

  private readBase(position: number): MaybePromise<boolean> {
    const block = this.block;
    const baseBlocks = this.baseBlocks;
    invariant(block !== undefined && baseBlocks !== undefined, 'record cursor: no base block');
    this.position = position;
    const recordId = (this.chunk * CHUNK_RECORDS + position) as RecordId;
    this.recordId = recordId;
    const place = readRecordPlace(block, recordEntryOffset(this.present, position));
    const { base } = this.epoch!;
    const loading = this.locate(base, place, recordId);
    if (!(loading instanceof Promise)) return true;
    // The scan met a cold page: the next ones are likely cold, too.
    base.prefetch(placesOf(baseBlocks));
    return loading.then(
      () => true,
      (error: unknown) => {
        throw damagedRecord(error, this.namespace, recordId);
      },
    );
  }

  private locate(base: BaseEpoch, place: RecordPlace, recordId: RecordId): MaybePromise<void> {
    try {
      return base.locate(place, recordId, this);
    } catch (error) {
      throw damagedRecord(error, this.namespace, recordId);
    }
  }

  /** Moves to the next chunk that any layer has. @returns false at the end. */
  private nextChunk(): boolean {
    const from = this.chunk + this.direction;
    let next = this.baseBlocks?.peek(from) ?? this.direction * Infinity;
    for (const { table } of this.layers) {
      const chunk =
        this.direction === 1
          ? table.chunkNumbers.next(this.chunk)
          : table.chunkNumbers.previous(this.chunk);
      if ((next - chunk) * this.direction > 0) next = chunk;
    }
    if (!Number.isFinite(next)) return false;
    this.chunk = next;
    this.position = this.direction === 1 ? -1 : CHUNK_RECORDS;
    this.loadChunk();
    return true;
  }

  /** The transaction wrote since: its newest layer may have come to be, or reach into this chunk now. */
  private refreshOwnWrites(view: LayeredView): void {
    this.ownWriteCount = view.ownWriteCount;
    const table = view.ownWrites?.records.get(this.collection);
    const first = this.layers[0];
    if (table !== undefined && table === first?.table) {
      first.chunkStart = table.chunkStart(this.chunk);
    } else {
      this.reload(view);
    }
  }

  /** Looks the layers up: at the start, and in another epoch. */
  private reload(view: LayeredView): void {
    const epoch = view.epoch;
    this.epoch = epoch;
    this.ownWriteCount = view.ownWriteCount;
    this.layers = [];
    const generations =
      view.ownWrites === undefined ? epoch.generations : [view.ownWrites, ...epoch.generations];
    for (const generation of generations) {
      const table = generation.records.get(this.collection);
      if (table !== undefined) {
        this.layers.push({ table, rows: generation.rows, chunkStart: -1 });
      }
    }
    this.baseBlocks = new BaseBlocks(epoch.base, this.collection, this.direction);
    this.loadChunk();
  }

  private loadChunk(): void {
    for (const layer of this.layers) layer.chunkStart = layer.table.chunkStart(this.chunk);
    const baseBlocks = this.baseBlocks;
    const hasBlock = baseBlocks !== undefined && baseBlocks.peek(this.chunk) === this.chunk;
    this.block = hasBlock ? baseBlocks.current : undefined;
    this.present = this.block === undefined ? 0 : presentRecords(this.block);
  }
}

/** Where a cursor looks that has no record. */
const NO_MEMORY: LentMemory = { bytes: Buffer.alloc(0), lookers: 0, lend: () => NO_MEMORY.bytes };

function startOf(direction: 1 | -1): RecordId {
  return (direction === 1 ? 0 : Infinity) as RecordId;
}

function chunkOf(recordId: RecordId): number {
  return Math.floor(recordId / CHUNK_RECORDS);
}

function positionOf(recordId: RecordId, direction: 1 | -1): number {
  if (Number.isFinite(recordId)) return recordId % CHUNK_RECORDS;
  return direction === 1 ? -1 : CHUNK_RECORDS;
}

function placesOf(baseBlocks: BaseBlocks) {
  const places = [];
  for (const block of baseBlocks.ahead().blocks) {
    const present = presentRecords(block);
    for (let slot = 0; slot < CHUNK_RECORDS; slot += 1) {
      if ((present & (1 << slot)) !== 0) {
        places.push(readRecordPlace(block, recordEntryOffset(present, slot)));
      }
    }
  }
  return places;
}
