/**
 * A chunk: a range of shard keys, the shard that has it, and the version of that fact. A document of config.chunks.
 */
import { getField } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import type { KeyText, ShardKeyPattern } from './shard-key-pattern.ts';
import { placementOf, type Placement } from './shard-version.ts';

/** Keys from `min` (in it) to `max` (not in it). Immutable. */
export interface Chunk extends Placement {
  /** Raw BSON, {a: 5, b: MinKey}. */
  readonly min: Buffer;
  readonly max: Buffer;
  readonly minText: KeyText;
  readonly maxText: KeyText;
  /** The shard's name. */
  readonly shard: string;
}

/** @param document of config.chunks */
export function chunkFromDocument(document: Buffer, pattern: ShardKeyPattern): Chunk {
  const min = getField(document, 'min');
  const max = getField(document, 'max');
  const shard = getField(document, 'shard');
  const lastmod = getField(document, 'lastmod');
  tassert(min !== undefined && max !== undefined, 'config.chunks: a chunk without bounds');
  tassert(shard !== undefined && lastmod !== undefined, 'config.chunks: a chunk without version');
  return makeChunk(pattern, {
    min: min.asDocument(),
    max: max.asDocument(),
    shard: shard.asString(),
    ...placementOf(lastmod),
  });
}

/** A chunk from its parts; the texts follow from the bounds. */
export function makeChunk(
  pattern: ShardKeyPattern,
  parts: Omit<Chunk, 'minText' | 'maxText'>,
): Chunk {
  return {
    ...parts,
    minText: pattern.boundText(parts.min),
    maxText: pattern.boundText(parts.max),
  };
}
