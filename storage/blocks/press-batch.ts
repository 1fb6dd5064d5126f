/**
 * Records on their way into pages: what one order to the page press says, and what its answer is needed for.
 *
 * Owns: the columns while they are filled, and the memory of the pages. A document in memory that threads share (the delta's
 * slabs) is named by its place; any other is copied once, into memory of the batch.
 */
import { invariant } from '../../common/assert.ts';
import type { CommitNumber, Ident, PageCompression, RecordId } from '../contract.ts';
import { grownFloat64, grownInt32, grownUint32 } from '../delta/growable.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { MOST_PAGE_RECORDS, recordsPageBytes } from '../format/page.ts';
import { NO_MEMORY, type PressOrder } from './page-press.ts';

/** A page of a batch. */
export interface BatchPage {
  readonly collection: Ident;
  readonly compression: PageCompression;
  readonly firstRecord: number;
  recordCount: number;
  tombstones: number;
  documentBytes: number;
}

const FIRST_RECORDS = 256;
const STAGE_BYTES = 256 * 1024;

export class PressBatch {
  readonly pages: BatchPage[] = [];
  /** Of all plain pages, in whole sectors. */
  plainBytes = 0;
  recordIds = new Float64Array(FIRST_RECORDS);
  commitNumbers = new Float64Array(FIRST_RECORDS);
  length = new Uint32Array(FIRST_RECORDS);
  private memory = new Int32Array(FIRST_RECORDS);
  private offset = new Uint32Array(FIRST_RECORDS);
  private readonly memories: ArrayBufferLike[] = [];
  private readonly staged: Buffer[] = [];
  private stagedBytes = 0;
  private target: Buffer | undefined;
  private records = 0;

  get page(): BatchPage | undefined {
    return this.pages.at(-1);
  }

  beginPage(collection: Ident, compression: PageCompression): BatchPage {
    const firstRecord = this.records;
    const page: BatchPage = {
      collection,
      compression,
      firstRecord,
      recordCount: 0,
      tombstones: 0,
      documentBytes: 0,
    };
    this.pages.push(page);
    return page;
  }

  /** Adds a record to the last page; without a document it is a tombstone. */
  add(recordId: RecordId, document: Buffer | undefined, commitNumber: CommitNumber): void {
    const { page } = this;
    invariant(page !== undefined, 'press-batch: a record without a page');
    invariant(page.recordCount < MOST_PAGE_RECORDS, 'press-batch: too many records in a page');
    if (this.records === this.recordIds.length) this.grow();
    const record = this.records;
    this.records += 1;
    page.recordCount += 1;
    this.recordIds[record] = recordId;
    this.commitNumbers[record] = commitNumber;
    if (document === undefined) {
      page.tombstones += 1;
      this.memory[record] = NO_MEMORY;
      return;
    }
    page.documentBytes += document.length;
    const shared = document.buffer instanceof SharedArrayBuffer ? document : this.stage(document);
    this.memory[record] = this.numberOf(shared.buffer);
    this.offset[record] = shared.byteOffset;
    this.length[record] = document.length;
  }

  /** Whether the record at a position in the columns is a tombstone. */
  isTombstone(record: number): boolean {
    return this.memory[record] === NO_MEMORY;
  }

  /**
   * What is asked of the press. The batch is not changed from here on.
   * @param frame memory for plain pages that are wanted back
   */
  order(sectorBytes: number, frame?: (bytes: number) => Buffer): PressOrder {
    let bytes = 0;
    for (const page of this.pages) bytes += plainSectorBytes(page, sectorBytes);
    this.target = allocateAligned(bytes);
    return {
      pages: this.pages.map(({ recordCount, documentBytes, compression }) => ({
        recordCount,
        documentBytes,
        compression,
        frame: frame?.(recordsPageBytes(recordCount, documentBytes)),
      })),
      recordIds: this.recordIds.slice(0, this.records),
      memory: this.memory.slice(0, this.records),
      offset: this.offset.slice(0, this.records),
      length: this.length.slice(0, this.records),
      memories: this.memories,
      target: this.target,
      sectorBytes,
    };
  }

  /** Where the pages of order() stand. */
  get pressedMemory(): Buffer {
    invariant(this.target !== undefined, 'press-batch: nothing was ordered');
    return this.target;
  }

  /** Nobody reads documents or pages of it any more. */
  release(): void {
    for (const staged of this.staged.splice(0)) releaseAligned(staged);
    if (this.target !== undefined) releaseAligned(this.target);
    this.target = undefined;
  }

  private numberOf(memory: ArrayBufferLike): number {
    // Documents mostly come as they were written: one after the other.
    const last = this.memories.length - 1;
    if (last >= 0 && this.memories[last] === memory) return last;
    const known = this.memories.indexOf(memory);
    return known >= 0 ? known : this.memories.push(memory) - 1;
  }

  private stage(document: Buffer): Buffer {
    let stage = this.staged.at(-1);
    if (stage === undefined || this.stagedBytes + document.length > stage.length) {
      stage = allocateAligned(Math.max(STAGE_BYTES, document.length));
      this.staged.push(stage);
      this.stagedBytes = 0;
    }
    const copy = stage.subarray(this.stagedBytes, this.stagedBytes + document.length);
    document.copy(copy);
    this.stagedBytes += document.length;
    return copy;
  }

  private grow(): void {
    const length = this.recordIds.length * 2;
    this.recordIds = grownFloat64(this.recordIds, length);
    this.commitNumbers = grownFloat64(this.commitNumbers, length);
    this.memory = grownInt32(this.memory, length);
    this.offset = grownUint32(this.offset, length);
    this.length = grownUint32(this.length, length);
  }
}

function plainSectorBytes(page: BatchPage, sectorBytes: number): number {
  const bytes = recordsPageBytes(page.recordCount, page.documentBytes);
  return Math.ceil(bytes / sectorBytes) * sectorBytes;
}
