/**
 * A list of documents that are read by position: in memory, and beyond its budget in a file.
 *
 * Owns: the documents of one list, and its file. Promises: in the file they are read a block at a time, and a few blocks are kept, so
 * that reading in order, or at a few places that move along, reads each block once.
 */
import type { SpillFile, SpillSpace } from './spill-space.ts';
import { readRun, RunWriter } from './document-run.ts';

/** What a document costs besides its bytes: objects and slots. Estimated, bytes. */
const DOCUMENT_OVERHEAD_BYTES = 120;
const BLOCK_BYTES = 512 * 1024;
const KEPT_BLOCKS = 8;

export interface DocumentListOptions {
  readonly maxMemoryBytes: number;
  /** Called once when the list exceeds its memory. @throws when there is no place to go on. */
  readonly spill: (bytes: number) => SpillSpace;
}

/** Documents [first, next block's first) stand at file[start, end). */
interface Block {
  readonly first: number;
  readonly start: number;
  readonly end: number;
}

export class DocumentList {
  length = 0;
  private readonly options: DocumentListOptions;
  private inMemory: Buffer[] = [];
  private memoryBytes = 0;
  private file: SpillFile | undefined;
  private readonly blocks: Block[] = [];
  /** By position of the block; the one that was read last stands last. */
  private readonly kept = new Map<number, readonly Buffer[]>();
  private lastRead = -1;

  constructor(options: DocumentListOptions) {
    this.options = options;
  }

  /** @param document that stays as it is, of its own memory */
  push(document: Buffer): void {
    this.inMemory.push(document);
    this.length += 1;
    this.memoryBytes += document.length + DOCUMENT_OVERHEAD_BYTES;
    if (this.file !== undefined) {
      if (this.memoryBytes >= BLOCK_BYTES) this.writeBlock(this.file, this.inMemory);
    } else if (this.memoryBytes > this.options.maxMemoryBytes) this.spill();
  }

  /** @param position in [0, length) */
  at(position: number): Buffer {
    const firstInMemory = this.length - this.inMemory.length;
    if (position >= firstInMemory) return this.inMemory[position - firstInMemory];
    const number = this.blockOf(position);
    return this.load(number)[position - this.blocks[number].first];
  }

  private spill(): void {
    this.file = this.options.spill(this.memoryBytes).create();
    const all = this.inMemory;
    let bytes = 0;
    let from = 0;
    for (const [position, document] of all.entries()) {
      bytes += document.length;
      if (bytes < BLOCK_BYTES && position < all.length - 1) continue;
      this.writeBlock(this.file, all.slice(from, position + 1), from);
      from = position + 1;
      bytes = 0;
    }
  }

  private writeBlock(
    file: SpillFile,
    documents: readonly Buffer[],
    first = this.length - documents.length,
  ): void {
    const writer = new RunWriter(file);
    for (const document of documents) writer.write(document, 0);
    this.blocks.push({ first, start: writer.start, end: writer.finish() });
    this.inMemory = [];
    this.memoryBytes = 0;
  }

  private blockOf(position: number): number {
    let from = 0;
    let to = this.blocks.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.blocks[middle].first <= position) from = middle;
      else to = middle - 1;
    }
    return from;
  }

  private load(number: number): readonly Buffer[] {
    const known = this.kept.get(number);
    if (known !== undefined && number === this.lastRead) return known;
    const { file } = this;
    if (file === undefined) throw new Error('document list: a block without a file');
    const { start, end } = this.blocks[number];
    const documents =
      known ?? Array.from(readRun(file, start, end), ({ document }): Buffer => document);
    this.kept.delete(number);
    this.kept.set(number, documents);
    this.lastRead = number;
    const [oldest] = this.kept.keys();
    if (this.kept.size > KEPT_BLOCKS && oldest !== undefined) this.kept.delete(oldest);
    return documents;
  }

  close(): void {
    this.inMemory = [];
    this.kept.clear();
    this.length = 0;
    this.file?.close();
    this.file = undefined;
  }
}
