/**
 * Empties mostly-dead extents within a checkpoint: what still lives in them is appended again, so that they become free.
 *
 * Copy on write like everything else: the records stay where they are until the checkpoint is durable and nobody reads an
 * older base. Pages are checked before anything of them is used; an extent with a damaged page is left as it is.
 */
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import type { Ident, RecordId } from '../contract.ts';
import { isCompressionLoaded, loadCompression } from '../format/page-compression.ts';
import {
  PAGE_KIND,
  plainPage,
  recordsOfPage,
  verifyPage,
  type PageHeader,
  type PageRecord,
} from '../format/page.ts';
import type { AllocationMap } from './allocation-map.ts';
import type { CheckpointWriter, CleaningSummary, LiveRecords } from './contract.ts';
import type { StoreLayout } from './layout.ts';
import type { Place } from './place.ts';

/** An extent is emptied when at most this part of it lives. */
const MOST_LIVE_PART = 0.5;
/** What is gathered, put in order and moved together, bytes. */
const BATCH_BYTES = 2 * 1024 * 1024;
/** Records moved before others get their turn. */
const MOVES_PER_TURN = 256;

export interface CleanerParts {
  readonly layout: StoreLayout;
  readonly allocation: AllocationMap;
  readonly writer: Pick<CheckpointWriter, 'append' | 'appendTombstone' | 'supersede' | 'pressure'>;
  readonly storeId: string;
  /** Of the checkpoint under way. */
  readonly generation: number;
  readonly records: LiveRecords;
  /** False for a collection that was dropped. */
  readonly exists: (collection: Ident) => boolean;
  /** Reads the filled sectors of an extent into memory of their own. @throws DeviceError */
  readonly readExtent: (extent: number) => Promise<Buffer>;
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

/** @param limitBytes live bytes to move at most, about */
export async function cleanExtents(
  parts: CleanerParts,
  limitBytes: number,
): Promise<CleaningSummary> {
  const { allocation, layout } = parts;
  const sparse = allocation.sparseExtents(layout.extentBytes * MOST_LIVE_PART, parts.generation);
  let summary: CleaningSummary = { extents: 0, movedRecords: 0, movedBytes: 0 };
  let batch: Survivor[] = [];
  let batchBytes = 0;
  for (const extent of sparse) {
    const bytes = allocation.livingBytes(extent);
    if (summary.movedBytes + bytes > limitBytes) break;
    const read = await readOrMark(parts, extent);
    const survivors = read === undefined ? undefined : await survivorsIn(parts, extent, read);
    if (survivors === undefined) continue;
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

/** Out of many extents, but into pages collection by collection, in record order. */
async function moveAll(parts: CleanerParts, survivors: Survivor[]): Promise<void> {
  survivors.sort((a, b) => a.collection - b.collection || a.recordId - b.recordId);
  for (const [index, survivor] of survivors.entries()) {
    move(parts, survivor);
    if (parts.writer.pressure !== undefined) await parts.writer.pressure;
    if (index % MOVES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** undefined for an extent that the disk cannot read: a bad block must not keep every later checkpoint from its end. */
async function readOrMark(parts: CleanerParts, extent: number): Promise<Buffer | undefined> {
  try {
    return await parts.readExtent(extent);
  } catch (error) {
    if (!(error instanceof DeviceError) || error.errno !== 'EIO') throw error;
    parts.onDamage(parts.layout.firstSectorOf(extent));
    return undefined;
  }
}

/** What must be kept of an extent; undefined when a page of it is damaged. */
async function survivorsIn(
  parts: CleanerParts,
  extent: number,
  bytes: Buffer,
): Promise<Survivor[] | undefined> {
  const { layout, storeId } = parts;
  const survivors: Survivor[] = [];
  const firstSector = layout.firstSectorOf(extent);
  for (let offset = 0; offset < bytes.length;) {
    const address = firstSector + offset / layout.sectorBytes;
    const rest = bytes.subarray(offset);
    try {
      const { header, pageBytes } = verifyPage(rest, layout.sectorBytes, { address, storeId });
      if (!isCompressionLoaded(header.compression)) await loadCompression(header.compression);
      addSurvivors(parts, header, recordsOfPage(plainPage(rest, header), header), survivors);
      offset += pageBytes;
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      parts.onDamage(address);
      return undefined;
    }
  }
  return survivors;
}

function addSurvivors(
  parts: CleanerParts,
  header: PageHeader,
  records: readonly PageRecord[],
  survivors: Survivor[],
): void {
  if (header.kind !== PAGE_KIND.records) return;
  const collection = header.collection as Ident;
  if (!parts.exists(collection)) return;
  const needsTombstones = parts.allocation.hasOlderThan(header.generation);
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
