/**
 * Zlib streams (RFC 1950), by Node's zlib: small ones on the event loop, larger ones in its thread pool.
 */
import { promisify } from 'node:util';
import {
  deflate,
  deflateSync,
  inflate,
  inflateSync,
  type InputType,
  type ZlibOptions,
} from 'node:zlib';
import { COMPRESSOR_IDS, type Compressor } from './compressor.ts';

const deflateAsync = promisify<InputType, ZlibOptions, Buffer>(deflate);
const inflateAsync = promisify<InputType, ZlibOptions, Buffer>(inflate);

export const zlib: Compressor = {
  name: 'zlib',
  id: COMPRESSOR_IDS.zlib,
  compressInlineBytes: 8 * 1024,
  decompressInlineBytes: 64 * 1024,
  // Deflate's own bound is 1032 to 1.
  largestRatio: 1040,
  compressSync: (plain) => deflateSync(plain),
  compress: (plain) => deflateAsync(plain, {}),
  decompressSync: (compressed, uncompressedBytes) =>
    inflateSync(compressed, bounded(uncompressedBytes)),
  decompress: (compressed, uncompressedBytes) =>
    inflateAsync(compressed, bounded(uncompressedBytes)),
};

/** One chunk as large as the result avoids a concatenation; output past the limit ends in ERR_BUFFER_TOO_LARGE. */
function bounded(uncompressedBytes: number): ZlibOptions {
  return {
    maxOutputLength: Math.max(uncompressedBytes, 1),
    chunkSize: Math.max(uncompressedBytes + 1, SMALLEST_CHUNK),
  };
}

/** Node refuses smaller ones. */
const SMALLEST_CHUNK = 64;
