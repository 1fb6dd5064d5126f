/**
 * Empties mostly-dead extents within a checkpoint: what still lives in them is appended again, so that they become free.
 *
 * Copy on write like everything else: the records stay where they are until the checkpoint is durable and nobody reads an
 * older base. Pages are checked before anything of them is used; an extent with a damaged page is left as it is.
 */
import { DeviceError } from '../../common/errors.ts';
import type { Ident, RecordId } from '../contract.ts';
import { isCompressionLoaded, loadCompression } from '../format/page-compression.ts';
import {
  PAGE_KIND,
  plainPage,
  recordsOfPage,
  type PageHeader,
  type PageRecord,
} from '../format/page.ts';
import type { AllocationMap } from './allocation-map.ts';
import type { CheckpointWriter, CleaningSummary, LiveRecords } from './contract.ts';
import { DamagedPageError, pagesTouching } from './extent-pages.ts';
import type { StoreLayout } from './layout.ts';
import type { Place } from './place.ts';

/** An extent is emptied when at most this part of it lives; and this one, while too much is in use for what lives. */
const MOST_LIVE_PART = 0.5;
const MOST_LIVE_PART_WHEN_SHORT = 0.8;
/** Too much: so many times what lives. The bound is 2; what the last checkpoint has freed, and its base still needs, comes on top. */
const MOST_USED = 1.5;
/** Tombstones may take so much of what is needed, beyond a few: above it the extent goes for which most of them are kept. */
const MOST_TOMBSTONES_PART = 1 / 16;
const FEW_TOMBSTONES_PART_OF_EXTENT = 0.25;
/** What is gathered, put in order and moved together, bytes. */
const BATCH_BYTES = 2 * 1024 * 1024;
/** Records moved before others get their turn. */
const MOVES_PER_TURN = 256;

export interface CleanerParts {
  readonly layout: StoreLayout;
  readonly allocation: AllocationMap;
  readonly readSectors: (firstSector: number, sectorCount: number) => Promise<Buffer>;
  readonly writer: Pick<CheckpointWriter, 'append' | 'appendTombstone' | 'supersede' | 'pressure'>;
  readonly storeId: string;
  /** Of the checkpoint under way. */
  readonly generation: number;
  readonly records: LiveRecords;
  /** False for a collection that was dropped. */
  readonly exists: (collection: Ident) => boolean;
  readonly onDamage: (sector: number) => void;
}

/** Something to be appended again. */
interface Survivor {
  readonly collection: Ident;
  readonly recordId: RecordId;
  /** Absent for a tombstone. */
  readonly document: Buffer | undefined;
  readonly from: Place;
}

/** Whether more is in use than should be for what lives, as the cleaner goes on. */
class Room {
  private usedBytes: number;
  private readonly livingBytes: number;
  private readonly extentBytes: number;

  constructor(allocation: AllocationMap, { extentBytes }: StoreLayout) {
    this.extentBytes = extentBytes;
    this.usedBytes = allocation.usedExtents * extentBytes;
    this.livingBytes = allocation.livingBytesInAll;
  }

  get isShort(): boolean {
    return this.usedBytes > this.livingBytes * MOST_USED;
  }

  /** An extent was emptied: what lived in it stands elsewhere. */
  noteMoved(bytes: number): void {
    this.usedBytes += bytes - this.extentBytes;
  }
}

/** @param limitBytes live bytes to move at most, about */
export async function cleanExtents(
  parts: CleanerParts,
  limitBytes: number,
): Promise<CleaningSummary> {
  const { allocation, layout } = parts;
  const room = new Room(allocation, layout);
  const mostLivePart = room.isShort ? MOST_LIVE_PART_WHEN_SHORT : MOST_LIVE_PART;
  const sparse = allocation.sparseExtents(layout.extentBytes * mostLivePart, parts.generation);
  const keeper = keeperOfTombstones(parts);
  const chosen = keeper === undefined ? sparse : [keeper, ...sparse.filter((e) => e !== keeper)];
  const taken = new Set<number>();
  let summary: CleaningSummary = { extents: 0, movedRecords: 0, movedBytes: 0 };
  let batch: Survivor[] = [];
  let batchBytes = 0;
  for (const extent of chosen) {
    const bytes = allocation.livingBytes(extent);
    if (summary.movedBytes + bytes > limitBytes) break;
    const isFull = bytes > layout.extentBytes * MOST_LIVE_PART;
    if (isFull && !room.isShort && extent !== keeper) break;
    const survivors = await survivorsIn(parts, extent, taken);
    if (survivors === undefined) continue;
    room.noteMoved(survivors.reduce((sum, { from }) => sum + from.bytes, 0));
    allocation.dropTombstones(extent);
    summary = {
      extents: summary.extents + 1,
      movedRecords: summary.movedRecords + survivors.length,
      movedBytes: summary.movedBytes + bytes,
    };
    for (const survivor of survivors) batch.push(survivor);
    batchBytes += bytes;
    if (batchBytes < BATCH_BYTES) continue;
    await moveAll(parts, batch);
    batch = [];
    batchBytes = 0;
  }
  await moveAll(parts, batch);
  return summary;
}

