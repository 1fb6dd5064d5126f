/**
 * The chunks that a collection begins with.
 *
 * A ranged key begins with one chunk on the primary shard, which the balancer splits and spreads as data come. A hashed one begins,
 * while the collection is empty, with as many of equal size as there are shards, because hashes spread evenly. An empty collection with
 * zones begins with a chunk for each zone, or with several on all shards of the zone when its hashes are to be presplit.
 * Source: MongoDB's manual, "shardCollection", "Hashed Sharding", "Pre-Define Zones and Zone Ranges".
 */
import { BsonType, int64Value, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import {
  ABOVE_ALL_KEYS,
  BELOW_ALL_KEYS,
  type KeyText,
  type ShardKeyPattern,
} from '../../server/cluster.ts';
import type { ZoneRange } from '../balancer/policy.ts';

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
  const ends = [pattern.globalMin, ...hashedBounds(pattern, [], count), pattern.globalMax];
  return ends.slice(1).map((max, index) => ({
    min: ends[index],
    max,
    shard: shards[index % shards.length],
  }));
}

export interface ZonedCollection {
  readonly pattern: ShardKeyPattern;
  /** In order. */
  readonly zones: readonly ZoneRange[];
  /** All that may get chunks. */
  readonly shards: readonly { readonly name: string; readonly zones: readonly string[] }[];
}

/**
 * A chunk for each range of a zone, on the zone's shards in turn, and one for each gap between them, on all shards in turn.
 * @param isPresplit each range gets a chunk on every shard of its zone instead
 * @throws CommandError CannotCreateChunkDistribution when a zone has no shard
 */
export function chunksOfZones(
  { pattern, zones, shards }: ZonedCollection,
  isPresplit: boolean,
): ChunkPlace[] {
  const places: ChunkPlace[] = [];
  const turns = new Map<string | undefined, number>();
  const take = (zone: string | undefined, names: readonly string[]): string => {
    const turn = turns.get(zone) ?? 0;
    turns.set(zone, turn + 1);
    return names[turn % names.length];
  };
  const all = shards.map(({ name }) => name);
  const fillGap = (min: Buffer, max: Buffer): void => {
    if (pattern.boundText(min) < pattern.boundText(max)) {
      places.push({ min, max, shard: take(undefined, all) });
    }
  };
  let end = pattern.globalMin;
  for (const { zone, min, max } of zones) {
    const names = shards.filter((shard) => shard.zones.includes(zone)).map(({ name }) => name);
    if (names.length === 0) {
      throw new CommandError(
        'CannotCreateChunkDistribution',
        'The initial split policy is not able to find a chunk distribution that satisfies the given set of zones with the current shards',
      );
    }
    fillGap(end, min);
    if (isPresplit) places.push(...presplit(pattern, { min, max }, names));
    else places.push({ min, max, shard: take(zone, names) });
    end = max;
  }
  fillGap(end, pattern.globalMax);
  return places;
}

/** One chunk for each of the shards. */
function presplit(
  pattern: ShardKeyPattern,
  { min, max }: { readonly min: Buffer; readonly max: Buffer },
  names: readonly string[],
): ChunkPlace[] {
  const prefix = pattern.boundValues(min).slice(0, hashedAt(pattern));
  const ends = [min, ...hashedBounds(pattern, prefix, names.length), max];
  return names.map((shard, index) => ({ min: ends[index], max: ends[index + 1], shard }));
}

/**
 * Zones by which an empty collection cannot be presplit: the fields before the hashed one must have values at a zone's beginning, and
 * others at its end; the hash and what follows it must begin at MinKey.
 * @throws CommandError with MongoDB's codes, which have no names
 */
export function checkPresplitZones(
  pattern: ShardKeyPattern,
  zones: readonly ZoneRange[],
  hasDocuments: boolean,
): void {
  if (hasDocuments || zones.length === 0 || !pattern.isHashed) {
    throw new CommandError(
      31_387,
      "'presplitHashedZones' is only supported when the collection is empty, zones are set up and shard key pattern has a hashed field",
    );
  }
  const at = hashedAt(pattern);
  const [first] = zones;
  if (at === 0) {
    const isAll =
      zones.length === 1 && first.minText === BELOW_ALL_KEYS && first.maxText === ABOVE_ALL_KEYS;
    if (isAll) return;
    throw new CommandError(
      31_412,
      "For hashed prefix shard keys, 'presplitHashedZones' is only supported when there is a single zone defined which covers entire shard key range",
    );
  }
  for (const zone of zones) {
    const values = pattern.boundValues(zone.min);
    const refuse = (code: number, because: string): never => {
      throw new CommandError(
        code,
        `One or more zones are not defined in a manner that supports hashed pre-splitting. ${because}, for zone ${zone.zone}`,
      );
    };
    if (values.slice(0, at).some(isExtreme)) {
      refuse(
        31_388,
        'Cannot have MinKey or MaxKey in the lower bound for fields preceding the hashed field but found one',
      );
    }
    if (textOf(pattern, zone.min, at) === textOf(pattern, zone.max, at)) {
      refuse(
        31_390,
        'The value preceding hashed field of the upper bound should be greater than that of lower bound',
      );
    }
    if (values[at].type !== BsonType.minKey) {
      refuse(31_389, 'The hashed field value for lower bound must be MinKey');
    }
    if (values.slice(at + 1).some(({ type }) => type !== BsonType.minKey)) {
      refuse(31_391, 'The fields after the hashed field must have MinKey value');
    }
  }
}

function isExtreme({ type }: RawValue): boolean {
  return type === BsonType.minKey || type === BsonType.maxKey;
}

/** Of the bound's first fields. */
function textOf(pattern: ShardKeyPattern, bound: Buffer, count: number): KeyText {
  return pattern.textOf(pattern.boundValues(bound).slice(0, count));
}

function hashedAt({ fields }: ShardKeyPattern): number {
  return fields.findIndex(({ isHashed }) => isHashed);
}

/** Bounds between `count` chunks with about as many hashes each. @param prefix the values before the hash */
function hashedBounds(
  pattern: ShardKeyPattern,
  prefix: readonly RawValue[],
  count: number,
): Buffer[] {
  return hashesBetween(count).map((hash) => pattern.boundOf([...prefix, int64Value(hash)]));
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
