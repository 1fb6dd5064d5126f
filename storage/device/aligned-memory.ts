/**
 * Page-aligned buffers that direct I/O accepts and that threads can share.
 *
 * O_DIRECT refuses ordinary Buffers with EINVAL, since malloc aligns to 16 bytes. The memory of a shared
 * WebAssembly.Memory begins on a page, and a SharedArrayBuffer over it reaches any thread of the process.
 *
 * Owns: arenas and their free blocks, one pool per thread. Invariants:
 *  1. A block is handed out to one holder at a time; its address is a multiple of 4096.
 *  2. Arenas are never given back: the pool stays as large as it once was, which bounded queues bound.
 * Tests: test/storage/device/aligned-memory.test.ts.
 */
import { invariant } from '../../common/assert.ts';

/** The part of WebAssembly that is needed here; the compiler's libraries for Node do not declare it. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => {
    readonly buffer: SharedArrayBuffer;
  };
};

/** Every block begins at a multiple of this many bytes. */
export const ALIGNMENT_BYTES = 4096;

const WASM_PAGE_BYTES = 65_536;
const ARENA_BYTES = 8 * 1024 * 1024;
/** Above this, a block has an arena of its own. */
const LARGEST_POOLED_BYTES = 2 * 1024 * 1024;

/** Free blocks by their size. */
const freeBlocks = new Map<number, Buffer[]>();
/** Blocks handed out, by the memory and offset they begin at, with their whole size. */
const heldBlocks = new WeakMap<ArrayBufferLike, Map<number, Buffer>>();
let arena: ArrayBufferLike | undefined;
let arenaUsedBytes = 0;
let reservedBytes = 0;
let heldBytes = 0;

/**
 * A buffer for device requests: aligned, shared, exactly `bytes` long. Its contents are whatever was there before.
 * The holder gives it back with releaseAligned when no request uses it any more; else it is lost to the pool.
 * @param bytes at least 1
 */
export function allocateAligned(bytes: number): Buffer {
  invariant(bytes > 0, 'aligned memory: nothing asked for');
  const block = takeBlock(blockBytesFor(bytes));
  const held = heldBlocks.get(block.buffer) ?? new Map<number, Buffer>();
  invariant(!held.has(block.byteOffset), 'aligned memory 1: block handed out twice');
  held.set(block.byteOffset, block);
  heldBlocks.set(block.buffer, held);
  heldBytes += block.length;
  return block.subarray(0, bytes);
}

/** Gives back a buffer of allocateAligned. The caller must not touch it afterwards. */
export function releaseAligned(buffer: Buffer): void {
  const held = heldBlocks.get(buffer.buffer);
  const block = held?.get(buffer.byteOffset);
  invariant(block !== undefined, 'aligned memory 1: block released twice, or not from here');
  held?.delete(buffer.byteOffset);
  heldBytes -= block.length;
  const free = freeBlocks.get(block.length);
  if (free === undefined) freeBlocks.set(block.length, [block]);
  else free.push(block);
}

/** Bytes taken from the system, and bytes handed out at present. */
export function alignedMemoryStatistics(): { reservedBytes: number; heldBytes: number } {
  return { reservedBytes, heldBytes };
}

/** True for memory that direct I/O accepts: what allocateAligned made, here or in another thread, or aligned parts of it. */
export function isAligned(buffer: Buffer): boolean {
  return buffer.buffer instanceof SharedArrayBuffer && buffer.byteOffset % 512 === 0;
}

/**
 * Powers of two: half of a block may be wasted while it is held, but every size that was ever asked for keeps its free blocks, and
 * with four sizes per power of two, journal batches and pages of each length kept twice as much.
 */
function blockBytesFor(bytes: number): number {
  const least = Math.max(bytes, ALIGNMENT_BYTES);
  if (least <= LARGEST_POOLED_BYTES) return 2 ** Math.ceil(Math.log2(least));
  // Large blocks have arenas of their own, where waste lasts: four sizes per power of two.
  const step = 2 ** Math.floor(Math.log2(least)) / 4;
  return Math.ceil(least / step) * step;
}

function takeBlock(blockBytes: number): Buffer {
  const free = freeBlocks.get(blockBytes)?.pop();
  if (free !== undefined) return free;
  if (blockBytes > LARGEST_POOLED_BYTES) {
    return Buffer.from(newArena(blockBytes), 0, blockBytes);
  }
  if (arena === undefined || arenaUsedBytes + blockBytes > ARENA_BYTES) {
    // What is left of the old arena is wasted: less than one block in arenas of at least four.
    arena = newArena(ARENA_BYTES);
    arenaUsedBytes = 0;
  }
  const block = Buffer.from(arena, arenaUsedBytes, blockBytes);
  arenaUsedBytes += blockBytes;
  return block;
}

function newArena(bytes: number): ArrayBufferLike {
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
  reservedBytes += pages * WASM_PAGE_BYTES;
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
}
