/**
 * The arguments that every command may carry, in one table, found in the one walk over the body.
 *
 * Owns: their names, types and checks. Dispatch gives them their effect; no command reads them itself.
 * A name that stands here is parsed and given its effect, or refused by name, or ignored because MongoDB ignores it, too.
 * Source: MongoDB's generic argument definition (generic_argument.idl) and the driver specifications.
 */
import { isValidDatabaseName } from '../../common/database-name.ts';
import { CommandError } from '../../common/errors.ts';
import { BsonType, FieldCursor, type RawValue } from '../../bson/index.ts';
import type { DocumentSequence } from '../../wire/index.ts';
import { CommandBody } from './command-body.ts';
import { parseReadConcern, type ReadConcern } from './read-concern.ts';
import { parseWriteConcern, type WriteConcern } from './write-concern.ts';

/** Arguments that any command may carry, as the client sent them. */
export interface GenericArguments {
  database: string;
  /** The 16 bytes of lsid.id. */
  sessionId: Buffer | undefined;
  transactionNumber: number | undefined;
  autocommit: boolean | undefined;
  startTransaction: boolean | undefined;
  statementIds: readonly number[] | undefined;
  readConcern: ReadConcern | undefined;
  writeConcern: WriteConcern | undefined;
  /** Milliseconds; 0 is no limit. */
  maxTimeMs: number;
  comment: RawValue | undefined;
  readPreferenceMode: string | undefined;
  apiVersion: string | undefined;
  apiStrict: boolean | undefined;
  apiDeprecationErrors: boolean | undefined;
  /** What a router went by: see server/sharding/. */
  shardVersion: RawValue | undefined;
  databaseVersion: RawValue | undefined;
  /** What a router found to be set for this shape of query. */
  querySettings: RawValue | undefined;
}

/** A request as it arrived. */
export interface RequestSource {
  /** Raw BSON of the command, validated. */
  readonly bytes: Buffer;
  readonly sequences: readonly DocumentSequence[];
  /** For OP_QUERY, whose body has no $db. */
  readonly database?: string;
}

/** What a request holds once its body has been walked. */
export interface ParsedRequest {
  readonly body: CommandBody;
  readonly generic: GenericArguments;
}

type Take = (generic: GenericArguments, value: RawValue, name: string) => void;

const ignored: Take = () => {};

const refused =
  (what: string): Take =>
  (_generic, _value, name) => {
    throw new CommandError('NotImplemented', `${name} is not supported by FlintDB yet: ${what}`);
  };

const TABLE: ReadonlyMap<string, Take> = new Map<string, Take>([
  ['$db', takeDatabase],
  ['lsid', takeSession],
  ['txnNumber', takeTransactionNumber],
  ['autocommit', (generic, value, name) => (generic.autocommit = boolean(value, name))],
  ['startTransaction', (generic, value, name) => (generic.startTransaction = boolean(value, name))],
  ['stmtId', (generic, value, name) => (generic.statementIds = [integer(value, name)])],
  ['stmtIds', takeStatementIds],
  // Gossip of a replica set. A standalone ignores it, and sends none.
  ['$clusterTime', (_generic, value, name) => void document(value, name)],
  ['$configTime', ignored],
  ['$topologyTime', ignored],
  ['readConcern', (generic, value) => (generic.readConcern = parseReadConcern(value))],
  ['writeConcern', (generic, value) => (generic.writeConcern = parseWriteConcern(value))],
  ['maxTimeMS', (generic, value, name) => (generic.maxTimeMs = milliseconds(value, name))],
  // Drivers send the operation's own limit beside one that allows for the network; the smaller one counts.
  ['maxTimeMSOpOnly', takeInternalTimeLimit],
  ['$readPreference', takeReadPreference],
  // An old form of the same thing: a standalone reads from itself whatever it says.
  ['$queryOptions', ignored],
  ['comment', (generic, value) => (generic.comment = value)],
  ['apiVersion', (generic, value, name) => (generic.apiVersion = string(value, name))],
  ['apiStrict', (generic, value, name) => (generic.apiStrict = boolean(value, name))],
  [
    'apiDeprecationErrors',
    (generic, value, name) => (generic.apiDeprecationErrors = boolean(value, name)),
  ],
  ['$audit', ignored],
  ['$client', ignored],
  ['$oplogQueryData', ignored],
  ['$queryHash', ignored],
  ['shardVersion', (generic, value) => (generic.shardVersion = value)],
  ['databaseVersion', (generic, value) => (generic.databaseVersion = value)],
  ['querySettings', (generic, value) => (generic.querySettings = value)],
  ['coordinator', refused('transactions over several shards')],
  ['readOnly', refused('transactions over several shards')],
  ['startOrContinueTransaction', refused('transactions over several shards')],
  ['$replData', ignored],
  ['allowImplicitCollectionCreation', ignored],
  ['mayBypassWriteBlocking', ignored],
  ['expectPrefix', refused('tenants')],
  ['$tenant', refused('tenants')],
  ['clientOperationKey', refused('operation keys')],
  ['requestGossipRoutingCache', ignored],
  ['rawData', refused('raw time series buckets')],
]);

