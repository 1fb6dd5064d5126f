/**
 * GEO_NEAR_2DSPHERE and GEO_NEAR_2D: documents in the order of their distance from a point.
 *
 * Owns: one search. It goes from the cells of the whole index to smaller ones, always on in what may hold the nearest document: cells by their
 * least distance, entries by that of their key, documents by their own. A document comes out when nothing that is left can be
 * nearer, so only documents about as near as those given out are read.
 * Promises: right order, each document once with its least distance; bounded memory.
 */
import { decodeIndexKey, compareValues, doubleValue, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { withMetadata } from '../document-metadata.ts';
import { gridOf } from '../geo-index/geo-hash.ts';
import { NearestQueue, type Queued } from '../geo-index/nearest-queue.ts';
import { gridSpace, type NearSpace, sphereSpace } from '../geo-index/near-space.ts';
import { allPoints, type Interval, isAllValues } from '../planner/interval.ts';
import { keyRangesOf } from '../planner/key-ranges.ts';
import type { NearNode } from '../planner/plan-node.ts';
import type { IndexCursor, KeyRange, ReadView, RecordId } from '../../storage/index.ts';
import { RecordIdSet } from './record-id-set.ts';
import { type ExecutionContext, PullStage, type StageCounters, type Step } from './stage.ts';
import { indexAsItIs } from './still-there.ts';

/** A cell of more entries than these is divided; of more for who has taken many documents, and will take more. */
const MIN_CELL_ENTRIES = 16;
const DOCUMENTS_PER_ENTRY = 16;
/** What an item of the queue takes, bytes. */
const ITEM_BYTES = 120;
/** Documents that wait in the queue are kept up to this many bytes, and read again beyond. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** What is left to search, and what was found. Ranks: among equal distances documents come last, by their record ids. */
type Item<Cell> =
  | (Queued & { readonly kind: 'cell'; readonly cell: Cell })
  /** Entries of the whole index, or stored under a cell itself: they are all read. */
  | (Queued & { readonly kind: 'entries'; readonly ranges: readonly KeyRange[] })
  | (Queued & { readonly kind: 'entry'; readonly recordId: RecordId })
  | (Queued & {
      readonly kind: 'document';
      readonly recordId: RecordId;
      readonly document: Buffer | undefined;
      readonly point: RawValue | undefined;
    });

interface Entry {
  readonly recordId: RecordId;
  readonly distance: number;
}

/** Entries that are being read. */
interface Scan<Cell> {
  /** Divided when it has too many entries; undefined: all are read. */
  readonly cell: Cell | undefined;
  readonly ranges: readonly KeyRange[];
  nextRange: number;
  cursor: IndexCursor | undefined;
  readonly entries: Entry[];
}

export function nearStage(context: ExecutionContext, node: NearNode): PullStage {
  const { near, index } = node;
  return node.stage === 'GEO_NEAR_2DSPHERE' && near.point !== undefined
    ? new Near(context, node, sphereSpace(near.point))
    : new Near(context, node, gridSpace(near, gridOf(index.spec)));
}

class Near<Cell> extends PullStage {
  readonly counters: StageCounters = {
    advanced: 0,
    keysExamined: 0,
    docsExamined: 0,
    dupsDropped: 0,
    isEOF: false,
  };
  private readonly context: ExecutionContext;
  private readonly node: NearNode;
  private readonly space: NearSpace<Cell>;
  private readonly directions: readonly (1 | -1)[];
  private readonly queue = new NearestQueue<Item<Cell>>();
  private readonly seen = new RecordIdSet();
  private scan: Scan<Cell> | undefined;
  private waitingBytes = 0;

  constructor(context: ExecutionContext, node: NearNode, space: NearSpace<Cell>) {
    super(context.yielder);
    this.context = context;
    this.node = node;
    this.space = space;
    this.directions = node.index.fields.map(({ direction }) => direction);
    this.begin();
  }

  private begin(): void {
    const { bounds, geoPosition, index } = this.node;
    if (bounds.some((intervals) => intervals.length === 0)) return;
    if (bounds.slice(0, geoPosition).every(allPoints)) this.pushCells(this.space.whole);
    else {
      // Without one value for each field before it, the cells of the index lie in no ranges.
      const { ranges } = keyRangesOf(index, bounds, 1);
      this.queue.push({ kind: 'entries', distance: 0, rank: 0, ranges });
    }
  }

  protected step(): Step {
    for (;;) {
      if (this.context.yielder.tick()) return undefined;
      if (this.scan !== undefined) {
        this.readEntry(this.scan);
        continue;
      }
      const item = this.queue.pop();
      if (item === undefined || item.distance > this.node.near.maxDistance) return this.end();
      if (item.kind === 'cell') this.scan = this.scanOf(item.cell);
      else if (item.kind === 'entries') this.scan = newScan<Cell>(item.ranges, undefined);
      else if (item.kind === 'document') {
        const given = this.give(item);
        if (given !== undefined) return given;
      } else {
        const loading = this.fetch(item.recordId);
        if (loading !== undefined) return loading;
      }
    }
  }

  private pushCells(cells: readonly Cell[]): void {
    const { minDistance, maxDistance } = this.node.near;
    for (const cell of cells) {
      const distance = this.space.leastDistance(cell);
      if (distance > maxDistance || this.space.greatestDistance(cell) < minDistance) continue;
      this.push({ kind: 'cell', distance, rank: 0, cell });
    }
  }

  private push(item: Item<Cell>): void {
    this.queue.push(item);
    const bytes = this.queue.size * ITEM_BYTES;
    if (bytes <= this.context.maxStageBytes) return;
    throw new CommandError(
      'ExceededMemoryLimit',
      `Executor error during find command :: caused by :: geo near search exceeded its memory limit of ${this.context.maxStageBytes} bytes`,
    );
  }

  private scanOf(cell: Cell): Scan<Cell> {
    const { first, last } = this.space.keysIn(cell);
    return newScan(this.rangesBetween(first, last), cell);
  }

  private rangesBetween(lower: RawValue, upper: RawValue): readonly KeyRange[] {
    const { bounds, geoPosition, index } = this.node;
    const cells: Interval = { lower, lowerInclusive: true, upper, upperInclusive: true };
    const narrowed = bounds.map((intervals, at) => (at === geoPosition ? [cells] : intervals));
    return keyRangesOf(index, narrowed, 1).ranges;
  }

  private readEntry(scan: Scan<Cell>): void {
    const cursor = scan.cursor ?? this.openRange(scan);
    if (cursor === undefined) {
      this.scan = undefined;
      for (const entry of scan.entries) this.push({ kind: 'entry', rank: 1, ...entry });
    } else if (!cursor.next()) {
      cursor.close();
      scan.cursor = undefined;
    } else {
      this.accept(cursor, scan);
      const most = Math.max(MIN_CELL_ENTRIES, this.counters.advanced / DOCUMENTS_PER_ENTRY);
      if (scan.cell !== undefined && scan.entries.length > most) this.divide(scan);
    }
  }

  private openRange(scan: Scan<Cell>): IndexCursor | undefined {
    const range = scan.ranges[scan.nextRange];
    if (range === undefined) return undefined;
    scan.nextRange += 1;
    scan.cursor = this.context.view.scanIndex(this.node.index, range, 1);
    return scan.cursor;
  }

  private accept(cursor: IndexCursor, scan: Scan<Cell>): void {
    this.counters.keysExamined! += 1;
    this.context.statistics.keysExamined += 1;
    const { recordId } = cursor;
    if (this.seen.has(recordId)) {
      this.counters.dupsDropped! += 1;
      return;
    }
    const distance = this.distanceOfEntry(cursor);
    if (distance !== undefined) scan.entries.push({ recordId, distance });
  }

  /** undefined: the entry's document is not looked for. */
  private distanceOfEntry(cursor: IndexCursor): number | undefined {
    const { bounds, geoPosition, near } = this.node;
    // What was cut may be anything.
    if (!cursor.keyIsWhole) return 0;
    const values = decodeIndexKey(cursor.key, cursor.typeBits, this.directions);
    const isWanted = bounds.every(
      (intervals, at) => at === geoPosition || holds(intervals, values[at]),
    );
    const key = values[geoPosition];
    // Null stands for a document that has its geometry at another field of the index.
    if (!isWanted || key.isNullish) return undefined;
    const distance = this.space.leastDistanceOfKey(key);
    return distance > near.maxDistance ? undefined : distance;
  }

  /** Goes on in the parts of a cell instead. */
  private divide(scan: Scan<Cell>): void {
    const { cell } = scan;
    const parts = cell === undefined ? [] : this.space.divide(cell);
    if (cell === undefined || parts.length === 0) {
      // The smallest cells are read to their end.
      this.scan = { ...scan, cell: undefined };
      return;
    }
    scan.cursor?.close();
    this.scan = undefined;
    this.pushCells(parts);
    const own = this.space.ownKey(cell);
    if (own === undefined) return;
    const distance = this.space.leastDistance(cell);
    this.push({ kind: 'entries', distance, rank: 0, ranges: this.rangesBetween(own, own) });
  }

  /** Reads a document and queues it by its own distance. @returns a step when it has to wait. */
  private fetch(recordId: RecordId): Step {
    if (this.seen.has(recordId)) {
      this.counters.dupsDropped! += 1;
      return undefined;
    }
    this.seen.add(recordId);
    const { view, collection } = this.context;
    const document = view.record(collection, recordId);
    if (document instanceof Promise) {
      return document.then((loaded) => {
        this.queueDocument(recordId, loaded);
        return undefined;
      });
    }
    this.queueDocument(recordId, document);
    return undefined;
  }

  private queueDocument(recordId: RecordId, document: Buffer | undefined): void {
    // Deleted since its entry was read.
    if (document === undefined) return;
    this.counters.docsExamined! += 1;
    this.context.statistics.docsExamined += 1;
    const { near, filter } = this.node;
    const nearest = this.space.nearestIn(document, near.path);
    if (nearest === undefined) return;
    const { distance, value } = nearest;
    if (distance < near.minDistance || distance > near.maxDistance) return;
    if (filter !== undefined && !filter.matches(document)) return;
    const isKept = this.waitingBytes + document.length <= MAX_WAITING_BYTES;
    if (isKept) this.waitingBytes += document.length;
    this.push({
      kind: 'document',
      distance,
      rank: recordId + 1,
      recordId,
      document: isKept ? document : undefined,
      point: isKept ? value : undefined,
    });
  }

  /** @returns undefined when the document is gone. */
  private give(item: Item<Cell> & { readonly kind: 'document' }): Step {
    const { document, point, recordId, distance } = item;
    if (document !== undefined) {
      this.waitingBytes -= document.length;
      return this.fillRow(recordId, document, distance, point);
    }
    const { view, collection } = this.context;
    const loading = view.record(collection, recordId);
    if (loading instanceof Promise) {
      return loading.then((loaded) => this.giveAgain(recordId, loaded, distance));
    }
    return this.giveAgain(recordId, loading, distance);
  }

  private giveAgain(
    recordId: RecordId,
    document: Buffer | undefined,
    distance: number,
  ): true | undefined {
    if (document === undefined) return undefined;
    const nearest = this.space.nearestIn(document, this.node.near.path);
    return this.fillRow(recordId, document, distance, nearest?.value);
  }

  private fillRow(
    recordId: RecordId,
    document: Buffer,
    distance: number,
    point: RawValue | undefined,
  ): true {
    const { row } = this.context;
    const { near, wantsMetadata } = this.node;
    row.recordId = recordId;
    row.document = wantsMetadata
      ? withMetadata(document, {
          geoNearDistance: doubleValue(distance * near.unit),
          ...(point === undefined ? {} : { geoNearPoint: point }),
        })
      : document;
    this.counters.advanced += 1;
    return true;
  }

  detach(): void {
    this.scan?.cursor?.detach();
  }

  attach(view: ReadView): void {
    indexAsItIs(view, this.context.collection, this.node.index);
    this.scan?.cursor?.attach(view);
  }

  close(): void {
    this.scan?.cursor?.close();
    this.scan = undefined;
  }
}

function newScan<Cell>(ranges: readonly KeyRange[], cell: Cell | undefined): Scan<Cell> {
  return { ranges, cell, nextRange: 0, cursor: undefined, entries: [] };
}

function holds(intervals: readonly Interval[], value: RawValue): boolean {
  if (isAllValues(intervals)) return true;
  return intervals.some((interval) => {
    const low = compareValues(value, interval.lower);
    if (low < 0 || (low === 0 && !interval.lowerInclusive)) return false;
    const high = compareValues(value, interval.upper);
    return high < 0 || (high === 0 && interval.upperInclusive);
  });
}
