/**
 * What event loop and key threads say to each other: a document and an index, and the document's keys in it.
 *
 * Owns: the packing of keys, which never leave the process: for each key u32 bytes of the key, u32 bytes of its type bits, both.
 */
import type { EncodedKey, MultikeyPaths } from '../../bson/index.ts';
import type { IndexDescription } from '../../storage/index.ts';

/** Event loop -> thread. */
export interface KeyCall {
  readonly index: IndexDescription;
  readonly document: Uint8Array;
}

/** Thread -> event loop. */
export type KeyAnswer =
  | { readonly keys: Uint8Array; readonly multikeyPaths: MultikeyPaths | undefined }
  | { readonly code: number; readonly message: string }
  /** Not the client's fault. */
  | { readonly failure: string };

const LENGTH_BYTES = 4;

export function packKeys(keys: readonly EncodedKey[]): Uint8Array {
  let bytes = 0;
  for (const { key, typeBits } of keys) bytes += 2 * LENGTH_BYTES + key.length + typeBits.length;
  const packed = Buffer.alloc(bytes);
  let at = 0;
  for (const { key, typeBits } of keys) {
    packed.writeUInt32LE(key.length, at);
    packed.writeUInt32LE(typeBits.length, at + LENGTH_BYTES);
    at += 2 * LENGTH_BYTES;
    at += key.copy(packed, at);
    at += typeBits.copy(packed, at);
  }
  return packed;
}

export function unpackKeys(packed: Uint8Array): EncodedKey[] {
  const bytes = bufferOver(packed);
  const keys: EncodedKey[] = [];
  for (let at = 0; at < bytes.length;) {
    const keyStart = at + 2 * LENGTH_BYTES;
    const keyEnd = keyStart + bytes.readUInt32LE(at);
    const end = keyEnd + bytes.readUInt32LE(at + LENGTH_BYTES);
    keys.push({ key: bytes.subarray(keyStart, keyEnd), typeBits: bytes.subarray(keyEnd, end) });
    at = end;
  }
  return keys;
}

/** Buffers come out of messages as plain bytes. */
export function bufferOver({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
