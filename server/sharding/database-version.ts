/**
 * The version of a database: which shard is its primary one, where its unsharded collections are.
 *
 * A routed command on such a collection carries it as `databaseVersion: {uuid, timestamp, lastMod}`. uuid and timestamp change when
 * the database is created again, lastMod with every movePrimary.
 */
import { CommandError } from '../../common/errors.ts';
import {
  BsonType,
  binaryValue,
  documentOf,
  getField,
  int32Value,
  RawValue,
} from '../../bson/index.ts';
import { timestampOf, timestampOfBigInt } from './shard-version.ts';

const UUID_SUBTYPE = 4;

export class DatabaseVersion {
  /** 32 hexadecimal digits. */
  readonly uuid: string;
  /** A BSON timestamp. */
  readonly timestamp: bigint;
  readonly lastMod: number;

  constructor(uuid: string, timestamp: bigint, lastMod: number) {
    this.uuid = uuid;
    this.timestamp = timestamp;
    this.lastMod = lastMod;
  }

  /** @throws CommandError TypeMismatch, IDLFailedToParse */
  static parse(value: RawValue, name = 'databaseVersion'): DatabaseVersion {
    const document = checked(value, name, BsonType.object, 'object').asDocument();
    const field = (field: string, type: RawValue['type'], typeName: string): RawValue =>
      checked(getField(document, field), `${name}.${field}`, type, typeName);
    const uuid = field('uuid', BsonType.binData, 'binData').asBinary();
    if (uuid.subtype !== UUID_SUBTYPE || uuid.bytes.length !== 16) {
      throw new CommandError(
        'TypeMismatch',
        `BSON field '${name}.uuid' is the wrong binData type 'subtype ${uuid.subtype}', expected type 'UUID'`,
      );
    }
    return new DatabaseVersion(
      uuid.bytes.toString('hex'),
      timestampOf(field('timestamp', BsonType.timestamp, 'timestamp')),
      field('lastMod', BsonType.int32, 'int').asNumber(),
    );
  }

  equals(other: DatabaseVersion): boolean {
    return (
      this.lastMod === other.lastMod &&
      this.timestamp === other.timestamp &&
      this.uuid === other.uuid
    );
  }

  /** After the next movePrimary. */
  next(): DatabaseVersion {
    return new DatabaseVersion(this.uuid, this.timestamp, this.lastMod + 1);
  }

  toValue(): Buffer {
    return documentOf({
      uuid: binaryValue(Buffer.from(this.uuid, 'hex'), UUID_SUBTYPE),
      timestamp: timestampOfBigInt(this.timestamp),
      lastMod: int32Value(this.lastMod),
    });
  }
}

function checked(
  value: RawValue | undefined,
  path: string,
  type: RawValue['type'],
  typeName: string,
): RawValue {
  if (value === undefined) {
    throw new CommandError(
      'IDLFailedToParse',
      `BSON field '${path}' is missing but a required field`,
    );
  }
  if (value.type === type) return value;
  throw new CommandError(
    'TypeMismatch',
    `BSON field '${path}' is the wrong type '${value.typeName}', expected type '${typeName}'`,
  );
}
