/**
 * Copies for whoever keeps documents or values longer than a moment.
 *
 * A document that storage hands out may be a view into a page or slab, and keeps all of it alive. A stage that holds one small
 * document of each page would hold the whole collection: what is held is copied. A document that is read in place is not even there
 * any more when the next one is.
 *
 * Owns: slabs that hold nothing but such copies. Node's pool of small Buffers would mix them with passing ones.
 */
import { RawValue } from '../bson/index.ts';
import { carryMetadata } from './document-metadata.ts';
import type { Value } from './expression/definition.ts';

const SLAB_BYTES = 64 * 1024;
/** Larger copies get memory of their own. */
const MAX_SHARED_BYTES = 8 * 1024;

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let used = 0;

function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  const length = end - start;
  if (length > MAX_SHARED_BYTES) {
    const own = Buffer.allocUnsafeSlow(length);
    bytes.copy(own, 0, start, end);
    return own;
  }
  if (used + length > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  const copy = slab.subarray(used, used + length);
  bytes.copy(copy, 0, start, end);
  used += length;
  return copy;
}

export function ownedDocument(document: Buffer): Buffer {
  return copyOf(document, 0, document.length);
}

/** The value over bytes of its own. */
export function ownedValue(value: RawValue): RawValue {
  const bytes = copyOf(value.bytes, value.start, value.end);
  return new RawValue(value.type, bytes, 0, bytes.length);
}

export function ownedOrMissing(value: Value): Value {
  return value === undefined ? undefined : ownedValue(value);
}

/**
 * What was made of a document that is read in place, for whoever may keep it: itself where its bytes are its own, a copy where they are
 * (a part of) the document's.
 */
export function apartFrom(made: Buffer, inPlace: Buffer): Buffer {
  if (made.buffer !== inPlace.buffer) return made;
  const at = made.byteOffset - inPlace.byteOffset;
  if (at < 0 || at >= inPlace.length) return made;
  // It passes, as what storage copies does: the slabs above are for what stays.
  return carryMetadata(made, Buffer.from(made));
}
