/**
 * OP_REPLY: the answer to an OP_QUERY.
 *
 * Bytes: docs/format.md#op_reply. Source: MongoDB's manual, "Legacy Opcodes".
 */
import { uassert } from '../common/assert.ts';
import { MESSAGE_HEADER, OpCode, writeHeader } from './header.ts';

/** Fixed part of an OP_REPLY. docs/format.md#op_reply */
const OP_REPLY = {
  responseFlags: MESSAGE_HEADER.size, // i32
  cursorId: MESSAGE_HEADER.size + 4, // i64
  startingFrom: MESSAGE_HEADER.size + 12, // i32
  numberReturned: MESSAGE_HEADER.size + 16, // i32
  documents: MESSAGE_HEADER.size + 20,
} as const;

/** Bits of OP_REPLY's flags. */
const ReplyFlag = { queryFailure: 1 << 1, awaitCapable: 1 << 3 } as const;

export interface OpReply {
  readonly kind: 'reply';
  readonly requestId: number;
  readonly responseTo: number;
  /** The document is a legacy error with the field `$err`. */
  readonly queryFailure: boolean;
  readonly cursorId: bigint;
  /** Not yet validated. */
  readonly documents: readonly Buffer[];
}

export interface OpReplyContents {
  readonly requestId: number;
  readonly responseTo: number;
  readonly document: Buffer;
  /** For the reply to an OP_QUERY that is no command (`{$err, code, ok: 0}`). */
  readonly queryFailure?: boolean;
}

/** A reply of one document in one new Buffer. */
export function encodeOpReply(contents: OpReplyContents): Buffer {
  const message = Buffer.alloc(OP_REPLY.documents + contents.document.length);
  writeHeader(message, { ...contents, opCode: OpCode.reply });
  const failure = contents.queryFailure === true ? ReplyFlag.queryFailure : 0;
  message.writeInt32LE(ReplyFlag.awaitCapable | failure, OP_REPLY.responseFlags);
  message.writeInt32LE(1, OP_REPLY.numberReturned);
  contents.document.copy(message, OP_REPLY.documents);
  return message;
}

/**
 * @param message a whole message whose opcode is OP_REPLY.
 * @throws CommandError for lengths that do not fit.
 */
export function parseOpReply(message: Buffer): OpReply {
  uassert(message.length >= OP_REPLY.documents, 'ProtocolError', 'OP_REPLY is cut off');
  const documents: Buffer[] = [];
  for (let offset: number = OP_REPLY.documents; offset < message.length;) {
    const room = message.length - offset;
    uassert(room >= 5, 'InvalidBSON', 'document of OP_REPLY is cut off');
    const bytes = message.readInt32LE(offset);
    uassert(bytes >= 5 && bytes <= room, 'InvalidBSON', 'document does not fit OP_REPLY');
    documents.push(message.subarray(offset, offset + bytes));
    offset += bytes;
  }
  uassert(
    documents.length === message.readInt32LE(OP_REPLY.numberReturned),
    'ProtocolError',
    'OP_REPLY has another number of documents than it says',
  );
  return {
    kind: 'reply',
    requestId: message.readInt32LE(MESSAGE_HEADER.requestId),
    responseTo: message.readInt32LE(MESSAGE_HEADER.responseTo),
    queryFailure: (message.readInt32LE(OP_REPLY.responseFlags) & ReplyFlag.queryFailure) !== 0,
    cursorId: message.readBigInt64LE(OP_REPLY.cursorId),
    documents,
  };
}
