/**
 * How the bytes behind a page's header are compressed: names, numbers, and both directions.
 *
 * Promises: `expandBody` gives exactly as many bytes as asked for or throws, and allocates no more than that, whatever its
 * input claims. Numbers are permanent. Bytes: docs/format/page.md#compression.
 */
import { unreachable } from '../../common/assert.ts';
import {
  compressSnappyBlock,
  uncompressSnappyBlock,
} from '../../common/compression/snappy-block.ts';
import { ZstdLibrary } from '../../common/compression/zstd-library.ts';
import { PAGE_COMPRESSIONS, type PageCompression } from '../contract.ts';

export const PAGE_COMPRESSION: Readonly<Record<PageCompression, number>> = {
  none: 0,
  snappy: 1,
  zstd: 2,
};

/** undefined for a number that this server does not know. */
export function compressionOfNumber(number: number): PageCompression | undefined {
  return PAGE_COMPRESSIONS.find((name) => PAGE_COMPRESSION[name] === number);
}

let zstd: ZstdLibrary | undefined;
let loading: Promise<void> | undefined;

/** Whether a compression can be used at once; else await loadCompression first. Each thread has its own. */
export function isCompressionLoaded(compression: PageCompression): boolean {
  return compression !== 'zstd' || zstd !== undefined;
}

/** @throws Error when the library is not there */
export function loadCompression(compression: PageCompression): Promise<void> {
  if (isCompressionLoaded(compression)) return Promise.resolve();
  loading ??= ZstdLibrary.load().then(
    (library) => {
      zstd = library;
    },
    (error: unknown) => {
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** The compressed bytes, in memory of their own. */
export function compressBody(compression: 'snappy' | 'zstd', plain: Buffer): Buffer {
  switch (compression) {
    case 'snappy':
      return compressSnappyBlock(plain);
    case 'zstd':
      return loadedZstd().compress(plain);
    default:
      return unreachable(compression);
  }
}

/** @throws Error when the bytes are damaged, or stand for more or fewer than `plainBytes` */
export function expandBody(
  compression: 'snappy' | 'zstd',
  body: Buffer,
  plainBytes: number,
): Buffer {
  switch (compression) {
    case 'snappy':
      return uncompressSnappyBlock(body, plainBytes);
    case 'zstd': {
      const plain = loadedZstd().decompress(body, plainBytes);
      if (plain.length !== plainBytes) throw new Error('the frame is shorter than it should be');
      return plain;
    }
    default:
      return unreachable(compression);
  }
}

function loadedZstd(): ZstdLibrary {
  if (zstd !== undefined) return zstd;
  throw new Error('zstd has not been loaded');
}
