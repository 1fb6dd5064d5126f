/**
 * One whole message to what it says, whichever of the spoken opcodes it has.
 */
import { CommandError, ERROR_CODES } from '../common/errors.ts';
import { MESSAGE_HEADER, OpCode } from './header.ts';
import { parseOpMsg, type OpMsg } from './op-msg.ts';
import { LEGACY_OPCODE_ADVICE, OP_QUERY_REMOVED, parseOpQuery, type OpQuery } from './op-query.ts';
import { parseOpReply, type OpReply } from './op-reply.ts';

export type Message = OpMsg | OpQuery | OpReply;

/** Opcodes that MongoDB 6.0 removed, with the code of the error that each gives there. */
const REMOVED_OPCODES: ReadonlyMap<number, { name: string; code: number }> = new Map([
  [OpCode.update, { name: 'OP_UPDATE', code: 5745705 }],
  [OpCode.insert, { name: 'OP_INSERT', code: 5745706 }],
  [OpCode.getMore, { name: 'OP_GET_MORE', code: OP_QUERY_REMOVED }],
  [OpCode.delete, { name: 'OP_DELETE', code: 5745704 }],
  [OpCode.killCursors, { name: 'OP_KILL_CURSORS', code: 5745707 }],
]);

/**
 * @param message a whole message of a MessageReader, through decompressMessage.
 * @throws CommandError; see endsConnection for what then becomes of the connection.
 */
export function parseMessage(message: Buffer): Message {
  const opCode = message.readInt32LE(MESSAGE_HEADER.opCode);
  switch (opCode) {
    case OpCode.msg:
      return parseOpMsg(message);
    case OpCode.query:
      return parseOpQuery(message);
    case OpCode.reply:
      return parseOpReply(message);
    default:
      throw unsupportedOpCode(opCode);
  }
}

function unsupportedOpCode(opCode: number): CommandError {
  const removed = REMOVED_OPCODES.get(opCode);
  if (removed === undefined) {
    return new CommandError('ProtocolError', `unknown opcode ${opCode}`);
  }
  return new CommandError(
    removed.code,
    `${removed.name} is no longer supported. ${LEGACY_OPCODE_ADVICE}`,
  );
}

const ENDING_CODES: ReadonlySet<number> = new Set([
  ERROR_CODES.ProtocolError,
  ERROR_CODES.IllegalOpMsgFlag,
  ERROR_CODES.TooManyDocumentSequences,
  ERROR_CODES.ChecksumMismatch,
  // OP_GET_MORE expects a reply, and gets the one of OP_QUERY; the others were sent without waiting for one.
  ...[...REMOVED_OPCODES.values()]
    .map((removed) => removed.code)
    .filter((code) => code !== OP_QUERY_REMOVED),
]);

/**
 * Whether an error of parseMessage ends the connection instead of becoming a reply: the peer and we no longer agree on
 * what the bytes mean. Errors of MessageReader and decompressMessage always end it.
 * Source: MongoDB's error category ConnectionFatalMessageParseError, and its handling of removed opcodes.
 */
export function endsConnection(error: CommandError): boolean {
  return ENDING_CODES.has(error.code);
}
