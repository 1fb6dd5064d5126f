/**
 * The chunks that a collection begins with.
 *
 * A ranged key begins with one chunk on the primary shard, which the balancer splits and spreads as data come. A hashed one begins,
 * while the collection is empty, with as many of equal size as there are shards, because hashes spread evenly.
 * Source: MongoDB's manual, "shardCollection" and "Hashed Sharding".
 */
import { int64Value } from '../../bson/index.ts';
import type { ShardKeyPattern } from '../../server/cluster.ts';

/** A chunk to be: its bounds and its shard. */
export interface ChunkPlace {
  readonly min: Buffer;
  readonly max: Buffer;
  readonly shard: string;
}

export function oneChunk(pattern: ShardKeyPattern, shard: string): ChunkPlace[] {
  return [{ min: pattern.globalMin, max: pattern.globalMax, shard }];
}

/** @param shards in the order in which they get chunks: in turn */
export function evenHashedChunks(
  pattern: ShardKeyPattern,
  count: number,
  shards: readonly string[],
): ChunkPlace[] {
  const hashedAt = pattern.fields.findIndex(({ isHashed }) => isHashed);
  const bounds = hashesBetween(count).map((hash) => {
    // Only a hash in front spreads: behind other fields the split is theirs.
    return hashedAt === 0 ? pattern.boundOf([int64Value(hash)]) : undefined;
  });
  const inner = bounds.filter((bound) => bound !== undefined);
  const ends = [pattern.globalMin, ...inner, pattern.globalMax];
  return ends.slice(1).map((max, index) => ({
    min: ends[index],
    max,
    shard: shards[index % shards.length],
  }));
}

const MAX_INT64 = 2n ** 63n - 1n;

/** count - 1 numbers that part the range of int64 evenly, around 0 in the middle of it. */
function hashesBetween(count: number): bigint[] {
  const step = (MAX_INT64 / BigInt(count)) * 2n;
  const isEven = count % 2 === 0;
  const hashes: bigint[] = isEven ? [0n] : [];
  let current = isEven ? step : step / 2n;
  for (let pair = 0; pair < Math.floor((count - 1) / 2); pair += 1) {
    hashes.push(current, -current);
    current += step;
  }
  return hashes.sort((a, b) => (a < b ? -1 : Number(a > b)));
}