/** The extent to empty, however much of it lives, because tombstones have piled up behind it. */
function keeperOfTombstones({ allocation, layout, generation }: CleanerParts): number | undefined {
  const few = layout.extentBytes * FEW_TOMBSTONES_PART_OF_EXTENT;
  const most = Math.max(few, allocation.livingBytesInAll * MOST_TOMBSTONES_PART);
  return allocation.tombstoneBytesInAll > most
    ? allocation.keeperOfTombstones(generation)
    : undefined;
}

/** Out of many extents, but into pages collection by collection, in record order. */
async function moveAll(parts: CleanerParts, survivors: Survivor[]): Promise<void> {
  survivors.sort((a, b) => a.collection - b.collection || a.recordId - b.recordId);
  for (const [index, survivor] of survivors.entries()) {
    move(parts, survivor);
    if (parts.writer.pressure !== undefined) await parts.writer.pressure;
    if (index % MOVES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * What must be kept of the pages that touch an extent; undefined when one of them is damaged, or the disk cannot read it: a bad block
 * must not keep every later checkpoint from its end. Also undefined while it cannot be told whether a page in it is dead.
 * @param taken pages that were looked at already, by their address: one may touch several extents
 */
async function survivorsIn(
  parts: CleanerParts,
  extent: number,
  taken: Set<number>,
): Promise<Survivor[] | undefined> {
  const survivors: Survivor[] = [];
  const looked: number[] = [];
  // Once for all pages: it looks at every extent. What cleaning moves lives elsewhere, and needs no tombstone.
  const oldestPast = parts.allocation.oldestPastGeneration;
  try {
    const { pages, cutOffAt } = await pagesTouching(parts, extent);
    for (const { header, bytes } of pages) {
      if (taken.has(header.address)) continue;
      looked.push(header.address);
      if (!isCompressionLoaded(header.compression)) await loadCompression(header.compression);
      const needsTombstones = oldestPast < header.generation;
      const records = recordsOfPage(plainPage(bytes, header), header);
      addSurvivors(parts, header, needsTombstones, records, survivors);
    }
    // What is moved with another extent is not found here again: the next checkpoint can tell.
    if (cutOffAt !== undefined && !isAll(parts, extent, survivors)) return undefined;
  } catch (error) {
    const isBadBlock = error instanceof DeviceError && error.errno === 'EIO';
    if (error instanceof DamagedPageError) parts.onDamage(error.sector);
    else if (isBadBlock) parts.onDamage(parts.layout.firstSectorOf(extent));
    else throw error;
    return undefined;
  }
  for (const address of looked) taken.add(address);
  return survivors;
}

/** Whether nothing lives in an extent but what was found: then a page in it that has lost its end is dead. */
function isAll(
  { allocation, layout }: CleanerParts,
  extent: number,
  survivors: readonly Survivor[],
): boolean {
  let found = 0;
  for (const { document, from } of survivors) {
    if (document === undefined) continue;
    layout.forEachLiveExtent(from, (touched, bytes) => {
      if (touched === extent) found += bytes;
    });
  }
  return found === allocation.stored[extent].liveBytes;
}

function addSurvivors(
  parts: CleanerParts,
  header: PageHeader,
  needsTombstones: boolean,
  records: readonly PageRecord[],
  survivors: Survivor[],
): void {
  if (header.kind !== PAGE_KIND.records) return;
  const collection = header.collection as Ident;
  if (!parts.exists(collection)) return;
  for (const [slot, { recordId, document }] of records.entries()) {
    const bytes = document?.length ?? 0;
    const { address: sector, generation } = header;
    const sectors = parts.layout.sectorsFor(header.usedBytes);
    const from = { sector, sectors, slot, bytes, generation };
    const survives =
      document === undefined ? needsTombstones : parts.records.isLive(collection, recordId, from);
    if (survives) survivors.push({ collection, recordId, document, from });
  }
}

function move(parts: CleanerParts, { collection, recordId, document, from }: Survivor): void {
  const { writer, records } = parts;
  if (document === undefined) {
    writer.appendTombstone(collection, recordId);
    return;
  }
  writer.supersede(collection, from);
  writer.append(collection, recordId, document, records.moving(collection, recordId));
}
