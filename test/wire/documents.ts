/**
 * Documents and messages for the tests of wire/, made with the npm package bson.
 */
import { serialize } from 'bson';

/** Raw BSON of a plain object. */
export function raw(document: Record<string, unknown>): Buffer {
  return Buffer.from(serialize(document));
}

/** A message header in front of a payload. */
export function withHeader(
  payload: Buffer,
  header: { opCode: number; requestId?: number; responseTo?: number; length?: number },
): Buffer {
  const message = Buffer.alloc(16 + payload.length);
  message.writeInt32LE(header.length ?? message.length, 0);
  message.writeInt32LE(header.requestId ?? 1, 4);
  message.writeInt32LE(header.responseTo ?? 0, 8);
  message.writeInt32LE(header.opCode, 12);
  payload.copy(message, 16);
  return message;
}

/** An OP_MSG of hand-made sections. */
export function opMsgOf(flags: number, ...sections: Buffer[]): Buffer {
  const flagBits = Buffer.alloc(4);
  flagBits.writeUInt32LE(flags);
  return withHeader(Buffer.concat([flagBits, ...sections]), { opCode: 2013 });
}

export function bodySection(document: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0]), document]);
}

/** @param claimedBytes for the section's size field instead of the true one. */
export function sequenceSection(
  identifier: string,
  documents: Buffer[],
  claimedBytes?: number,
): Buffer {
  const content = Buffer.concat([Buffer.from(`${identifier}\0`), ...documents]);
  const head = Buffer.alloc(5);
  head[0] = 1;
  head.writeInt32LE(claimedBytes ?? content.length + 4, 1);
  return Buffer.concat([head, content]);
}
