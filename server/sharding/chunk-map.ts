/**
 * The chunks of one collection in the order of their keys: which shard has a key, which shards have a range.
 *
 * Immutable: `updated` gives another map. Chunks stand in blocks of some hundreds; a change makes only its own blocks anew, all
 * others are shared, so that a map of a hundred thousand chunks takes news in well under a millisecond.
 * Invariants:
 *  1. Chunks lie side by side without gap or overlap, from the lowest key to above the highest.
 *  2. A block is never empty, unless the map is; blocks are in order.
 */
import { CommandError } from '../../common/errors.ts';
import type { Chunk } from './chunk.ts';
import { ABOVE_ALL_KEYS, BELOW_ALL_KEYS, type KeyText } from './shard-key-pattern.ts';
import { comparePlacements, ShardVersion, type CollectionGeneration } from './shard-version.ts';

/** Most chunks of a block: a change copies about as many. */
const BLOCK_CHUNKS = 512;

interface Block {
  readonly chunks: readonly Chunk[];
  /** Where each chunk ends: a search reads these alone, side by side, instead of touching chunks all over the memory. */
  readonly ends: readonly KeyText[];
  /** The newest chunk of each shard. */
  readonly newest: ReadonlyMap<string, Chunk>;
}

/** A range of keys: `min` is in it, `max` is not. */
export interface KeyTextRange {
  readonly min: KeyText;
  readonly max: KeyText;
}

export class ChunkMap {
  readonly generation: CollectionGeneration;
  readonly count: number;
  private readonly blocks: readonly Block[];
  /** Where each block ends. */
  private readonly ends: readonly KeyText[];
  private readonly newest: ReadonlyMap<string, Chunk>;
  private readonly collectionVersion: ShardVersion;
  /** The shards of each block, then of each two, each four, ...; made when a range first reaches over several blocks. */
  private summaries: readonly (readonly ReadonlySet<string>[])[] | undefined;

  private constructor(generation: CollectionGeneration, blocks: readonly Block[]) {
    this.generation = generation;
    this.blocks = blocks;
    this.ends = blocks.map((block) => lastOf(block).maxText);
    this.count = blocks.reduce((sum, block) => sum + block.chunks.length, 0);
    this.newest = newestOf(blocks.map((block) => [...block.newest.values()]));
    let placement = { major: 0, minor: 0 };
    for (const { major, minor } of this.newest.values()) {
      if (comparePlacements({ major, minor }, placement) > 0) placement = { major, minor };
    }
    this.collectionVersion = new ShardVersion(generation, placement);
  }

  /**
   * @param chunks all of a collection, in any order
   * @throws CommandError ConflictingOperationInProgress when they leave a gap: they were read while they changed
   */
  static of(generation: CollectionGeneration, chunks: readonly Chunk[]): ChunkMap {
    return new ChunkMap(generation, []).updated(chunks);
  }

  /** The highest version of all chunks. */
  get version(): ShardVersion {
    return this.collectionVersion;
  }

  /** What a command that is sent to this shard carries; 0|0 of this generation for a shard without chunks. */
  versionOf(shard: string): ShardVersion {
    return new ShardVersion(this.generation, this.newest.get(shard) ?? { major: 0, minor: 0 });
  }

  /** The shards that have at least one chunk. */
  shards(): readonly string[] {
    return [...this.newest.keys()];
  }

  /** The chunk that has this key. */
  chunkOf(key: KeyText): Chunk {
    const { chunks, ends } = this.blocks[firstBeyond(this.ends, key)];
    return chunks[firstBeyond(ends, key)];
  }

  /** The chunk with exactly these bounds. */
  tryChunk(range: KeyTextRange): Chunk | undefined {
    if (range.min >= ABOVE_ALL_KEYS) return undefined;
    const chunk = this.chunkOf(range.min);
    return chunk.minText === range.min && chunk.maxText === range.max ? chunk : undefined;
  }

