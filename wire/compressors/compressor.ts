/**
 * What a compressor of OP_COMPRESSED is.
 *
 * Promises of every implementation: `decompress` gives exactly `uncompressedBytes` bytes or throws, and allocates no more
 * than that whatever its input says.
 */

/** Names as in the handshake's `compression` field, and ids as in OP_COMPRESSED. Source: driver specification "OP_COMPRESSED". */
export const COMPRESSOR_IDS = { noop: 0, snappy: 1, zlib: 2, zstd: 3 } as const;

export type CompressorName = keyof typeof COMPRESSOR_IDS;

export interface Compressor {
  readonly name: CompressorName;
  readonly id: number;
  /** Up to this many uncompressed bytes the work stays on the event loop (a thread hop costs about 10 us), above it leaves. */
  readonly compressInlineBytes: number;
  readonly decompressInlineBytes: number;
  /** No input of one byte can stand for more bytes than this: a larger claim is a lie, found before allocating. */
  readonly largestRatio: number;
  compressSync(plain: Buffer): Buffer;
  compress(plain: Buffer): Promise<Buffer>;
  /** @throws any error when the input is damaged or longer or shorter than `uncompressedBytes`. */
  decompressSync(compressed: Buffer, uncompressedBytes: number): Buffer;
  decompress(compressed: Buffer, uncompressedBytes: number): Promise<Buffer>;
}
