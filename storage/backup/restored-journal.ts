/**
 * The journal of a restored store: archived entries in batches and segments, as if a writer had closed it just there.
 *
 * Owns: the segment files and the end record of a directory that nobody else has open. Bytes: docs/format/journal.md.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { invariant } from '../../common/assert.ts';
import type { CommitPoint } from '../contract.ts';
import { BATCH_HEADER, EPOCH_BYTES, writeBatchHeader } from '../format/journal-batch.ts';
import { writeEndRecord } from '../format/journal-end.ts';
import { writeSegmentHeader, type SegmentHeader } from '../format/journal-segment.ts';
import { writeFully } from './write-fully.ts';

const MEBIBYTE = 1024 * 1024;
/** A batch is written when its entries take so much. */
const BATCH_BYTES = MEBIBYTE;
/** The next commit begins another segment then. */
const SEGMENT_BYTES = 64 * MEBIBYTE;
const NAME_DIGITS = 10;
const END_NAME = 'end';

export interface RestoredJournalOptions {
  readonly directory: string;
  /** 16 bytes. */
  readonly storeId: Buffer;
  /** Physical block of the disk. */
  readonly blockBytes: number;
  /** Random, 8 bytes. */
  readonly epoch: Buffer;
  readonly wallMs: number;
  /** The commit that the base ends with. */
  readonly after: CommitPoint;
}

interface Segment {
  readonly file: FileHandle;
  readonly header: Omit<SegmentHeader, 'segmentBytes'>;
  /** Where its next batch goes. */
  offset: number;
}

export class RestoredJournal {
  private readonly options: RestoredJournalOptions;
  private segment: Segment | undefined;
  private entries: Buffer[] = [];
  private entryBytes = 0;
  private upTo: CommitPoint;
  /** The last commit in the segments that are closed. */
  private closedUpTo: CommitPoint;
  private segments = 0;
  private sequence = 1;
  private chain = 0;

  constructor(options: RestoredJournalOptions) {
    invariant(options.epoch.length === EPOCH_BYTES, 'restored journal: an epoch has 8 bytes');
    this.options = options;
    this.upTo = options.after;
    this.closedUpTo = options.after;
  }

  /** Appends one entry. @param ends the commit whose last entry it is; undefined: the commit goes on */
  async append(entry: Buffer, ends: CommitPoint | undefined): Promise<void> {
    this.entries.push(entry);
    this.entryBytes += entry.length;
    if (ends !== undefined) this.upTo = ends;
    const isFull = this.entryBytes >= BATCH_BYTES;
    if (isFull) await this.writeBatch();
    const isSegmentFull = this.segment !== undefined && this.segment.offset >= SEGMENT_BYTES;
    if (ends === undefined || !isSegmentFull) return;
    if (this.entries.length > 0) await this.writeBatch();
    await this.closeSegment();
  }

  /** Writes what is left and where it ends, durably. */
  async finish(): Promise<void> {
    // An empty batch when there is none: a segment begins with one.
    if (this.entries.length > 0 || this.segments === 0) await this.writeBatch();
    const { segment, segments } = this;
    const place =
      segment === undefined
        ? await this.emptySegmentBehind()
        : { segment: segments, offset: segment.offset };
    await this.closeSegment();
    const { directory, storeId, blockBytes } = this.options;
    const block = Buffer.alloc(blockBytes);
    writeEndRecord(block, storeId, { ...place, sequence: this.sequence, chain: this.chain });
    const file = await open(join(directory, END_NAME), 'wx');
    try {
      await file.writeFile(block);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Lets go of its file, whatever is in it. */
  async abandon(): Promise<void> {
    await this.segment?.file.close();
    this.segment = undefined;
  }

  /** The last segment was closed when it was full: an empty batch begins another one. */
  private async emptySegmentBehind(): Promise<{ segment: number; offset: number }> {
    await this.writeBatch();
    return { segment: this.segments, offset: this.segment?.offset ?? 0 };
  }

  private async writeBatch(): Promise<void> {
    const { blockBytes, epoch } = this.options;
    const segment = this.segment ?? (await this.openSegment());
    const length = BATCH_HEADER.size + this.entryBytes;
    const batch = Buffer.alloc(Math.ceil(length / blockBytes) * blockBytes);
    let at: number = BATCH_HEADER.size;
    for (const entry of this.entries) at += entry.copy(batch, at);
    this.chain = writeBatchHeader(batch, {
      length,
      chain: this.chain,
      epoch,
      sequence: this.sequence,
      segment: segment.header.number,
      offset: segment.offset,
      entryCount: this.entries.length,
      flushedSequence: this.sequence - 1,
      firstOfEpoch: this.sequence === 1,
    });
    await writeFully(segment.file, batch, segment.offset);
    segment.offset += batch.length;
    this.sequence += 1;
    this.entries = [];
    this.entryBytes = 0;
  }

  private async openSegment(): Promise<Segment> {
    this.segments += 1;
    const { directory, storeId, blockBytes, wallMs } = this.options;
    const name = String(this.segments).padStart(NAME_DIGITS, '0');
    const segment: Segment = {
      file: await open(join(directory, name), 'wx'),
      header: {
        blockBytes,
        storeId,
        number: this.segments,
        firstSequence: this.sequence,
        firstChain: this.chain,
        commitBefore: this.closedUpTo.commitNumber,
        timestampBefore: this.closedUpTo.timestamp,
        chainSegment: this.segments,
        wallMs,
      },
      offset: blockBytes,
    };
    this.segment = segment;
    return segment;
  }

  private async closeSegment(): Promise<void> {
    const { segment } = this;
    if (segment === undefined) return;
    this.segment = undefined;
    this.closedUpTo = this.upTo;
    const block = Buffer.alloc(this.options.blockBytes);
    writeSegmentHeader(block, { ...segment.header, segmentBytes: segment.offset });
    try {
      await writeFully(segment.file, block, 0);
      await segment.file.sync();
    } finally {
      await segment.file.close();
    }
  }
}
