/**
 * Memory of documents that is used again when nobody has a part of it: pages of the cache, slabs of the delta.
 *
 * What a reader got once it may keep for as long as it likes, so its memory is the collector's from then on. A document of a few
 * kilobytes is copied instead: most memory then stays in use, where the collector would take away 64 MB of it at a time (V8's step), and
 * only after the threads that it shares a processor with. Who is done with a document before it asks a cursor for the next one reads it
 * where it lies: a cursor is a looker as long as it stands on a record.
 */

/** Documents up to so many bytes are copied, larger ones lent: 0.2 to 0.3 us for 1 KiB, with the memory for it. */
export const LARGEST_COPIED_BYTES = 4096;

/** A page or a slab. */
export interface LentMemory {
  readonly bytes: Buffer;
  /** Who looks at it just now, and got nothing of it: while there are some, it is not used for anything else. */
  lookers: number;
  /** All of its bytes, for a reader, who may keep them. */
  lend(): Buffer;
}

/** A document for a reader, who may keep it. */
export function documentFrom(memory: LentMemory, start: number, length: number): Buffer {
  if (length > LARGEST_COPIED_BYTES) return memory.lend().subarray(start, start + length);
  const document = Buffer.allocUnsafe(length);
  memory.bytes.copy(document, 0, start, start + length);
  return document;
}

/** A document for who looks at the memory, and keeps nothing of the document when it looks away. */
export function documentInPlace(memory: LentMemory, start: number, length: number): Buffer {
  // What is lent anyway may be kept: who has to copy what it keeps is spared copying much.
  const bytes = length > LARGEST_COPIED_BYTES ? memory.lend() : memory.bytes;
  return bytes.subarray(start, start + length);
}
