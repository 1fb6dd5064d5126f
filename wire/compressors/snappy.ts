/** Snappy, raw block format: short messages on the event loop, longer ones in Node's thread pool. */
import {
  checkSnappyLength,
  compressSnappyBlock,
  snappyLibrary,
  uncompressSnappyBlock,
} from '../../common/compression/snappy-block.ts';
import { COMPRESSOR_IDS, type Compressor } from './compressor.ts';

export const snappy: Compressor = {
  name: 'snappy',
  id: COMPRESSOR_IDS.snappy,
  compressInlineBytes: 256 * 1024,
  decompressInlineBytes: 512 * 1024,
  // A copy element of three bytes yields at most 64.
  largestRatio: 22,
  compressSync: compressSnappyBlock,
  compress: (plain) => snappyLibrary().compress(plain),
  decompressSync: uncompressSnappyBlock,
  async decompress(compressed, uncompressedBytes) {
    checkSnappyLength(compressed, uncompressedBytes);
    const output = await snappyLibrary().uncompress(compressed, { asBuffer: true });
    return typeof output === 'string' ? Buffer.from(output, 'latin1') : output;
  },
};
