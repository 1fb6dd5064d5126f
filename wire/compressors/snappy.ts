/**
 * Snappy, raw block format.
 *
 * A block begins with its own uncompressed length; the library allocates what that says, so it is compared with the
 * message's first. Source: google/snappy, format_description.txt.
 */
import { compress, compressSync, uncompress, uncompressSync } from 'snappy';
import { COMPRESSOR_IDS, type Compressor } from './compressor.ts';

export const snappy: Compressor = {
  name: 'snappy',
  id: COMPRESSOR_IDS.snappy,
  compressInlineBytes: 256 * 1024,
  decompressInlineBytes: 512 * 1024,
  // A copy element of three bytes yields at most 64.
  largestRatio: 22,
  compressSync: (plain) => compressSync(plain),
  compress: (plain) => compress(plain),
  decompressSync(compressed, uncompressedBytes) {
    checkPreamble(compressed, uncompressedBytes);
    return asBuffer(uncompressSync(compressed, { asBuffer: true }));
  },
  async decompress(compressed, uncompressedBytes) {
    checkPreamble(compressed, uncompressedBytes);
    return asBuffer(await uncompress(compressed, { asBuffer: true }));
  },
};

function checkPreamble(compressed: Buffer, uncompressedBytes: number): void {
  if (preambleOf(compressed) !== uncompressedBytes) {
    throw new Error('the snappy block has another length than its message says');
  }
}

/** The length in front of a block: a varint of at most five bytes. @returns undefined if it does not end. */
function preambleOf(compressed: Buffer): number | undefined {
  let length = 0;
  for (let index = 0; index < 5; index += 1) {
    const byte = compressed[index];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return length;
  }
  return undefined;
}

function asBuffer(output: string | Buffer): Buffer {
  return typeof output === 'string' ? Buffer.from(output, 'latin1') : output;
}