/** Each with a power of two, by which one that is sent twice is noticed: a number has room for 53 of them. */
const ARGUMENTS: ReadonlyMap<string, { readonly take: Take; readonly bit: number }> = new Map(
  [...TABLE].map(([name, take], index) => [name, { take, bit: 2 ** index }]),
);

const cursor = new FieldCursor(Buffer.from([5, 0, 0, 0, 0]));

/** The first field's name, which names the command. @throws CommandError for an empty body. */
export function commandNameOf(bytes: Buffer): string {
  cursor.reset(bytes);
  if (!cursor.next()) throw new CommandError('FailedToParse', 'the command document is empty');
  return cursor.name;
}

/**
 * Walks the body once: generic arguments to one side, the command's own fields to the other.
 * @param command the name as it is defined; what the client wrote may be an alias.
 */
export function parseRequest(command: string, source: RequestSource): ParsedRequest {
  const { bytes, sequences } = source;
  cursor.reset(bytes);
  cursor.next();
  const generic = emptyArguments(source.database ?? '');
  const body = new CommandBody(command, { bytes, generic, target: cursor.value(), sequences });
  let seen = 0;
  while (cursor.next()) {
    const name = cursor.name;
    const argument = ARGUMENTS.get(name);
    if (argument === undefined) {
      body.addField(name, cursor.value());
      continue;
    }
    if (Math.floor(seen / argument.bit) % 2 === 1) throw body.duplicate(name);
    seen += argument.bit;
    argument.take(generic, cursor.value(), name);
  }
  if (generic.database === '') {
    throw new CommandError(40571, 'OP_MSG requests require a $db argument');
  }
  return { body, generic };
}

/** True for a name that every command may carry; the SDK and the router ask, too. */
export function isGenericArgument(name: string): boolean {
  return TABLE.has(name);
}

function emptyArguments(database: string): GenericArguments {
  return {
    database,
    sessionId: undefined,
    transactionNumber: undefined,
    autocommit: undefined,
    startTransaction: undefined,
    statementIds: undefined,
    readConcern: undefined,
    writeConcern: undefined,
    maxTimeMs: 0,
    comment: undefined,
    readPreferenceMode: undefined,
    apiVersion: undefined,
    apiStrict: undefined,
    apiDeprecationErrors: undefined,
    shardVersion: undefined,
    databaseVersion: undefined,
    querySettings: undefined,
  };
}

function takeDatabase(generic: GenericArguments, value: RawValue, name: string): void {
  const database = string(value, name);
  if (!isValidDatabaseName(database)) {
    throw new CommandError('InvalidNamespace', `Invalid database name: '${database}'`);
  }
  generic.database = database;
}

function takeSession(generic: GenericArguments, value: RawValue, name: string): void {
  let id: Buffer | undefined;
  const fields = new FieldCursor(document(value, name));
  while (fields.next()) {
    switch (fields.name) {
      case 'id':
        id = uuid(fields.value(), 'lsid.id');
        break;
      case 'uid':
      case 'txnNumber':
      case 'txnUUID':
        // Set by servers among themselves, and by clients that act for others; here every session is its client's own.
        break;
      default:
        throw new CommandError(
          'IDLUnknownField',
          `BSON field 'lsid.${fields.name}' is an unknown field.`,
        );
    }
  }
  if (id === undefined) {
    throw new CommandError(
      'IDLFailedToParse',
      "BSON field 'lsid.id' is missing but a required field",
    );
  }
  generic.sessionId = id;
}

