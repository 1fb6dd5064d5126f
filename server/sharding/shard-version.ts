/**
 * The version of a sharded collection on one shard: which generation of the collection, and how new its chunks are there.
 *
 * A routed command carries it as `shardVersion: {e, t, v}`. A shard accepts it when the generation is its own and the major numbers
 * agree: a split or a merge raises only the minor one, because no document changes its shard by it.
 * Source: MongoDB's versioning protocols (src/mongo/db/s/README_versioning_protocols.md).
 */
import { CommandError } from '../../common/errors.ts';
import {
  BsonType,
  documentOf,
  getField,
  objectIdValue,
  RawValue,
  timestampValue,
} from '../../bson/index.ts';

/** Which life of a collection: a dropped one that comes again has another. Both change together. */
export interface CollectionGeneration {
  /** An ObjectId as 24 hexadecimal digits. */
  readonly epoch: string;
  /** A BSON timestamp: seconds in the high 32 bits. */
  readonly timestamp: bigint;
}

/** How new chunks are, within one generation. */
export interface Placement {
  readonly major: number;
  readonly minor: number;
}

const NO_EPOCH = '0'.repeat(24);
/** Zero seconds, the highest rest: what routers send when they want no check. */
const IGNORED_EPOCH = '00000000ffffffffffffffff';
const MAX_TIMESTAMP = 0xffff_ffff_ffff_ffffn;

export class ShardVersion implements CollectionGeneration, Placement {
  /** Of a collection that is not sharded. */
  static readonly UNSHARDED = new ShardVersion(
    { epoch: NO_EPOCH, timestamp: 0n },
    { major: 0, minor: 0 },
  );
  /** Wants no check: a command that every shard may run whatever it owns. */
  static readonly IGNORED = new ShardVersion(
    { epoch: IGNORED_EPOCH, timestamp: MAX_TIMESTAMP },
    { major: 0, minor: 0 },
  );

  readonly epoch: string;
  readonly timestamp: bigint;
  readonly major: number;
  readonly minor: number;

  constructor({ epoch, timestamp }: CollectionGeneration, { major, minor }: Placement) {
    this.epoch = epoch;
    this.timestamp = timestamp;
    this.major = major;
    this.minor = minor;
  }

  /**
   * @param value of the field, {e: ObjectId, t: Timestamp, v: Timestamp(major, minor)}
   * @throws CommandError TypeMismatch, IDLFailedToParse
   */
  static parse(value: RawValue, name = 'shardVersion'): ShardVersion {
    if (value.type !== BsonType.object) {
      throw new CommandError(
        'TypeMismatch',
        `BSON field '${name}' is the wrong type '${value.typeName}', expected type 'object'`,
      );
    }
    const document = value.asDocument();
    const epoch = required(document, name, 'e', BsonType.objectId).asObjectIdBytes();
    const timestamp = timestampOf(required(document, name, 't', BsonType.timestamp));
    const placement = placementOf(required(document, name, 'v', BsonType.timestamp));
    return new ShardVersion({ epoch: epoch.toString('hex'), timestamp }, placement);
  }

  get isUnsharded(): boolean {
    return this.timestamp === 0n && this.epoch === NO_EPOCH;
  }

  get isIgnored(): boolean {
    return this.timestamp === MAX_TIMESTAMP && this.major === 0 && this.minor === 0;
  }

  isSameGeneration(other: CollectionGeneration): boolean {
    return this.timestamp === other.timestamp && this.epoch === other.epoch;
  }

  /** What was routed by the one is served rightly by who has the other. */
  isCompatibleWith(other: ShardVersion): boolean {
    return this.isSameGeneration(other) && this.major === other.major;
  }

  equals(other: ShardVersion): boolean {
    return this.isSameGeneration(other) && comparePlacements(this, other) === 0;
  }

  /** As a command carries it. */
  toValue(): Buffer {
    return documentOf({
      e: objectIdValue(Buffer.from(this.epoch, 'hex')),
      t: timestampOfBigInt(this.timestamp),
      v: placementValue(this),
    });
  }

  /** As log lines and messages of MongoDB show it. */
  toString(): string {
    return `${this.major}|${this.minor}||${this.epoch}||Timestamp(${this.timestamp >> 32n}, ${this.timestamp & 0xffff_ffffn})`;
  }
}

/** Negative, 0 or positive. Only within one generation. */
export function comparePlacements(a: Placement, b: Placement): number {
  return a.major - b.major || a.minor - b.minor;
}

/** A chunk's lastmod: the major number stands for the seconds. */
export function placementOf(value: RawValue): Placement {
  const { seconds, increment } = value.asTimestamp();
  return { major: seconds, minor: increment };
}

export function placementValue({ major, minor }: Placement): RawValue {
  return timestampValue(major, minor);
}

export function timestampOf(value: RawValue): bigint {
  const { seconds, increment } = value.asTimestamp();
  return (BigInt(seconds) << 32n) | BigInt(increment);
}

export function timestampOfBigInt(timestamp: bigint): RawValue {
  return timestampValue(Number(timestamp >> 32n), Number(timestamp & 0xffff_ffffn));
}

function required(
  document: Buffer,
  parent: string,
  name: string,
  type: typeof BsonType.objectId | typeof BsonType.timestamp,
): RawValue {
  const value = getField(document, name);
  if (value === undefined) {
    throw new CommandError(
      'IDLFailedToParse',
      `BSON field '${parent}.${name}' is missing but a required field`,
    );
  }
  if (value.type === type) return value;
  throw new CommandError(
    'TypeMismatch',
    `BSON field '${parent}.${name}' is the wrong type '${value.typeName}', expected type '${type === BsonType.objectId ? 'objectId' : 'timestamp'}'`,
  );
}
