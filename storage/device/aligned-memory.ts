/**
 * Page-aligned buffers that direct I/O accepts and that threads can share.
 *
 * O_DIRECT refuses ordinary Buffers with EINVAL, since malloc aligns to 16 bytes. The memory of a shared
 * WebAssembly.Memory begins on a page, and a SharedArrayBuffer over it reaches any thread of the process.
 *
 * Blocks are powers of two, halved and joined again (Knuth, "The Art of Computer Programming", 2.5, the buddy system): what was page
 * reads a moment ago is a journal batch now. With free blocks kept by size, the pool stood at the sum of what each size ever needed.
 *
 * Owns: arenas and their free blocks, one pool per thread. Invariants:
 *  1. A block is handed out to one holder at a time; its address is a multiple of 4096.
 *  2. Two free halves of one block are joined.
 *  3. Arenas are never given back: the pool stays as large as it once was, which bounded queues bound.
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
/** Orders of blocks: ALIGNMENT_BYTES << order. An arena begins as one block of the last. */
const ORDERS = Math.log2(ARENA_BYTES / ALIGNMENT_BYTES) + 1;

/** Blocks of one size are cut from it; per smallest block, what begins there. */
class Arena {
  readonly memory: ArrayBufferLike;
  /** 1 + the order of the free block that begins there; 0: none does. */
  readonly free = new Uint8Array(ARENA_BYTES / ALIGNMENT_BYTES);
  /** The same for blocks that are held. */
  readonly held = new Uint8Array(ARENA_BYTES / ALIGNMENT_BYTES);
  /** Up to here its memory was handed out once: what lies behind it the system has not given yet. */
  usedUnits = 0;

  constructor() {
    this.memory = newMemory(ARENA_BYTES);
  }
}

interface FreeBlock {
  readonly arena: Arena;
  readonly unit: number;
}

/** Free blocks by order, among them such as are free no more, or not of this order: `Arena.free` knows. */
const freeBlocks: FreeBlock[][] = Array.from({ length: ORDERS }, () => []);
const arenas = new Map<ArrayBufferLike, Arena>();
/** Blocks with a memory of their own. */
const freeLarge = new Map<number, ArrayBufferLike[]>();
const heldLarge = new Set<ArrayBufferLike>();
let reservedBytes = 0;
let heldBytes = 0;
let usedBytes = 0;

/**
 * A buffer for device requests: aligned, shared, exactly `bytes` long. Its contents are whatever was there before.
 * The holder gives it back with releaseAligned when no request uses it any more; else it is lost to the pool.
 * @param bytes at least 1
 */
export function allocateAligned(bytes: number): Buffer {
  invariant(bytes > 0, 'aligned memory: nothing asked for');
  if (bytes > LARGEST_POOLED_BYTES) return allocateLarge(bytes);
  const order = orderFor(bytes);
  const { arena, unit } = takeFree(order) ?? cutFrom(order);
  invariant(arena.held[unit] === 0, 'aligned memory 1: block handed out twice');
  arena.held[unit] = order + 1;
  heldBytes += ALIGNMENT_BYTES << order;
  const endUnit = unit + Math.ceil(bytes / ALIGNMENT_BYTES);
  if (endUnit > arena.usedUnits) {
    usedBytes += (endUnit - arena.usedUnits) * ALIGNMENT_BYTES;
    arena.usedUnits = endUnit;
  }
  return Buffer.from(arena.memory, unit * ALIGNMENT_BYTES, bytes);
}

/** Gives back a buffer of allocateAligned. The caller must not touch it afterwards. */
export function releaseAligned(buffer: Buffer): void {
  const memory = buffer.buffer;
  const arena = arenas.get(memory);
  if (arena === undefined) {
    releaseLarge(memory);
    return;
  }
  let unit = buffer.byteOffset / ALIGNMENT_BYTES;
  const held = arena.held[unit] ?? 0;
  invariant(held > 0, 'aligned memory 1: block released twice, or not from here');
  arena.held[unit] = 0;
  let order = held - 1;
  heldBytes -= ALIGNMENT_BYTES << order;
  for (; order < ORDERS - 1; order += 1) {
    const other = unit ^ (1 << order);
    if (arena.free[other] !== order + 1) break;
    arena.free[other] = 0;
    unit = Math.min(unit, other);
  }
  addFree(arena, unit, order);
}

/** Bytes asked of the system, of them such as were ever in use, and bytes handed out at present. */
export function alignedMemoryStatistics(): {
  reservedBytes: number;
  usedBytes: number;
  heldBytes: number;
} {
  return { reservedBytes, usedBytes, heldBytes };
}

/** True for memory that direct I/O accepts: what allocateAligned made, here or in another thread, or aligned parts of it. */
export function isAligned(buffer: Buffer): boolean {
  return buffer.buffer instanceof SharedArrayBuffer && buffer.byteOffset % 512 === 0;
}

function orderFor(bytes: number): number {
  return Math.max(0, Math.ceil(Math.log2(bytes / ALIGNMENT_BYTES)));
}

function addFree(arena: Arena, unit: number, order: number): void {
  arena.free[unit] = order + 1;
  freeBlocks[order].push({ arena, unit });
}

function takeFree(order: number): FreeBlock | undefined {
  const blocks = freeBlocks[order];
  for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
    const { arena, unit } = block;
    if (arena.free[unit] !== order + 1) continue;
    arena.free[unit] = 0;
    return block;
  }
  return undefined;
}

/** The first part of the smallest larger block; the rest of that is free in halves. */
function cutFrom(order: number): FreeBlock {
  let larger = order;
  let block: FreeBlock | undefined;
  while (block === undefined && larger < ORDERS - 1) {
    larger += 1;
    block = takeFree(larger);
  }
  block ??= newArena();
  for (; larger > order; larger -= 1) {
    addFree(block.arena, block.unit + (1 << (larger - 1)), larger - 1);
  }
  return block;
}

function newArena(): FreeBlock {
  const arena = new Arena();
  arenas.set(arena.memory, arena);
  return { arena, unit: 0 };
}

/** Waste lasts where a block has its memory for itself: four sizes per power of two. */
function largeBlockBytes(bytes: number): number {
  const step = 2 ** Math.floor(Math.log2(bytes)) / 4;
  return Math.ceil(bytes / step) * step;
}

function allocateLarge(bytes: number): Buffer {
  const blockBytes = largeBlockBytes(bytes);
  const memory = freeLarge.get(blockBytes)?.pop() ?? newLarge(blockBytes);
  invariant(!heldLarge.has(memory), 'aligned memory 1: block handed out twice');
  heldLarge.add(memory);
  heldBytes += memory.byteLength;
  return Buffer.from(memory, 0, bytes);
}

function newLarge(bytes: number): ArrayBufferLike {
  usedBytes += bytes;
  return newMemory(bytes);
}

function releaseLarge(memory: ArrayBufferLike): void {
  invariant(heldLarge.delete(memory), 'aligned memory 1: block released twice, or not from here');
  heldBytes -= memory.byteLength;
  const free = freeLarge.get(memory.byteLength);
  if (free === undefined) freeLarge.set(memory.byteLength, [memory]);
  else free.push(memory);
}

function newMemory(bytes: number): ArrayBufferLike {
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
  reservedBytes += pages * WASM_PAGE_BYTES;
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
}