/** A UUID's 16 bytes, which stay part of the message. */
export function uuid(value: RawValue, path: string): Buffer {
  if (value.type !== BsonType.binData) throw wrongType(value, path, "expected type 'binData'");
  const { subtype, bytes } = value.asBinary();
  if (subtype !== 4 || bytes.length !== 16) {
    throw new CommandError(
      'TypeMismatch',
      `BSON field '${path}' is the wrong binData type 'subtype ${subtype}', expected type 'UUID'`,
    );
  }
  return bytes;
}

function takeTransactionNumber(generic: GenericArguments, value: RawValue, name: string): void {
  if (value.type !== BsonType.int64) throw wrongType(value, name, "expected type 'long'");
  const number = value.asNumber();
  if (number < 0) {
    throw new CommandError('InvalidOptions', 'Transaction number cannot be negative');
  }
  generic.transactionNumber = number;
}

function takeStatementIds(generic: GenericArguments, value: RawValue, name: string): void {
  if (value.type !== BsonType.array) throw wrongType(value, name, "expected type 'array'");
  const ids: number[] = [];
  const elements = new FieldCursor(value.asDocument());
  while (elements.next()) ids.push(integer(elements.value(), `${name}.${ids.length}`));
  generic.statementIds = ids;
}

function takeInternalTimeLimit(generic: GenericArguments, value: RawValue, name: string): void {
  const limitMs = milliseconds(value, name);
  if (limitMs > 0 && (generic.maxTimeMs === 0 || limitMs < generic.maxTimeMs)) {
    generic.maxTimeMs = limitMs;
  }
}

const READ_PREFERENCES = new Set([
  'primary',
  'primaryPreferred',
  'secondary',
  'secondaryPreferred',
  'nearest',
]);

function takeReadPreference(generic: GenericArguments, value: RawValue, name: string): void {
  const fields = new FieldCursor(document(value, name));
  while (fields.next()) {
    if (fields.name !== 'mode') continue;
    const mode = string(fields.value(), '$readPreference.mode');
    if (!READ_PREFERENCES.has(mode)) {
      throw new CommandError(
        'FailedToParse',
        `Could not parse $readPreference mode '${mode}'. Only the modes 'primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', and 'nearest' are supported.`,
      );
    }
    generic.readPreferenceMode = mode;
  }
}

/** maxTimeMS: an integer from 0 to 2^31-1. */
function milliseconds(value: RawValue, name: string): number {
  if (value.isNullish) return 0;
  if (!value.isNumber)
    throw wrongType(value, name, "expected types '[long, int, decimal, double]'");
  const number = value.asNumber();
  if (!Number.isInteger(number)) {
    throw new CommandError('FailedToParse', `${name} has non-integral value`);
  }
  if (number < 0 || number > 2 ** 31 - 1) {
    throw new CommandError(
      'BadValue',
      `${number} value for ${name} is out of range ${SHORT_INT_RANGE}`,
    );
  }
  return number;
}

const SHORT_INT_RANGE = '[0, 2147483647]';

function integer(value: RawValue, name: string): number {
  if (value.type !== BsonType.int32) throw wrongType(value, name, "expected type 'int'");
  return value.asNumber();
}

function string(value: RawValue, name: string): string {
  if (value.type !== BsonType.string) throw wrongType(value, name, "expected type 'string'");
  return value.asString();
}

function boolean(value: RawValue, name: string): boolean {
  if (value.type !== BsonType.bool) throw wrongType(value, name, "expected type 'bool'");
  return value.asBoolean();
}

function document(value: RawValue, name: string): Buffer {
  if (value.type !== BsonType.object) throw wrongType(value, name, "expected type 'object'");
  return value.asDocument();
}

function wrongType(value: RawValue, path: string, expected: string): CommandError {
  return new CommandError(
    'TypeMismatch',
    `BSON field '${path}' is the wrong type '${value.typeName}', ${expected}`,
  );
}
