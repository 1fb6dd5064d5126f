/**
 * writeConcern: parsed, checked and waited for in one place.
 *
 * Outside a replica set w: 1 is one node's memory, j: true its journal. w: "majority" means the journal, too, as in MongoDB
 * (writeConcernMajorityJournalDefault), and w: 0 waits for nothing.
 * Source: MongoDB's manual, "Write Concern".
 */
import { CommandError } from '../../common/errors.ts';
import { BsonType, FieldCursor, inspect, type RawValue } from '../../bson/index.ts';

export interface WriteConcern {
  readonly w: number | string;
  /** undefined when the client did not say. */
  readonly journal: boolean | undefined;
  /** Milliseconds; 0 is no limit. Only other members are waited for under it. */
  readonly timeoutMs: number;
}

const MAX_MEMBERS = 50;

export function parseWriteConcern(value: RawValue): WriteConcern {
  if (value.type !== BsonType.object) {
    throw new CommandError(
      'TypeMismatch',
      `BSON field 'writeConcern' is the wrong type '${value.typeName}', expected type 'object'`,
    );
  }
  let w: number | string = 1;
  let journal: boolean | undefined;
  let isFlushed = false;
  let timeoutMs = 0;
  const fields = new FieldCursor(value.asDocument());
  while (fields.next()) {
    const field = fields.value();
    switch (fields.name) {
      case 'w':
        w = membersOf(field);
        break;
      case 'j':
        journal = flag(field, 'j');
        break;
      case 'fsync':
        isFlushed = flag(field, 'fsync');
        break;
      case 'wtimeout':
        timeoutMs = field.isNumber ? Math.max(0, Math.trunc(field.asNumber())) : 0;
        break;
      case 'getLastError':
      case 'wElectionId':
      case 'wOpTime':
      case 'provenance':
        break;
      default:
        throw new CommandError(
          'IDLUnknownField',
          `BSON field 'writeConcern.${fields.name}' is an unknown field.`,
        );
    }
  }
  if (isFlushed && journal === true) {
    throw new CommandError('FailedToParse', 'fsync and j options cannot be used together');
  }
  return { w, journal: isFlushed ? true : journal, timeoutMs };
}

/** Refuses what only a replica set can give. */
export function checkWriteConcern(writeConcern: WriteConcern): void {
  const { w } = writeConcern;
  if (typeof w === 'number' && w > 1) {
    throw new CommandError('BadValue', "cannot use 'w' > 1 when a host is not replicated");
  }
  if (typeof w === 'string' && w !== 'majority') {
    throw new CommandError(
      'BadValue',
      `cannot use non-majority 'w' mode "${w}" when a host is not a member of a replica set`,
    );
  }
}

/** Whether the reply must wait until the write is on the device. */
export function needsJournal(writeConcern: WriteConcern | undefined): boolean {
  if (writeConcern === undefined) return false;
  return writeConcern.journal ?? writeConcern.w === 'majority';
}

function membersOf(value: RawValue): number | string {
  if (value.type === BsonType.string) return value.asString();
  if (value.isNullish) return 1;
  if (value.type === BsonType.object) return inspect(value.asDocument());
  if (!value.isNumber) {
    throw new CommandError(
      'FailedToParse',
      'w has to be a number, string, or object; found: ' + value.typeName,
    );
  }
  const members = Math.trunc(value.asNumber());
  if (members < 0 || members > MAX_MEMBERS) {
    throw new CommandError(
      'FailedToParse',
      `w has to be a non-negative number and not greater than ${MAX_MEMBERS}; found: ${members}`,
    );
  }
  return members;
}

function flag(value: RawValue, name: string): boolean {
  if (value.type === BsonType.bool) return value.asBoolean();
  if (value.isNumber) return value.asNumber() !== 0;
  if (value.isNullish) return false;
  throw new CommandError(
    'TypeMismatch',
    `BSON field 'writeConcern.${name}' is the wrong type '${value.typeName}', expected types '[bool, long, int, decimal, double]'`,
  );
}
