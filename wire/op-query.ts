/**
 * OP_QUERY, as far as it still lives: the first hello of a driver, and the few commands that old drivers send before
 * they know that they may speak OP_MSG.
 *
 * Promises: parsing checks bounds only and throws nothing but CommandError.
 * Bytes: docs/format.md#op_query. Source: MongoDB's manual, "Legacy Opcodes"; MongoDB 8.0 for what is still allowed.
 */
import { uassert } from '../common/assert.ts';
import { CommandError } from '../common/errors.ts';
import { EMPTY_DOCUMENT, getField, validateDocument } from '../bson/index.ts';
import { MESSAGE_HEADER, OpCode, writeHeader } from './header.ts';

/** Fixed part of an OP_QUERY, before its variable-length name. docs/format.md#op_query */
const OP_QUERY = {
  flags: MESSAGE_HEADER.size, // i32
  fullCollectionName: MESSAGE_HEADER.size + 4, // cstring, then i32 numberToSkip, i32 numberToReturn, documents
} as const;

/** Bit of OP_QUERY's flags: the read may go to a secondary. */
const SECONDARY_OK = 1 << 2;

export interface OpQuery {
  readonly kind: 'query';
  readonly requestId: number;
  readonly responseTo: number;
  readonly flags: number;
  readonly secondaryOk: boolean;
  /** "database.collection"; for a command "database.$cmd". */
  readonly fullCollectionName: string;
  readonly numberToSkip: number;
  readonly numberToReturn: number;
  /** Not yet validated. */
  readonly query: Buffer;
}

/** @param message a whole message whose opcode is OP_QUERY. */
export function parseOpQuery(message: Buffer): OpQuery {
  const nul = message.indexOf(0, OP_QUERY.fullCollectionName);
  uassert(nul !== -1, 'ProtocolError', 'collection name of OP_QUERY does not end');
  const numbers = nul + 1;
  const queryStart = numbers + 8;
  uassert(queryStart + 5 <= message.length, 'ProtocolError', 'OP_QUERY is cut off');
  const queryBytes = message.readInt32LE(queryStart);
  uassert(
    queryBytes >= 5 && queryBytes <= message.length - queryStart,
    'InvalidBSON',
    'length of the query document does not fit OP_QUERY',
  );
  const flags = message.readInt32LE(OP_QUERY.flags);
  return {
    kind: 'query',
    requestId: message.readInt32LE(MESSAGE_HEADER.requestId),
    responseTo: message.readInt32LE(MESSAGE_HEADER.responseTo),
    flags,
    secondaryOk: (flags & SECONDARY_OK) !== 0,
    fullCollectionName: message.toString('utf8', OP_QUERY.fullCollectionName, nul),
    numberToSkip: message.readInt32LE(numbers),
    numberToReturn: message.readInt32LE(numbers + 4),
    query: message.subarray(queryStart, queryStart + queryBytes),
  };
}

/** What an OP_QUERY is made of, for the asking side of tests and old-style handshakes. */
export interface OpQueryContents {
  readonly requestId: number;
  readonly fullCollectionName: string;
  readonly query: Buffer;
  readonly secondaryOk?: boolean;
}

/** A command in one new Buffer: numberToSkip 0, numberToReturn -1. */
export function encodeOpQuery(contents: OpQueryContents): Buffer {
  const nameEnd = OP_QUERY.fullCollectionName + Buffer.byteLength(contents.fullCollectionName);
  const queryStart = nameEnd + 1 + 8;
  const message = Buffer.alloc(queryStart + contents.query.length);
  writeHeader(message, { requestId: contents.requestId, responseTo: 0, opCode: OpCode.query });
  message.writeInt32LE(contents.secondaryOk === true ? SECONDARY_OK : 0, OP_QUERY.flags);
  message.write(contents.fullCollectionName, OP_QUERY.fullCollectionName);
  message.writeInt32LE(-1, nameEnd + 1 + 4);
  contents.query.copy(message, queryStart);
  return message;
}

/** The command inside an OP_QUERY. */
export interface OpQueryCommand {
  readonly name: string;
  readonly database: string;
  /** Validated; without `$db`. */
  readonly body: Buffer;
}

const COMMAND_SUFFIX = '.$cmd';

/** What MongoDB 8.0 still runs when it comes by OP_QUERY: the handshake, and what old drivers send around it. */
const ALLOWED_COMMANDS: ReadonlySet<string> = new Set([
  'hello',
  'isMaster',
  'ismaster',
  '_isSelf',
  'authenticate',
  'buildinfo',
  'buildInfo',
  'saslContinue',
  'saslStart',
]);

/** Where MongoDB's messages about removed opcodes point. */
export const LEGACY_OPCODE_ADVICE =
  'The client driver may require an upgrade. For more details see https://dochub.mongodb.org/core/legacy-opcode-removal';

/** Code of "OP_QUERY is no longer supported": its reply is a legacy query failure (encodeOpReply with queryFailure). */
export const OP_QUERY_REMOVED = 5739101;

/**
 * Takes the command out of an OP_QUERY, unwraps `$query`, and validates it.
 * @throws CommandError UnsupportedOpQueryCommand for any command but those of the handshake; OP_QUERY_REMOVED for a
 *   query on a collection; InvalidBSON.
 */
export function commandOfOpQuery(message: OpQuery): OpQueryCommand {
  if (!message.fullCollectionName.endsWith(COMMAND_SUFFIX)) {
    throw new CommandError(
      OP_QUERY_REMOVED,
      `OP_QUERY is no longer supported. ${LEGACY_OPCODE_ADVICE}`,
    );
  }
  validateDocument(message.query);
  const body = unwrapQuery(message.query);
  const name = firstFieldName(body);
  if (!ALLOWED_COMMANDS.has(name)) {
    throw new CommandError(
      'UnsupportedOpQueryCommand',
      `Unsupported OP_QUERY command: ${name}. ${LEGACY_OPCODE_ADVICE}`,
    );
  }
  return { name, database: message.fullCollectionName.slice(0, -COMMAND_SUFFIX.length), body };
}

/** Drivers wrap a command as { $query: { hello: 1 }, $readPreference: ... } when a read preference goes with it. */
function unwrapQuery(query: Buffer): Buffer {
  const name = firstFieldName(query);
  if (name !== '$query' && name !== 'query') return query;
  const wrapped = getField(query, name);
  return wrapped?.typeName === 'object' ? wrapped.asDocument() : EMPTY_DOCUMENT;
}

/** @param document validated. */
function firstFieldName(document: Buffer): string {
  if (document.length <= EMPTY_DOCUMENT.length) return '';
  return document.toString('utf8', 5, document.indexOf(0, 5));
}
