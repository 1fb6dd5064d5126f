/**
 * Follows the chain of batches through the segments, from the begin of one of them to the first batch that is missing.
 */
import type { LiveSegment, OpenSegment, Segments } from './segments.ts';
import { SegmentReader, type ChainLink, type ReadBatch } from './segment-reader.ts';

/** Where a walk stands: the place of the next batch. */
export interface ChainPosition {
  readonly segment: LiveSegment;
  /** Bytes from the begin of the segment. */
  readonly offset: number;
}

export class ChainWalk {
  private readonly segments: Segments;
  private position: ChainPosition;
  private link: ChainLink;
  private open: { readonly segment: OpenSegment; readonly reader: SegmentReader } | undefined;
  private closedBytes = 0;

  constructor(segments: Segments, start: LiveSegment) {
    this.segments = segments;
    this.position = firstOf(start);
    this.link = {
      sequence: start.header.firstSequence,
      chain: start.header.firstChain,
      epoch: undefined,
    };
  }

  /** Where the next batch is, or would be. */
  get at(): ChainPosition {
    return this.position;
  }

  /** What the next batch says of itself, or would. */
  get expected(): ChainLink {
    return this.link;
  }

  get bytesRead(): number {
    return this.closedBytes + (this.open?.reader.bytesRead ?? 0);
  }

  /** The next batch; undefined where the chain ends or breaks. What it gave before is invalid then. */
  async next(): Promise<ReadBatch | undefined> {
    const batch = (await this.readHere()) ?? (await this.readInNextSegment());
    if (batch === undefined) return undefined;
    const { sequence, checksum, epoch } = batch.header;
    this.link = { sequence: sequence + 1, chain: checksum, epoch };
    this.position = { segment: this.position.segment, offset: batch.nextOffset };
    return batch;
  }

  /** More may have been written since next() found nothing. */
  refresh(): void {
    this.open?.reader.forget();
  }

  async close(): Promise<void> {
    const { open } = this;
    if (open === undefined) return;
    this.open = undefined;
    this.closedBytes += open.reader.bytesRead;
    open.reader.close();
    await open.segment.close();
  }

  private async readHere(): Promise<ReadBatch | undefined> {
    const { segment, offset } = this.position;
    this.open ??= await this.openSegment(segment);
    return this.open.reader.readLink(offset, segment.header, this.link);
  }

  /** A segment ends where the next one takes the chain up. */
  private async readInNextSegment(): Promise<ReadBatch | undefined> {
    const next = this.segments.liveByNumber(this.position.segment.header.number + 1);
    if (next === undefined) return undefined;
    const { firstSequence, firstChain } = next.header;
    if (firstSequence !== this.link.sequence || firstChain !== this.link.chain) return undefined;
    const reader = await this.openSegment(next);
    const first = firstOf(next);
    const batch = await reader.reader.readLink(first.offset, next.header, this.link);
    if (batch === undefined) {
      reader.reader.close();
      await reader.segment.close();
      return undefined;
    }
    await this.close();
    this.open = reader;
    this.position = first;
    return batch;
  }

  private async openSegment(
    segment: LiveSegment,
  ): Promise<{ segment: OpenSegment; reader: SegmentReader }> {
    const open = await this.segments.open(segment.file.name);
    return { segment: open, reader: new SegmentReader(open) };
  }
}

function firstOf(segment: LiveSegment): ChainPosition {
  return { segment, offset: segment.header.blockBytes };
}
