/**
 * The 16 bytes before every wire message.
 *
 * Owns: the header's offsets, the numbers of the opcodes, and how request ids are given out.
 * Bytes: docs/format.md#message-header. Source: MongoDB's manual, "MongoDB Wire Protocol".
 */

/** Message header, 16 bytes. docs/format.md#message-header */
export const MESSAGE_HEADER = {
  messageLength: 0, // i32  whole message, header included
  requestId: 4, // i32  chosen by the sender
  responseTo: 8, // i32  request id of the message that this one answers, or 0
  opCode: 12, // i32
  size: 16,
} as const;

/** Numbers of the opcodes. Only msg, query, reply and compressed are spoken; the others are refused by name. */
export const OpCode = {
  reply: 1,
  update: 2001,
  insert: 2002,
  query: 2004,
  getMore: 2005,
  delete: 2006,
  killCursors: 2007,
  compressed: 2012,
  msg: 2013,
} as const;

export interface MessageHeader {
  readonly messageLength: number;
  readonly requestId: number;
  readonly responseTo: number;
  readonly opCode: number;
}

/** @param message at least 16 bytes. */
export function readHeader(message: Buffer): MessageHeader {
  return {
    messageLength: message.readInt32LE(MESSAGE_HEADER.messageLength),
    requestId: message.readInt32LE(MESSAGE_HEADER.requestId),
    responseTo: message.readInt32LE(MESSAGE_HEADER.responseTo),
    opCode: message.readInt32LE(MESSAGE_HEADER.opCode),
  };
}

/** Writes a header at the start of `message`; its length field is the Buffer's length. */
export function writeHeader(
  message: Buffer,
  header: Pick<MessageHeader, 'requestId' | 'responseTo' | 'opCode'>,
): void {
  message.writeInt32LE(message.length, MESSAGE_HEADER.messageLength);
  message.writeInt32LE(header.requestId, MESSAGE_HEADER.requestId);
  message.writeInt32LE(header.responseTo, MESSAGE_HEADER.responseTo);
  message.writeInt32LE(header.opCode, MESSAGE_HEADER.opCode);
}

const LARGEST_REQUEST_ID = 0x7fff_ffff;

/** Gives out request ids 1, 2, 3, ... and begins again at 1 after the largest int32; never 0. */
export class RequestIds {
  private last = 0;

  next(): number {
    this.last = this.last === LARGEST_REQUEST_ID ? 1 : this.last + 1;
    return this.last;
  }
}
