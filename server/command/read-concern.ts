/**
 * readConcern: parsed and checked in one place.
 *
 * A server outside a replica set has one node, so `local`, `available` and `majority` mean the same: what is committed here.
 * Source: MongoDB's manual, "Read Concern".
 */
import { CommandError } from '../../common/errors.ts';
import { BsonType, FieldCursor, type RawValue } from '../../bson/index.ts';

const LEVELS = ['local', 'available', 'majority', 'linearizable', 'snapshot'] as const;
export type ReadConcernLevel = (typeof LEVELS)[number];

export interface ReadConcern {
  /** undefined: the document was empty, or named no level. */
  readonly level: ReadConcernLevel | undefined;
  readonly hasClusterTime: boolean;
}

export function parseReadConcern(value: RawValue): ReadConcern {
  if (value.type !== BsonType.object) {
    throw new CommandError(
      'TypeMismatch',
      `BSON field 'readConcern' is the wrong type '${value.typeName}', expected type 'object'`,
    );
  }
  let level: ReadConcernLevel | undefined;
  let hasClusterTime = false;
  const fields = new FieldCursor(value.asDocument());
  while (fields.next()) {
    switch (fields.name) {
      case 'level':
        level = levelOf(fields.value());
        break;
      case 'afterClusterTime':
      case 'atClusterTime':
      case 'afterOpTime':
        hasClusterTime = true;
        break;
      case 'provenance':
      case '$allowTransactionTableSnapshot':
        break;
      default:
        throw new CommandError(
          'IDLUnknownField',
          `BSON field 'readConcern.${fields.name}' is an unknown field.`,
        );
    }
  }
  return { level, hasClusterTime };
}

function levelOf(value: RawValue): ReadConcernLevel {
  if (value.type !== BsonType.string) {
    throw new CommandError(
      'TypeMismatch',
      `BSON field 'readConcern.level' is the wrong type '${value.typeName}', expected type 'string'`,
    );
  }
  const text = value.asString();
  const level = LEVELS.find((each) => each === text);
  if (level === undefined) {
    throw new CommandError(
      'BadValue',
      `Enumeration value '${text}' for field 'readConcern.level' is not a valid value.`,
    );
  }
  return level;
}

/** Refuses what only a member of a replica set can give. */
export function checkReadConcern(readConcern: ReadConcern): void {
  if (readConcern.hasClusterTime) {
    throw new CommandError(
      'NotAReplicaSet',
      'node needs to be a replica set member to use read concern',
    );
  }
  switch (readConcern.level) {
    case 'linearizable':
      throw new CommandError(
        'NotAReplicaSet',
        'node needs to be a replica set member to use read concern',
      );
    case 'snapshot':
      throw new CommandError(
        'NotAReplicaSet',
        'node needs to be a replica set member to use readConcern: snapshot',
      );
    case 'local':
    case 'available':
    case 'majority':
    case undefined:
  }
}
