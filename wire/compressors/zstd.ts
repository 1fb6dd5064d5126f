/**
 * Zstandard frames (RFC 8878). The library is loaded when the first peer asks for it: a start does not pay for it.
 */
import { COMPRESSOR_IDS, type Compressor } from './compressor.ts';
import { ZstdLibrary } from '../../common/compression/zstd-library.ts';
import { ZstdThread } from './zstd-thread.ts';

let library: ZstdLibrary | undefined;
let loading: Promise<boolean> | undefined;
const thread = new ZstdThread();

/** Whether zstd can be used: it is, from the moment that loadZstd() has given true. */
export function isZstdLoaded(): boolean {
  return library !== undefined;
}

/** @returns false when the package cannot be loaded: then nobody is offered zstd. */
export function loadZstd(): Promise<boolean> {
  loading ??= ZstdLibrary.load().then(
    (loaded) => {
      library = loaded;
      return true;
    },
    () => false,
  );
  return loading;
}

export const zstd: Compressor = {
  name: 'zstd',
  id: COMPRESSOR_IDS.zstd,
  compressInlineBytes: 64 * 1024,
  decompressInlineBytes: 256 * 1024,
  // A block of four bytes can stand for 128 KiB of one value.
  largestRatio: 32 * 1024,
  compressSync: (plain) => loaded().compress(plain),
  compress: (plain) => thread.compress(plain),
  decompressSync: (compressed, uncompressedBytes) =>
    loaded().decompress(compressed, uncompressedBytes),
  decompress: (compressed, uncompressedBytes) => thread.decompress(compressed, uncompressedBytes),
};

function loaded(): ZstdLibrary {
  if (library !== undefined) return library;
  throw new Error('zstd has not been loaded');
}