  /** All chunks that have keys of the range, in order. */
  *overlapping(range: KeyTextRange): Generator<Chunk> {
    const start = firstBeyond(this.ends, range.min);
    for (let at = start; at < this.blocks.length; at += 1) {
      const { chunks } = this.blocks[at];
      const first = at === start ? firstWhere(chunks, (chunk) => chunk.maxText > range.min) : 0;
      for (let index = first; index < chunks.length; index += 1) {
        if (chunks[index].minText >= range.max) return;
        yield chunks[index];
      }
    }
  }

  /** The shards that have keys of the range. Costs the logarithm of the blocks, and the chunks of two blocks at most. */
  shardsOf(range: KeyTextRange): ReadonlySet<string> {
    const shards = new Set<string>();
    const first = firstBeyond(this.ends, range.min);
    const last = firstWhere(this.blocks, (block) => lastOf(block).maxText >= range.max);
    this.addShards(shards, range, first);
    if (last === first || shards.size === this.newest.size) return shards;
    this.addSummaries(shards, first + 1, last);
    this.addShards(shards, range, last);
    return shards;
  }

  /** Of the chunks of one block. */
  private addShards(shards: Set<string>, { min, max }: KeyTextRange, block: number): void {
    const chunks = block < this.blocks.length ? this.blocks[block].chunks : [];
    let at = firstWhere(chunks, (chunk) => chunk.maxText > min);
    for (; at < chunks.length && chunks[at].minText < max; at += 1) {
      shards.add(chunks[at].shard);
      if (shards.size === this.newest.size) return;
    }
  }

  /** Of the blocks from `start` to before `end`: of each level two summaries at most. */
  private addSummaries(shards: Set<string>, start: number, end: number): void {
    let [low, high] = [start, end];
    this.summaries ??= summariesOf(this.blocks);
    for (const level of this.summaries) {
      if (low >= high) return;
      if (low % 2 === 1) {
        for (const shard of level[low]) shards.add(shard);
        low += 1;
      }
      if (high % 2 === 1) {
        high -= 1;
        for (const shard of level[high]) shards.add(shard);
      }
      low /= 2;
      high /= 2;
    }
  }

  /** All chunks in order. */
  *[Symbol.iterator](): Generator<Chunk> {
    for (const block of this.blocks) yield* block.chunks;
  }

  /**
   * The map with these chunks instead of those that they overlap. Of two new ones that overlap the newer stays.
   * @param changed in any order
   * @throws CommandError ConflictingOperationInProgress when a gap would be left
   */
  updated(changed: readonly Chunk[]): ChunkMap {
    if (changed.length === 0) return this;
    const news = withoutOverlaps(changed);
    const blocks: Block[] = [];
    let next = 0;
    let at = 0;
    while (at < this.blocks.length) {
      const block = this.blocks[at];
      const isTouched = next < news.length && news[next].minText < lastOf(block).maxText;
      if (!isTouched) {
        blocks.push(block);
        at += 1;
        continue;
      }
      // All blocks that the news of this neighbourhood reach into are made again together.
      const first = next;
      const old: Chunk[] = [];
      let end = '';
      do {
        old.push(...this.blocks[at].chunks);
        end = lastOf(this.blocks[at]).maxText;
        at += 1;
        while (next < news.length && news[next].minText < end) next += 1;
      } while (at < this.blocks.length && news[next - 1].maxText > end);
      blocks.push(...blocksOf(merged(old, news.slice(first, next))));
    }
    if (next < news.length) blocks.push(...blocksOf(news.slice(next)));
    checkComplete(blocks, new Set(this.blocks));
    return new ChunkMap(this.generation, blocks);
  }
}

