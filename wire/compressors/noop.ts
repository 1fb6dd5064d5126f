/** The compressor that copies: for tests of the protocol. Never negotiated. */
import { COMPRESSOR_IDS, type Compressor } from './compressor.ts';

export const noop: Compressor = {
  name: 'noop',
  id: COMPRESSOR_IDS.noop,
  compressInlineBytes: Infinity,
  decompressInlineBytes: Infinity,
  largestRatio: 1,
  compressSync: (plain) => plain,
  compress: (plain) => Promise.resolve(plain),
  decompressSync: (compressed) => compressed,
  decompress: (compressed) => Promise.resolve(compressed),
};
