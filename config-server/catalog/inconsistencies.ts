/**
 * What is wrong with the chunks and zones of one collection. A pure function: of right metadata it finds nothing.
 * Source: MongoDB's manual, "Inconsistency Types".
 */
import type { PlainValue } from '../../bson/index.ts';
import {
  ABOVE_ALL_KEYS,
  BELOW_ALL_KEYS,
  type Chunk,
  type CollectionEntry,
} from '../../server/cluster.ts';
import type { ZoneRange } from '../balancer/policy.ts';

export interface Inconsistency {
  readonly type: string;
  readonly description: string;
  readonly details: Readonly<Record<string, PlainValue | undefined>>;
}

export interface CollectionMetadata {
  readonly entry: CollectionEntry;
  /** In any order. */
  readonly chunks: readonly Chunk[];
  readonly zones: readonly ZoneRange[];
  /** Names of all shards. */
  readonly shards: ReadonlySet<string>;
}

export function findInconsistencies(metadata: CollectionMetadata): Inconsistency[] {
  const { entry, zones, shards } = metadata;
  const { namespace } = entry;
  const chunks = [...metadata.chunks].sort((a, b) => (a.minText < b.minText ? -1 : 1));
  const found: Inconsistency[] = [];
  const add = (type: string, description: string, details: Inconsistency['details']): void =>
    void found.push({ type, description, details: { namespace, ...details } });
  if (chunks.length === 0) {
    add('MissingRoutingTable', 'The collection has no chunks', {});
    return found;
  }
  let end = BELOW_ALL_KEYS;
  for (const { minText, maxText, min, max, shard } of chunks) {
    if (minText > end) add('RoutingTableRangeGap', 'No chunk has the keys before a chunk', { min });
    if (minText < end)
      add('RoutingTableRangeOverlap', 'Two chunks have the same keys', { min, max });
    if (maxText > end) end = maxText;
    if (!shards.has(shard)) {
      add('ChunkOnUnknownShard', 'A chunk is on a shard that is not there', { min, max, shard });
    }
  }
  if (end < ABOVE_ALL_KEYS) {
    add('RoutingTableMissingMaxKey', 'No chunk has the highest keys', {});
  }
  for (const [index, range] of zones.entries()) {
    if (index === 0 || zones[index - 1].maxText <= range.minText) continue;
    add('ZonesRangeOverlap', 'Two zones have the same keys', { min: range.min, max: range.max });
  }
  return found;
}
