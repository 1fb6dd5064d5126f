/**
 * Makes pages out of records: directory and documents side by side, compressed where that saves a sector, summed.
 *
 * A pure function over memory that threads share, so that it runs on a thread of its own or on the caller's, and gives the
 * same bytes. What a page only learns later (its address) stands in its header, which the caller seals.
 * Bytes: docs/format/page.md. Tests: test/storage/blocks/page-press.test.ts.
 */
import { invariant } from '../../common/assert.ts';
import type { PageCompression } from '../contract.ts';
import { compressBody } from '../format/page-compression.ts';
import {
  bodyChecksum,
  PAGE_HEADER,
  recordsPageBytes,
  writeDirectoryEntry,
} from '../format/page.ts';

/** In `memories` of a record: it has no document, it is a tombstone. */
export const NO_MEMORY = -1;

/** Records in columns, page by page, and where their pages go. */
export interface PressOrder {
  readonly pages: readonly PageOrder[];
  /** Per record, in order of the pages. */
  readonly recordIds: Float64Array;
  /** Which of `memories` holds the document; NO_MEMORY for a tombstone. */
  readonly memory: Int32Array;
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  readonly memories: readonly ArrayBufferLike[];
  /** Pages are put here one after the other, each at a whole sector. Room for all of them uncompressed. */
  readonly target: Buffer;
  readonly sectorBytes: number;
}

export interface PageOrder {
  readonly recordCount: number;
  /** Sum of its documents. */
  readonly documentBytes: number;
  readonly compression: PageCompression;
  /** Memory for the plain page, exactly its length, when it is wanted back; its header stays unset. */
  readonly frame: Buffer | undefined;
}

/** A page that stands in `target`, but for its header. */
export interface PressedPage {
  readonly sectors: number;
  readonly usedBytes: number;
  readonly plainBytes: number;
  /** 'none' also where compression would not have saved a sector. */
  readonly compression: PageCompression;
  /** As bodyChecksum gives it. */
  readonly checksum: number;
  /** The order's frame, filled. */
  readonly plain: Buffer | undefined;
}

/** The compressions that are asked for must have been loaded. */
export function pressPages(order: PressOrder): PressedPage[] {
  const { sectorBytes, target } = order;
  const memories = order.memories.map((memory) => Buffer.from(memory));
  const pressed: PressedPage[] = [];
  let record = 0;
  let at = 0;
  for (const page of order.pages) {
    const rest = target.subarray(at);
    const result = pressPage(order, memories, page, record, rest);
    pressed.push(result);
    record += page.recordCount;
    at += result.sectors * sectorBytes;
  }
  invariant(record === order.recordIds.length, 'page-press: records beyond the last page');
  return pressed;
}

function pressPage(
  order: PressOrder,
  memories: readonly Buffer[],
  page: PageOrder,
  firstRecord: number,
  target: Buffer,
): PressedPage {
  const { sectorBytes } = order;
  const plainBytes = recordsPageBytes(page.recordCount, page.documentBytes);
  const plainSectors = Math.ceil(plainBytes / sectorBytes);
  const { frame } = page;
  invariant(frame === undefined || frame.length === plainBytes, 'page-press: a frame does not fit');
  const packed = page.compression !== 'none' || frame !== undefined;
  const plain = packed
    ? (frame ?? Buffer.allocUnsafeSlow(plainBytes))
    : target.subarray(0, plainBytes);
  fillPlain(order, memories, page, firstRecord, plain);
  let { compression } = page;
  let body: Buffer | undefined;
  if (compression !== 'none') {
    body = compressBody(compression, plain.subarray(PAGE_HEADER.size));
    const sectors = Math.ceil((PAGE_HEADER.size + body.length) / sectorBytes);
    if (sectors >= plainSectors) body = undefined;
    if (body === undefined) compression = 'none';
  }
  if (body !== undefined) body.copy(target, PAGE_HEADER.size);
  else if (packed) plain.copy(target, PAGE_HEADER.size, PAGE_HEADER.size);
  const usedBytes = body === undefined ? plainBytes : PAGE_HEADER.size + body.length;
  const sectors = Math.ceil(usedBytes / sectorBytes);
  const stored = target.subarray(0, sectors * sectorBytes);
  stored.fill(0, usedBytes);
  const checksum = bodyChecksum(stored);
  return { sectors, usedBytes, plainBytes, compression, checksum, plain: frame };
}

function fillPlain(
  order: PressOrder,
  memories: readonly Buffer[],
  page: PageOrder,
  firstRecord: number,
  plain: Buffer,
): void {
  let end = recordsPageBytes(page.recordCount, 0);
  for (let slot = 0; slot < page.recordCount; slot += 1) {
    const record = firstRecord + slot;
    const recordId = order.recordIds[record];
    const memory = order.memory[record];
    if (memory === NO_MEMORY) {
      writeDirectoryEntry(plain, slot, { recordId, offset: 0, length: 0 });
      continue;
    }
    const from = order.offset[record];
    const length = order.length[record];
    invariant(end + length <= plain.length, 'page-press: documents exceed their page');
    writeDirectoryEntry(plain, slot, { recordId, offset: end, length });
    memories[memory].copy(plain, end, from, from + length);
    end += length;
  }
  invariant(end === plain.length, 'page-press: documents do not fill their page');
}
