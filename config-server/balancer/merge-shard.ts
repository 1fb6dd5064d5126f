/**
 * Makes one chunk of neighbours on one shard, wherever they lie, as long as they are in the same zone.
 * Source: MongoDB's manual, "mergeAllChunksOnShard".
 */
import type { Chunk, OperationContext } from '../../server/cluster.ts';
import { mergeRange } from '../catalog/merge-range.ts';
import type { ConfigServer } from '../config-server.ts';
import { zoneRanges } from './distribution.ts';
import type { ZoneRange } from './policy.ts';

export interface MergeRequest {
  readonly namespace: string;
  readonly shard: string;
  /** Most chunks that become one in a single change. */
  readonly maxCount?: number;
}

const MAX_COUNT = 1000;

export async function mergeShard(
  server: ConfigServer,
  op: OperationContext,
  { namespace, shard, maxCount = MAX_COUNT }: MergeRequest,
): Promise<void> {
  const routing = await server.catalog.routing(op, namespace);
  const zones = await zoneRanges(server, op, routing.entry);
  for (const run of runsOf(routing.chunks, shard, zones)) {
    for (let start = 0; start < run.length; start += maxCount) {
      const part = run.slice(start, start + maxCount);
      const last = part.at(-1);
      if (part.length < 2 || last === undefined) continue;
      await mergeRange(server, op, { namespace, min: part[0].min, max: last.max });
    }
  }
}

/** Neighbours of one shard, parted where a zone begins or ends. */
export function runsOf(
  chunks: Iterable<Chunk>,
  shard: string,
  zones: readonly ZoneRange[],
): Chunk[][] {
  const bounds = new Set(zones.flatMap(({ minText, maxText }) => [minText, maxText]));
  const runs: Chunk[][] = [];
  let run: Chunk[] = [];
  for (const chunk of chunks) {
    if (chunk.shard !== shard || bounds.has(chunk.minText)) {
      if (run.length > 1) runs.push(run);
      run = [];
    }
    if (chunk.shard === shard) run.push(chunk);
  }
  if (run.length > 1) runs.push(run);
  return runs;
}
