/**
 * Which ranges should move: pure decisions over what is known of shards, chunks and zones.
 *
 * Promises: a shard takes part in one migration of an answer at most; what is said to move makes something better, so that rounds end:
 * chunks leave shards that are drained, then shards outside of their zone, then the fullest shard of a zone, when it has more than the
 * emptiest one by three times the size of a range.
 * Source: MongoDB's manual, "Sharded Cluster Balancer", "Migration Thresholds".
 */
import type { Chunk, KeyText } from '../../server/cluster.ts';

export interface ShardLoad {
  readonly name: string;
  readonly isDraining: boolean;
  readonly zones: readonly string[];
  /** Of this collection on the shard. */
  readonly dataBytes: number;
}

/** Keys from minText to before maxText belong to shards of this zone. */
export interface ZoneRange {
  readonly zone: string;
  readonly min: Buffer;
  readonly max: Buffer;
  readonly minText: KeyText;
  readonly maxText: KeyText;
}

export interface Distribution {
  readonly shards: readonly ShardLoad[];
  /** In order; no bound of a zone lies within one. */
  readonly chunks: Iterable<Chunk>;
  /** In order, without overlaps. */
  readonly zones: readonly ZoneRange[];
  /** Size of a range. */
  readonly rangeBytes: number;
  /** Chunks that are much larger and cannot be split: only a shard that is drained gives them away. */
  readonly isTooLarge?: (chunk: Chunk) => boolean;
}

export type Reason = 'draining' | 'zoneViolation' | 'chunksImbalance';

export interface Move {
  readonly chunk: Chunk;
  readonly from: string;
  readonly to: string;
  readonly reason: Reason;
}

/** Of shards that differ by less nothing is moved, in sizes of a range. */
const RANGES_OF_DIFFERENCE = 3;
/** The zone of what belongs to none. Every shard takes that. */
const NO_ZONE = undefined;

/** @param isBusy shards that are not to take part in anything */
export function chooseMoves(
  distribution: Distribution,
  isBusy: ReadonlySet<string> = new Set(),
): Move[] {
  const plan = new Plan(distribution, isBusy);
  const placed = placedChunks(distribution);
  for (const { chunk, zone } of placed) plan.leaveDrained(chunk, zone);
  for (const { chunk, zone } of placed) plan.enterZone(chunk, zone);
  const byZone = new Map<string | undefined, Chunk[]>();
  for (const { chunk, zone } of placed) {
    const known = byZone.get(zone);
    if (known === undefined) byZone.set(zone, [chunk]);
    else known.push(chunk);
  }
  for (const [zone, chunks] of byZone) plan.even(zone, chunks);
  return plan.moves;
}

/** Bounds of zones within chunks: there chunks are split first. */
export function zoneSplits(
  chunks: Iterable<Chunk>,
  zones: readonly ZoneRange[],
): { readonly chunk: Chunk; readonly keys: readonly Buffer[] }[] {
  const bounds = zones.flatMap(({ min, max, minText, maxText }) => [
    { key: min, text: minText },
    { key: max, text: maxText },
  ]);
  const splits = [];
  let next = 0;
  for (const chunk of chunks) {
    while (next < bounds.length && bounds[next].text <= chunk.minText) next += 1;
    const keys: Buffer[] = [];
    let last = chunk.minText;
    for (; next < bounds.length && bounds[next].text < chunk.maxText; next += 1) {
      if (bounds[next].text > last) keys.push(bounds[next].key);
      last = bounds[next].text;
    }
    if (keys.length > 0) splits.push({ chunk, keys });
  }
  return splits;
}

interface PlacedChunk {
  readonly chunk: Chunk;
  readonly zone: string | undefined;
}

function placedChunks({ chunks, zones }: Distribution): PlacedChunk[] {
  const placed: PlacedChunk[] = [];
  let next = 0;
  for (const chunk of chunks) {
    while (next < zones.length && zones[next].maxText <= chunk.minText) next += 1;
    const isIn = next < zones.length && zones[next].minText <= chunk.minText;
    placed.push({ chunk, zone: isIn ? zones[next].zone : NO_ZONE });
  }
  return placed;
}

class Plan {
  readonly moves: Move[] = [];
  private readonly shards: readonly ShardLoad[];
  private readonly rangeBytes: number;
  private readonly isTooLarge: (chunk: Chunk) => boolean;
  private readonly busy: Set<string>;

  constructor(
    { shards, rangeBytes, isTooLarge = () => false }: Distribution,
    isBusy: ReadonlySet<string>,
  ) {
    this.isTooLarge = isTooLarge;
    this.shards = shards;
    this.rangeBytes = rangeBytes;
    this.busy = new Set(isBusy);
  }

  leaveDrained(chunk: Chunk, zone: string | undefined): void {
    if (this.shard(chunk)?.isDraining === true) this.moveAway(chunk, zone, 'draining');
  }

  enterZone(chunk: Chunk, zone: string | undefined): void {
    const shard = this.shard(chunk);
    if (shard === undefined || takes(shard, zone) || this.isTooLarge(chunk)) return;
    this.moveAway(chunk, zone, 'zoneViolation');
  }

  even(zone: string | undefined, chunks: readonly Chunk[]): void {
    const shards = this.shards.filter((shard) => takes(shard, zone));
    const holders = new Set(chunks.map(({ shard }) => shard));
    const total = shards.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
    const ideal = total / Math.max(1, shards.length);
    for (;;) {
      const free = shards.filter(({ name }) => !this.busy.has(name));
      const from = extreme(
        free.filter(({ name }) => holders.has(name)),
        (a, b) => a.dataBytes > b.dataBytes,
      );
      const to = emptiest(free.filter(({ isDraining }) => !isDraining));
      if (from === undefined || to === undefined || from === to) return;
      const difference = from.dataBytes - to.dataBytes;
      if (difference < RANGES_OF_DIFFERENCE * this.rangeBytes) return;
      if (from.dataBytes <= ideal || to.dataBytes >= ideal) return;
      const chunk = chunks.find(
        (candidate) => candidate.shard === from.name && !this.isTooLarge(candidate),
      );
      if (chunk === undefined) return;
      this.add(chunk, to, 'chunksImbalance');
    }
  }

  private shard({ shard: wanted }: Chunk): ShardLoad | undefined {
    return this.shards.find(({ name }) => name === wanted);
  }

  private moveAway(chunk: Chunk, zone: string | undefined, reason: Reason): void {
    if (this.busy.has(chunk.shard)) return;
    const to = emptiest(
      this.shards.filter(
        (shard) =>
          shard.name !== chunk.shard &&
          !shard.isDraining &&
          !this.busy.has(shard.name) &&
          takes(shard, zone),
      ),
    );
    if (to !== undefined) this.add(chunk, to, reason);
  }

  private add(chunk: Chunk, to: ShardLoad, reason: Reason): void {
    this.moves.push({ chunk, from: chunk.shard, to: to.name, reason });
    this.busy.add(chunk.shard).add(to.name);
  }
}

function takes(shard: ShardLoad, zone: string | undefined): boolean {
  return zone === NO_ZONE || shard.zones.includes(zone);
}

function emptiest(shards: readonly ShardLoad[]): ShardLoad | undefined {
  return extreme(shards, (a, b) => a.dataBytes < b.dataBytes);
}

function extreme(
  shards: readonly ShardLoad[],
  isBetter: (a: ShardLoad, b: ShardLoad) => boolean,
): ShardLoad | undefined {
  let best: ShardLoad | undefined;
  for (const shard of shards) if (best === undefined || isBetter(shard, best)) best = shard;
  return best;
}