/** Level by level, each half as long as the one before. */
function summariesOf(blocks: readonly Block[]): ReadonlySet<string>[][] {
  let level: ReadonlySet<string>[] = blocks.map(({ newest }) => new Set(newest.keys()));
  const levels = [level];
  while (level.length > 1) {
    const next: ReadonlySet<string>[] = [];
    for (let at = 0; at < level.length; at += 2) {
      next.push(new Set([...level[at], ...(level[at + 1] ?? [])]));
    }
    levels.push(next);
    level = next;
  }
  return levels;
}

/** The index of the first end that lies beyond the key. The length when none does. */
function firstBeyond(ends: readonly KeyText[], key: KeyText): number {
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ends[middle] > key) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The index of the first element that fits, where all after it do, too. The length when none does. */
function firstWhere<Element>(
  elements: readonly Element[],
  fits: (element: Element) => boolean,
): number {
  let low = 0;
  let high = elements.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (fits(elements[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

function lastOf(block: Block): Chunk {
  return block.chunks[block.chunks.length - 1];
}

/** In order, the newer one of two that overlap. */
function withoutOverlaps(changed: readonly Chunk[]): Chunk[] {
  const sorted = [...changed].sort((a, b) => order(a.minText, b.minText));
  const kept: Chunk[] = [];
  for (const chunk of sorted) {
    let isOlder = false;
    while (kept.length > 0 && kept[kept.length - 1].maxText > chunk.minText) {
      isOlder = comparePlacements(kept[kept.length - 1], chunk) > 0;
      if (isOlder) break;
      kept.pop();
    }
    if (!isOlder) kept.push(chunk);
  }
  return kept;
}

/** The old chunks that no new one overlaps, and the new ones, in order. */
function merged(old: readonly Chunk[], news: readonly Chunk[]): Chunk[] {
  const result: Chunk[] = [];
  let next = 0;
  for (const chunk of old) {
    while (next < news.length && news[next].maxText <= chunk.minText) {
      result.push(news[next]);
      next += 1;
    }
    const isReplaced = next < news.length && news[next].minText < chunk.maxText;
    if (!isReplaced) result.push(chunk);
  }
  result.push(...news.slice(next));
  return result;
}

function blocksOf(chunks: readonly Chunk[]): Block[] {
  const blocks: Block[] = [];
  const count = Math.ceil(chunks.length / BLOCK_CHUNKS);
  for (let index = 0; index < count; index += 1) {
    // Of equal size, so that none is left with a few.
    const start = Math.floor((index * chunks.length) / count);
    const end = Math.floor(((index + 1) * chunks.length) / count);
    const part = chunks.slice(start, end);
    blocks.push({
      chunks: part,
      ends: part.map(({ maxText }) => maxText),
      newest: newestOf([part]),
    });
  }
  return blocks;
}

function newestOf(groups: readonly (readonly Chunk[])[]): Map<string, Chunk> {
  const newest = new Map<string, Chunk>();
  for (const group of groups) {
    for (const chunk of group) {
      const known = newest.get(chunk.shard);
      if (known === undefined || comparePlacements(chunk, known) > 0) {
        newest.set(chunk.shard, chunk);
      }
    }
  }
  return newest;
}

/** Within a block that stays nothing has changed: its ends are enough. */
function checkComplete(blocks: readonly Block[], kept: ReadonlySet<Block>): void {
  let end: KeyText = BELOW_ALL_KEYS;
  for (const block of blocks) {
    for (const chunk of kept.has(block) ? block.chunks.slice(0, 1) : block.chunks) {
      if (chunk.minText !== end) throw incomplete();
      end = chunk.maxText;
    }
    end = lastOf(block).maxText;
  }
  if (end !== ABOVE_ALL_KEYS) throw incomplete();
}

function incomplete(): CommandError {
  return new CommandError(
    'ConflictingOperationInProgress',
    'The chunks of the collection do not lie side by side: they were read while they changed',
  );
}

function order(a: KeyText, b: KeyText): number {
  return a < b ? -1 : Number(a > b);
}
