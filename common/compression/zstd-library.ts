/**
 * Zstandard, compiled to WebAssembly: the only build of it that needs neither a compiler nor an install script.
 *
 * The package's own functions copy their results byte by byte through an array of numbers (12 KiB in 350 us, and 48 MB end
 * the process), and believe the length that a frame claims. So its module is called directly: one copy in, one copy out,
 * into exactly as many bytes as the caller expects. What is not where it should be is noticed when the library is loaded.
 */

/** The frame's bytes go into wasm memory at `pointer`. */
interface Codec {
  readonly malloc: (bytes: number) => number;
  readonly free: (pointer: number) => void;
  readonly compressBound: (bytes: number) => number;
  readonly isError: (result: number) => number;
  readonly getErrorName: (result: number) => string;
  readonly compress: (
    target: number,
    targetBytes: number,
    source: number,
    sourceBytes: number,
    level: number,
  ) => number;
  readonly decompress: (
    target: number,
    targetBytes: number,
    source: number,
    sourceBytes: number,
  ) => number;
}

const CODEC_FUNCTIONS = [
  'malloc',
  'free',
  'compressBound',
  'isError',
  'getErrorName',
  'compress',
  'decompress',
] as const;

/** zstd's own default, and mongod's. */
const LEVEL = 3;

export class ZstdLibrary {
  private readonly codec: Codec;
  /** Wasm memory: another view after each growth. */
  private readonly memory: () => Uint8Array;

  private constructor(codec: Codec, memory: () => Uint8Array) {
    this.codec = codec;
    this.memory = memory;
  }

  /** About 40 ms. @throws Error when the package is not there, or not as it was. */
  static async load(): Promise<ZstdLibrary> {
    const { Zstd } = await import('@hpcc-js/wasm-zstd');
    const loaded: unknown = await Zstd.load();
    const codec = property(loaded, '_zstdClass');
    const module = property(property(loaded, '_mainModule'), '_module');
    if (!isCodec(codec)) throw new Error('@hpcc-js/wasm-zstd has no codec where it was');
    return new ZstdLibrary(codec, () => {
      const memory = property(module, 'HEAPU8');
      if (memory instanceof Uint8Array) return memory;
      throw new Error('@hpcc-js/wasm-zstd has no memory where it was');
    });
  }

  compress(plain: Uint8Array): Buffer {
    const bound = this.codec.compressBound(plain.length);
    return this.run(plain, bound, (target, source) =>
      this.codec.compress(target, bound, source, plain.length, LEVEL),
    );
  }

  /** @throws Error when the frame is damaged, or longer than `uncompressedBytes`. */
  decompress(frame: Uint8Array, uncompressedBytes: number): Buffer {
    return this.run(frame, uncompressedBytes, (target, source) =>
      this.codec.decompress(target, uncompressedBytes, source, frame.length),
    );
  }

  private run(
    input: Uint8Array,
    targetBytes: number,
    step: (target: number, source: number) => number,
  ): Buffer {
    const source = this.allocate(input.length);
    try {
      const target = this.allocate(targetBytes);
      try {
        this.memory().set(input, source);
        const bytes = step(target, source);
        if (this.codec.isError(bytes) !== 0) throw new Error(this.codec.getErrorName(bytes));
        return Buffer.from(this.memory().subarray(target, target + bytes));
      } finally {
        this.codec.free(target);
      }
    } finally {
      this.codec.free(source);
    }
  }

  private allocate(bytes: number): number {
    const pointer = this.codec.malloc(Math.max(1, bytes));
    if (pointer === 0) throw new Error('no memory for zstd');
    return pointer;
  }
}

function property(owner: unknown, name: string): unknown {
  return typeof owner === 'object' && owner !== null ? Reflect.get(owner, name) : undefined;
}

function isCodec(value: unknown): value is Codec {
  if (typeof value !== 'function') return false;
  return CODEC_FUNCTIONS.every((name) => typeof Reflect.get(value, name) === 'function');
}
